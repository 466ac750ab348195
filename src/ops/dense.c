/* dense: y[n][u] = bias[u] + sum over i of x[n][i] * kernel[i][u], the input flattened h x w x c.
 */
#include "ops/contract_op.h"

struct dense_params {
    int units;
    bool use_bias;
    int kernel_initializer; /* enum clv_init */
    double l1, l2;
};

static const struct clv_opt dense_opts[] = {
    {"units", "number of outputs", CLV_OPT_INT, offsetof(struct dense_params, units), NULL, 1,
     1 << 24},
    {"use_bias", "add a trained constant to each output", CLV_OPT_BOOL,
     offsetof(struct dense_params, use_bias), "true", 0, 0},
    {"kernel_initializer", "distribution of the first weights", CLV_OPT_ENUM,
     offsetof(struct dense_params, kernel_initializer), "glorot_uniform", .names = clv_init_names},
    {"l1", "penalty l1 * sum |w| on the kernel", CLV_OPT_DOUBLE, offsetof(struct dense_params, l1),
     "0", 0, 1e6},
    {"l2", "penalty l2 * sum w^2 on the kernel", CLV_OPT_DOUBLE, offsetof(struct dense_params, l2),
     "0", 0, 1e6},
    {NULL},
};

static enum clv_err dense_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct dense_params *q = node->params;
    const int64_t in = clv_shape_count(node->in[0]->shape);
    if (in > INT32_MAX)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: input %s has more than %d values", node->name,
                        node->in[0]->name, INT32_MAX);
    node->shape = (struct clv_shape){1, 1, q->units};
    const struct clv_weight kernel = {
        .name = "kernel",
        .n_dims = 2,
        .dims = {(int)in, q->units},
        .init = (enum clv_init)q->kernel_initializer,
        .fan_in = in,
        .fan_out = q->units,
        .l1 = q->l1,
        .l2 = q->l2,
    };
    return clv_contract_op_weights(g, node, &kernel, q->units, q->use_bias);
}

/* Channels with gaps between pixels cannot be taken as one row of inputs; but a convolution whose
 * kernel covers the whole image computes the same from the same weights. */
static struct clv_conv geometry_of(struct clv_emit *e, const struct clv_node *node)
{
    const struct clv_tensor *x = e ? clv_emit_in(e, node, 0) : NULL;
    const bool gaps = x && x->pitch != x->c && x->h * x->w > 1;
    return (struct clv_conv){
        .ih = gaps ? (int)x->h : 1,
        .iw = gaps ? (int)x->w : 1,
        .ci = (int)(gaps ? x->c : clv_shape_count(node->in[0]->shape)),
        .oh = 1,
        .ow = 1,
        .co = node->shape.c,
        .kh = gaps ? (int)x->h : 1,
        .kw = gaps ? (int)x->w : 1,
        .sh = 1,
        .sw = 1,
        .dh = 1,
        .dw = 1,
        .groups = 1,
    };
}

static void dense_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const struct clv_conv c = geometry_of(NULL, node);
    clv_contract_op_cost(&c, pass, cost);
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    const struct clv_conv c = geometry_of(e, node);
    return clv_contract_op_emit(e, node, &c, pass);
}

CLV_CONTRACT_SCHEDULE(matrix, geometry_of)
CLV_CONTRACT_SCHEDULE(vector, geometry_of)
CLV_CONTRACT_SCHEDULE(tiled, geometry_of)
CLV_CONTRACT_SCHEDULE(clblast, geometry_of)
CLV_CONTRACT_SCHEDULE(simple, geometry_of)

/* Wherever CLBlast runs, tiled does too: it is taken only when asked for. */
static const struct clv_variant dense_variants[] = {
    CLV_CONTRACT_VARIANT(matrix),
    CLV_CONTRACT_VARIANT(vector),
    CLV_CONTRACT_VARIANT(tiled),
    CLV_CONTRACT_VARIANT(clblast),
    CLV_CONTRACT_VARIANT(simple),
    {0},
};

const struct clv_op clv_op_dense = {
    .name = "dense",
    .help = "Fully connected layer on the flattened input.",
    .params_size = sizeof(struct dense_params),
    .opts = dense_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_FUSES_ACT | CLV_OP_TAKES_NORM | CLV_OP_PACKED,
    .infer = dense_infer,
    .cost = dense_cost,
    .variants = dense_variants,
};
