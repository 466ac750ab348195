/* Inside of the check room: one case with one variant on its way through lowering, device and
 * comparison. */
#ifndef CLV_CHECK_JOB_H
#define CLV_CHECK_JOB_H

#include "check/check.h"
#include "check/reference.h"
#include "step/emit.h"
#include "step/state.h"

enum { CLV_CHECK_MAX_ARRAYS = 32, CLV_CHECK_STEP = 7 };

/* Numbers that go to the device, come back from it, or both (a gradient that is added to). */
struct clv_check_array {
    const char *what;          /* "input 0", "weight kernel", "gradient of input 0" */
    struct clv_tensor *t;
    int samples;               /* that hold numbers: the batch's n, or 1 for weights */
    struct clv_shape shape;    /* of a sample; weights: 1 x 1 x count */
    float *given;              /* [samples][shape], owned; NULL: nothing is put in */
    uint32_t *got;             /* the tensor's words as read back, owned; NULL: not read */
    const double *want;        /* [samples][shape], borrowed; NULL: compared otherwise (gradients) */
    double *source;            /* gradients: the reference's array that it is the gradient of */
    bool zero_tail;            /* samples beyond n are 0 (losses) */
};

struct clv_check_job {
    struct clv_device *dev;
    struct clv_error *err;
    const struct clv_check *check;
    const struct clv_check_case *c;
    const char *variant;
    struct clv_check_options options;
    bool accumulate;           /* input gradients have a writer before */
    int batch, n;
    bool training;             /* backward too */

    struct clv_graph *graph;
    struct clv_node *input[CLV_MAX_IN];
    int n_inputs;
    const struct clv_node *tested, *root; /* tested: NULL for an input */
    struct clv_fusion *fusion;
    struct clv_node_tensors *tensors;

    struct clv_steps steps;
    int n_forward;             /* steps before it are forward */
    struct clv_emit emit;
    struct clv_separate separate;
    uint32_t *sample_index;    /* [batch] */

    struct clv_check_array array[CLV_CHECK_MAX_ARRAYS];
    int n_arrays;
    struct clv_reference reference;
    size_t n_differences;      /* asked for so far */
    struct clv_check_result *result;
};

/* ---- run.c ---- */
/* NULL when out of memory; clv_check_finish() frees it. accumulate: 0, then 1 where clv_check_again() says so. */
struct clv_check_job *clv_check_open(struct clv_device *dev, const struct clv_check *check,
                                     const struct clv_check_case *c, const char *variant,
                                     const struct clv_check_options *options, bool accumulate);
bool clv_check_again(const struct clv_check_job *job);

/* ---- setup.c: case -> graph -> tensors and steps ---- */
CLV_CHECK enum clv_err clv_check_build(struct clv_check_job *job);
/* Whether job->variant runs the tested node in that pass; in any (no variant: true). */
bool clv_check_supports(const struct clv_check_job *job, enum clv_pass pass);
bool clv_check_supports_any(const struct clv_check_job *job);
CLV_CHECK enum clv_err clv_check_lower(struct clv_check_job *job);
/* Memory and kernels. */
CLV_CHECK enum clv_err clv_check_bind(struct clv_check_job *job);
void clv_check_finish(struct clv_check_job *job);

/* Timed and not compared: no reference, nothing read back. */
bool clv_check_only_times(const struct clv_check_job *job);

/* ---- fill.c ---- */
/* Gives every given array its numbers and hands the same numbers to the reference, if there is one. */
CLV_CHECK enum clv_err clv_check_fill(struct clv_check_job *job);

/* ---- transfer.c ---- */
/* Poisons every buffer with NaN, puts the given arrays in, runs all steps, reads the results. */
CLV_CHECK enum clv_err clv_check_execute(struct clv_check_job *job);
/* Element i of sample s of what came back. */
float clv_check_got(const struct clv_check_array *a, int s, int64_t i);

/* ---- time.c ---- */
/* Times the products; the steps must have run once. */
CLV_CHECK enum clv_err clv_check_measure(struct clv_check_job *job);

/* ---- known.c ---- */
/* The reference's values, computed or remembered; to be called once the arrays are filled. */
void clv_check_know_values(struct clv_check_job *job);
/* The next difference that is asked for is the one that an earlier run of the case asked for at this place: then its
 * slope, and whether it is smooth. place: any number that tells differences apart. */
bool clv_check_recall(struct clv_check_job *job, uint64_t place, double *slope, bool *smooth);
void clv_check_remember(struct clv_check_job *job, uint64_t place, double slope, bool smooth);

/* ---- compare.c ---- */
/* Each returns false with result->status and text set at the first array that is wrong. */
bool clv_check_values(struct clv_check_job *job);
bool clv_check_gradients(struct clv_check_job *job);
/* |got - want| against atol + rtol |want|: keeps the worst in result->max_error. */
bool clv_check_close(struct clv_check_job *job, double got, double want, double atol, double rtol);
/* Marks the result failed with a printf text; case, variant and seed are put behind it. */
CLV_PRINTF(2, 3) void clv_check_wrong(struct clv_check_job *job, const char *fmt, ...);

#endif
