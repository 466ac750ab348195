/* hard_swish: y = x hard_sigmoid(x); its gradient is taken at the input. Howard et al., 2019. */
#include "ops/activation.h"

const struct clv_op clv_op_hard_swish = {
    .name = "hard_swish",
    .help = "x min(max(x + 3, 0), 6) / 6.",
    CLV_ACTIVATION(CLV_ACT_HARD_SWISH),
};
