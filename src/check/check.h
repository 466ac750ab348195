/* How ops are checked. One table of cases per op (src/ops/NAME_check.c) serves the unit tests, doctor,
 * the benchmark and the tuner: every case x every variant that supports it runs on a device and is
 * compared with plain loops in double, gradients with central differences of those loops. */
#ifndef CLV_CHECK_CHECK_H
#define CLV_CHECK_CHECK_H

#include "base/measure.h"
#include "device/device.h"
#include "graph/op.h"
#include "step/step.h"

/* ---- an op's own part ---- */

/* What a reference computes from and to. Arrays are dense NHWC doubles of n samples. */
struct clv_check_ref {
    const struct clv_node *node;            /* params and shapes: node->in[i]->shape, node->shape */
    int n;                                  /* samples */
    const double *in[CLV_MAX_IN];           /* [n][h][w][c] */
    const double *weight[CLV_MAX_WEIGHTS];  /* as node->weights[i].dims */
    const double *targets;                  /* losses: [n] of the shape of in[0] */
    const double *logits;                   /* losses that took over the softmax or sigmoid before them:
                                             * that node's input (in[0] is its output); else NULL */
    bool training;                          /* dropout is the identity when false */
    uint64_t seed;                          /* dropout */
    uint32_t step;
    const uint32_t *sample_index;           /* [n] */
    double *out;                            /* [n][h][w][c] of node->shape; to be written */
    double *state[CLV_MAX_WEIGHTS];         /* what forward leaves in weights that are state, as they are before;
                                             * NULL for the others */
};

/* Pattern of the inputs. Weights are normal with variance 1 / fan_in; vectors that begin at 0 normal with variance
 * 0.01, those that begin at 1 normal with variance 1, or, where they are state, uniform in 0.25..2. */
enum clv_check_fill {
    CLV_CHECK_NORMAL,   /* mean 0, variance 1 */
    CLV_CHECK_DISTINCT, /* a shuffle of equally spaced values around 0, none of them 0: max has no ties,
                         * and no kink lies within a gradient step */
    CLV_CHECK_TIES,     /* few small integers: many equal values; gradients by clv_check.gradient */
    CLV_CHECK_LARGE,    /* normal with deviation 30: exp overflows unless the maximum is taken off */
    CLV_CHECK_UNIT,     /* uniform in 0.05..0.95: probabilities */
};

/* Targets of losses. */
enum clv_check_targets {
    CLV_CHECK_ONE_HOT,  /* one class per pixel (c = 1: 0 or 1) */
    CLV_CHECK_SOFT,     /* uniform 0..1, not normalised */
};

enum {
    CLV_CHECK_BENCH = 1u << 0, /* large: timed by the benchmark, skipped by a plain check */
    CLV_CHECK_SMALL = 1u << 1, /* small enough for an interpreter (Oclgrind): a few thousand work-items */
    CLV_CHECK_PITCH = 1u << 2, /* activations get pixel pitches above their channel count, all different */
    CLV_CHECK_EVAL = 1u << 3,  /* not training: forward only */
    CLV_CHECK_NO_FUSE = 1u << 4, /* every layer by itself */
    CLV_CHECK_TINY = 1u << 5,  /* the few SMALL cases that an interpreter runs with large work-groups; an op
                                * without any has none that takes long */
};

struct clv_check_case {
    const char *name;       /* unique in its table */
    const char *options;    /* "pool_size=2 padding=same"; "" = none. An activation= is fused where the op can */
    struct clv_shape in[CLV_MAX_IN]; /* inputs; ends with {0} */
    int batch;              /* 0 = 2 */
    int n;                  /* samples in the batch, <= batch; 0 = batch. The other rows are NaN */
    enum clv_check_fill fill;
    enum clv_check_targets targets;
    const char *before;     /* a layer in front of the op on input 0 ("softmax"), NULL = none */
    const char *after;      /* a layer behind it ("relu" behind a view), NULL = none */
    unsigned flags;
    double atol, rtol;      /* |y - r| <= atol + rtol |r|; 0 = the table's, then 1e-6 and 1e-5 */
};

struct clv_check {
    const char *op;
    const struct clv_check_case *cases;
    size_t n_cases;
    /* Forward in double, without fused activations: the runner composes references. */
    void (*reference)(const struct clv_check_ref *r);
    /* Only where central differences cannot tell (CLV_CHECK_TIES): dx from dy, one input, no weights. */
    void (*gradient)(const struct clv_check_ref *r, const double *dy, double *dx);
    double atol, rtol;          /* of values; 0 = 1e-6 and 1e-5 */
    /* A variant whose documented rounding error is larger, and what holds for its values and gradients in
     * place of atol and grad_atol, also when lowering might have chosen it. NULL = none. */
    const char *loose;
    double loose_atol, loose_grad_atol;
    double grad_atol, grad_rtol;/* of gradients; 0 = 1e-5 and 1e-4 */
};
#define CLV_CHECK_CASES(table) .cases = (table), .n_cases = sizeof(table) / sizeof((table)[0])

/* Generated from meson.build's list, NULL-terminated (src/ops/registry.c). */
extern const struct clv_check *const clv_checks[];
const struct clv_check *clv_check_find(const char *op); /* NULL if there is none */

/* ---- running ---- */

struct clv_check_options {
    uint64_t seed;          /* 0 = 1 */
    const char *only;       /* a sweep's variant; NULL = all */
    const char *without;    /* a variant that a sweep leaves out; NULL = none */
    bool forward_only;
    bool once;              /* one run that overwrites gradients: no repeat, no adding (interpreters) */
    int winograd, matrix_parts; /* as struct clv_emit has them; the variant "matrix" takes 2 for 0 */
    enum clv_dtype activation; /* how activations are stored. In 16 bits, inputs are rounded first, and what may
                             * be off besides the tables' bounds is said in docs/precision.md */
    bool no_kernels;        /* mutation check: lower and bind, but launch nothing */
    bool bench;             /* time the products; compares only if `compare_bench` */
    bool compare_bench;
    int bench_repeat;       /* measurements of each at most, and seconds for them (base/measure.h) */
    double bench_seconds;
    struct clv_check_known *known; /* borrowed: whoever runs a case with several variants hands it to each; NULL = none */
};

/* What the reference says of a case, kept from run to run: plain C takes longer for it than most devices, and it
 * says the same for every variant. It holds one case and forgets it when it is given another. */
struct clv_check_known *clv_check_known_create(void); /* NULL when out of memory, which does as well */
void clv_check_known_destroy(struct clv_check_known **known);

enum clv_check_status { CLV_CHECK_PASSED, CLV_CHECK_SKIPPED, CLV_CHECK_FAILED };

/* What one product of the tested layer took: its forward pass with what the case puts around it, its
 * gradients of data and of weights where its steps tell them apart, else its backward pass. */
struct clv_check_time {
    const char *what;       /* "forward", "backward data", "backward weights", "backward", "backward around" (the
                             * case's other layers). Static */
    enum clv_pass pass;
    char variant[24], params[128]; /* of the step with most of the work: what really ran */
    struct clv_measured measured;
    double flops;                  /* of one run */
    struct clv_traffic bytes;
};
enum { CLV_CHECK_TIMES = 4 };

struct clv_check_result {
    enum clv_check_status status;
    double max_error;       /* worst |y - r| / (atol + rtol |r|) over everything compared; <= 1 passes */
    int n_compared;         /* numbers compared */
    struct clv_check_time time[CLV_CHECK_TIMES]; /* bench */
    int n_times;
    char text[1024];        /* failed: what differs where, and how to repeat it; skipped: why */
};

/* Checks one case with one variant (NULL = what lowering would choose). A variant that supports the case
 * in one pass only runs that pass, the other goes to the chosen one; in none: CLV_CHECK_SKIPPED.
 * A wrong answer is no error: it returns CLV_OK with CLV_CHECK_FAILED. Errors are faults of the device
 * or of the case itself. */
CLV_CHECK enum clv_err clv_check_run(struct clv_device *dev, const struct clv_check *check,
                                     const struct clv_check_case *c, const char *variant,
                                     const struct clv_check_options *options,
                                     struct clv_check_result *result);

/* What several runs are going to launch: gathered first, then built side by side by worker processes, then the
 * cases are run. Nothing in here is an error: what was not built is built, and what is wrong found, by the run. */
struct clv_check_kernels {
    struct clv_steps *steps; /* [cap], owned; zeroed in the beginning */
    size_t n, cap;
};
void clv_check_kernels_add(struct clv_check_kernels *k, struct clv_device *dev,
                           const struct clv_check *check, const struct clv_check_case *c,
                           const char *variant, const struct clv_check_options *options);
/* Empties *k. */
void clv_check_kernels_build(struct clv_check_kernels *k, struct clv_device *dev);

/* All cases x variants of an op that `flags` selects (0 = all but CLV_CHECK_BENCH; else cases that have
 * one of the flags). Calls report for each; stops at the first error. */
CLV_CHECK enum clv_err
clv_check_sweep(struct clv_device *dev, const struct clv_check *check, unsigned flags,
                const struct clv_check_options *options,
                void (*report)(void *priv, const struct clv_check_case *c, const char *variant,
                               const struct clv_check_result *result),
                void *priv);

#endif
