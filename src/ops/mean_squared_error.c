/* mean_squared_error: mean over the outputs of (y - t)^2. */
#include "ops/loss.h"

static enum clv_err squared_emit(struct clv_emit *e, const struct clv_node *node,
                                 enum clv_pass pass)
{
    return clv_loss_emit(e, node, pass, CLV_LOSS_SQUARED, NULL);
}

static const struct clv_variant squared_variants[] = {{"simple", clv_launch_simple, squared_emit},
                                                      {0}};

const struct clv_op clv_op_mean_squared_error = {
    .name = "mean_squared_error",
    .help = "Mean of the squared difference between output and target.",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_LOSS,
    .infer = clv_loss_infer,
    .cost = clv_loss_cost,
    .variants = squared_variants,
};
