/* silu: y = x sigmoid(x), also called swish; its gradient is taken at the input. */
#include "ops/activation.h"

const struct clv_op clv_op_silu = {
    .name = "silu",
    .help = "x / (1 + exp(-x)), also called swish.",
    CLV_ACTIVATION(CLV_ACT_SILU),
};
