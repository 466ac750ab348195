#include "ops/pool.h"

#include "base/util.h"

static const char *const padding_names[] = {"valid", "same", NULL};

const struct clv_opt clv_pool_opts[] = {
    {"pool_size", "height and width of the window, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_pool_params, pool_size), "2", 1, 4096},
    {"strides", "step from window to window, in pixels; 0 = pool_size", CLV_OPT_PAIR,
     offsetof(struct clv_pool_params, strides), "0", 0, 4096},
    {"padding", "valid: windows lie inside; same: output is input / strides, rounded up",
     CLV_OPT_ENUM, offsetof(struct clv_pool_params, padding), "valid", .names = padding_names},
    {NULL},
};

static int place_axis(struct clv_pool *p, int axis, int in, bool same)
{
    const int k = p->size[axis], s = p->stride[axis];
    if (!same)
        return in < k ? 0 : (in - k) / s + 1;
    const int out = (int)clv_div_up(in, s);
    const int pad = CLV_MAX((out - 1) * s + k - in, 0);
    p->pad[axis] = pad / 2;
    p->padded = p->padded || pad > 0;
    return out;
}

struct clv_pool clv_pool_of(const struct clv_node *node)
{
    const struct clv_pool_params *q = node->params;
    struct clv_pool p = {.in = node->in[0]->shape};
    for (int i = 0; i < 2; i++) {
        p.size[i] = q->pool_size[i];
        p.stride[i] = q->strides[i] ? q->strides[i] : q->pool_size[i];
    }
    const bool same = q->padding == CLV_POOL_SAME;
    p.out.h = place_axis(&p, 0, p.in.h, same);
    p.out.w = place_axis(&p, 1, p.in.w, same);
    p.out.c = p.in.c;
    p.disjoint = !p.padded && p.stride[0] >= p.size[0] && p.stride[1] >= p.size[1];
    return p;
}

enum clv_err clv_pool_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_pool p = clv_pool_of(node);
    if (p.out.h < 1 || p.out.w < 1)
        return clv_fail(
            &g->err, CLV_ERR_SHAPE,
            "%s: input %s (%dx%dx%d) is smaller than the window %dx%d; use padding=same or "
            "a smaller pool_size",
            node->name, node->in[0]->name, p.in.h, p.in.w, p.in.c, p.size[0], p.size[1]);
    node->shape = p.out;
    return CLV_OK;
}

void clv_pool_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const struct clv_pool p = clv_pool_of(node);
    (void)pass; /* both directions read one side and write the other */
    cost->flops = (double)clv_shape_count(p.out) * p.size[0] * p.size[1];
    cost->bytes = sizeof(float) * (double)(clv_shape_count(p.in) + clv_shape_count(p.out));
}

struct clv_launch clv_pool_launch_backward(const struct clv_emit *e, bool wide,
                                           const struct clv_pool *p)
{
    struct clv_shape cells = p->in;
    if (p->disjoint) {
        cells.h = (int)clv_div_up(cells.h, p->stride[0]);
        cells.w = (int)clv_div_up(cells.w, p->stride[1]);
    }
    return clv_launch_cells(e, wide, cells);
}

const char *clv_pool_options(struct clv_emit *e, const struct clv_pool *p,
                             const struct clv_launch *l, const char *mask)
{
    return clv_emit_options(e, "%s-DKH=%d -DKW=%d %s%s%s-DSH=%d -DSW=%d %s",
                            p->disjoint ? "-DDISJOINT " : "", p->size[0], p->size[1],
                            mask ? "-DMASK=" : "", mask ? mask : "", p->padded ? " -DPAD " : " ",
                            p->stride[0], p->stride[1], l->options);
}
