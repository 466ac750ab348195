/* Inside of the compare room. */
#ifndef CLV_COMPARE_COMPARE_H
#define CLV_COMPARE_COMPARE_H

#include "base/rng.h"
#include "train/trainer.h"
#include <clavicle/compare.h>

/* ---- side.c: the model on one of the devices ---- */

/* Endless random batches. */
struct clv_compare_noise { uint64_t seed, batch; size_t count; int classes; };

struct clv_compare_side {
    struct clv_device *dev;
    struct clv_graph *graph;
    struct clv_trainer *trainer;
    struct clv_plan *plan;          /* the trainer's, for training or for inference */
    struct clv_batches *batches;
    struct clv_compare_noise noise;
    float **start;                  /* weights before the first step, by index; NULL for inference */
    uint64_t epoch;
    bool nonfinite;                 /* the last step's loss was no number */
};
/* The same graph on every side: nodes correspond by id, weights by index. */
CLV_CHECK enum clv_err clv_compare_side_open(struct clv_compare_side *s, struct clv_device *dev,
                                             const struct clv_compare_params *params);
void clv_compare_side_close(struct clv_compare_side *s);
/* The next batch; waits. */
CLV_CHECK enum clv_err clv_compare_side_step(struct clv_compare_side *s, bool training);

/* ---- difference.c: two arrays ---- */

/* Fills difference, at and value by v->pass. start[n]: weights before the first step, else NULL. */
void clv_compare_measure(const float *a, const float *b, const float *start, size_t n,
                         struct clv_compare_value *v);
/* gradient[i] times the activation's derivative, from its output y[i]. */
void clv_compare_apply_act(enum clv_act act, const float *y, float *gradient, size_t n);

#endif
