/* relu: y = max(x, 0); dx = dy where y > 0. */
#include "graph/op.h"

static enum clv_err relu_infer(struct clv_graph *g, struct clv_node *node)
{
    (void)g;
    node->shape = node->in[0]->shape;
    return CLV_OK;
}

const struct clv_op clv_op_relu = {
    .name = "relu",
    .help = "max(x, 0).",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_ACT | CLV_OP_GRAD_FROM_OUT,
    .act = CLV_ACT_RELU,
    .infer = relu_infer,
};
