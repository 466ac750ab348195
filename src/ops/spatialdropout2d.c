/* spatialdropout2d: in training all of a channel's pixels are zero with probability `rate`, else divided by 1 - rate
 * (Tompson et al., 2015); outside training a view. Bits are drawn as dropout's, one for each channel. */
#include "ops/activation.h"
#include "ops/launch.h"

CLV_SOURCE(dropout);

struct spatialdropout2d_params {
    double rate;
};

static const struct clv_opt spatialdropout2d_opts[] = {
    {"rate", "share of channels set to zero, below 1", CLV_OPT_DOUBLE,
     offsetof(struct spatialdropout2d_params, rate), NULL, 0, 0.999},
    {NULL},
};

/* x to y, or dy to dx: the same mask. */
static enum clv_err emit_mask(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                              struct clv_tensor *x, struct clv_tensor *y, bool accumulate)
{
    const double rate = ((const struct spatialdropout2d_params *)node->params)->rate;
    const struct clv_launch l = clv_launch_cells(e, wide, (struct clv_shape){node->shape.h, 1, node->shape.c});
    const struct clv_emit_info info = clv_launch_info(e, node, pass);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_dropout,
            .name = "spatial_dropout",
            .options = clv_emit_options(e, "%s", l.options),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_GRAD(y, accumulate), CLV_I32(x->h),
                     CLV_I32(x->w), CLV_I32(x->c), CLV_U32(node->name_hash), CLV_U32(node->name_hash >> 32),
                     CLV_U32(rate * 4294967296.0), CLV_F32_ARG(1.0 / (1.0 - rate)), CLV_U32(l.chunk))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    if (!e->training)
        return CLV_OK; /* a view */
    if (pass == CLV_PASS_FORWARD)
        return emit_mask(e, node, pass, wide, clv_emit_in(e, node, 0), clv_emit_out(e, node), false);
    bool accumulate;
    struct clv_tensor *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    return dx ? emit_mask(e, node, pass, wide, clv_emit_grad_out(e, node), dx, accumulate) : CLV_OK;
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant spatialdropout2d_variants[])

const struct clv_op clv_op_spatialdropout2d = {
    .name = "spatialdropout2d",
    .help = "In training, sets a share of the channels to zero and scales the rest up.",
    .params_size = sizeof(struct spatialdropout2d_params),
    .opts = spatialdropout2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_TRAIN_ONLY,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = spatialdropout2d_variants,
};
