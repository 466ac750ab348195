/* Many cases lowered, so that all of their kernels are built side by side before the first of them runs. */
#include "check/job.h"

#include <stdlib.h>

/* The steps outlive what they were lowered from. */
static bool take_steps(struct clv_check_kernels *k, struct clv_check_job *job)
{
    if (k->n == k->cap) {
        const size_t cap = k->cap ? 2 * k->cap : 64;
        struct clv_steps *more = realloc(k->steps, cap * sizeof(*more));
        if (!more)
            return false;
        k->steps = more;
        k->cap = cap;
    }
    k->steps[k->n++] = job->steps;
    job->steps = (struct clv_steps){0};
    return true;
}

void clv_check_kernels_add(struct clv_check_kernels *k, struct clv_device *dev,
                           const struct clv_check *check, const struct clv_check_case *c,
                           const char *variant, const struct clv_check_options *options)
{
    bool again = true;
    for (int accumulate = 0; accumulate < 2 && again; accumulate++) {
        struct clv_check_job *job = clv_check_open(dev, check, c, variant, options, accumulate);
        if (!job)
            return;
        again = !clv_check_build(job) && clv_check_supports_any(job) && !clv_check_lower(job) &&
                take_steps(k, job) && clv_check_again(job);
        clv_check_finish(job);
    }
}

void clv_check_kernels_build(struct clv_check_kernels *k, struct clv_device *dev)
{
    clv_steps_prebuild(dev, k->steps, k->n);
    for (size_t i = 0; i < k->n; i++)
        clv_steps_finish(&k->steps[i]);
    free(k->steps);
    *k = (struct clv_check_kernels){0};
}
