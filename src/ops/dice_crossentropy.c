/* dice_crossentropy: for masks of which each pixel has one class (src/ops/dice.h). Behind a softmax it works from the
 * logits. */
#include "ops/dice.h"

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    return clv_dice_emit(e, node, pass, false);
}

static const struct clv_variant variants[] = {{"simple", clv_launch_simple, emit}, {0}};

const struct clv_op clv_op_dice_crossentropy = {
    .name = "dice_crossentropy",
    .help = "Loss of class probabilities of pixels: Dice of the classes and cross-entropy.",
    .params_size = sizeof(struct clv_dice_params),
    .opts = clv_dice_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_LOSS,
    .takes_over = "softmax",
    .infer = clv_dice_infer,
    .cost = clv_dice_cost,
    .variants = variants,
};
