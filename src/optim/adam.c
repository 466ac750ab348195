/* Adam (Kingma and Ba, 2015) as Keras computes it. */
#include "optim/adam.h"

#include <math.h>

CLV_SOURCE(adam);

static const struct clv_opt opts[] = {CLV_ADAM_RATE, CLV_ADAM_MOMENTS, {0}};

void clv_adam_scalars(const void *params, struct clv_step_state *st)
{
    const struct clv_adam_params *p = params;
    st->rate = (float)(st->learning_rate * sqrt(1 - pow(p->beta_2, st->step)) /
                       (1 - pow(p->beta_1, st->step)));
    st->scalar[0] = (float)(1 - p->beta_1);
    st->scalar[1] = (float)(1 - p->beta_2);
    st->scalar[2] = (float)p->epsilon;
    st->scalar[3] = (float)(st->learning_rate * p->weight_decay); /* plain Adam: 0 */
}

double clv_adam_gradient(const struct clv_step_state *st, double dw, const double slot[CLV_STORE_SLOTS])
{
    (void)dw;
    return slot[0] / (double)st->scalar[0];
}

const struct clv_optim clv_optim_adam = {
    .name = "adam", .help = "Adam: adaptive moments, bias-corrected",
    .params_size = sizeof(struct clv_adam_params), .opts = opts,
    .n_slots = 2, .slot_name = {"m", "v"}, .source = &clv_cl_adam, .scalars = clv_adam_scalars,
    .gradient = clv_adam_gradient};
