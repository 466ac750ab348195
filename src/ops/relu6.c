/* relu6: y = min(max(x, 0), 6); dx = dy where 0 < y < 6. PyTorch's ReLU6. */
#include "ops/activation.h"

const struct clv_op clv_op_relu6 = {
    .name = "relu6",
    .help = "min(max(x, 0), 6).",
    CLV_ACTIVATION(CLV_ACT_RELU6),
};
