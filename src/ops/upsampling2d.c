/* upsampling2d: each pixel becomes size pixels, equal ones or interpolated between the pixels' centres as Keras'
 * UpSampling2D and PyTorch's Upsample (align_corners=False) do. */
#include "ops/upsampling2d.h"
#include "ops/resize.h"

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

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    const struct clv_shape in = node->in[0]->shape, out = node->shape;
    return clv_resize_emit(e, node, pass, wide,
                           &(struct clv_resize){.source = &clv_cl_upsampling2d,
                                                .forward = "upsampling2d_fwd",
                                                .backward = "upsampling2d_bwd",
                                                .options = form_of(node),
                                                .extra = {out.h / in.h, out.w / in.w},
                                                .n_extra = 2});
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
