/* Inside of the trainer. */
#ifndef CLV_TRAIN_TRAINER_H
#define CLV_TRAIN_TRAINER_H

#include "base/context.h"
#include "contract/selection.h"
#include "data/augment.h"
#include "graph/graph.h"
#include "model/safetensors.h"
#include "optim/optim.h"
#include "plan/plan.h"
#include "train/batches.h"
#include <clavicle/train.h>

struct clv_trainer {
    struct clv_device *dev;
    struct clv_context *ctx;
    struct clv_graph *graph;
    struct clv_node *loss;
    struct clv_trainer_params params; /* strings are copies */
    char *text[5];                    /* those copies */
    const struct clv_optim *optim;
    void *optim_params;
    struct clv_store *store;
    struct clv_selection selection;   /* what the plans take */
    struct clv_plan *plan[2];         /* [training]; made when first needed */
    struct clv_normalise normalise;
    struct clv_augment augment;       /* for its mixing of batches; all 0 = none */
    size_t slot_bytes;                /* of slots with records */
    bool records[2];                  /* [training]: samples come with records, not as plain floats */
    const struct clv_views *views;    /* of evaluations of data sets; NULL = one. Borrowed */
    int matrix_parts;                 /* as struct clv_emit has it */
    double rate;                      /* learning rate of the next step */
    uint64_t step;                    /* optimizer steps submitted */
    struct clv_scaler scaler;         /* as the last step left it whose results came back */
    int unknown;                      /* steps submitted since */
    struct clv_shape input;
    int outputs;                      /* numbers per sample of the output */
    uint32_t *index;                  /* scratch for one batch: indices, labels, targets */
    int32_t *labels;
    float *targets;
};

/* clv_trainer_create() with choices that go before all others; may be NULL. */
CLV_CHECK enum clv_err clv_trainer_create_as(struct clv_device *dev, struct clv_graph *graph,
                                             const struct clv_trainer_params *params,
                                             const struct clv_selection *recorded,
                                             struct clv_trainer **ret);
void clv_trainer_plan_params(const struct clv_trainer *t, bool training, struct clv_plan_params *ret);
/* The plan for training or evaluation, built on first use. */
CLV_CHECK enum clv_err clv_trainer_plan(struct clv_trainer *t, bool training, struct clv_plan **ret);
/* Before a plan is taken for a source's batches: a data set's images come with records, for which a plan
 * for plain floats is made anew. Nothing may be in flight from it. */
void clv_trainer_expect(struct clv_trainer *t, bool training, const struct clv_batch_source *source);
/* One-hot (or the label itself for one output) into targets[n][outputs]; checks the range. */
CLV_CHECK enum clv_err clv_trainer_one_hot(struct clv_trainer *t, const int32_t *labels, int n,
                                           float *targets);
/* What mixup or CutMix does to batch `batch` of `epoch`, done to its targets[n][outputs]. */
struct clv_mix clv_trainer_mix(const struct clv_trainer *t, uint64_t epoch, uint64_t batch, int n, float *targets);
/* Submits ring entry `slot` of a plan; a training plan's step counts. mix: of the samples (the targets are the caller's);
 * NULL = none. */
CLV_CHECK enum clv_err clv_trainer_submit(struct clv_trainer *t, bool training, int slot,
                                          const struct clv_upload *upload, int n, const uint32_t *index, const float *targets,
                                          const struct clv_mix *mix);
/* After clv_plan_wait() for a training step: what became of the loss scale. CLV_ERR_NONFINITE names `step` where
 * going on has no sense. */
CLV_CHECK enum clv_err clv_trainer_land(struct clv_trainer *t, int slot, uint64_t step, bool *skipped);
/* scale.c: the checks of the parameters; the store's scaler where the precision has one; the optimizer's numbers of
 * the step st->step; the scaler in a file ("" or NULL: none). */
CLV_CHECK enum clv_err clv_trainer_check_scale(const struct clv_trainer_params *p, struct clv_error *err);
CLV_CHECK enum clv_err clv_trainer_make_scaler(struct clv_trainer *t);
CLV_CHECK enum clv_err clv_trainer_set_scalars(struct clv_trainer *t, struct clv_step_state *st);
enum { CLV_SCALER_TEXT = 128 };
CLV_CHECK enum clv_err clv_trainer_scaler_text(struct clv_trainer *t, char text[CLV_SCALER_TEXT]);
CLV_CHECK enum clv_err clv_trainer_take_scaler(struct clv_trainer *t, const char *text);
/* Adds the loss that the text names to the graph's output; NULL or "" = by the output. Needs no
 * device. Errors: CLV_ERR_ARG (unknown loss or option), the graph's own. */
CLV_CHECK enum clv_err clv_loss_add(struct clv_context *ctx, struct clv_graph *graph,
                                    const char *text, struct clv_node **ret);
/* The loss that a text names, and the options behind it. Error CLV_ERR_ARG. */
CLV_CHECK enum clv_err clv_loss_choose(struct clv_context *ctx, const char *text, const struct clv_op **op,
                                       const char **options);
/* loss_text.c: *was = the text's class_weight (n = 0 none, -1 balanced). With a list, *ret = the same text with that one
 * instead, malloc'ed; NULL where there is no text, or the loss takes no weights. */
CLV_CHECK enum clv_err clv_loss_reweigh(struct clv_context *ctx, const char *text, const struct clv_opt_list *list,
                                        struct clv_opt_list *was, char **ret);
/* clv_trainer_save() with or without the optimizer's slots; clv_trainer_load() from an open file. */
CLV_CHECK enum clv_err clv_trainer_save_as(struct clv_trainer *t, const char *path, bool slots,
                                           const char *const *metadata);
CLV_CHECK enum clv_err clv_trainer_load_from(struct clv_trainer *t,
                                             const struct clv_safetensors *file);
/* clv_trainer_evaluate() that says after each batch how many samples are done; may be NULL. */
CLV_CHECK enum clv_err clv_trainer_evaluate_as(struct clv_trainer *t,
                                               const struct clv_batch_source *source, int positive,
                                               struct clv_metrics *metrics, float **prob,
                                               int32_t **labels,
                                               void (*on_progress)(void *priv, size_t done),
                                               void *priv);
/* Predicted class of one sample's outputs (first largest; one output: above one half). */
int clv_trainer_argmax(const struct clv_trainer *t, const float *output);

#endif
