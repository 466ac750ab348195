/* relu: y = max(x, 0); dx = dy where y > 0. */
#include "ops/activation.h"

const struct clv_op clv_op_relu = {
    .name = "relu",
    .help = "max(x, 0).",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_ACT,
    .act = CLV_ACT_RELU,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = clv_activation_variants,
};
