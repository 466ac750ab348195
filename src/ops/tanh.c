/* tanh: y = tanh(x); dx = dy (1 - y^2). */
#include "ops/activation.h"

const struct clv_op clv_op_tanh = {
    .name = "tanh",
    .help = "Hyperbolic tangent.",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_ACT,
    .act = CLV_ACT_TANH,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = clv_activation_variants,
};
