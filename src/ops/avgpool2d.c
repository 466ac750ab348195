/* avgpool2d: the mean of each window; padding is not counted, as Keras, or as zeros (PyTorch's default). */
#include "ops/pool.h"

CLV_SOURCE(pool);

static const struct clv_opt opts[] = {
    CLV_POOL_OPTS,
    {"count_padding", "padding counts as zeros in the mean, as PyTorch's count_include_pad; else only pixels count",
     CLV_OPT_BOOL, offsetof(struct clv_pool_params, count_padding), "false", 0, 0},
    {NULL},
};

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    const struct clv_pool p = clv_pool_of(node);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_cells(e, wide, p.out);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_pool,
                                  .name = "avgpool2d_fwd",
                                  .options = clv_pool_options(e, &p, &l, NULL),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y),
                                           CLV_POOL_GEOMETRY(p, l))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    const struct clv_pool p = clv_pool_of(node);
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node);
    struct clv_tensor *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_launch l = clv_pool_launch_backward(e, wide, &p);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_pool,
                                                     .name = "avgpool2d_bwd",
                                                     .options = clv_pool_options(e, &p, &l, NULL),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(dy),
                                                              CLV_PIXELS_GRAD(dx, accumulate),
                                                              CLV_POOL_GEOMETRY(p, l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                         bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant avgpool2d_variants[])

const struct clv_op clv_op_avgpool2d = {
    .name = "avgpool2d",
    .help = "Mean of each window, per channel.",
    .params_size = sizeof(struct clv_pool_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = clv_pool_infer,
    .cost = clv_pool_cost,
    .variants = avgpool2d_variants,
};
