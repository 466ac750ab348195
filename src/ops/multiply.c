/* multiply: y = a b, where b has a's shape or is one pixel that every pixel of a is multiplied with: with
 * globalavgpool2d and two 1 x 1 convolutions that is squeeze-and-excitation (Hu et al., 2017). da = dy b; db = dy a,
 * summed over the pixels that b was for. */
#include "ops/activation.h"
#include "ops/launch.h"

CLV_SOURCE(multiply);

static bool broadcasts(const struct clv_node *node)
{
    const struct clv_shape a = node->in[0]->shape, b = node->in[1]->shape;
    return b.h == 1 && b.w == 1 && (a.h > 1 || a.w > 1);
}

static enum clv_err multiply_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape a = node->in[0]->shape, b = node->in[1]->shape;
    if (a.c != b.c || ((a.h != b.h || a.w != b.w) && !broadcasts(node)))
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: inputs %s (%dx%dx%d) and %s (%dx%dx%d) must have one shape, or the second 1x1x%d",
                        node->name, node->in[0]->name, a.h, a.w, a.c, node->in[1]->name, b.h, b.w, b.c, a.c);
    node->shape = a;
    return CLV_OK;
}

/* y = a b, or y += a b; b may be broadcast. */
static enum clv_err emit_product(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                                 struct clv_tensor *a, struct clv_tensor *b, struct clv_tensor *y, bool accumulate)
{
    const struct clv_launch l = clv_launch_cells(e, wide, clv_tensor_shape(a));
    const bool one = b->h * b->w < a->h * a->w;
    const struct clv_emit_info info = clv_launch_info(e, node, pass);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_multiply,
            .name = "multiply",
            .options = clv_emit_options(e, "%s%s", one ? "-DBROADCAST " : "", l.options),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(a), CLV_PIXELS_IN(b), CLV_PIXELS_GRAD(y, accumulate),
                     CLV_I32(a->h), CLV_I32(a->w), CLV_I32(a->c), CLV_U32(l.chunk))});
}

/* db = sum over the pixels of a dy. */
static enum clv_err emit_sum(struct clv_emit *e, const struct clv_node *node, bool wide, struct clv_tensor *a,
                             struct clv_tensor *dy, struct clv_tensor *db, bool accumulate)
{
    const struct clv_launch l = clv_launch_pixel(e, wide, node->shape.c);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_multiply,
            .name = "multiply_sum",
            .options = clv_emit_options(e, "%s", l.options),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(a), CLV_PIXELS_IN(dy), CLV_PIXELS_GRAD(db, accumulate),
                     CLV_I32(a->h), CLV_I32(a->w), CLV_I32(a->c), CLV_U32(l.chunk))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *dx;
    for (int i = 0; i < 2; i++) {
        bool accumulate;
        struct clv_tensor *other = clv_emit_in(e, node, 1 - i);
        CLV_TRY(clv_emit_grad_in(e, node, i, &dx, &accumulate));
        if (!dx)
            continue;
        if (i == 1 && broadcasts(node))
            CLV_TRY(emit_sum(e, node, wide, other, dy, dx, accumulate));
        else
            CLV_TRY(emit_product(e, node, CLV_PASS_BACKWARD, wide, dy, other, dx, accumulate));
    }
    return CLV_OK;
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    if (pass == CLV_PASS_BACKWARD)
        return emit_backward(e, node, wide);
    return emit_product(e, node, pass, wide, clv_emit_in(e, node, 0), clv_emit_in(e, node, 1),
                        clv_emit_out(e, node), false);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant multiply_variants[])

const struct clv_op clv_op_multiply = {
    .name = "multiply",
    .help = "Product of two inputs of one shape; the second may have a single pixel, for all pixels of the first.",
    .n_in_min = 2,
    .n_in_max = 2,
    .infer = multiply_infer,
    .cost = clv_cost_elementwise,
    .variants = multiply_variants,
};
