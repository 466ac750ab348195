/* zeropadding2d: zeros around the image; backward drops them. Convolutions and max-pools pad by themselves. */
#include "ops/padding.h"
#include "ops/resize.h"

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

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide)
{
    const struct sides p = sides_of(node);
    return clv_resize_emit(e, node, pass, wide,
                           &(struct clv_resize){.source = &clv_cl_zeropadding2d,
                                                .forward = "zeropadding2d_fwd",
                                                .backward = "zeropadding2d_bwd",
                                                .options = "",
                                                .extra = {p.side[0], p.side[1]},
                                                .n_extra = 2});
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
