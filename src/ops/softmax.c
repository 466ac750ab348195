/* softmax: y = exp(x - max) / sum over the channels of a pixel; dx = y (dy - sum(dy y)). One
 * work-item per pixel everywhere: behind a classifier there are few of them, and a loss takes it
 * over in training. */
#include "ops/activation.h"
#include "ops/launch.h"

CLV_SOURCE(softmax);

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_items(e, x->n * x->h * x->w);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_softmax,
                                  .name = "softmax_fwd",
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y),
                                           CLV_U32(x->h * x->w), CLV_U32(x->c))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node)
{
    bool accumulate;
    struct clv_tensor *y = clv_emit_out(e, node), *dy = clv_emit_grad_out(e, node);
    struct clv_tensor *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_launch l = clv_launch_items(e, y->n * y->h * y->w);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_softmax,
                                  .name = "softmax_bwd",
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(y), CLV_PIXELS_IN(dy),
                                           CLV_PIXELS_GRAD(dx, accumulate), CLV_U32(y->h * y->w),
                                           CLV_U32(y->c))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node) : emit_backward(e, node);
}

static void softmax_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    clv_cost_elementwise(node, pass, cost);
    cost->flops *= pass == CLV_PASS_FORWARD ? 5 : 4;
}

static const struct clv_variant softmax_variants[] = {{"simple", clv_launch_simple, emit}, {0}};

const struct clv_op clv_op_softmax = {
    .name = "softmax",
    .help = "Probabilities over the channels of each pixel.",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_ACTIVATION,
    .default_loss = "categorical_crossentropy",
    .mask_loss = "dice_crossentropy",
    .infer = clv_infer_same,
    .cost = softmax_cost,
    .variants = softmax_variants,
};
