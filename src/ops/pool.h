/* What maxpool2d and avgpool2d share: options, shapes, geometry. */
#ifndef CLV_OPS_POOL_H
#define CLV_OPS_POOL_H

#include "ops/launch.h"
#include "ops/padding.h"

struct clv_pool_params {
    int pool_size[2];
    int strides[2];   /* 0 = pool_size */
    char padding[CLV_OPT_STRING_MAX];
    bool count_padding; /* avgpool2d */
};
/* The rows of both ops' option tables. */
#define CLV_POOL_OPTS                                                                              \
    {"pool_size", "height and width of the window, in pixels", CLV_OPT_PAIR,                       \
     offsetof(struct clv_pool_params, pool_size), "2", 1, CLV_PADDING_MAX},                        \
    {"strides", "step from window to window, in pixels; 0 = pool_size", CLV_OPT_PAIR,              \
     offsetof(struct clv_pool_params, strides), "0", 0, CLV_PADDING_MAX},                          \
    {"padding",                                                                                    \
     "valid: windows lie inside; same: output is input / strides, rounded up; or rows,columns "    \
     "on each side that windows may reach over, less than pool_size; or top,left,bottom,right",    \
     CLV_OPT_STRING, offsetof(struct clv_pool_params, padding), "valid", 0, 0}

struct clv_pool {
    int size[2], stride[2];  /* height, width */
    int pad[2];              /* rows above, columns to the left */
    bool padded;             /* some window reaches over an edge */
    bool counted;            /* the average counts padding as zeros */
    bool disjoint;           /* no input pixel lies in two windows, and none is padding */
    struct clv_shape in, out;
};
/* Keras' shapes: valid floor((i - k) / s) + 1; same ceil(i / s), the odd row of padding below. With padding in numbers
 * PyTorch's, floor((i + before + after - k) / s) + 1. Text that clv_pool_infer() refuses counts as no padding. */
struct clv_pool clv_pool_of(const struct clv_node *node);
enum clv_err clv_pool_infer(struct clv_graph *g, struct clv_node *node);
void clv_pool_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);

/* Work-items of backward: input pixels, or windows where they are disjoint. */
struct clv_launch clv_pool_launch_backward(const struct clv_emit *e, bool wide, const struct clv_pool *p);
/* Build options of cl/pool.cl; mask: the type of the argmax, NULL for the average. NULL: out of memory. */
const char *clv_pool_options(struct clv_emit *e, const struct clv_pool *p, const struct clv_launch *l,
                             const char *mask);
/* The arguments GEOMETRY of cl/pool.cl. */
#define CLV_POOL_GEOMETRY(p, l)                                                                    \
    CLV_I32((p).in.h), CLV_I32((p).in.w), CLV_I32((p).out.h), CLV_I32((p).out.w),                  \
        CLV_I32((p).in.c), CLV_I32((p).pad[0]), CLV_I32((p).pad[1]), CLV_U32((l).chunk)

#endif
