/* batchnorm: y = gamma (x - mean) / sqrt(variance + epsilon) + beta for each channel, mean and variance over all
 * pixels of the batch in training, over what training has seen outside of it: Ioffe and Szegedy, "Batch
 * Normalization" (2015). Defaults, the meaning of momentum, and the unbiased running variance are PyTorch's
 * BatchNorm2d; weights are named as Keras names them. */
#include "ops/batchnorm.h"

#include "ops/norm.h"

CLV_SOURCE(batchnorm);

static const struct clv_opt opts[] = {
    {"epsilon", "added to the variance", CLV_OPT_DOUBLE, offsetof(struct clv_batchnorm_params, epsilon), "1e-5",
     1e-12, 1},
    {"momentum", "share of a batch in the running mean and variance", CLV_OPT_DOUBLE,
     offsetof(struct clv_batchnorm_params, momentum), "0.1", 0, 1},
    {"frozen", "compute with the running mean and variance in training, too, and leave them as they are",
     CLV_OPT_BOOL, offsetof(struct clv_batchnorm_params, frozen), "false", 0, 0},
    {NULL},
};

static enum clv_err infer(struct clv_graph *g, struct clv_node *node)
{
    const int c = node->in[0]->shape.c;
    node->shape = node->in[0]->shape;
    CLV_TRY(clv_norm_weights(g, node));
    const struct clv_weight mean = {.name = "running_mean", .state = true, .n_dims = 1, .dims = {c},
                                    .init = CLV_INIT_ZEROS, .fan_in = 1, .fan_out = 1};
    const struct clv_weight variance = {.name = "running_variance", .state = true, .n_dims = 1, .dims = {c},
                                        .init = CLV_INIT_ONES, .fan_in = 1, .fan_out = 1};
    CLV_TRY(clv_node_add_weight(g, node, &mean));
    return clv_node_add_weight(g, node, &variance);
}

/* A vector of channels for each work-item. */
static struct clv_launch channels_of(const struct clv_norm *q)
{
    struct clv_launch l = q->launch;
    l.global = (size_t)(q->node->shape.c / l.vector);
    return l;
}

static enum clv_err emit_join(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *part,
                              struct clv_tensor *table)
{
    const struct clv_batchnorm_params *p = q->node->params;
    const struct clv_launch l = channels_of(q);
    const struct clv_emit_info info = {.node = q->node, .what = "mean and variance"};
    const char *options = clv_emit_options(e, "%s%s", l.options, clv_emit_guard(e));
    if (!options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_batchnorm,
            .name = "batchnorm_join",
            CLV_LAUNCH(l),
            .options = options,
            clv_args(CLV_IN(e->state), CLV_IN(part), CLV_OUT(table),
                     CLV_INOUT(clv_emit_weight(e, q->node, CLV_NORM_RUNNING_MEAN)),
                     CLV_INOUT(clv_emit_weight(e, q->node, CLV_NORM_RUNNING_VARIANCE)),
                     CLV_I32(q->node->shape.h * q->node->shape.w), CLV_I32(q->span), CLV_I32(q->node->shape.c),
                     CLV_F32_ARG(p->epsilon), CLV_F32_ARG(p->momentum))});
}

static enum clv_err emit_running(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table)
{
    const struct clv_batchnorm_params *p = q->node->params;
    const struct clv_launch l = channels_of(q);
    const struct clv_emit_info info = {.node = q->node, .what = "mean and variance", .prepare = !e->training};
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_batchnorm,
                                  .name = "batchnorm_running",
                                  .options = l.options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(clv_emit_weight(e, q->node, CLV_NORM_RUNNING_MEAN)),
                                           CLV_IN(clv_emit_weight(e, q->node, CLV_NORM_RUNNING_VARIANCE)),
                                           CLV_OUT(table), CLV_I32(q->node->shape.c),
                                           CLV_F32_ARG(p->epsilon))});
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_norm *q)
{
    const struct clv_batchnorm_params *p = q->node->params;
    const int64_t count = 2 * (int64_t)q->node->shape.c;
    struct clv_tensor *table = e->training ? clv_emit_saved(e, q->node, 0, CLV_F32, count, "mean and deviation")
                                           : clv_emit_prepared(e, count, "mean and deviation");
    if (!table)
        return CLV_ERR_NOMEM;
    if (!e->training || p->frozen) {
        CLV_TRY(emit_running(e, q, table));
        return clv_norm_emit_apply(e, q, table);
    }
    struct clv_tensor *part = clv_norm_part(e, q);
    if (!part)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_norm_emit_stats(e, q, part));
    CLV_TRY(emit_join(e, q, part, table));
    return clv_norm_emit_apply(e, q, table);
}

static enum clv_err emit_means(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table,
                               struct clv_tensor *part, struct clv_tensor *means)
{
    const struct clv_batchnorm_params *p = q->node->params;
    const struct clv_launch l = channels_of(q);
    const struct clv_emit_info info = {.node = q->node, .pass = CLV_PASS_BACKWARD, .what = "backward means"};
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_batchnorm,
                                  .name = "batchnorm_gradient",
                                  .options = l.options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_IN(part), CLV_IN(table), CLV_IN(q->gamma), CLV_OUT(means),
                                           CLV_OUT(clv_emit_weight_grad(e, q->node, CLV_NORM_GAMMA)),
                                           CLV_OUT(clv_emit_weight_grad(e, q->node, CLV_NORM_BETA)),
                                           CLV_I32(q->node->shape.h * q->node->shape.w), CLV_I32(q->span),
                                           CLV_I32(q->node->shape.c), CLV_I32(p->frozen))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_norm *q)
{
    const int64_t count = 2 * (int64_t)q->node->shape.c;
    struct clv_tensor *table = clv_emit_saved(e, q->node, 0, CLV_F32, count, "mean and deviation");
    struct clv_tensor *part = clv_norm_part(e, q), *means = clv_emit_scratch(e, CLV_F32, count, "means");
    struct clv_norm_gradient g;
    if (!table || !part || !means)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_norm_begin_gradient(e, q, &g));
    CLV_TRY(clv_norm_emit_sums(e, q, &g, table, part));
    CLV_TRY(emit_means(e, q, table, part, means));
    return clv_norm_emit_gradient(e, q, &g, table, means);
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    const struct clv_norm q = clv_norm_of(e, node, true, wide);
    if (!q.x || !q.other)
        return CLV_ERR_NOMEM;
    return pass == CLV_PASS_FORWARD ? emit_forward(e, &q) : emit_backward(e, &q);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant variants[])

enum clv_err clv_batchnorm_fold(struct clv_emit *e, const struct clv_node *norm, struct clv_tensor **w,
                                struct clv_tensor **bias)
{
    const struct clv_batchnorm_params *p = norm->params;
    const int c = norm->shape.c;
    const int64_t rows = (*w)->c / c;
    struct clv_tensor *to = clv_emit_prepared(e, (*w)->c, "folded filters");
    struct clv_tensor *to_bias = clv_emit_prepared(e, c, "folded bias");
    struct clv_tensor *from_bias = *bias ? *bias : clv_emit_weight(e, norm, CLV_NORM_BETA);
    if (!to || !to_bias)
        return CLV_ERR_NOMEM;
    const struct clv_launch one = clv_launch_cells(e, !e->caps->gpu_path, (struct clv_shape){1, 1, c});
    struct clv_launch l = clv_launch_items(e, rows + 1);
    const struct clv_emit_info info = {.node = norm, .what = "folded", .prepare = true};
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_batchnorm,
            .name = "batchnorm_fold",
            .options = clv_emit_options(e, "-DV=%d", one.vector),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(*w), CLV_IN(from_bias), CLV_IN(clv_emit_weight(e, norm, CLV_NORM_GAMMA)),
                     CLV_IN(clv_emit_weight(e, norm, CLV_NORM_BETA)),
                     CLV_IN(clv_emit_weight(e, norm, CLV_NORM_RUNNING_MEAN)),
                     CLV_IN(clv_emit_weight(e, norm, CLV_NORM_RUNNING_VARIANCE)), CLV_OUT(to), CLV_OUT(to_bias),
                     CLV_I32(rows), CLV_I32(c), CLV_F32_ARG(p->epsilon), CLV_I32(*bias != NULL))}));
    *w = to;
    *bias = to_bias;
    return CLV_OK;
}

const struct clv_op clv_op_batchnorm = {
    .name = "batchnorm",
    .help = "Each channel freed of its mean and deviation over the batch, then a trained factor and constant.",
    .params_size = sizeof(struct clv_batchnorm_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_FUSES_ACT | CLV_OP_FUSES_SUM | CLV_OP_FOLDS | CLV_OP_REPEATS,
    .infer = infer,
    .cost = clv_norm_cost,
    .variants = variants,
};
