/* conv2d: y[n][oh][ow][f] = bias[f] + sum over kh, kw, c of x[n][oh sh - pt + kh dh][ow sw - pl +
 * kw dw][c]
 * * kernel[kh][kw][c][f], zeros outside the input. Keras' Conv2D; "same" puts the odd row or column
 * of padding below and to the right. */
#include "ops/conv2d.h"

#include "ops/contract_op.h"
#include "ops/padding.h"

enum { MAX_SIZE = CLV_PADDING_MAX };

static const struct clv_opt conv2d_opts[] = {
    {"filters", "number of output channels", CLV_OPT_INT,
     offsetof(struct clv_conv2d_params, filters), NULL, 1, 65536},
    {"kernel_size", "height and width of the filters, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2d_params, kernel_size), "3", 1, MAX_SIZE},
    {"strides", "step of the filters, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2d_params, strides), "1", 1, MAX_SIZE},
    {"padding",
     "valid: none; same: output is input / strides, rounded up; or rows,columns of zeros on each "
     "side; "
     "or top,left,bottom,right",
     CLV_OPT_STRING, offsetof(struct clv_conv2d_params, padding), "valid", 0, 0},
    {"dilation_rate", "distance of the filters' taps, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2d_params, dilation), "1", 1, MAX_SIZE},
    {"groups", "channels are cut into that many groups, convolved each by itself", CLV_OPT_INT,
     offsetof(struct clv_conv2d_params, groups), "1", 1, 65536},
    {"use_bias", "add a trained constant to each output channel", CLV_OPT_BOOL,
     offsetof(struct clv_conv2d_params, use_bias), "true", 0, 0},
    {"kernel_initializer", "distribution of the first weights", CLV_OPT_ENUM,
     offsetof(struct clv_conv2d_params, kernel_initializer), "glorot_uniform",
     .names = clv_init_names},
    {"l1", "penalty l1 * sum |w| on the kernel", CLV_OPT_DOUBLE,
     offsetof(struct clv_conv2d_params, l1), "0", 0, 1e6},
    {"l2", "penalty l2 * sum w^2 on the kernel", CLV_OPT_DOUBLE,
     offsetof(struct clv_conv2d_params, l2), "0", 0, 1e6},
    {NULL},
};

bool clv_conv2d_geometry(const struct clv_conv2d_params *q, struct clv_shape in,
                         struct clv_conv *ret)
{
    int pad[4]; /* top, left, bottom, right */
    bool same;
    if (!clv_padding_read(q->padding, &same, pad))
        return false;
    *ret = (struct clv_conv){
        .ih = in.h,
        .iw = in.w,
        .ci = in.c,
        .co = q->filters,
        .kh = q->kernel_size[0],
        .kw = q->kernel_size[1],
        .sh = q->strides[0],
        .sw = q->strides[1],
        .dh = q->dilation[0],
        .dw = q->dilation[1],
        .pt = pad[0],
        .pl = pad[1],
        .groups = q->groups,
    };
    const int rows = (ret->kh - 1) * ret->dh + 1, columns = (ret->kw - 1) * ret->dw + 1;
    ret->oh = clv_padding_windows(same, in.h, rows, ret->sh, pad[2], &ret->pt);
    ret->ow = clv_padding_windows(same, in.w, columns, ret->sw, pad[3], &ret->pl);
    return true;
}

static enum clv_err conv2d_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_conv2d_params *q = node->params;
    const struct clv_node *in = node->in[0];
    struct clv_conv c;
    if (!clv_conv2d_geometry(q, in->shape, &c))
        return clv_fail(
            &g->err, CLV_ERR_MODEL,
            "%s: padding=%s is neither valid, same, nor 1, 2 or 4 numbers in 0..%d separated "
            "by commas",
            node->name, q->padding, MAX_SIZE);
    if (c.oh < 1 || c.ow < 1)
        return clv_fail(
            &g->err, CLV_ERR_SHAPE,
            "%s: input %s (%dx%dx%d) is smaller than the kernel %dx%d%s; use padding=same or a "
            "smaller kernel_size",
            node->name, in->name, c.ih, c.iw, c.ci, c.kh, c.kw,
            c.dh > 1 || c.dw > 1 ? " with its dilation" : "");
    if (c.ci % c.groups || c.co % c.groups)
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: groups=%d divides not both the %d channels of %s and filters=%d",
                        node->name, c.groups, c.ci, in->name, c.co);
    node->shape = (struct clv_shape){c.oh, c.ow, c.co};
    const int64_t taps = (int64_t)c.kh * c.kw;
    const struct clv_weight kernel = {
        .name = "kernel",
        .n_dims = 4,
        .dims = {c.kh, c.kw, c.ci / c.groups, c.co},
        .init = (enum clv_init)q->kernel_initializer,
        .fan_in = taps * (c.ci / c.groups),
        .fan_out = taps * c.co,
        .l1 = q->l1,
        .l2 = q->l2,
    };
    return clv_contract_op_weights(g, node, &kernel, c.co, q->use_bias);
}

static struct clv_conv geometry_of(struct clv_emit *e, const struct clv_node *node)
{
    (void)e;
    struct clv_conv c = {0};
    (void)clv_conv2d_geometry(node->params, node->in[0]->shape, &c);
    return c;
}

static void conv2d_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const struct clv_conv c = geometry_of(NULL, node);
    clv_contract_op_cost(&c, pass, cost);
}

static bool takes_pool(const struct clv_emit *e, const struct clv_node *node)
{
    const struct clv_conv c = geometry_of(NULL, node);
    return clv_contract_takes_pool(e, &c, e->fusion[node->id].act, clv_emit_dtype(e, node));
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    const struct clv_conv c = geometry_of(e, node);
    return clv_contract_op_emit(e, node, &c, pass);
}

CLV_CONTRACT_SCHEDULE(matrix, geometry_of)
CLV_CONTRACT_SCHEDULE(winograd, geometry_of)
CLV_CONTRACT_SCHEDULE(vector, geometry_of)
CLV_CONTRACT_SCHEDULE(tiled, geometry_of)
CLV_CONTRACT_SCHEDULE(depthwise, geometry_of)
CLV_CONTRACT_SCHEDULE(simple, geometry_of)

static const struct clv_variant conv2d_variants[] = {
    CLV_CONTRACT_VARIANT(matrix),
    CLV_CONTRACT_VARIANT(winograd),
    CLV_CONTRACT_VARIANT(vector),
    CLV_CONTRACT_VARIANT(tiled),
    CLV_CONTRACT_VARIANT(depthwise),
    CLV_CONTRACT_VARIANT(simple),
    {0},
};

const struct clv_op clv_op_conv2d = {
    .name = "conv2d",
    .help = "Convolution with trained filters.",
    .params_size = sizeof(struct clv_conv2d_params),
    .opts = conv2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_FUSES_ACT | CLV_OP_TAKES_NORM,
    .infer = conv2d_infer,
    .cost = conv2d_cost,
    .takes_pool = takes_pool,
    .variants = conv2d_variants,
};
