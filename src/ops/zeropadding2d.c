/* zeropadding2d: zeros around the image; backward drops them. Convolutions and max-pools pad by themselves. */
#include "ops/launch.h"
#include "ops/padding.h"

CLV_SOURCE(zeropadding2d);

struct zeropadding2d_params {
    char padding[CLV_OPT_STRING_MAX];
};

struct sides {
    int side[4]; /* top, left, bottom, right */
    bool ok;
};

static const struct clv_opt zeropadding2d_opts[] = {
    {"padding", "rows and columns of zeros on each side; or rows,columns; or top,left,bottom,right",
     CLV_OPT_STRING, offsetof(struct zeropadding2d_params, padding), "1", 0, 0},
    {NULL},
};

static struct sides sides_of(const struct clv_node *node)
{
    struct sides p = {{0}};
    p.ok = clv_padding_parse(((const struct zeropadding2d_params *)node->params)->padding, p.side);
    return p;
}

static enum clv_err zeropadding2d_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape in = node->in[0]->shape;
    const struct sides p = sides_of(node);
    if (!p.ok)
        return clv_fail(&g->err, CLV_ERR_MODEL,
                        "%s: padding=%s is not 1, 2 or 4 numbers in 0..%d separated by commas", node->name,
                        ((const struct zeropadding2d_params *)node->params)->padding, CLV_PADDING_MAX);
    node->shape = (struct clv_shape){in.h + p.side[0] + p.side[2], in.w + p.side[1] + p.side[3], in.c};
    return CLV_OK;
}

/* Height and width of input and output, channels. */
#define GEOMETRY(node, l)                                                                          \
    CLV_I32((node)->in[0]->shape.h), CLV_I32((node)->in[0]->shape.w), CLV_I32((node)->shape.h),    \
        CLV_I32((node)->shape.w), CLV_I32((node)->shape.c),                                             \
        CLV_I32(sides_of(node).side[0]), CLV_I32(sides_of(node).side[1]), CLV_U32((l).chunk)

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_cells(e, wide, node->shape);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_zeropadding2d,
                                                     .name = "zeropadding2d_fwd",
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
                           &(struct clv_kernel_step){.source = &clv_cl_zeropadding2d,
                                                     .name = "zeropadding2d_bwd",
                                                     .options = clv_emit_options(e, "%s", l.options),
                                                     CLV_LAUNCH(l),
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(dy),
                                                              CLV_PIXELS_GRAD(dx, accumulate), GEOMETRY(node, l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant zeropadding2d_variants[])

static void zeropadding2d_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    (void)pass;
    cost->bytes = sizeof(float) * (double)(clv_shape_count(node->in[0]->shape) + clv_shape_count(node->shape));
}

const struct clv_op clv_op_zeropadding2d = {
    .name = "zeropadding2d",
    .help = "Zeros around the image.",
    .params_size = sizeof(struct zeropadding2d_params),
    .opts = zeropadding2d_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = zeropadding2d_infer,
    .cost = zeropadding2d_cost,
    .variants = zeropadding2d_variants,
};
