/* concat: the inputs' channels one behind the other. An input that is stored in the output's memory from the beginning
 * (clv_graph_place_parts()) costs nothing, in neither direction; the others are copied. */
#include "ops/activation.h"
#include "ops/launch.h"

static enum clv_err concat_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape a = node->in[0]->shape;
    int64_t channels = 0;
    for (int i = 0; i < node->n_in; i++) {
        const struct clv_shape b = node->in[i]->shape;
        if (a.h != b.h || a.w != b.w)
            return clv_fail(&g->err, CLV_ERR_SHAPE,
                            "%s: inputs %s (%dx%dx%d) and %s (%dx%dx%d) must have one height and width", node->name,
                            node->in[0]->name, a.h, a.w, a.c, node->in[i]->name, b.h, b.w, b.c);
        channels += b.c;
    }
    if (channels > INT32_MAX)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: %lld channels are too many", node->name, (long long)channels);
    node->shape = (struct clv_shape){a.h, a.w, (int)channels};
    return CLV_OK;
}

static enum clv_err emit_copy(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                              struct clv_tensor *x, struct clv_tensor *y, bool accumulate)
{
    if (!x || !y)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = {.node = node,
                                       .pass = pass,
                                       .what = pass == CLV_PASS_FORWARD ? "forward" : "backward",
                                       .bytes = (accumulate ? 3.0 : 2.0) * clv_dtype_bytes(x->dtype) * (double)e->batch *
                                                (double)clv_shape_count(clv_tensor_shape(x))};
    return clv_launch_copy(e, &info, wide, x, y, accumulate);
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *y = clv_emit_out(e, node);
    for (int i = 0, at = 0; i < node->n_in; at += node->in[i++]->shape.c) {
        if (clv_emit_is_part(e, node, i))
            continue;
        struct clv_tensor *x = clv_emit_in(e, node, i);
        struct clv_tensor *part = clv_emit_channels(e, y, at, node->in[i]->shape.c);
        CLV_TRY(emit_copy(e, node, CLV_PASS_FORWARD, wide, x, part, false));
    }
    return CLV_OK;
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *dy = clv_emit_grad_out(e, node);
    for (int i = 0, at = 0; i < node->n_in; at += node->in[i++]->shape.c) {
        bool accumulate;
        struct clv_tensor *dx;
        if (clv_emit_grad_part(e, node, i, at))
            continue;
        CLV_TRY(clv_emit_grad_in(e, node, i, &dx, &accumulate));
        if (!dx)
            continue;
        struct clv_tensor *part = clv_emit_channels(e, dy, at, node->in[i]->shape.c);
        CLV_TRY(emit_copy(e, node, CLV_PASS_BACKWARD, wide, part, dx, accumulate));
    }
    return CLV_OK;
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant concat_variants[])

const struct clv_op clv_op_concat = {
    .name = "concat",
    .help = "Channels of up to four inputs of one height and width, one behind the other.",
    .n_in_min = 2,
    .n_in_max = CLV_MAX_IN,
    .flags = CLV_OP_PARTS,
    .infer = concat_infer,
    .variants = concat_variants,
};
