/* The network's input: NHWC samples that the sampling pass (or a test) fills. */
#include "graph/op.h"

struct input_params {
    int height, width, channels;
};

static const struct clv_opt input_opts[] = {
    {"height", "rows of a sample", CLV_OPT_INT, offsetof(struct input_params, height), NULL, 1,
     65536},
    {"width", "columns of a sample", CLV_OPT_INT, offsetof(struct input_params, width), NULL, 1,
     65536},
    {"channels", "channels of a sample", CLV_OPT_INT, offsetof(struct input_params, channels), NULL,
     1, 65536},
    {NULL},
};

static enum clv_err input_infer(struct clv_graph *g, struct clv_node *node)
{
    (void)g;
    const struct input_params *p = node->params;
    node->shape = (struct clv_shape){p->height, p->width, p->channels};
    return CLV_OK;
}

const struct clv_op clv_op_input = {
    .name = "input",
    .help = "The network's input: samples of height x width x channels.",
    .params_size = sizeof(struct input_params),
    .opts = input_opts,
    .n_in_min = 0,
    .n_in_max = 0,
    .flags = CLV_OP_INPUT,
    .infer = input_infer,
};
