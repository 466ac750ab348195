/* binary_crossentropy: mean over the outputs of -(t log p + (1-t) log(1-p)), as Keras: t smoothed
 * to t (1 - s) + s / 2. Behind a sigmoid it works from the logits. class_weight is for one output:
 * the weights of class 0 and class 1. */
#include "ops/loss.h"

static const struct clv_opt binary_opts[] = {CLV_LOSS_OPTS};

static enum clv_err binary_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_loss_params *p = node->params;
    const int c = node->in[0]->shape.c;
    if (p->class_weight.n < 0)
        return clv_fail(&g->err, CLV_ERR_ARG,
                        "%s: class_weight=balanced needs training images: it is for runs; clv_data_class_weights() "
                        "tells the numbers", node->name);
    if (p->class_weight.n && (c != 1 || p->class_weight.n != 2))
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: class_weight takes two values for one output, here %d for %d",
                        node->name, p->class_weight.n, c);
    return clv_loss_infer(g, node);
}

static enum clv_err binary_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    return clv_loss_emit(e, node, pass, CLV_LOSS_BINARY, node->params);
}

static const struct clv_variant binary_variants[] = {{"simple", clv_launch_simple, binary_emit},
                                                     {0}};

const struct clv_op clv_op_binary_crossentropy = {
    .name = "binary_crossentropy",
    .help = "Loss of independent probabilities against targets in 0..1.",
    .params_size = sizeof(struct clv_loss_params),
    .opts = binary_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_LOSS,
    .takes_over = "sigmoid",
    .infer = binary_infer,
    .cost = clv_loss_cost,
    .variants = binary_variants,
};
