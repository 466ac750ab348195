/* Stochastic gradient descent with momentum, plain or Nesterov, as Keras computes it:
 * v = momentum * v - rate * g;  w += v, or w += momentum * v - rate * g. */
#include "optim/optim.h"

CLV_SOURCE(sgd);

struct params { double learning_rate, momentum; bool nesterov; };

static const struct clv_opt opts[] = {
    {"learning_rate", "step size", CLV_OPT_DOUBLE, offsetof(struct params, learning_rate), "0.01", 0, 1e3},
    {"momentum", "share of the last step that is repeated", CLV_OPT_DOUBLE, offsetof(struct params, momentum), "0", 0, .999999},
    {"nesterov", "look ahead by the momentum", CLV_OPT_BOOL, offsetof(struct params, nesterov), "false"},
    {0}};

static void scalars(const void *params, struct clv_step_state *st)
{
    const struct params *p = params;
    st->rate = st->learning_rate;
    st->scalar[0] = (float)p->momentum;
    st->scalar[1] = p->nesterov ? 1 : 0;
    st->scalar[2] = st->scalar[3] = 0;
}

static double gradient(const struct clv_step_state *st, double dw, const double *slot)
{
    (void)dw;
    return -slot[0] / (double)st->rate;
}

const struct clv_optim clv_optim_sgd = {
    .name = "sgd", .help = "gradient descent with momentum",
    .params_size = sizeof(struct params), .opts = opts,
    .n_slots = 1, .slot_name = {"velocity"}, .source = &clv_cl_sgd, .scalars = scalars, .gradient = gradient};
