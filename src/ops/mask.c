#include "ops/mask.h"

CLV_SOURCE(dropout);

static enum clv_err emit_pass(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                              const struct clv_launch *l, const char *kernel, struct clv_tensor *x, struct clv_tensor *y,
                              bool accumulate)
{
    const double rate = ((const struct clv_mask_params *)node->params)->rate;
    const struct clv_emit_info info = clv_launch_info(e, node, pass);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_dropout,
            .name = kernel,
            .options = clv_emit_options(e, "%s", l->options),
            CLV_LAUNCH(*l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_GRAD(y, accumulate), CLV_I32(x->h),
                     CLV_I32(x->w), CLV_I32(x->c), CLV_U32(node->name_hash), CLV_U32(node->name_hash >> 32),
                     CLV_U32(rate * 4294967296.0), CLV_F32_ARG(1.0 / (1.0 - rate)), CLV_U32(l->chunk))});
}

enum clv_err clv_mask_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                           const char *kernel, int width)
{
    const struct clv_launch l = clv_launch_cells(e, wide, (struct clv_shape){node->shape.h, width, node->shape.c});
    bool accumulate;
    struct clv_tensor *dx;
    if (!e->training)
        return CLV_OK; /* a view */
    if (pass == CLV_PASS_FORWARD)
        return emit_pass(e, node, pass, &l, kernel, clv_emit_in(e, node, 0), clv_emit_out(e, node), false);
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    return dx ? emit_pass(e, node, pass, &l, kernel, clv_emit_grad_out(e, node), dx, accumulate) : CLV_OK;
}
