/* RMSprop as Keras 3 computes it: v = rho * v + (1 - rho) * g^2; step = rate * g / sqrt(v + epsilon). */
#include "optim/optim.h"

#include <math.h>

CLV_SOURCE(rmsprop);

struct params { double learning_rate, rho, momentum, epsilon; };

static const struct clv_opt opts[] = {
    {"learning_rate", "step size", CLV_OPT_DOUBLE, offsetof(struct params, learning_rate), "0.001", 0, 1e3},
    {"rho", "decay of the mean of the squared gradients", CLV_OPT_DOUBLE, offsetof(struct params, rho), "0.9", 0, .999999},
    {"momentum", "share of the last step that is repeated", CLV_OPT_DOUBLE, offsetof(struct params, momentum), "0", 0, .999999},
    {"epsilon", "added to the mean square", CLV_OPT_DOUBLE, offsetof(struct params, epsilon), "1e-7", 1e-30, 1},
    {0}};

static void scalars(const void *params, struct clv_step_state *st)
{
    const struct params *p = params;
    st->rate = st->learning_rate;
    st->scalar[0] = (float)p->rho;
    st->scalar[1] = (float)p->momentum;
    st->scalar[2] = (float)p->epsilon;
    st->scalar[3] = (float)(1 - p->rho);
}

static double gradient(const struct clv_step_state *st, double dw, const double *slot)
{
    return copysign(sqrt(slot[0] / (double)st->scalar[3]), -dw);
}

const struct clv_optim clv_optim_rmsprop = {
    .name = "rmsprop", .help = "gradients divided by their root mean square",
    .params_size = sizeof(struct params), .opts = opts,
    .n_slots = 2, .slot_name = {"v", "momentum"}, .source = &clv_cl_rmsprop, .scalars = scalars, .gradient = gradient};
