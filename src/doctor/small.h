/* A plan's network on a small image, beside the same network in double: inside of the self-test. */
#ifndef CLV_DOCTOR_SMALL_H
#define CLV_DOCTOR_SMALL_H

#include "check/reference.h"
#include "contract/selection.h"
#include "doctor/selftest.h"
#include "plan/internal.h"

/* Samples; the plan's batch is as large as the one in question, since choices depend on it. */
enum { CLV_SMALL_BATCH = 1 };

struct clv_small {
    struct clv_device *dev;
    const struct clv_self_test *test;
    struct clv_graph *graph;
    struct clv_node *root;
    struct clv_selection selection;
    struct clv_store *store;
    struct clv_plan *plan;
    struct clv_fusion *fusion;
    struct clv_reference reference;
    uint32_t index[CLV_SMALL_BATCH];
    float *x, *targets;              /* [batch][input], [batch][output] */
    float *weights;                  /* before the step, parameter after parameter */
    double *gradient;                /* what the step must have used, likewise */
    size_t n_weights;
    const float *output, *loss;      /* of the step */
};

/* Everything up to the first step; *too_large: nothing was made, since plain C would take too long. */
CLV_CHECK enum clv_err clv_small_open(struct clv_small *s, struct clv_device *dev, const struct clv_self_test *test,
                                      bool *too_large);
/* One step from those weights; its gradients are read out of what it did to them. separate: with every tensor in
 * memory of its own, so that clv_plan_read_node() works afterwards. */
CLV_CHECK enum clv_err clv_small_step(struct clv_small *s, bool separate);
void clv_small_close(struct clv_small *s);

#endif
