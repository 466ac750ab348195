/* Learning-rate schedules: a factor on the optimizer's rate, as a function of step and epoch. */
#ifndef CLV_TRAIN_LR_SCHEDULE_H
#define CLV_TRAIN_LR_SCHEDULE_H

#include "base/error.h"
#include "base/opt.h"
#include "base/str.h"
#include <clavicle/train.h>
#include <stdint.h>

enum clv_lr_kind { CLV_LR_CONSTANT, CLV_LR_STEP, CLV_LR_COSINE, CLV_LR_PLATEAU };

struct clv_lr_schedule {
    enum clv_lr_kind kind;
    int warmup;       /* optimizer steps over which the factor rises from 0 to 1 */
    int every;        /* step: epochs between reductions, where there are no milestones */
    struct clv_opt_list milestones; /* step: epochs done when the rate is reduced */
    double factor;    /* step, plateau: what a reduction multiplies by */
    double final;     /* cosine: factor at the end */
    int patience;     /* plateau: epochs without improvement before a reduction */
    double min_rate;  /* plateau: the rate is not reduced below it */
};

/* "cosine final=0.01 warmup=100"; NULL = "constant". Error CLV_ERR_ARG. */
CLV_CHECK enum clv_err clv_lr_schedule_parse(const char *text, struct clv_lr_schedule *ret,
                                          struct clv_error *err);

/* Factor for optimizer step `step` (from 0) of `epoch` (from 0); progress = share of the whole
 * training done, 0..1; reduced = product of the plateau's reductions so far. */
double clv_lr_schedule_factor(const struct clv_lr_schedule *s, uint64_t step, int epoch, double progress,
                           double reduced);

/* Help text of the schedules, a line per option. */
void clv_lr_schedule_help(struct clv_str *out);

#endif
