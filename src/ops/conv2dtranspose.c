/* conv2dtranspose: what a convolution's gradient does to its input (Dumoulin and Visin, "A guide to convolution
 * arithmetic for deep learning", 2016, chapter 4). Input pixel (i, j) adds x * kernel[kh][kw] to output pixel
 * (i sh - pt + kh dh, j sw - pl + kw dw):
 *     y[n][oh][ow][f] = bias[f] + sum of x[n][i][j][c] kernel[kh][kw][f][c] over all that lands there.
 * So forward is the contraction's data product, the gradient of the data its forward product, and that of the weights
 * its own with the two sides exchanged. What is left is done here: the gradients of bias and activation.
 *
 * Sizes are Keras' Conv2DTranspose with padding in words, valid: (i - 1) s + max(reach, s), same: i s; and PyTorch's
 * ConvTranspose2d with padding in numbers: (i - 1) s + reach - before - after + output_padding. The kernel lies as
 * Keras has it. */
#include "ops/conv2dtranspose.h"

#include "base/util.h"
#include "ops/contract_op.h"
#include "ops/launch.h"
#include "ops/padding.h"
#include <string.h>

CLV_SOURCE(conv2dtranspose);

enum {
    MAX_SIZE = CLV_PADDING_MAX,
    CPU_ITEM = 16384, /* elements of a work-item that sums over pixels */
    GPU_SPAN = 64,    /* pixels of one */
};

static const struct clv_opt opts[] = {
    {"filters", "number of output channels", CLV_OPT_INT, offsetof(struct clv_conv2dtranspose_params, filters), NULL,
     1, 65536},
    {"kernel_size", "height and width of the filters, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2dtranspose_params, kernel_size), "3", 1, MAX_SIZE},
    {"strides", "distance of neighbouring input pixels in the output, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2dtranspose_params, strides), "1", 1, MAX_SIZE},
    {"padding",
     "valid: all that the filters reach; same: output is input x strides; or rows,columns cut off on each side; or "
     "top,left,bottom,right",
     CLV_OPT_STRING, offsetof(struct clv_conv2dtranspose_params, padding), "valid", 0, 0},
    {"output_padding", "rows and columns more at the bottom and right, below strides; with padding in numbers only",
     CLV_OPT_PAIR, offsetof(struct clv_conv2dtranspose_params, output_padding), "0", 0, MAX_SIZE},
    {"dilation_rate", "distance of the filters' taps, in pixels", CLV_OPT_PAIR,
     offsetof(struct clv_conv2dtranspose_params, dilation), "1", 1, MAX_SIZE},
    {"groups", "channels are cut into that many groups, each by itself", CLV_OPT_INT,
     offsetof(struct clv_conv2dtranspose_params, groups), "1", 1, 65536},
    {"use_bias", "add a trained constant to each output channel", CLV_OPT_BOOL,
     offsetof(struct clv_conv2dtranspose_params, use_bias), "true", 0, 0},
    {"kernel_initializer", "distribution of the first weights", CLV_OPT_ENUM,
     offsetof(struct clv_conv2dtranspose_params, kernel_initializer), "glorot_uniform", .names = clv_init_names},
    {"l1", "penalty l1 * sum |w| on the kernel", CLV_OPT_DOUBLE, offsetof(struct clv_conv2dtranspose_params, l1), "0",
     0, 1e6},
    {"l2", "penalty l2 * sum w^2 on the kernel", CLV_OPT_DOUBLE, offsetof(struct clv_conv2dtranspose_params, l2), "0",
     0, 1e6},
    {NULL},
};

/* ---- shapes ---- */

static bool is_in_words(const struct clv_conv2dtranspose_params *q)
{
    return !strcmp(q->padding, "valid") || !strcmp(q->padding, "same");
}

/* Output size of an axis, and what is cut off before it; in: at least 1. */
static int64_t place_axis(const struct clv_conv2dtranspose_params *q, bool same, int axis, int in, const int pad[4],
                          int *before)
{
    const int64_t s = q->strides[axis], reach = (int64_t)(q->kernel_size[axis] - 1) * q->dilation[axis] + 1;
    *before = same ? (int)(CLV_MAX(reach - s, 0) / 2) : pad[axis];
    if (same)
        return in * s;
    if (is_in_words(q))
        return (in - 1) * s + CLV_MAX(reach, s);
    return (in - 1) * s + reach - pad[axis] - pad[axis + 2] + q->output_padding[axis];
}

bool clv_conv2dtranspose_geometry(const struct clv_conv2dtranspose_params *q, struct clv_shape in,
                                  struct clv_conv *ret)
{
    int pad[4]; /* top, left, bottom, right */
    bool same;
    if (!clv_padding_read(q->padding, &same, pad))
        return false;
    *ret = (struct clv_conv){
        .oh = in.h,
        .ow = in.w,
        .co = in.c,
        .ci = q->filters,
        .kh = q->kernel_size[0],
        .kw = q->kernel_size[1],
        .sh = q->strides[0],
        .sw = q->strides[1],
        .dh = q->dilation[0],
        .dw = q->dilation[1],
        .groups = q->groups,
    };
    ret->ih = (int)CLV_MIN(place_axis(q, same, 0, in.h, pad, &ret->pt), INT32_MAX);
    ret->iw = (int)CLV_MIN(place_axis(q, same, 1, in.w, pad, &ret->pl), INT32_MAX);
    return true;
}

static enum clv_err check(struct clv_graph *g, const struct clv_node *node, const struct clv_conv *c)
{
    const struct clv_conv2dtranspose_params *q = node->params;
    for (int i = 0; i < 2; i++)
        if (q->output_padding[i] && (is_in_words(q) || q->output_padding[i] >= q->strides[i]))
            return clv_fail(&g->err, CLV_ERR_MODEL,
                            "%s: output_padding=%dx%d must be below strides, and goes with padding in numbers only",
                            node->name, q->output_padding[0], q->output_padding[1]);
    if (c->ih < 1 || c->iw < 1)
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: padding=%s leaves nothing of %s (%dx%dx%d) with the kernel %dx%d; cut off less", node->name,
                        q->padding, node->in[0]->name, c->oh, c->ow, c->co, c->kh, c->kw);
    if (c->ci % c->groups || c->co % c->groups)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: groups=%d divides not both the %d channels of %s and filters=%d",
                        node->name, c->groups, c->co, node->in[0]->name, c->ci);
    return CLV_OK;
}

static enum clv_err infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_conv2dtranspose_params *q = node->params;
    struct clv_conv c;
    if (!clv_conv2dtranspose_geometry(q, node->in[0]->shape, &c))
        return clv_fail(&g->err, CLV_ERR_MODEL,
                        "%s: padding=%s is neither valid, same, nor 1, 2 or 4 numbers in 0..%d separated by commas",
                        node->name, q->padding, MAX_SIZE);
    CLV_TRY(check(g, node, &c));
    node->shape = (struct clv_shape){c.ih, c.iw, c.ci};
    const int64_t taps = (int64_t)c.kh * c.kw;
    const struct clv_weight kernel = {
        .name = "kernel",
        .n_dims = 4,
        .dims = {c.kh, c.kw, c.ci / c.groups, c.co},
        .init = (enum clv_init)q->kernel_initializer,
        .fan_in = taps * (c.ci / c.groups), /* as Keras and PyTorch count them */
        .fan_out = taps * c.co,
        .l1 = q->l1,
        .l2 = q->l2,
    };
    return clv_contract_op_weights(g, node, &kernel, c.ci, q->use_bias);
}

static struct clv_conv geometry_of(struct clv_emit *e, const struct clv_node *node)
{
    (void)e;
    struct clv_conv c = {0};
    (void)clv_conv2dtranspose_geometry(node->params, node->in[0]->shape, &c);
    return c;
}

static void cost_of(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const struct clv_conv c = geometry_of(NULL, node);
    clv_contract_op_cost(&c, pass, cost);
}

/* ---- the products, under the names of what they do here ---- */

static enum clv_err rename_steps(struct clv_emit *e, int first, enum clv_pass pass, const char *from, const char *to)
{
    for (int i = first; i < e->steps->n; i++) {
        struct clv_step *s = &e->steps->step[i];
        s->pass = pass;
        const char *at = s->node ? strstr(s->label + strlen(s->node->name), from) : NULL;
        if (!at)
            continue;
        s->label = clv_emit_options(e, "%.*s%s%s", (int)(at - s->label), s->label, to, at + strlen(from));
        if (!s->label)
            return CLV_ERR_NOMEM;
    }
    return CLV_OK;
}

/* y, and its gradient in backward, is the contraction's side x; what the layer reads is its side y. */
static struct clv_contract contract_of(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *large,
                                       struct clv_tensor *small)
{
    return (struct clv_contract){
        .node = node,
        .conv = geometry_of(e, node),
        .transposed = true,
        .act = CLV_ACT_LINEAR,
        .dtype = clv_emit_dtype(e, node),
        .x = large,
        .dx = large,
        .y = small,
        .dy = small,
        .w = clv_emit_weight(e, node, 0),
    };
}

/* Schedules take one pixel to one pixel for a dense layer, which they do not transpose. */
static enum clv_err emit_product(struct clv_emit *e, const struct clv_contract *p, enum clv_product product)
{
    const struct clv_choice simple = {.schedule = &clv_schedule_simple};
    return clv_conv_is_dense(&p->conv) ? clv_contract_emit_choice(e, p, product, &simple)
                                       : clv_contract_emit_product(e, p, product);
}

/* ---- the gradients of bias and activation ---- */

/* Over the gradient in place, by slices of the batch's pixels (cl/include/norm_slice.cl). */
struct ending {
    struct clv_launch launch;
    int slices, span;
    bool bias;
    enum clv_act act;
};

static struct ending ending_of(struct clv_emit *e, const struct clv_node *node)
{
    const bool wide = !e->caps->gpu_path;
    const struct clv_shape s = node->shape;
    struct ending q = {.launch = clv_launch_cells(e, wide, s),
                       .bias = node->n_weights > 1,
                       .act = clv_emit_act(e, node)};
    const int64_t pixels = (int64_t)s.h * s.w * e->batch;
    q.span = (int)CLV_MIN(wide ? clv_div_up(CPU_ITEM, q.launch.vector) : GPU_SPAN, pixels);
    q.slices = (int)clv_div_up(pixels, q.span);
    q.launch.global = (size_t)q.slices * (size_t)(s.c / q.launch.vector);
    return q;
}

static const char *options_of(struct clv_emit *e, const struct ending *q)
{
    return clv_emit_options(e, "%s -DW=1 -DACT=%d%s", q->launch.options, (int)q->act, q->bias ? " -DBIAS" : "");
}

/* The arguments SLICES of cl/include/norm_slice.cl. */
#define SLICES(q, node)                                                                            \
    CLV_I32((node)->shape.h * (node)->shape.w), CLV_I32(true), CLV_I32((q)->slices),               \
        CLV_I32((q)->span), CLV_I32((node)->shape.c)

static enum clv_err emit_bias_sums(struct clv_emit *e, const struct clv_node *node, const struct ending *q,
                                   struct clv_tensor *part)
{
    struct clv_launch l = q->launch;
    l.global = (size_t)(node->shape.c / l.vector);
    const struct clv_emit_info info = {.node = node, .pass = CLV_PASS_BACKWARD, .what = "backward bias sum"};
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_conv2dtranspose,
                                                     .name = "conv2dtranspose_bias",
                                                     CLV_LAUNCH(l),
                                                     .options = options_of(e, q),
                                                     clv_args(CLV_IN(e->state), CLV_IN(part),
                                                              CLV_OUT(clv_emit_weight_grad(e, node, 1)),
                                                              CLV_I32(node->shape.h * node->shape.w),
                                                              CLV_I32(q->span), CLV_I32(node->shape.c))});
}

/* dy becomes the gradient before the activation, and the bias has its own. */
static enum clv_err emit_ending_gradient(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *dy)
{
    const struct ending q = ending_of(e, node);
    const bool acts = q.act != CLV_ACT_LINEAR;
    struct clv_tensor *y = clv_emit_out(e, node);
    if (!q.bias && !acts)
        return CLV_OK;
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, q.bias ? (int64_t)q.slices * node->shape.c : 1, "bias sums");
    const char *options = options_of(e, &q);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = {.node = node,
                                       .pass = CLV_PASS_BACKWARD,
                                       .what = "activation gradient and bias",
                                       .bytes = (acts ? 3.0 : 1.0) * (double)clv_tensor_bytes(y)};
    /* Nothing is written to dy without an activation. */
    const struct clv_arg dz = {acts ? CLV_ARG_INOUT : CLV_ARG_IN, {.t = dy}};
    CLV_TRY(clv_emit_kernel(e, &info,
                            &(struct clv_kernel_step){.source = &clv_cl_conv2dtranspose,
                                                      .name = "conv2dtranspose_end_gradient",
                                                      CLV_LAUNCH(q.launch),
                                                      .options = options,
                                                      clv_args(CLV_IN(e->state), dz, CLV_U32(dy->pitch),
                                                               CLV_PIXELS_IN(y), CLV_OUT(part), SLICES(&q, node))}));
    return q.bias ? emit_bias_sums(e, node, &q, part) : CLV_OK;
}

/* ---- emitting ---- */

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const int first = e->steps->n;
    if (!x)
        return CLV_ERR_NOMEM;
    struct clv_contract p = contract_of(e, node, y, x);
    p.act = clv_emit_act(e, node);
    p.bias = node->n_weights > 1 ? clv_emit_weight(e, node, 1) : NULL;
    CLV_TRY(emit_product(e, &p, CLV_PRODUCT_DATA));
    return rename_steps(e, first, CLV_PASS_FORWARD, "backward data", "forward");
}

/* Forward products overwrite: where others have written a gradient before, it is added behind. */
static enum clv_err emit_data(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *dy)
{
    struct clv_tensor *dx, *to;
    bool accumulate;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    to = accumulate ? clv_emit_tensor(e, CLV_MEMORY_SCRATCH, dx->dtype, dx->n, dx->h, dx->w, dx->c, "gradient to add")
                    : dx;
    const int first = e->steps->n;
    if (!to)
        return CLV_ERR_NOMEM;
    const struct clv_contract p = contract_of(e, node, dy, to);
    CLV_TRY(emit_product(e, &p, CLV_PRODUCT_FORWARD));
    CLV_TRY(rename_steps(e, first, CLV_PASS_BACKWARD, "forward", "backward data"));
    const struct clv_emit_info info = {.node = node,
                                       .pass = CLV_PASS_BACKWARD,
                                       .what = "backward data, added",
                                       .bytes = 3.0 * (double)clv_tensor_bytes(to)};
    return accumulate ? clv_launch_copy(e, &info, !e->caps->gpu_path, to, dx, true) : CLV_OK;
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node)
{
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *x = clv_emit_in(e, node, 0);
    if (!x)
        return CLV_ERR_NOMEM;
    CLV_TRY(emit_ending_gradient(e, node, dy));
    CLV_TRY(emit_data(e, node, dy));
    struct clv_contract p = contract_of(e, node, dy, x);
    p.dx = NULL;
    p.dw = clv_emit_weight_grad(e, node, 0);
    return emit_product(e, &p, CLV_PRODUCT_WEIGHTS);
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node) : emit_backward(e, node);
}

/* Forward is the data product, backward the other two. */
#define SUPPORTS(schedule)                                                                         \
    static bool schedule##_supports(const struct clv_caps *caps, const struct clv_node *node,      \
                                    enum clv_pass pass)                                            \
    {                                                                                              \
        const struct clv_conv c = geometry_of(NULL, node);                                         \
        const struct clv_schedule *s = &clv_schedule_##schedule;                                   \
        if (pass == CLV_PASS_FORWARD)                                                              \
            return s->supports(caps, &c, CLV_PRODUCT_DATA);                                        \
        return s->supports(caps, &c, CLV_PRODUCT_FORWARD) ||                                       \
               s->supports(caps, &c, CLV_PRODUCT_WEIGHTS);                                         \
    }
SUPPORTS(matrix)
SUPPORTS(winograd)
SUPPORTS(vector)
SUPPORTS(tiled)
SUPPORTS(simple)

static const struct clv_variant variants[] = {
    CLV_CONTRACT_VARIANT(matrix),
    CLV_CONTRACT_VARIANT(winograd),
    CLV_CONTRACT_VARIANT(vector),
    CLV_CONTRACT_VARIANT(tiled),
    CLV_CONTRACT_VARIANT(simple),
    {0},
};

const struct clv_op clv_op_conv2dtranspose = {
    .name = "conv2dtranspose",
    .help = "Transposed convolution: each pixel spreads a trained filter, which enlarges the image by strides.",
    .params_size = sizeof(struct clv_conv2dtranspose_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_FUSES_ACT,
    .infer = infer,
    .cost = cost_of,
    .variants = variants,
};
