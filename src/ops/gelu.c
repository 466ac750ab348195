/* gelu: y = x P(X < x) for a standard normal X; its gradient is taken at the input. Hendrycks and Gimpel, 2016. */
#include "ops/activation.h"

static const struct clv_opt gelu_opts[] = {
    {"approximate", "the faster form with tanh; no: with erf", CLV_OPT_BOOL, offsetof(struct clv_activation_params, approximate), "false", 0, 0},
    {NULL},
};

const struct clv_op clv_op_gelu = {
    .name = "gelu",
    .help = "x times the share of a normal distribution below x.",
    .params_size = sizeof(struct clv_activation_params),
    .opts = gelu_opts,
    CLV_ACTIVATION(CLV_ACT_GELU),
};
