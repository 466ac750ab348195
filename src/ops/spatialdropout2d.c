/* spatialdropout2d: in training all of a channel's pixels are zero with probability `rate`, else divided by 1 - rate
 * (Tompson et al., 2015); outside training a view. One draw for each channel. */
#include "ops/activation.h"
#include "ops/mask.h"

static const struct clv_opt spatialdropout2d_opts[] = {
    {"rate", "share of channels set to zero, below 1", CLV_OPT_DOUBLE,
     offsetof(struct clv_mask_params, rate), NULL, 0, 0.999},
    {NULL},
};

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return clv_mask_emit(e, node, pass, wide, "spatial_dropout", 1);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant spatialdropout2d_variants[])

const struct clv_op clv_op_spatialdropout2d = {
    .name = "spatialdropout2d",
    .help = "In training, sets a share of the channels to zero and scales the rest up.",
    .params_size = sizeof(struct clv_mask_params),
    .opts = spatialdropout2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_TRAIN_ONLY,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = spatialdropout2d_variants,
};
