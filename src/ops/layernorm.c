/* layernorm: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance over the channels of each
 * pixel, gamma and beta for each channel: Ba, Kiros and Hinton, "Layer Normalization" (2016), on the last axis as
 * Keras' LayerNormalization. All of a sample together is groupnorm groups=1. */
#include "ops/layernorm.h"

#include "base/util.h"
#include "ops/norm.h"

CLV_SOURCE(layernorm);

enum {
    CPU_ITEM = 16384, /* elements of a work-item */
    SLICE = 256,      /* pixels whose part of the weights' gradients is summed by one */
};

static const struct clv_opt opts[] = {
    {"epsilon", "added to the variance", CLV_OPT_DOUBLE, offsetof(struct clv_layernorm_params, epsilon), "1e-5",
     1e-12, 1},
    {NULL},
};

static enum clv_err infer(struct clv_graph *g, struct clv_node *node)
{
    node->shape = node->in[0]->shape;
    return clv_norm_weights(g, node);
}

struct pixels {
    struct clv_launch launch;
    int span; /* pixels of a work-item */
    int64_t count;
};

static struct pixels pixels_of(const struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct pixels p = {.launch = clv_launch_cells(e, wide, node->shape),
                       .span = wide ? CLV_MAX(CPU_ITEM / node->shape.c, 1) : 1,
                       .count = (int64_t)e->batch * node->shape.h * node->shape.w};
    p.launch.global = (size_t)clv_div_up(p.count, p.span);
    return p;
}

/* The arguments from per_sample to c. */
#define SIZES(node, span) CLV_I32((node)->shape.h * (node)->shape.w), CLV_I32(span), CLV_I32((node)->shape.c)

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *table, bool wide)
{
    const struct clv_layernorm_params *q = node->params;
    const struct pixels p = pixels_of(e, node, wide);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_layernorm,
                                  .name = "layernorm_forward",
                                  .options = p.launch.options,
                                  CLV_LAUNCH(p.launch),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_IN(clv_emit_weight(e, node, 0)),
                                           CLV_IN(clv_emit_weight(e, node, 1)), CLV_PIXELS_OUT(y), CLV_OUT(table),
                                           SIZES(node, p.span), CLV_F32_ARG(q->epsilon))});
}

static enum clv_err emit_weights(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *table, bool wide)
{
    struct clv_launch l = clv_launch_cells(e, wide, node->shape);
    const int c = node->shape.c;
    const int64_t slices = clv_div_up((int64_t)e->batch * node->shape.h * node->shape.w, SLICE);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *dy = clv_emit_grad_out(e, node);
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, slices * 2 * c, "partial sums");
    const struct clv_emit_info info = {.node = node, .pass = CLV_PASS_BACKWARD, .what = "backward sums",
                                       .bytes = 2.0 * (double)clv_tensor_bytes(x)};
    if (!x || !part)
        return CLV_ERR_NOMEM;
    l.global = (size_t)slices * (size_t)(c / l.vector);
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_layernorm,
                                  .name = "layernorm_sums",
                                  .options = l.options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_IN(dy), CLV_IN(table),
                                           CLV_OUT(part), SIZES(node, SLICE), CLV_I32(slices))}));
    l.global = (size_t)(c / l.vector);
    return clv_emit_kernel(
        e, &(struct clv_emit_info){.node = node, .pass = CLV_PASS_BACKWARD, .what = "backward weights"},
        &(struct clv_kernel_step){.source = &clv_cl_layernorm,
                                  .name = "layernorm_weights",
                                  .options = l.options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(part), CLV_OUT(clv_emit_weight_grad(e, node, 0)),
                                           CLV_OUT(clv_emit_weight_grad(e, node, 1)), CLV_I32(slices), CLV_I32(c))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *table, bool wide)
{
    bool accumulate;
    const struct pixels p = pixels_of(e, node, wide);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *dy = clv_emit_grad_out(e, node), *dx;
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    CLV_TRY(emit_weights(e, node, table, wide));
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_layernorm,
                                  .name = "layernorm_gradient",
                                  .options = p.launch.options,
                                  CLV_LAUNCH(p.launch),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_IN(dy),
                                           CLV_IN(clv_emit_weight(e, node, 0)), CLV_IN(table),
                                           CLV_PIXELS_GRAD(dx, accumulate), SIZES(node, p.span))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    const int64_t count = 2 * (int64_t)e->batch * node->shape.h * node->shape.w;
    struct clv_tensor *table = clv_emit_saved(e, node, 0, CLV_F32, count, "mean and deviation");
    if (!table)
        return CLV_ERR_NOMEM;
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, table, wide) : emit_backward(e, node, table, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant variants[])

const struct clv_op clv_op_layernorm = {
    .name = "layernorm",
    .help = "Each pixel freed of the mean and deviation of its channels, then a trained factor and constant for each "
            "channel.",
    .params_size = sizeof(struct clv_layernorm_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = infer,
    .cost = clv_norm_cost,
    .variants = variants,
};
