/* adaptiveavgpool2d: means over windows that cut an image of any size into output_size pixels, PyTorch's
 * AdaptiveAvgPool2d; a smaller image is repeated. */
#include "ops/launch.h"

CLV_SOURCE(adaptiveavgpool2d);

struct adaptiveavgpool2d_params {
    int output_size[2];
};

static const struct clv_opt adaptiveavgpool2d_opts[] = {
    {"output_size", "height and width of the output, in pixels", CLV_OPT_PAIR,
     offsetof(struct adaptiveavgpool2d_params, output_size), NULL, 1, 4096},
    {NULL},
};

static enum clv_err adaptiveavgpool2d_infer(struct clv_graph *g, struct clv_node *node)
{
    const int *size = ((const struct adaptiveavgpool2d_params *)node->params)->output_size;
    (void)g;
    node->shape = (struct clv_shape){size[0], size[1], node->in[0]->shape.c};
    return CLV_OK;
}

/* Height and width of input and output, channels. */
#define GEOMETRY(node, l)                                                                          \
    CLV_I32((node)->in[0]->shape.h), CLV_I32((node)->in[0]->shape.w), CLV_I32((node)->shape.h),    \
        CLV_I32((node)->shape.w), CLV_I32((node)->shape.c),                                             \
        CLV_U32((l).chunk)

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_cells(e, wide, node->shape);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_adaptiveavgpool2d,
                                                     .name = "adaptiveavgpool2d_fwd",
                                                     .options = clv_emit_options(e, "%s", l.options),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y),
                                                              GEOMETRY(node, l))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_launch l = clv_launch_cells(e, wide, node->in[0]->shape);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_adaptiveavgpool2d,
                                                     .name = "adaptiveavgpool2d_bwd",
                                                     .options = clv_emit_options(e, "%s", l.options),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(dy),
                                                              CLV_PIXELS_GRAD(dx, accumulate), GEOMETRY(node, l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant adaptiveavgpool2d_variants[])

static void adaptiveavgpool2d_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const double in = (double)clv_shape_count(node->in[0]->shape), out = (double)clv_shape_count(node->shape);
    (void)pass;
    cost->flops = in > out ? in : out;
    cost->bytes = sizeof(float) * (in + out);
}

const struct clv_op clv_op_adaptiveavgpool2d = {
    .name = "adaptiveavgpool2d",
    .help = "Means over windows that cut an image of any size into a given number of pixels, per channel.",
    .params_size = sizeof(struct adaptiveavgpool2d_params),
    .opts = adaptiveavgpool2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = adaptiveavgpool2d_infer,
    .cost = adaptiveavgpool2d_cost,
    .variants = adaptiveavgpool2d_variants,
};
