/* stochasticdepth: in training all of a sample's values are zero with probability `rate`, else divided by 1 - rate;
 * outside training a view. At the end of a residual branch, before its sum, it leaves out whole branches: Huang et
 * al., "Deep Networks with Stochastic Depth" (2016), scaled in training as torchvision's StochasticDepth with mode "row". One
 * draw for each sample. */
#include "ops/activation.h"
#include "ops/mask.h"

static const struct clv_opt stochasticdepth_opts[] = {
    {"rate", "share of samples set to zero, below 1", CLV_OPT_DOUBLE, offsetof(struct clv_mask_params, rate), NULL, 0,
     0.999},
    {NULL},
};

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return clv_mask_emit(e, node, pass, wide, "stochastic_depth", node->shape.w);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant stochasticdepth_variants[])

const struct clv_op clv_op_stochasticdepth = {
    .name = "stochasticdepth",
    .help = "In training, sets a share of the samples to zero and scales the rest up: behind a residual branch, "
            "leaves it out.",
    .params_size = sizeof(struct clv_mask_params),
    .opts = stochasticdepth_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_TRAIN_ONLY,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = stochasticdepth_variants,
};
