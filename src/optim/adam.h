/* What Adam and AdamW share: parameters, the option rows, the numbers of a step. */
#ifndef CLV_OPTIM_ADAM_H
#define CLV_OPTIM_ADAM_H

#include "optim/optim.h"

struct clv_adam_params { double learning_rate, weight_decay, beta_1, beta_2, epsilon; };

#define CLV_ADAM_FIELD(f) offsetof(struct clv_adam_params, f)
#define CLV_ADAM_RATE                                                                              \
    {"learning_rate", "step size", CLV_OPT_DOUBLE, CLV_ADAM_FIELD(learning_rate), "0.001", 0, 1e3}
#define CLV_ADAM_MOMENTS                                                                           \
    {"beta_1", "decay of the mean of the gradients", CLV_OPT_DOUBLE, CLV_ADAM_FIELD(beta_1), "0.9", 0, .999999}, \
    {"beta_2", "decay of the mean of their squares", CLV_OPT_DOUBLE, CLV_ADAM_FIELD(beta_2), "0.999", 0, .9999999}, \
    {"epsilon", "added to the root of the mean square", CLV_OPT_DOUBLE, CLV_ADAM_FIELD(epsilon), "1e-7", 1e-30, 1}

/* The bias corrections are folded into the rate, as Keras does. */
void clv_adam_scalars(const void *params, struct clv_step_state *st);
double clv_adam_gradient(const struct clv_step_state *st, double dw, const double slot[CLV_STORE_SLOTS]);

#endif
