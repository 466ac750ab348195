/* groupnorm: each sample's channels are cut into groups; y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean
 * and variance over all values of the group, gamma and beta for each channel: Wu and He, "Group Normalization"
 * (2018). It knows nothing of other samples, so training and evaluation are the same. */
#include "ops/groupnorm.h"

#include "ops/norm.h"

CLV_SOURCE(groupnorm);

static const struct clv_opt opts[] = {
    {"groups", "channels are cut into so many groups; 1 = all of a sample together", CLV_OPT_INT,
     offsetof(struct clv_groupnorm_params, groups), "32", 1, 65536},
    {"epsilon", "added to the variance", CLV_OPT_DOUBLE, offsetof(struct clv_groupnorm_params, epsilon), "1e-5",
     1e-12, 1},
    {NULL},
};

static enum clv_err infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_groupnorm_params *p = node->params;
    node->shape = node->in[0]->shape;
    if (node->shape.c % p->groups)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: groups=%d does not divide the %d channels of %s", node->name,
                        p->groups, node->shape.c, node->in[0]->name);
    return clv_norm_weights(g, node);
}

/* The arguments from per_sample to groups. */
#define SIZES(q)                                                                                   \
    CLV_I32((q)->node->shape.h * (q)->node->shape.w), CLV_I32((q)->slices), CLV_I32((q)->span),    \
        CLV_I32((q)->node->shape.c), CLV_I32(((const struct clv_groupnorm_params *)(q)->node->params)->groups)

/* A group of a sample for each work-item. */
static struct clv_launch groups_of(const struct clv_emit *e, const struct clv_norm *q)
{
    const struct clv_groupnorm_params *p = q->node->params;
    return clv_launch_items(e, (int64_t)e->batch * p->groups);
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table,
                                 struct clv_tensor *part)
{
    const struct clv_groupnorm_params *p = q->node->params;
    const struct clv_launch l = groups_of(e, q);
    const struct clv_emit_info info = {.node = q->node, .what = "mean and variance"};
    CLV_TRY(clv_norm_emit_stats(e, q, part));
    CLV_TRY(clv_emit_kernel(e, &info,
                            &(struct clv_kernel_step){.source = &clv_cl_groupnorm,
                                                      .name = "groupnorm_join",
                                                      .options = l.options,
                                                      CLV_LAUNCH(l),
                                                      clv_args(CLV_IN(e->state), CLV_IN(part), CLV_OUT(table),
                                                               SIZES(q), CLV_F32_ARG(p->epsilon))}));
    return clv_norm_emit_apply(e, q, table);
}

static enum clv_err emit_means(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table,
                               struct clv_tensor *part, struct clv_tensor *means)
{
    const struct clv_launch l = groups_of(e, q);
    struct clv_launch channels = q->launch;
    const struct clv_emit_info info = {.node = q->node, .pass = CLV_PASS_BACKWARD, .what = "backward means"};
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_groupnorm,
                                  .name = "groupnorm_gradient",
                                  .options = l.options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_INOUT(part), CLV_IN(table), CLV_IN(q->gamma),
                                           CLV_OUT(means), SIZES(q))}));
    channels.global = (size_t)(q->node->shape.c / channels.vector);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_groupnorm,
                                  .name = "groupnorm_weights",
                                  .options = channels.options,
                                  CLV_LAUNCH(channels),
                                  clv_args(CLV_IN(e->state), CLV_IN(part), CLV_OUT(clv_emit_weight_grad(e, q->node, 0)),
                                           CLV_OUT(clv_emit_weight_grad(e, q->node, 1)),
                                           CLV_I32(q->slices * 2 * q->node->shape.c), CLV_I32(q->node->shape.c))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table,
                                  struct clv_tensor *part)
{
    struct clv_norm_gradient g;
    struct clv_tensor *means = clv_emit_scratch(e, CLV_F32, table->c, "means");
    if (!means)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_norm_begin_gradient(e, q, &g));
    CLV_TRY(clv_norm_emit_sums(e, q, &g, table, part));
    CLV_TRY(emit_means(e, q, table, part, means));
    return clv_norm_emit_gradient(e, q, &g, table, means);
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    const struct clv_norm q = clv_norm_of(e, node, false, wide);
    const int64_t count = (int64_t)e->batch * 2 * node->shape.c;
    struct clv_tensor *table = clv_emit_saved(e, node, 0, CLV_F32, count, "mean and deviation");
    struct clv_tensor *part = clv_norm_part(e, &q);
    if (!q.x || !q.other || !table || !part)
        return CLV_ERR_NOMEM;
    return pass == CLV_PASS_FORWARD ? emit_forward(e, &q, table, part) : emit_backward(e, &q, table, part);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant variants[])

const struct clv_op clv_op_groupnorm = {
    .name = "groupnorm",
    .help = "Groups of a sample's channels freed of their mean and deviation, then a trained factor and constant for "
            "each channel.",
    .params_size = sizeof(struct clv_groupnorm_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_FUSES_ACT | CLV_OP_FUSES_SUM | CLV_OP_REPEATS,
    .infer = infer,
    .cost = clv_norm_cost,
    .variants = variants,
};
