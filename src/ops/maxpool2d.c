/* maxpool2d: the greatest value of each window; of equal ones the first in row order. In training
 * the position inside the window is saved, one byte per output, and backward routes the gradient by
 * it. Padding is never the maximum. */
#include "ops/pool.h"

CLV_SOURCE(pool);

static const struct clv_opt opts[] = {CLV_POOL_OPTS, {NULL}};

struct mask_type {
    enum clv_dtype dtype;
    const char *name;
};

/* A position fits one byte in windows of up to 256 pixels. */
static struct mask_type mask_of(const struct clv_pool *p)
{
    return p->size[0] * p->size[1] <= 256 ? (struct mask_type){CLV_U8, "uchar"}
                                          : (struct mask_type){CLV_U32, "uint"};
}

static struct clv_tensor *saved_mask(struct clv_emit *e, const struct clv_node *node,
                                     const struct clv_pool *p, bool save)
{
    /* Nobody reads it: one element keeps the kernel's argument valid. */
    if (!save)
        return clv_emit_scratch(e, mask_of(p).dtype, 1, "no mask");
    return clv_emit_saved(e, node, 0, mask_of(p).dtype, e->batch * clv_shape_count(p->out),
                          "argmax");
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    const struct clv_pool p = clv_pool_of(node);
    const bool save = clv_emit_wants_grad_in(e, node, 0);
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    struct clv_tensor *mask = saved_mask(e, node, &p, save);
    if (!mask)
        return CLV_ERR_NOMEM;
    const struct clv_launch l = clv_launch_cells(e, wide, p.out);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_pool,
                                  .name = "maxpool2d_fwd",
                                  .options = clv_pool_options(e, &p, &l, mask_of(&p).name),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y),
                                           CLV_OUT(mask), CLV_I32(save), CLV_POOL_GEOMETRY(p, l))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    const struct clv_pool p = clv_pool_of(node);
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *mask;
    struct clv_tensor *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    mask = saved_mask(e, node, &p, true);
    if (!mask)
        return CLV_ERR_NOMEM;
    const struct clv_launch l = clv_pool_launch_backward(e, wide, &p);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){
                               .source = &clv_cl_pool,
                               .name = "maxpool2d_bwd",
                               .options = clv_pool_options(e, &p, &l, mask_of(&p).name),
                               CLV_LAUNCH(l),
                               clv_args(CLV_IN(e->state), CLV_IN(mask), CLV_PIXELS_IN(dy),
                                        CLV_PIXELS_GRAD(dx, accumulate), CLV_POOL_GEOMETRY(p, l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                         bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

static bool halves(const struct clv_node *node)
{
    const struct clv_pool p = clv_pool_of(node);
    return p.size[0] == 2 && p.size[1] == 2 && p.disjoint && p.stride[0] == 2 && p.stride[1] == 2;
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant maxpool2d_variants[])

const struct clv_op clv_op_maxpool2d = {
    .name = "maxpool2d",
    .help = "Greatest value of each window, per channel.",
    .params_size = sizeof(struct clv_pool_params),
    .opts = opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .infer = clv_pool_infer,
    .cost = clv_pool_cost,
    .halves = halves,
    .variants = maxpool2d_variants,
};
