/* globalmaxpool2d: the greatest value of all pixels, per channel: h x w x c becomes 1 x 1 x c. In training the pixel's
 * number is saved, and backward routes the gradient by it. */
#include "ops/launch.h"

CLV_SOURCE(globalmaxpool2d);

static enum clv_err globalmaxpool2d_infer(struct clv_graph *g, struct clv_node *node)
{
    (void)g;
    node->shape = (struct clv_shape){1, 1, node->in[0]->shape.c};
    return CLV_OK;
}

static void globalmaxpool2d_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    (void)pass;
    cost->flops = (double)clv_shape_count(node->in[0]->shape);
    cost->bytes = sizeof(float) * cost->flops;
}

static struct clv_tensor *saved_mask(struct clv_emit *e, const struct clv_node *node)
{
    return clv_emit_saved(e, node, 0, CLV_U32, (int64_t)e->batch * node->shape.c, "argmax");
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    const bool save = clv_emit_wants_grad_in(e, node, 0);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    /* Nobody reads it: one element keeps the kernel's argument valid. */
    struct clv_tensor *mask = save ? saved_mask(e, node) : clv_emit_scratch(e, CLV_U32, 1, "no mask");
    if (!mask)
        return CLV_ERR_NOMEM;
    const struct clv_launch l = clv_launch_pixel(e, wide, node->shape.c);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_globalmaxpool2d,
                                  .name = "globalmaxpool2d_fwd",
                                  .options = clv_emit_options(e, "%s", l.options),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y), CLV_OUT(mask),
                                           CLV_I32(save), CLV_I32(x->h), CLV_I32(x->w), CLV_I32(x->c),
                                           CLV_U32(l.chunk))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    struct clv_tensor *mask = saved_mask(e, node);
    if (!mask)
        return CLV_ERR_NOMEM;
    const struct clv_launch l = clv_launch_cells(e, wide, node->in[0]->shape);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_globalmaxpool2d,
                                  .name = "globalmaxpool2d_bwd",
                                  .options = clv_emit_options(e, "%s", l.options),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_IN(mask), CLV_PIXELS_IN(dy),
                                           CLV_PIXELS_GRAD(dx, accumulate), CLV_I32(dx->h), CLV_I32(dx->w),
                                           CLV_I32(dx->c), CLV_U32(l.chunk))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant globalmaxpool2d_variants[])

const struct clv_op clv_op_globalmaxpool2d = {
    .name = "globalmaxpool2d",
    .help = "Greatest value of all pixels, per channel.",
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = globalmaxpool2d_infer,
    .cost = globalmaxpool2d_cost,
    .variants = globalmaxpool2d_variants,
};
