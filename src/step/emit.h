/* What an op sees while it is lowered: the tensors of its node, and how to append steps.
 * Ops emit; they never launch. */
#ifndef CLV_STEP_EMIT_H
#define CLV_STEP_EMIT_H

#include "step/step.h"
#include "step/store.h"

struct clv_selection;
struct clv_choices;
enum clv_gemm_provider { CLV_GEMM_AUTO, CLV_GEMM_NATIVE, CLV_GEMM_CLBLAST };
enum { CLV_NO_WINOGRAD = -1 };

/* Tensors of one node, filled by whoever lowers (plan/lower.c, check/). */
struct clv_node_tensors {
    struct clv_tensor *out;          /* output, after the fused activation */
    struct clv_tensor *grad;         /* gradient with respect to out; NULL until someone wrote it */
    struct clv_tensor *weight[CLV_MAX_WEIGHTS], *weight_grad[CLV_MAX_WEIGHTS];
    struct clv_tensor *saved[4];     /* what forward leaves for backward */
    struct clv_tensor *converted[CLV_MAX_IN]; /* inputs of another type in the node's own; NULL */
};

struct clv_emit {
    struct clv_error *err;
    struct clv_device *dev;          /* for gemm scratch only; may be NULL in dry runs */
    const struct clv_caps *caps;
    const struct clv_graph *graph;
    int batch;
    bool training;
    enum clv_dtype activation;       /* of outputs and their gradients where a node does not keep fp32 */
    enum clv_gemm_provider gemm;
    int winograd;                    /* 0 = where estimated to be fastest, CLV_NO_WINOGRAD, or the tile: 2, 4 */
    int matrix_parts;                /* products on matrix units: 0 = none, 1 = of operands rounded to brain
                                      * floats, 2 = of operands split into two of them */
    const struct clv_selection *selection; /* contract/selection.h: what was measured; may be NULL */
    struct clv_choices *choices;     /* receives each contraction's choice; may be NULL */
    const char *force_variant;       /* tests: take only variants of this name; NULL */
    const struct clv_fusion *fusion; /* by node id */
    struct clv_node_tensors *node;   /* by node id */
    /* Updates that backward steps may take over; source NULL = none, every gradient is kept. */
    struct clv_store *store;
    const struct clv_source *update_source;
    struct clv_tensor *scaler;       /* struct clv_scaler: losses are scaled, updates may be skipped; NULL = neither */
    struct clv_tensor *state;        /* struct clv_step_state, then sample indices */
    struct clv_tensor *targets;      /* F32 [batch][c of the output] for losses */
    struct clv_steps *steps;
    const char *variant;             /* of the op being emitted; set by clv_emit_node */
    /* Gradients of inputs of another type than the node being emitted, in its own type. */
    struct { struct clv_tensor *from, *to; bool accumulate; } pending[CLV_MAX_IN];
    int n_pending;
};

/* ---- tensors of a node ---- */
/* How node's output and its gradient are stored. A node's kernels see that type alone: where an input has
 * another, the emitter puts a conversion in between. */
enum clv_dtype clv_emit_dtype(const struct clv_emit *e, const struct clv_node *node);
/* Input i's value; the node's output. Fused and view nodes are resolved. */
struct clv_tensor *clv_emit_in(struct clv_emit *e, const struct clv_node *node, int i);
struct clv_tensor *clv_emit_out(struct clv_emit *e, const struct clv_node *node);
/* Gradient of the node's output (what backward starts from). Never NULL inside backward. */
struct clv_tensor *clv_emit_grad_out(struct clv_emit *e, const struct clv_node *node);
/* Gradient of input i to be written, *ret = NULL if nobody wants it. *accumulate: another node has
 * written it before, so add. (First writer overwrites, later writers accumulate: decided here.) Call
 * once per input and backward. */
CLV_CHECK enum clv_err clv_emit_grad_in(struct clv_emit *e, const struct clv_node *node, int i,
                                        struct clv_tensor **ret, bool *accumulate);
/* `count` channels of t from `at` on, in its memory. NULL when out of memory. */
struct clv_tensor *clv_emit_channels(struct clv_emit *e, struct clv_tensor *t, int64_t at, int64_t count);
/* CLV_OP_PARTS: whether input i is stored among node's channels; in backward, whether its gradient is (and if so, lets
 * it be that part of node's): then nothing is left to be done. Else clv_emit_grad_in(). */
bool clv_emit_is_part(struct clv_emit *e, const struct clv_node *node, int i);
bool clv_emit_grad_part(struct clv_emit *e, const struct clv_node *node, int i, int64_t at);
bool clv_emit_wants_grad_in(struct clv_emit *e, const struct clv_node *node, int i);
struct clv_tensor *clv_emit_weight(struct clv_emit *e, const struct clv_node *node, int i);
struct clv_tensor *clv_emit_weight_grad(struct clv_emit *e, const struct clv_node *node, int i);
/* The optimizer's update of a weight as the epilogue of the step that makes its gradient, in kernels of
 * the optimizer's own source (cl/include/update_kernel.cl). */
struct clv_update {
    const struct clv_source *source;
    int n_slots;
    struct clv_tensor *value, *slot[CLV_STORE_SLOTS], *chunks; /* unused slots: the value */
    int chunk;                       /* of chunks: the weight's */
    const char *options;             /* what the kernel is to be built with beside its own */
};
/* What kernels with the optimizer's formula are built with, where a step may be skipped; else "". */
static inline const char *clv_emit_guard(const struct clv_emit *e) { return e->scaler ? " -DGUARDED" : ""; }
/* Takes over the update of weight i, or returns false where its gradient must be kept. Only for the last
 * step that reads the weight, and one that makes the whole gradient by itself, from the node's input 0 and its
 * output's gradient; it writes nothing but what is in the store, since it runs later where steps may be skipped. */
bool clv_emit_take_update(struct clv_emit *e, const struct clv_node *node, int i,
                          struct clv_update *ret);
enum clv_act clv_emit_act(struct clv_emit *e, const struct clv_node *node);

/* New tensors. Out of memory returns NULL with the error recorded: forward it with CLV_ERR_NOMEM.
 * saved: written by forward, read by backward (slot 0..3); in backward returns what forward made.
 * scratch: lives from its first to its last use. count in elements. */
struct clv_tensor *clv_emit_saved(struct clv_emit *e, const struct clv_node *node, int slot,
                                  enum clv_dtype dtype, int64_t count, const char *name);
struct clv_tensor *clv_emit_scratch(struct clv_emit *e, enum clv_dtype dtype, int64_t count,
                                    const char *name);
/* Derived from weights alone (packed or transformed filters), by steps with info.prepare. In training
 * every step derives it anew and it is scratch; elsewhere it stays, and those steps run only when the
 * weights have changed. */
struct clv_tensor *clv_emit_prepared(struct clv_emit *e, int64_t count, const char *name);
struct clv_tensor *clv_emit_tensor(struct clv_emit *e, enum clv_memory memory, enum clv_dtype dtype,
                                   int64_t n, int64_t h, int64_t w, int64_t c, const char *name);

/* ---- steps ---- */
struct clv_emit_info {
    const struct clv_node *node;
    enum clv_pass pass;
    const char *what;
    double flops, bytes;
    bool prepare;                    /* writes only prepared tensors, from weights alone */
};
/* Appends a kernel step; k and its args are copied, strings too. `what` completes the label:
 * node name + " " + what ("forward", "backward data"). A global size of 0 is rounded up to 1 and
 * global is rounded up to a multiple of local. Where a tensor is stored in 16 bits the options say so
 * (-DSTORE_F16, -DSTORE_BF16: cl/include/types.cl). */
CLV_CHECK enum clv_err clv_emit_kernel(struct clv_emit *e, const struct clv_emit_info *info,
                                       const struct clv_kernel_step *k);
/* Appends a step that was taken out of e->steps. */
CLV_CHECK enum clv_err clv_emit_step(struct clv_emit *e, const struct clv_step *step);
/* The options string from a printf format, kept in the steps' arena. NULL when out of memory. */
CLV_PRINTF(2, 3) const char *clv_emit_options(struct clv_emit *e, const char *fmt, ...);
CLV_CHECK enum clv_err clv_emit_gemm(struct clv_emit *e, const struct clv_emit_info *info,
                                     const struct clv_gemm_step *g); /* scratch is added here */
CLV_CHECK enum clv_err clv_emit_fill(struct clv_emit *e, const struct clv_emit_info *info,
                                     struct clv_tensor *dst, uint32_t pattern);
/* args as a compound literal: clv_args(CLV_IN(x), CLV_OUT(y), CLV_I32(n)) -> .args, .n_args */
#define clv_args(...)                                                                              \
    .args = (const struct clv_arg[]){__VA_ARGS__},                                                 \
    .n_args = (int)(sizeof((const struct clv_arg[]){__VA_ARGS__}) / sizeof(struct clv_arg))

/* dst = src in dst's type, or dst += src; one of the two is CLV_F32 (step/convert.c). */
CLV_CHECK enum clv_err clv_emit_convert(struct clv_emit *e, const struct clv_emit_info *info,
                                        struct clv_tensor *src, struct clv_tensor *dst, bool accumulate);

/* Takes back the fusions that no schedule on this device carries out, and in training those of activations whose
 * gradient needs the input, which the producer then stores; before tensors are made. */
void clv_emit_settle(const struct clv_emit *e, struct clv_fusion *fusion);

/* The op's first supporting variant (or force_variant), with e->variant set. Views emit nothing. */
CLV_CHECK enum clv_err clv_emit_node(struct clv_emit *e, const struct clv_node *node,
                                     enum clv_pass pass);

#endif
