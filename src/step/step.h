/* A plan is a flat array of steps. Executing, profiling, dumping and testing are loops over it. */
#ifndef CLV_STEP_STEP_H
#define CLV_STEP_STEP_H

#include "base/arena.h"
#include "base/source.h"
#include "device/device.h"
#include "graph/op.h"
#include "step/tensor.h"

enum clv_arg_kind {
    CLV_ARG_IN,     /* tensor, read:             __global pointer, ulong offset in elements */
    CLV_ARG_OUT,    /* tensor, every element of it written, none read */
    CLV_ARG_INOUT,  /* tensor, read and written, or written in part */
    CLV_ARG_I32, CLV_ARG_U32, CLV_ARG_F32,
    CLV_ARG_LOCAL,  /* bytes of local memory */
};

struct clv_arg {
    enum clv_arg_kind kind;
    union {
        struct clv_tensor *t;
        int32_t i32;
        uint32_t u32;
        float f32;
        uint32_t bytes;
    } v;
};

#define CLV_IN(x) {CLV_ARG_IN, {.t = (x)}}
#define CLV_OUT(x) {CLV_ARG_OUT, {.t = (x)}}
#define CLV_INOUT(x) {CLV_ARG_INOUT, {.t = (x)}}
#define CLV_I32(x) {CLV_ARG_I32, {.i32 = (int32_t)(x)}}
#define CLV_U32(x) {CLV_ARG_U32, {.u32 = (uint32_t)(x)}}
#define CLV_F32_ARG(x) {CLV_ARG_F32, {.f32 = (float)(x)}}
#define CLV_LOCAL(x) {CLV_ARG_LOCAL, {.bytes = (uint32_t)(x)}}

enum clv_step_kind { CLV_STEP_KERNEL, CLV_STEP_GEMM, CLV_STEP_FILL };
extern const char *const clv_step_kind_name[];

/* What binding may do where a built kernel takes smaller work-groups than planned. */
enum clv_shrink {
    CLV_SHRINK_NEVER,   /* the kernel is written for its group */
    CLV_SHRINK_ITEMS,   /* indexes by global id and checks its range: smaller groups, as many items */
    CLV_SHRINK_GROUPS,  /* a group loops over its part by local size: smaller groups, as many groups; dims = 1 */
};

/* The same work by another build of the kernel, with other groups. */
struct clv_kernel_shape {
    const char *options;
    size_t global[3], local[3];
};

struct clv_kernel_step {
    const struct clv_source *source;
    const char *name;             /* kernel function */
    const char *options;          /* "-DACT=1 -DMR=8"; only what selects code, never sizes */
    int dims;
    size_t global[3], local[3];   /* local[0] = 0: the implementation chooses */
    enum clv_shrink shrink;
    const struct clv_arg *args;
    int n_args;
    const struct clv_kernel_shape *smaller; /* what to fall back on where it gets no such groups, in turn */
    int n_smaller;
};

/* Row-major C[m,n] = alpha op(A) op(B) + beta C on plain 2-D tensors, through CLBlast. */
struct clv_gemm_step {
    bool trans_a, trans_b;
    int64_t m, n, k, lda, ldb, ldc;
    float alpha, beta;
    int set;                                /* of CLBlast's parameters, see struct clv_gemm */
    struct clv_tensor *a, *b, *c, *scratch; /* scratch may be NULL */
    struct clv_buffer *bound_scratch;       /* after clv_steps_bind(): CLBlast takes no offset into it */
};

struct clv_step {
    enum clv_step_kind kind;
    const char *label;            /* "conv2d_1 backward weights" */
    const char *variant;          /* "vector" */
    const struct clv_node *node;  /* NULL: update, loader */
    enum clv_pass pass;
    bool prepare;                 /* depends on weights alone: need not run while they stay */
    double flops, bytes;          /* at full batch, for profiles; 0 = not counted */
    struct clv_kernel *bound;     /* KERNEL: after clv_steps_bind() */
    union {                       /* by kind */
        struct clv_kernel_step kernel;
        struct clv_gemm_step gemm;
        struct { struct clv_tensor *dst; uint32_t pattern; } fill;
    } u;
};

struct clv_steps {
    struct clv_arena arena;       /* labels, options, args, tensors */
    struct clv_step *step;
    int n, cap;
    struct clv_tensor **tensors;  /* every tensor named by any step, by id */
    int n_tensors, cap_tensors;
};

void clv_steps_finish(struct clv_steps *s);

/* Calls fn for each tensor a step touches; kind is IN, OUT or INOUT. */
void clv_step_visit(const struct clv_step *s,
                    void (*fn)(void *priv, struct clv_tensor *t, enum clv_arg_kind kind), void *priv);

/* Bytes that a step moves at full batch: as many as its op counted, shared between reading and writing
 * as its tensors are; where the op counted none, each tensor it touches once. */
struct clv_traffic {
    double read, written;
    double in_place; /* of both: read, and written where they were read */
};
struct clv_traffic clv_step_traffic(const struct clv_step *s);

/* What its kernel was built with, as people say it: "MR=6 VW=16"; cut where it does not fit. */
void clv_step_params(const struct clv_step *s, char *text, size_t size);

/* Gives every ACTIVATION and SCRATCH tensor a guarded buffer of its own, filled with NaN: tests and
 * Oclgrind use it, since an arena hides overruns. `buffers` receives the owned buffers. */
struct clv_separate { struct clv_buffer **buffer; struct clv_tensor **tensor; int n; };
CLV_CHECK enum clv_err clv_separate_bind(struct clv_device *dev, struct clv_steps *s,
                                         struct clv_separate *ret);
/* Names the first tensor whose guard zone was written (CLV_ERR_DATA). */
CLV_CHECK enum clv_err clv_separate_verify(struct clv_device *dev, const struct clv_separate *sep);
void clv_separate_finish(struct clv_separate *sep);
enum { CLV_GUARD_BYTES = 256, CLV_GUARD_WORD = 0x5afe5afe }; /* zone on either side, and what fills it */

/* Before n arrays of steps are bound: lets worker processes compile what is not cached
 * (clv_device_build()). Never fails. */
void clv_steps_prebuild(struct clv_device *dev, const struct clv_steps *s, size_t n);
/* Creates the kernels and sets their arguments; every tensor must have its buffer. Work-groups become
 * smaller where a kernel takes no larger ones and its step allows; else CLV_ERR_UNSUPPORTED. */
CLV_CHECK enum clv_err clv_steps_bind(struct clv_device *dev, struct clv_steps *s);
/* Enqueues steps [first, last) without waiting; without those that prepare if the prepared tensors are
 * still good. */
CLV_CHECK enum clv_err clv_steps_enqueue(struct clv_device *dev, const struct clv_steps *s, int first,
                                         int last, bool prepared);

#endif
