#include "ops/activation.h"

#include "ops/launch.h"

CLV_SOURCE(activation);

enum clv_err clv_infer_same(struct clv_graph *g, struct clv_node *node)
{
    (void)g;
    node->shape = node->in[0]->shape;
    return CLV_OK;
}

void clv_cost_elementwise(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const double count = (double)clv_shape_count(node->shape);
    cost->flops = count;
    cost->bytes = (pass == CLV_PASS_FORWARD ? 2 : 3) * sizeof(float) * count;
}

const struct clv_activation_params *clv_activation_params(const struct clv_node *node)
{
    static const struct clv_activation_params none = {0};
    return node->op->opts ? node->params : &none;
}

static const char *options_of(struct clv_emit *e, const struct clv_node *node, const struct clv_launch *l)
{
    return clv_emit_options(e, "-DACT=%d %s%s", (int)node->op->act,
                            clv_activation_params(node)->approximate ? "-DAPPROXIMATE " : "", l->options);
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    struct clv_tensor *x = clv_emit_in(e, node, 0), *y = clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){x, y}, 2);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_activation,
            .name = "activation_fwd",
            .options = options_of(e, node, &l),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_OUT(y),
                     CLV_F32_ARG(clv_activation_params(node)->param), CLV_MAP_SIZES(l))});
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, bool wide)
{
    bool accumulate;
    struct clv_tensor *dy = clv_emit_grad_out(e, node), *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    struct clv_tensor *v = clv_act_needs_input(node->op->act) ? clv_emit_in(e, node, 0) : clv_emit_out(e, node);
    const struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){v, dy, dx}, 3);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_activation,
            .name = "activation_bwd",
            .options = options_of(e, node, &l),
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(v), CLV_PIXELS_IN(dy), CLV_PIXELS_ADD(dx, accumulate),
                     CLV_F32_ARG(clv_activation_params(node)->param), CLV_I32(accumulate),
                     CLV_MAP_SIZES(l))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                         bool wide)
{
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, wide) : emit_backward(e, node, wide);
}

CLV_LAUNCH_VARIANTS(const struct clv_variant clv_activation_variants[])
