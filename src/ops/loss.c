#include "ops/loss.h"

#include "base/str.h"

CLV_SOURCE(loss);

const char *const clv_loss_weight_names[] = {"balanced", NULL};

enum clv_err clv_loss_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_shape in = node->in[0]->shape;
    if (in.h != 1 || in.w != 1)
        return clv_fail(
            &g->err, CLV_ERR_SHAPE,
            "%s: its input %s is %dx%dx%d, a loss takes one row of numbers; put a flatten or "
            "globalavgpool2d layer before the last dense layer",
            node->name, node->in[0]->name, in.h, in.w, in.c);
    node->shape = (struct clv_shape){1, 1, 1};
    return CLV_OK;
}

void clv_loss_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    (void)pass;
    cost->flops = 8.0 * node->in[0]->shape.c;
    cost->bytes = 3.0 * sizeof(float) * node->in[0]->shape.c;
}

/* "-DLOSS=1 -DWEIGHTS=1.0f,2.5f": a table of constants, since the weights never change in a run. */
static const char *build_options(struct clv_emit *e, enum clv_loss_kind kind, bool fused,
                                 const struct clv_loss_params *p)
{
    struct clv_str s = {0};
    clv_str_addf(&s, "%s%s-DLOSS=%d", fused ? "-DFUSED " : "", e->scaler ? "-DSCALED " : "", (int)kind);
    for (int i = 0; p && i < p->class_weight.n; i++)
        clv_str_addf(&s, "%s%.9ef", i ? "," : " -DWEIGHTS=", p->class_weight.v[i]);
    const char *kept = s.failed ? NULL : clv_emit_options(e, "%s", s.text);
    clv_str_finish(&s);
    return kept;
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node,
                                 const char *options, float smoothing)
{
    const struct clv_node *fused = e->fusion[node->id].softmax;
    struct clv_tensor *x = clv_emit_in(e, node, 0), *loss = clv_emit_out(e, node), *t = e->targets;
    const struct clv_launch l = clv_launch_items(e, e->batch);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    struct clv_kernel_step k = {
        .source = &clv_cl_loss, .name = "loss_fwd", .options = options, CLV_LAUNCH(l)};
    if (fused) {
        struct clv_tensor *p = clv_emit_out(e, fused);
        const struct clv_arg args[] = {CLV_IN(e->state), CLV_PIXELS_IN(x),      CLV_PIXELS_OUT(p),
                                       CLV_IN(t),        CLV_OUT(loss),         CLV_U32(e->batch),
                                       CLV_U32(x->c),    CLV_F32_ARG(smoothing)};
        k.args = args;
        k.n_args = sizeof args / sizeof args[0];
        return clv_emit_kernel(e, &info, &k);
    }
    const struct clv_arg args[] = {CLV_IN(e->state),      CLV_PIXELS_IN(x),  CLV_IN(t),
                                   CLV_OUT(loss),         CLV_U32(e->batch), CLV_U32(x->c),
                                   CLV_F32_ARG(smoothing)};
    k.args = args;
    k.n_args = sizeof args / sizeof args[0];
    return clv_emit_kernel(e, &info, &k);
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node,
                                  const char *options, float smoothing)
{
    const struct clv_node *fused = e->fusion[node->id].softmax;
    struct clv_tensor *p = fused ? clv_emit_out(e, fused) : clv_emit_in(e, node, 0);
    bool accumulate;
    struct clv_tensor *dx, *t = e->targets;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_launch l = clv_launch_items(e, e->batch);
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_loss,
                                  .name = "loss_bwd",
                                  .options = options,
                                  CLV_LAUNCH(l),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(p), CLV_IN(t),
                                           CLV_PIXELS_GRAD(dx, accumulate), CLV_U32(p->c),
                                           CLV_F32_ARG(smoothing))});
}

enum clv_err clv_loss_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                           enum clv_loss_kind kind, const struct clv_loss_params *p)
{
    const char *options = build_options(e, kind, e->fusion[node->id].softmax, p);
    if (!options)
        return clv_fail_nomem(e->err, "build options of a loss");
    const float smoothing = p ? (float)p->label_smoothing : 0.0f;
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, options, smoothing)
                                    : emit_backward(e, node, options, smoothing);
}
