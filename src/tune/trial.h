/* One problem with data on the device: choices for it are run, compared with the reference, timed.
 */
#ifndef CLV_TUNE_TRIAL_H
#define CLV_TUNE_TRIAL_H

#include "contract/selection.h"

enum { CLV_TRIAL_TENSORS = 12 };

struct clv_trial {
    struct clv_device *dev;
    struct clv_error *err;
    struct clv_problem problem;
    struct clv_graph *graph; /* one node, for the labels of the steps */
    struct clv_steps io;     /* the tensors that all choices share */
    struct clv_emit emit;
    struct clv_contract contract;
    struct clv_tensor *tensor[CLV_TRIAL_TENSORS]; /* those that have a buffer, owned */
    int n_tensors;
    void *dy; /* of the whole batch, as stored; weights, where act' is applied to it in place */
    float *noise;
    int n_short; /* samples that the reference can afford */
    float *want; /* the reference's result for them */
    float *
        want_all; /* the first right choice's result for the whole batch; NULL until there is one */
};

/* Allocates, fills, computes the reference with the schedule `simple` and plain loops on the host:
 * no pool and no activation gradient of ours has a part in it. Needs only what the problem says. */
CLV_CHECK enum clv_err clv_trial_open(struct clv_device *dev, const struct clv_problem *p,
                                      struct clv_trial **ret);
void clv_trial_close(struct clv_trial **t);

/* Runs a choice and compares: with the reference on few samples, and on the whole batch with the
 * first choice that was right. spoil (tests) may change the result before it is compared. An error
 * says that the choice does not run here at all. */
typedef void clv_trial_spoil(void *priv, const struct clv_choice *c, float *result, size_t n);
CLV_CHECK enum clv_err clv_trial_check(struct clv_trial *t, const struct clv_choice *c,
                                       clv_trial_spoil *spoil, void *priv, bool *right);
/* Seconds of one run: mean over as many as take about `least` seconds together, after one that does
 * not count. The clock's, since that is what a step costs: launches included. */
CLV_CHECK enum clv_err clv_trial_time(struct clv_trial *t, const struct clv_choice *c, double least,
                                      double *seconds);
/* Seconds from the first launch of a choice in this process to its end. */
CLV_CHECK enum clv_err clv_trial_first(struct clv_trial *t, const struct clv_choice *c,
                                       double *seconds);

#endif
