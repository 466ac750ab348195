/* Inside of the bench room. */
#ifndef CLV_BENCH_BENCH_H
#define CLV_BENCH_BENCH_H

#include "base/arena.h"
#include "base/measure.h"
#include "device/device.h"
#include <clavicle/bench.h>

struct clv_trainer;

/* ---- subject.c: a model with a random batch ---- */
struct clv_bench_subject {
    struct clv_device *dev;
    const struct clv_bench_model *what;
    int batch;
    struct clv_graph *graph;
    struct clv_trainer *trainer;
    float *x, *output;       /* [batch][input], [batch][outputs]: ordinary memory */
    int32_t *labels;
};
/* The same weights and the same batch every time. variant, keep_gradients: struct clv_trainer_params. */
CLV_CHECK enum clv_err clv_bench_subject_open(struct clv_bench_subject *s, struct clv_device *dev,
                                              const struct clv_bench_model *what, const char *variant,
                                              bool keep_gradients);
/* The batch: the same random numbers every time, the labels in turn. */
void clv_bench_subject_fill(struct clv_bench_subject *s);
void clv_bench_subject_close(struct clv_bench_subject *s);
/* One awaited training step, or inference of the batch. */
CLV_CHECK enum clv_err clv_bench_subject_step(struct clv_bench_subject *s);
/* Operations and bytes that a step cannot do without. */
CLV_CHECK enum clv_err clv_bench_subject_cost(const struct clv_bench_subject *s, double *flops, double *read,
                                              double *written);

/* ---- agree.c ---- */
/* Runs one step of the model and one on the reference variant, both with their gradients kept; fills
 * max_rel_error, worst and error_bound. */
CLV_CHECK enum clv_err clv_bench_agree(struct clv_device *dev, const struct clv_bench_model *what,
                                       const struct clv_bench_params *params,
                                       struct clv_bench_report *report, struct clv_bench_model_result *ret);

/* ---- report.c ---- */
struct clv_bench_report {
    struct clv_context *ctx;
    struct clv_arena arena; /* the rows' strings */
    struct clv_timing *row;
    size_t n, cap;
};
/* Appends a copy of the row, strings included; NULL strings become "". */
CLV_CHECK enum clv_err clv_bench_report_add(struct clv_bench_report *r, const struct clv_timing *row);

/* Tells the caller what comes next. params may be NULL. */
CLV_PRINTF(2, 3) void clv_bench_progress(const struct clv_bench_params *params, const char *fmt, ...);

#endif
