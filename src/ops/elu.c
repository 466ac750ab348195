/* elu: y = x, or alpha (exp(x) - 1) below 0, where dx = dy (y + alpha). Clevert et al., 2015. */
#include "ops/activation.h"

static const struct clv_opt elu_opts[] = {
    {"alpha", "limit towards minus infinity is -alpha", CLV_OPT_DOUBLE, offsetof(struct clv_activation_params, param), "1", 0, 1000},
    {NULL},
};

const struct clv_op clv_op_elu = {
    .name = "elu",
    .help = "x, or alpha (exp(x) - 1) below 0.",
    .params_size = sizeof(struct clv_activation_params),
    .opts = elu_opts,
    CLV_ACTIVATION(CLV_ACT_ELU),
};
