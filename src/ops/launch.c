#include "ops/launch.h"

#include "base/util.h"
#include <stdio.h>

CLV_SOURCE(concat);

enum {
    MAX_VECTOR = 16,
    CPU_CHUNK = 16384, /* elements of a CPU item: 64 KiB, enough to hide the item's start */
    GPU_VECTOR = 4,    /* elements of a GPU item: 16 bytes of floats, the most that an instruction moves */
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

/* The widest vector of at most `most` elements that divides a row, so that no kernel has a remainder. */
static int vector_for(int most, int64_t row)
{
    int v = most;
    while (row % v)
        v /= 2;
    return v;
}

/* Whether vectors of a GPU lie at multiples of their size: other ones are read and written element by element. */
static bool is_aligned(struct clv_tensor *const *t, int n, bool dense)
{
    bool aligned = true;
    for (int i = 0; i < n; i++)
        aligned = aligned && (dense || t[i]->pitch % GPU_VECTOR == 0) && clv_tensor_at(t[i]) % GPU_VECTOR == 0;
    return aligned;
}

static void set_groups(struct clv_launch *l, const struct clv_emit *e, bool wide, const char *what)
{
    l->local = wide ? 1 : CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group);
    snprintf(l->options, sizeof l->options, "%s%s-DV=%d", what, wide ? "-DGROUP=1 " : "", l->vector);
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
    const bool aligned = e->caps->gpu_path && !wide && is_aligned(t, n, dense);
    l.vector = vector_for(wide ? MAX_VECTOR : aligned ? GPU_VECTOR : 1, l.c);
    l.chunk = wide ? CPU_CHUNK : (uint32_t)l.vector;
    l.global = (size_t)clv_div_up((int64_t)e->batch * l.per_sample, l.chunk);
    set_groups(&l, e, wide, dense ? aligned ? "-DDENSE -DALIGNED " : "-DDENSE " : aligned ? "-DALIGNED " : "");
    return l;
}

struct clv_launch clv_launch_cells(const struct clv_emit *e, bool wide, struct clv_shape shape)
{
    struct clv_launch l = {.per_sample = (uint32_t)clv_shape_count(shape), .c = (uint32_t)shape.c};
    l.vector = vector_for(wide ? MAX_VECTOR : 1, shape.c);
    const int64_t per_row = (int64_t)shape.w * (shape.c / l.vector);
    l.chunk = wide ? (uint32_t)per_row : 1;
    l.global = (size_t)((int64_t)e->batch * shape.h * clv_div_up(per_row, l.chunk));
    set_groups(&l, e, wide, "");
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
    set_groups(&l, e, false, "");
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

enum clv_err clv_launch_copy(struct clv_emit *e, const struct clv_emit_info *info, bool wide, struct clv_tensor *x,
                             struct clv_tensor *y, bool accumulate)
{
    const struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){x, y}, 2);
    return clv_emit_kernel(e, info,
                           &(struct clv_kernel_step){.source = &clv_cl_concat,
                                                     .name = "concat_copy",
                                                     .options = clv_emit_options(e, "%s", l.options),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x),
                                                              CLV_PIXELS_GRAD(y, accumulate), CLV_MAP_SIZES(l))});
}
