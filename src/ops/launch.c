#include "ops/launch.h"

#include "base/util.h"
#include <stdio.h>

enum {
    MAX_VECTOR = 16,
    CPU_CHUNK = 16384, /* elements of a CPU item: 64 KiB, enough to hide the item's start */
    GPU_GROUP = 256,
};

bool clv_launch_wide(const struct clv_caps *caps, const struct clv_node *node, enum clv_pass pass)
{
    (void)node;
    (void)pass;
    return !caps->gpu_path;
}

bool clv_launch_simple(const struct clv_caps *caps, const struct clv_node *node, enum clv_pass pass)
{
    (void)caps;
    (void)node;
    (void)pass;
    return true;
}

/* The widest vector that divides a row, so that no kernel has a remainder. */
static int vector_for(bool wide, int64_t row)
{
    int v = wide ? MAX_VECTOR : 1;
    while (row % v)
        v /= 2;
    return v;
}

static void set_groups(struct clv_launch *l, const struct clv_emit *e, bool wide, bool dense)
{
    l->local = wide ? 1 : CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group);
    snprintf(l->options, sizeof l->options, "%s%s-DV=%d", dense ? "-DDENSE " : "",
             wide ? "-DGROUP=1 " : "", l->vector);
}

struct clv_launch clv_launch_map(const struct clv_emit *e, bool wide, struct clv_tensor *const *t,
                                 int n)
{
    const struct clv_shape shape = clv_tensor_shape(t[0]);
    bool dense = true;
    for (int i = 0; i < n; i++)
        dense = dense && t[i]->pitch == t[i]->c;
    struct clv_launch l = {.per_sample = (uint32_t)clv_shape_count(shape)};
    l.c = dense ? l.per_sample : (uint32_t)shape.c;
    l.vector = vector_for(wide, l.c);
    l.chunk = wide ? CPU_CHUNK : 1;
    l.global = (size_t)clv_div_up((int64_t)e->batch * l.per_sample, l.chunk);
    set_groups(&l, e, wide, dense);
    return l;
}

struct clv_launch clv_launch_cells(const struct clv_emit *e, bool wide, struct clv_shape shape)
{
    struct clv_launch l = {.per_sample = (uint32_t)clv_shape_count(shape), .c = (uint32_t)shape.c};
    l.vector = vector_for(wide, shape.c);
    const int64_t per_row = (int64_t)shape.w * (shape.c / l.vector);
    l.chunk = wide ? (uint32_t)per_row : 1;
    l.global = (size_t)((int64_t)e->batch * shape.h * clv_div_up(per_row, l.chunk));
    set_groups(&l, e, wide, false);
    return l;
}

struct clv_launch clv_launch_pixel(const struct clv_emit *e, bool wide, int c)
{
    struct clv_launch l = clv_launch_cells(e, wide, (struct clv_shape){1, 1, c});
    l.global *= (size_t)l.chunk;
    l.chunk = 1;
    return l;
}

struct clv_launch clv_launch_items(const struct clv_emit *e, int64_t items)
{
    struct clv_launch l = {.vector = 1, .chunk = 1, .global = (size_t)items};
    set_groups(&l, e, false, false);
    return l;
}

struct clv_emit_info clv_launch_info(const struct clv_emit *e, const struct clv_node *node,
                                     enum clv_pass pass)
{
    struct clv_cost cost = {0};
    if (node->op->cost)
        node->op->cost(node, pass, &cost);
    const double stored = clv_dtype_bytes(clv_emit_dtype(e, node)) / (double)sizeof(float);
    return (struct clv_emit_info){.node = node,
                                  .pass = pass,
                                  .what = pass == CLV_PASS_FORWARD ? "forward" : "backward",
                                  .flops = cost.flops * e->batch,
                                  .bytes = cost.bytes * e->batch * stored};
}
