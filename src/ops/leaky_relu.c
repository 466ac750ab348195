/* leaky_relu: y = x, or negative_slope x below 0; its slope is known from the output. The default is that of
 * Keras' function. */
#include "ops/activation.h"

static const struct clv_opt leaky_relu_opts[] = {
    {"negative_slope", "slope below 0", CLV_OPT_DOUBLE, offsetof(struct clv_activation_params, param), "0.2", 0, 1},
    {NULL},
};

const struct clv_op clv_op_leaky_relu = {
    .name = "leaky_relu",
    .help = "x, or negative_slope x below 0.",
    .params_size = sizeof(struct clv_activation_params),
    .opts = leaky_relu_opts,
    CLV_ACTIVATION(CLV_ACT_LEAKY_RELU),
};
