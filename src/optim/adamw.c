/* AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay; biases are spared. */
#include "optim/adam.h"

CLV_SOURCE(adam);

static const struct clv_opt opts[] = {
    CLV_ADAM_RATE,
    {"weight_decay", "share of a weight taken off per step, times the step size", CLV_OPT_DOUBLE, CLV_ADAM_FIELD(weight_decay), "0.004", 0, 1e3},
    CLV_ADAM_MOMENTS, {0}};

const struct clv_optim clv_optim_adamw = {
    .name = "adamw", .help = "Adam with decoupled weight decay",
    .params_size = sizeof(struct clv_adam_params), .opts = opts,
    .n_slots = 2, .slot_name = {"m", "v"}, .source = &clv_cl_adam, .scalars = clv_adam_scalars,
    .gradient = clv_adam_gradient};
