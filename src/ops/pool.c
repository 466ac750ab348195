#include "ops/pool.h"

#include "base/util.h"

static void place_axis(struct clv_pool *p, int axis, int in, bool same, int after, int *out)
{
    const int k = p->size[axis], s = p->stride[axis];
    *out = clv_padding_windows(same, in, k, s, after, &p->pad[axis]);
    p->padded = p->padded || p->pad[axis] > 0 || (*out - 1) * s + k - p->pad[axis] > in;
}

struct clv_pool clv_pool_of(const struct clv_node *node)
{
    const struct clv_pool_params *q = node->params;
    struct clv_pool p = {.in = node->in[0]->shape, .counted = q->count_padding};
    int pad[4]; /* top, left, bottom, right */
    bool same;
    if (!clv_padding_read(q->padding, &same, pad))
        pad[0] = pad[1] = pad[2] = pad[3] = 0;
    for (int i = 0; i < 2; i++) {
        p.size[i] = q->pool_size[i];
        p.stride[i] = q->strides[i] ? q->strides[i] : q->pool_size[i];
        p.pad[i] = pad[i];
    }
    place_axis(&p, 0, p.in.h, same, pad[2], &p.out.h);
    place_axis(&p, 1, p.in.w, same, pad[3], &p.out.w);
    p.out.c = p.in.c;
    p.disjoint = !p.padded && p.stride[0] >= p.size[0] && p.stride[1] >= p.size[1];
    return p;
}

enum clv_err clv_pool_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_pool_params *q = node->params;
    const struct clv_pool p = clv_pool_of(node);
    int pad[4];
    bool same;
    if (!clv_padding_read(q->padding, &same, pad))
        return clv_fail(&g->err, CLV_ERR_MODEL,
                        "%s: padding=%s is neither valid, same, nor 1, 2 or 4 numbers in 0..%d separated by commas",
                        node->name, q->padding, CLV_PADDING_MAX);
    /* Then every window holds a pixel. */
    for (int i = 0; i < 4; i++)
        if (pad[i] >= p.size[i % 2])
            return clv_fail(&g->err, CLV_ERR_MODEL,
                            "%s: padding=%s must be less than the window, %dx%d, or some windows hold no pixel",
                            node->name, q->padding, p.size[0], p.size[1]);
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
    return clv_emit_options(e, "%s-DKH=%d -DKW=%d %s%s%s%s-DSH=%d -DSW=%d %s",
                            p->disjoint ? "-DDISJOINT " : "", p->size[0], p->size[1],
                            mask ? "-DMASK=" : "", mask ? mask : "", p->padded ? " -DPAD " : " ",
                            p->padded && p->counted ? "-DCOUNT_PADDING " : "",
                            p->stride[0], p->stride[1], l->options);
}
