/* AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay; biases are spared. */
#include "optim/optim.h"

#include <math.h>

CLV_SOURCE(adam);

struct params { double learning_rate, weight_decay, beta_1, beta_2, epsilon; };

static const struct clv_opt opts[] = {
    {"learning_rate", "step size", CLV_OPT_DOUBLE, offsetof(struct params, learning_rate), "0.001", 0, 1e3},
    {"weight_decay", "share of a weight taken off per step, times the step size", CLV_OPT_DOUBLE, offsetof(struct params, weight_decay), "0.004", 0, 1e3},
    {"beta_1", "decay of the mean of the gradients", CLV_OPT_DOUBLE, offsetof(struct params, beta_1), "0.9", 0, .999999},
    {"beta_2", "decay of the mean of their squares", CLV_OPT_DOUBLE, offsetof(struct params, beta_2), "0.999", 0, .9999999},
    {"epsilon", "added to the root of the mean square", CLV_OPT_DOUBLE, offsetof(struct params, epsilon), "1e-7", 1e-30, 1},
    {0}};

static void scalars(const void *params, struct clv_step_state *st)
{
    const struct params *p = params;
    st->rate = (float)(st->learning_rate * sqrt(1 - pow(p->beta_2, st->step)) /
                       (1 - pow(p->beta_1, st->step)));
    st->scalar[0] = (float)(1 - p->beta_1);
    st->scalar[1] = (float)(1 - p->beta_2);
    st->scalar[2] = (float)p->epsilon;
    st->scalar[3] = (float)(st->learning_rate * p->weight_decay);
}

const struct clv_optim clv_optim_adamw = {
    .name = "adamw", .help = "Adam with decoupled weight decay",
    .params_size = sizeof(struct params), .opts = opts,
    .n_slots = 2, .slot_name = {"m", "v"}, .source = &clv_cl_adam, .scalars = scalars};
