/* A tensor names a piece of device memory: what is in it, not where it lies until it is bound. */
#ifndef CLV_STEP_TENSOR_H
#define CLV_STEP_TENSOR_H

#include "graph/graph.h"
#include <stdbool.h>
#include <stdint.h>

struct clv_buffer;

/* F16 and BF16 are how activations may be stored; nothing computes in them (cl/include/types.cl). */
enum clv_dtype { CLV_F32, CLV_U8, CLV_U32, CLV_F16, CLV_BF16 };
static inline bool clv_dtype_is_16(enum clv_dtype t) { return t == CLV_F16 || t == CLV_BF16; }
static inline int clv_dtype_bytes(enum clv_dtype t)
{
    return t == CLV_U8 ? 1 : clv_dtype_is_16(t) ? 2 : 4;
}

enum clv_memory {
    CLV_MEMORY_ACTIVATION, /* planned by liveness */
    CLV_MEMORY_SCRATCH,    /* likewise; lives only from its first to its last step */
    CLV_MEMORY_STORE,      /* parameter store: weights, gradients, optimizer slots */
    CLV_MEMORY_IO,         /* bound by the plan's owner: staging, targets, results, step state */
};

/* Dense arrays are n = 1, h = w = 1, c = count. Activations: n = the plan's batch. */
struct clv_tensor {
    enum clv_dtype dtype;
    enum clv_memory memory;
    int64_t n, h, w, c;
    int64_t pitch;             /* elements from pixel to pixel, >= c; the next row and sample follow on */
    const char *name;          /* for dumps: "conv2d_1", "conv2d_1/kernel", "d:conv2d_1" */
    struct clv_tensor *alias;  /* memory is that tensor's (views, in-place, parts); NULL = its own */
    int64_t alias_at;          /* elements of that tensor before it */
    bool keeps;                /* holds its contents from one submission to the next */
    int id;
    /* bound: */
    struct clv_buffer *buffer;
    uint64_t offset;           /* elements of dtype, so 64 bit */
};

static inline struct clv_shape clv_tensor_shape(const struct clv_tensor *t)
{
    return (struct clv_shape){(int)t->h, (int)t->w, (int)t->c};
}
static inline int64_t clv_tensor_count(const struct clv_tensor *t) { return t->n * t->h * t->w * t->pitch; }
static inline int64_t clv_tensor_bytes(const struct clv_tensor *t)
{
    return clv_tensor_count(t) * clv_dtype_bytes(t->dtype);
}
/* Elements of the root before it. */
static inline int64_t clv_tensor_at(const struct clv_tensor *t)
{
    int64_t at = 0;
    for (; t->alias; t = t->alias)
        at += t->alias_at;
    return at;
}
/* The tensor that owns the memory. */
static inline struct clv_tensor *clv_tensor_root(struct clv_tensor *t)
{
    while (t->alias)
        t = t->alias;
    return t;
}

#endif
