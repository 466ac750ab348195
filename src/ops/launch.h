/* How the simple kernels of this folder are launched: vector width, work per item, work-group size. */
#ifndef CLV_OPS_LAUNCH_H
#define CLV_OPS_LAUNCH_H

#include "step/emit.h"

/* A tensor of pixels as cl/include/map.cl takes it: pointer, offset, then its pixel pitch. */
#define CLV_PIXELS_IN(x) CLV_IN(x), CLV_U32((x)->pitch)
#define CLV_PIXELS_OUT(x) CLV_OUT(x), CLV_U32((x)->pitch)
/* A gradient that this kernel writes or adds to, and which of the two. */
#define CLV_PIXELS_GRAD(x, accumulate) CLV_PIXELS_ADD(x, accumulate), CLV_I32(accumulate)
#define CLV_PIXELS_ADD(x, accumulate)                                                              \
    {(accumulate) ? CLV_ARG_INOUT : CLV_ARG_OUT, {.t = (x)}}, CLV_U32((x)->pitch)

struct clv_launch {
    int vector;              /* V: divides the channels */
    uint32_t per_sample, c;  /* elements; c: of a pixel (of a sample when dense) */
    uint32_t chunk;          /* elements (map) or cells (cells) of one item */
    size_t global, local;
    char options[48];        /* "-DDENSE -DGROUP=1 -DV=16" */
};

/* The CPU variants: few items with wide vectors. */
bool clv_launch_wide(const struct clv_caps *caps, const struct clv_node *node, enum clv_pass pass);
/* The "simple" variants, which are a GPU's: one item for each element, or, on the GPU path, for each four of them
 * where they lie aligned. */
bool clv_launch_simple(const struct clv_caps *caps, const struct clv_node *node, enum clv_pass pass);

/* Elementwise over `n` tensors of one shape (cl/include/map.cl). */
struct clv_launch clv_launch_map(const struct clv_emit *e, bool wide, struct clv_tensor *const *t, int n);
/* Over rows of h x w pixels of c channels (cl/include/cells.cl). */
struct clv_launch clv_launch_cells(const struct clv_emit *e, bool wide, struct clv_shape shape);
/* Over the c channels of one pixel a sample: a vector an item on CPUs, too, so that a batch of one keeps all units
 * busy where an item sums over an image. */
struct clv_launch clv_launch_pixel(const struct clv_emit *e, bool wide, int c);
/* One item for each of `items`, scalar. */
struct clv_launch clv_launch_items(const struct clv_emit *e, int64_t items);

/* Label and cost (op->cost at the emitter's batch) of the node's one step in a pass. */
struct clv_emit_info clv_launch_info(const struct clv_emit *e, const struct clv_node *node,
                                     enum clv_pass pass);

/* y = x, or y += x, of one shape and type. */
CLV_CHECK enum clv_err clv_launch_copy(struct clv_emit *e, const struct clv_emit_info *info, bool wide,
                                       struct clv_tensor *x, struct clv_tensor *y, bool accumulate);

/* The arguments MAP_SIZES of cl/include/map.cl. */
#define CLV_MAP_SIZES(l) CLV_U32((l).per_sample), CLV_U32((l).c), CLV_U32((l).chunk)

/* Defines a variant table, `declaration`, from a static emit(e, node, pass, wide). */
#define CLV_LAUNCH_VARIANTS(declaration)                                                               \
    static enum clv_err emit_wide(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass) \
    {                                                                                              \
        return emit(e, node, pass, true);                                                          \
    }                                                                                              \
    static enum clv_err emit_simple(struct clv_emit *e, const struct clv_node *node,               \
                                    enum clv_pass pass)                                            \
    {                                                                                              \
        return emit(e, node, pass, false);                                                         \
    }                                                                                              \
    declaration = {                                                                                 \
        {"vector", clv_launch_wide, emit_wide}, {"simple", clv_launch_simple, emit_simple}, {0}};

/* .dims, .global, .local, .shrink of a kernel step. */
#define CLV_LAUNCH(l)                                                                              \
    .dims = 1, .global = {(l).global}, .local = {(l).local}, .shrink = CLV_SHRINK_ITEMS

#endif
