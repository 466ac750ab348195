/* What a tuner's choices are compared with. For src/tune only. */
#ifndef CLV_TUNE_REFERENCE_H
#define CLV_TUNE_REFERENCE_H

#include "tune/trial.h"

/* The trial's numbers on the host, as far as a backward pass needs them there. */
struct clv_trial_data {
    float *dy, *y;
    uint8_t *mask;
};

/* A result for n samples: values, then the mask's marks, all as floats. */
struct clv_trial_size {
    size_t values, marks;
};
struct clv_trial_size clv_trial_size(const struct clv_trial *t, int n);

/* Numbers to and from a tensor of any type that stands for numbers: put leaves in data what they are once stored. */
CLV_CHECK enum clv_err clv_trial_put(struct clv_trial *t, struct clv_tensor *x, float *data);
CLV_CHECK enum clv_err clv_trial_get(struct clv_trial *t, const struct clv_tensor *x, size_t count, float *ret);
static inline size_t clv_trial_offset(const struct clv_tensor *x)
{
    return (size_t)x->offset * (size_t)clv_dtype_bytes(x->dtype);
}

/* Sets n_short and want. */
CLV_CHECK enum clv_err clv_trial_reference(struct clv_trial *t, const struct clv_trial_data *d);

#endif
