/* Optimizers. One is src/optim/NAME.c (a table and how its numbers follow from the step), cl/NAME.cl
 * (the formula), and its word in meson.build. Defaults and formulas are Keras 3's. */
#ifndef CLV_OPTIM_OPTIM_H
#define CLV_OPTIM_OPTIM_H

#include "base/opt.h"
#include "step/emit.h"
#include "step/state.h"
#include "step/store.h"

struct clv_optim {
    const char *name, *help;
    size_t params_size;
    const struct clv_opt *opts;
    int n_slots;                 /* arrays of the weights' size that it keeps */
    const char *slot_name[CLV_STORE_SLOTS];
    const struct clv_source *source; /* holds a kernel `update` */
    /* From st->step (counted from 1) and st->learning_rate: sets st->rate and st->scalar. */
    void (*scalars)(const void *params, struct clv_step_state *st);
    /* The gradient, penalties included, of a first step from slots of zero, by what it changed: the weight
     * by dw, the slots to slot[]. For checks where no gradient is kept. */
    double (*gradient)(const struct clv_step_state *st, double dw, const double slot[CLV_STORE_SLOTS]);
};

extern const struct clv_optim *const clv_optims[]; /* NULL-terminated, generated */

/* "adam learning_rate=0.001 beta_1=0.9": the optimizer and its parameters, which the caller frees. */
CLV_CHECK enum clv_err clv_optim_parse(const char *text, const struct clv_optim **optim,
                                       void **params, struct clv_error *err);

/* Value of the option learning_rate, which every optimizer has. */
double clv_optim_learning_rate(const struct clv_optim *optim, const void *params);

/* Appends the update of all parameters whose backward step has not taken it over, one step for each run
 * of them, after the clipping by global norm when clip_norm > 0
 * (the gradients, penalties included, are scaled by clip_norm / norm where their norm is larger), which needs all gradients kept. */
CLV_CHECK enum clv_err clv_optim_emit(struct clv_emit *e, const struct clv_optim *optim,
                                      struct clv_store *store, double clip_norm);

#endif
