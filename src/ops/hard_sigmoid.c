/* hard_sigmoid: y = min(max(x + 3, 0), 6) / 6; dx = dy / 6 where 0 < y < 1. */
#include "ops/activation.h"

const struct clv_op clv_op_hard_sigmoid = {
    .name = "hard_sigmoid",
    .help = "min(max(x + 3, 0), 6) / 6.",
    CLV_ACTIVATION(CLV_ACT_HARD_SIGMOID),
};
