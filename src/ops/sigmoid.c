/* sigmoid: y = 1 / (1 + exp(-x)); dx = dy y (1 - y). */
#include "ops/activation.h"

const struct clv_op clv_op_sigmoid = {
    .name = "sigmoid",
    .help = "1 / (1 + exp(-x)).",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_ACT,
    .default_loss = "binary_crossentropy",
    .mask_loss = "dice_binary_crossentropy",
    .act = CLV_ACT_SIGMOID,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = clv_activation_variants,
};
