/* dice_binary_crossentropy: for one mask, or several that may overlap (src/ops/dice.h). Behind a sigmoid it works from
 * the logits. */
#include "ops/dice.h"

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    return clv_dice_emit(e, node, pass, true);
}

static const struct clv_variant variants[] = {{"simple", clv_launch_simple, emit}, {0}};

const struct clv_op clv_op_dice_binary_crossentropy = {
    .name = "dice_binary_crossentropy",
    .help = "Loss of independent probabilities of pixels: their Dice and binary cross-entropy.",
    .params_size = sizeof(struct clv_dice_params),
    .opts = clv_dice_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_LOSS,
    .takes_over = "sigmoid",
    .infer = clv_dice_infer,
    .cost = clv_dice_cost,
    .variants = variants,
};
