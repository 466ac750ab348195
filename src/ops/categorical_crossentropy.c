/* categorical_crossentropy: w * -sum(t log p) per sample, as Keras: t smoothed to t (1 - s) + s /
 * classes, w the weight of the sample's class, the mean over the batch not renormalised by the
 * weights. Soft targets: the mean of what each class alone would give, by their shares, as PyTorch has it. Behind a softmax it works from the logits, which is stable for any of them. */
#include "ops/loss.h"

static const struct clv_opt categorical_opts[] = {CLV_LOSS_OPTS};

static enum clv_err categorical_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_loss_params *p = node->params;
    const int c = node->in[0]->shape.c;
    if (p->class_weight.n < 0)
        return clv_fail(&g->err, CLV_ERR_ARG,
                        "%s: class_weight=balanced needs training images: it is for runs; clv_data_class_weights() "
                        "tells the numbers", node->name);
    if (p->class_weight.n && p->class_weight.n != c)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: class_weight has %d values for %d classes",
                        node->name, p->class_weight.n, c);
    return clv_loss_infer(g, node);
}

static enum clv_err categorical_emit(struct clv_emit *e, const struct clv_node *node,
                                     enum clv_pass pass)
{
    return clv_loss_emit(e, node, pass, CLV_LOSS_CATEGORICAL, node->params);
}

static const struct clv_variant categorical_variants[] = {
    {"simple", clv_launch_simple, categorical_emit}, {0}};

const struct clv_op clv_op_categorical_crossentropy = {
    .name = "categorical_crossentropy",
    .help = "Loss of class probabilities against one-hot or soft targets.",
    .params_size = sizeof(struct clv_loss_params),
    .opts = categorical_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_LOSS,
    .takes_over = "softmax",
    .infer = categorical_infer,
    .cost = clv_loss_cost,
    .variants = categorical_variants,
};
