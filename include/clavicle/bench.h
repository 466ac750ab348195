/* The benchmark: what a device can do, and how near to it Clavicle's kernels and whole models come.
 * Everything is measured by wall clock, from enqueueing work to knowing that it is done.
 *
 *     struct clv_ceilings ceilings;
 *     struct clv_bench_report *report;
 *     clv_bench_ceilings(dev, NULL, &ceilings);
 *     clv_bench_report_create(ctx, &report);
 *     clv_bench_cases(dev, &(struct clv_bench_cases){.op = "conv2d"}, NULL, report);
 *     size_t n;
 *     const struct clv_timing *rows = clv_bench_report_rows(report, &n);
 *     char *text = clv_timings_text(rows, n, &ceilings);
 *
 * Measure the ceilings in the same process as the work: machines drift. */
#ifndef CLAVICLE_BENCH_H
#define CLAVICLE_BENCH_H

#include <clavicle/device.h>
#include <clavicle/model.h>
#include <clavicle/profile.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_bench_params {
    int repeat;      /* measurements a line at most, up to 100000; 0 = 15 */
    double seconds;  /* time for them, after which no further one begins; one is made in any case. 0 = 1 */
    /* Called before each line is measured, with what it will be. */
    void (*on_progress)(void *priv, const char *what);
    void *priv;
};

/* Measures the device's ceilings: about three seconds, and the build of a few kernels where they are not in
 * the cache. The working sets of reading, writing and copying are half of the device's last-level cache,
 * at most 64 MiB, and four times that cache (256 MiB to 2 GiB where a quarter of its memory and its largest
 * allocation allow); a device that does not say how large its cache is has the second only. params may be
 * NULL. */
CLV_API CLV_CHECK enum clv_err clv_bench_ceilings(struct clv_device *dev, const struct clv_bench_params *params,
                                                  struct clv_ceilings *ret);

/* ---- a report grows line by line ---- */

struct clv_bench_report;
CLV_API CLV_CHECK enum clv_err clv_bench_report_create(struct clv_context *ctx, struct clv_bench_report **ret);
CLV_API void clv_bench_report_destroy(struct clv_bench_report **r);
/* The lines in the order in which they were measured; valid until the report grows. */
CLV_API const struct clv_timing *clv_bench_report_rows(const struct clv_bench_report *r, size_t *n);
/* Compares with an earlier report: `path` is a file with an object whose member "rows" is what
 * clv_timings_json() wrote. Lines are found by what, variant and batch; *slower counts those whose time has grown
 * by more than the noise: their first quartile lies above the earlier third quartile, and the median by 3 %
 * or more above the earlier one. *found counts those that both have. CLV_ERR_IO, CLV_ERR_DATA. */
CLV_API CLV_CHECK enum clv_err clv_bench_report_baseline(struct clv_bench_report *r, const char *path,
                                                         size_t *found, size_t *slower);

/* Fills `memory` of the lines that move at least 4 MiB and whose arithmetic does not take far longer: the time
 * of a kernel that reads, writes, and changes in place as many bytes: again and again the same ones, or with
 * `around` bytes of other memory that it comes to before it is back, so that caches know of them what a step of
 * a plan of that size finds there. A third of a second for each. clv_bench_model() does it for its lines, with
 * its plan around them. params may be NULL. */
CLV_API CLV_CHECK enum clv_err clv_bench_memory(struct clv_device *dev, const struct clv_ceilings *ceilings,
                                                const struct clv_bench_params *params, uint64_t around,
                                                struct clv_bench_report *report);

/* ---- single kernels ---- */

struct clv_bench_cases {
    const char *op;      /* only this op; NULL = all */
    const char *name;    /* only cases with this name; NULL = all that are made for timing */
    const char *variant; /* only this variant; "all" = all that the device runs; NULL = those that a device of
                          * its kind may choose */
    bool clblast;        /* dense layers through CLBlast as well. Its kernels take half a minute to build
                          * on CPU devices */
};
/* Whether there are such an op, case and variant; else CLV_ERR_ARG with the names that there are. Needs no
 * device. */
CLV_API CLV_CHECK enum clv_err clv_bench_cases_check(struct clv_context *ctx,
                                                     const struct clv_bench_cases *which);
/* Adds a line per case, variant and product (forward, backward data, backward weights, or backward for ops that
 * have no weights). A case that is named need not be one made for timing. Errors: those of
 * clv_bench_cases_check(), of the device. */
CLV_API CLV_CHECK enum clv_err clv_bench_cases(struct clv_device *dev, const struct clv_bench_cases *which,
                                               const struct clv_bench_params *params,
                                               struct clv_bench_report *report);

/* ---- whole models ---- */

struct clv_bench_model {
    const char *model;      /* built-in name or model file, as clv_model_load() takes it */
    const struct clv_variable *variables; /* of the model file */
    size_t n_variables;
    int batch;              /* 0 = 32 */
    bool forward;           /* inference; otherwise training steps, optimizer included */
    const char *optimizer;  /* NULL = "sgd momentum=0.9" for resnet18-28, else "adam" */
    enum clv_precision precision; /* MIXED and MIXED_FP16 leave the comparison out: it is for rounding in float */
    bool no_check;          /* leave the comparison with the reference out */
    bool steps;             /* a line per step of the plan, too; needs a device opened with profile, whose events
                             * cost some time, so that the whole step is a little slower than without */
};

struct clv_bench_model_result {
    struct clv_spread seconds;   /* of one step, each awaited: from a random batch in ordinary host memory to the
                                  * loss, or the probabilities, readable there */
    int batch;
    double images_per_second;    /* by the median */
    double flops;                /* of a step, every convolution counted as a direct one */
    double gflops;               /* by the median */
    double ceiling_fraction;     /* of what the ceilings allow for those operations and for reading and writing
                                  * what must be (input, weights, the optimizer's slots); NaN without ceilings.
                                  * Winograd's convolutions can take it above 1 */
    /* Outputs, and every weight's gradient in training, against the reference variant of every layer with the
     * same weights and samples: the largest difference within an array, as a part of its largest value, the
     * worst of all arrays; NaN = not compared. The batch that is compared repeats a few samples, so that the
     * reference, which is slow, needs those only. */
    double max_rel_error;
    const char *worst;           /* the array it was found in, "output" or "conv2d_1/kernel". In the report's memory */
    double error_bound;          /* what max_rel_error may be: docs/bench.md */
    uint64_t memory_bytes;       /* planned: weights, gradients, slots, activations, scratch, staging */
    uint64_t rss_growth_bytes;   /* this process's resident memory: how much more it is after the last step than
                                  * before the model was made; on CPU devices that holds the plan's. 0 = not known */
};
/* Times a model and adds its line, and those of its steps, to the report. A wrong answer is no error: see
 * max_rel_error. ceilings may be NULL. Default time limit: 10 seconds. Errors: those of the model, of
 * clv_trainer_create() and clv_trainer_step(). */
CLV_API CLV_CHECK enum clv_err clv_bench_model(struct clv_device *dev, const struct clv_bench_model *what,
                                               const struct clv_ceilings *ceilings,
                                               const struct clv_bench_params *params,
                                               struct clv_bench_report *report,
                                               struct clv_bench_model_result *ret);

#ifdef __cplusplus
}
#endif
#endif
