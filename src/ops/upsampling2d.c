/* upsampling2d: each pixel becomes size pixels, equal ones or interpolated between the pixels' centres as Keras'
 * UpSampling2D and PyTorch's Upsample (align_corners=False) do. */
#include "ops/upsampling2d.h"
#include "ops/launch.h"

CLV_SOURCE(upsampling2d);

static const char *const interpolation_names[] = {"nearest", "bilinear", NULL};

static const struct clv_opt upsampling2d_opts[] = {
    {"size", "factors of height and width", CLV_OPT_PAIR, offsetof(struct clv_upsampling2d_params, size), "2", 1, 64},
    {"interpolation", "what lies between the pixels", CLV_OPT_ENUM,
     offsetof(struct clv_upsampling2d_params, interpolation), "nearest", .names = interpolation_names},
    {NULL},
};

static enum clv_err upsampling2d_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape in = node->in[0]->shape;
    const int *size = ((const struct clv_upsampling2d_params *)node->params)->size;
    if (in.h > INT32_MAX / size[0] || in.w > INT32_MAX / size[1])
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: %dx%d pixels times %dx%d are too many", node->name, in.h, in.w,
                        size[0], size[1]);
    node->shape = (struct clv_shape){in.h * size[0], in.w * size[1], in.c};
    return CLV_OK;
}

static const char *form_of(const struct clv_node *node)
{
    const struct clv_upsampling2d_params *q = node->params;
    return q->interpolation == CLV_INTERPOLATE_BILINEAR ? "-DBILINEAR " : "";
}

/* Height and width of input and output, channels. */
#define GEOMETRY(node, l)                                                                          \
    CLV_I32((node)->in[0]->shape.h), CLV_I32((node)->in[0]->shape.w), CLV_I32((node)->shape.h),    \
        CLV_I32((node)->shape.w), CLV_I32((node)->shape.c),                                             \
        CLV_I32((node)->shape.h / (node)->in[0]->shape.h),                                         \
        CLV_I32((node)->shape.w / (node)->in[0]->shape.w), CLV_U32((l).chunk)

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_cells(e, wide, node->shape);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_upsampling2d,
                                                     .name = "upsampling2d_fwd",
                                                     .options = clv_emit_options(e, "%s%s", form_of(node), l.options),
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
                           &(struct clv_kernel_step){.source = &clv_cl_upsampling2d,
                                                     .name = "upsampling2d_bwd",
                                                     .options = clv_emit_options(e, "%s%s", form_of(node), l.options),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(dy),
                                                              CLV_PIXELS_GRAD(dx, accumulate), GEOMETRY(node, l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant upsampling2d_variants[])

static void upsampling2d_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const struct clv_upsampling2d_params *q = node->params;
    (void)pass;
    cost->flops = (q->interpolation == CLV_INTERPOLATE_BILINEAR ? 7 : 0) * (double)clv_shape_count(node->shape);
    cost->bytes = sizeof(float) * (double)(clv_shape_count(node->in[0]->shape) + clv_shape_count(node->shape));
}

const struct clv_op clv_op_upsampling2d = {
    .name = "upsampling2d",
    .help = "Each pixel becomes several, equal or interpolated ones.",
    .params_size = sizeof(struct clv_upsampling2d_params),
    .opts = upsampling2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = upsampling2d_infer,
    .cost = upsampling2d_cost,
    .variants = upsampling2d_variants,
};
