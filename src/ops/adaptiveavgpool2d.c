/* adaptiveavgpool2d: means over windows that cut an image of any size into output_size pixels, PyTorch's
 * AdaptiveAvgPool2d; a smaller image is repeated. */
#include "ops/resize.h"

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

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return clv_resize_emit(e, node, pass, wide,
                           &(struct clv_resize){.source = &clv_cl_adaptiveavgpool2d,
                                                .forward = "adaptiveavgpool2d_fwd",
                                                .backward = "adaptiveavgpool2d_bwd",
                                                .options = ""});
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
