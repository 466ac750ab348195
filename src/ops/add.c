/* add: y = a + b; both inputs get dy. */
#include "ops/activation.h"
#include "ops/launch.h"

CLV_SOURCE(add);

static enum clv_err add_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape a = node->in[0]->shape, b = node->in[1]->shape;
    if (a.h != b.h || a.w != b.w || a.c != b.c)
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: inputs %s (%dx%dx%d) and %s (%dx%dx%d) must have one shape",
                        node->name, node->in[0]->name, a.h, a.w, a.c, node->in[1]->name, b.h, b.w,
                        b.c);
    node->shape = a;
    return CLV_OK;
}

static const char *options_of(struct clv_emit *e, const struct clv_node *node, const struct clv_launch *l)
{
    return clv_emit_options(e, "-DACT=%d %s", (int)clv_emit_act(e, node), l->options);
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *a = clv_emit_in(e, node, 0), *b = clv_emit_in(e, node, 1);
    struct clv_tensor *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){a, b, y}, 3);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_add,
                                  .name = "add_fwd",
                                  .options = options_of(e, node, &l),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(a), CLV_PIXELS_IN(b),
                                           CLV_PIXELS_OUT(y), CLV_MAP_SIZES(l))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, int input,
                                  bool wide)
{
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *dx;
    struct clv_tensor *y = clv_emit_act(e, node) == CLV_ACT_LINEAR ? dy : clv_emit_out(e, node);
    CLV_TRY(clv_emit_grad_in(e, node, input, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){y, dy, dx}, 3);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_add,
                                  .name = "add_bwd",
                                  .options = options_of(e, node, &l),
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(y), CLV_PIXELS_IN(dy),
                                           CLV_PIXELS_GRAD(dx, accumulate), CLV_MAP_SIZES(l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                         bool wide)
{
    if (pass == CLV_PASS_FORWARD)
        return emit_forward(e, node, wide);
    for (int i = 0; i < node->n_in; i++)
        CLV_TRY(emit_backward(e, node, i, wide));
    return CLV_OK;
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant add_variants[])

const struct clv_op clv_op_add = {
    .name = "add",
    .help = "Sum of two inputs of one shape.",
    .n_in_min = 2,
    .n_in_max = 2,
    .flags = CLV_OP_SUM | CLV_OP_FUSES_ACT,
    .infer = add_infer,
    .cost = clv_cost_elementwise,
    .variants = add_variants,
};
