/* Forward in two steps: sums over slices of each sample's pixels (and the probabilities, where the loss took over what
 * makes them), then the samples' losses with what the gradient needs of the sums. Backward is one pass over pixels. */
#include "ops/dice.h"

#include "base/util.h"

CLV_SOURCE(dice);

enum { CPU_SPAN = 4096, GPU_SPAN = 64 }; /* pixels of a work-item */

const struct clv_opt clv_dice_opts[] = {
    {"dice", "factor of 1 - Dice", CLV_OPT_DOUBLE, offsetof(struct clv_dice_params, dice), "1", 0, 1e6},
    {"crossentropy", "factor of the cross-entropy", CLV_OPT_DOUBLE, offsetof(struct clv_dice_params, crossentropy), "1",
     0, 1e6},
    {"smooth", "added to both sides of each class's Dice, in pixels", CLV_OPT_DOUBLE,
     offsetof(struct clv_dice_params, smooth), "1", 1e-6, 1e6},
    {"background", "class 0 has a part in the mean of Dice", CLV_OPT_BOOL,
     offsetof(struct clv_dice_params, background), "true", 0, 0},
    {NULL},
};

enum clv_err clv_dice_infer(struct clv_graph *g, struct clv_node *node)
{
    const struct clv_dice_params *q = node->params;
    const struct clv_shape in = node->in[0]->shape;
    if (in.c > CLV_DICE_CLASSES)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: its input %s has %d classes, more than %d", node->name,
                        node->in[0]->name, in.c, CLV_DICE_CLASSES);
    if (in.c == 1 && !q->background)
        return clv_fail(&g->err, CLV_ERR_MODEL, "%s: background=no leaves nothing of the one class of %s", node->name,
                        node->in[0]->name);
    node->shape = (struct clv_shape){1, 1, 1};
    return CLV_OK;
}

void clv_dice_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    (void)pass;
    cost->flops = 10.0 * (double)clv_shape_count(node->in[0]->shape);
    cost->bytes = 3.0 * sizeof(float) * (double)clv_shape_count(node->in[0]->shape);
}

/* How a sample's pixels are dealt out. */
struct cut {
    struct clv_launch launch;
    int pixels, classes, span, slices;
};

static struct cut cut_of(const struct clv_emit *e, const struct clv_node *node)
{
    const struct clv_shape in = node->in[0]->shape;
    struct cut c = {.pixels = in.h * in.w, .classes = in.c, .span = e->caps->gpu_path ? GPU_SPAN : CPU_SPAN};
    c.slices = (int)clv_div_up(c.pixels, c.span);
    c.launch = clv_launch_items(e, (int64_t)e->batch * c.slices);
    return c;
}

#define CUT(c) CLV_I32((c).pixels), CLV_I32((c).slices), CLV_I32((c).span)

static const char *options_of(struct clv_emit *e, const struct clv_node *node, bool binary)
{
    const struct clv_dice_params *q = node->params;
    return clv_emit_options(e, "-DC=%d%s%s%s%s", node->in[0]->shape.c, binary ? " -DBINARY" : "",
                            e->fusion[node->id].softmax ? " -DFUSED" : "", e->scaler ? " -DSCALED" : "",
                            q->background ? "" : " -DFIRST=1");
}

/* [batch][2][classes]: by how much a probability's gradient falls where the target is 1, and what it is elsewhere. */
static struct clv_tensor *table_of(struct clv_emit *e, const struct clv_node *node)
{
    return clv_emit_saved(e, node, 0, CLV_F32, (int64_t)e->batch * 2 * node->in[0]->shape.c, "Dice");
}

static enum clv_err emit_join(struct clv_emit *e, const struct clv_node *node, const struct cut *c,
                              struct clv_tensor *part, const char *options)
{
    const struct clv_dice_params *q = node->params;
    const struct clv_launch l = clv_launch_items(e, e->batch);
    const struct clv_emit_info info = {.node = node, .what = "forward sum"};
    struct clv_tensor *table = table_of(e, node);
    if (!table)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_dice,
                                  .name = "dice_join",
                                  CLV_LAUNCH(l),
                                  .options = options,
                                  clv_args(CLV_IN(e->state), CLV_IN(part), CLV_OUT(table),
                                           CLV_OUT(clv_emit_out(e, node)), CLV_I32(e->batch), CUT(*c),
                                           CLV_F32_ARG(q->dice), CLV_F32_ARG(q->crossentropy),
                                           CLV_F32_ARG(q->smooth))});
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_node *node, const char *options)
{
    const struct clv_node *fused = e->fusion[node->id].softmax;
    const struct cut c = cut_of(e, node);
    struct clv_tensor *x = clv_emit_in(e, node, 0);
    struct clv_tensor *p = fused ? clv_emit_out(e, fused) : x;
    struct clv_tensor *part =
        clv_emit_scratch(e, CLV_F32, (int64_t)e->batch * c.slices * (1 + 3 * c.classes), "Dice sums");
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_FORWARD);
    if (!part)
        return CLV_ERR_NOMEM;
    /* Probabilities that were given are read only. */
    const struct clv_arg to = {fused ? CLV_ARG_OUT : CLV_ARG_IN, {.t = p}};
    CLV_TRY(clv_emit_kernel(e, &info,
                            &(struct clv_kernel_step){.source = &clv_cl_dice,
                                                      .name = "dice_pixels",
                                                      CLV_LAUNCH(c.launch),
                                                      .options = options,
                                                      clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), to,
                                                               CLV_U32(p->pitch), CLV_IN(e->targets), CLV_OUT(part),
                                                               CUT(c))}));
    return emit_join(e, node, &c, part, options);
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_node *node, const char *options)
{
    const struct clv_dice_params *q = node->params;
    const struct clv_node *fused = e->fusion[node->id].softmax;
    const struct cut c = cut_of(e, node);
    struct clv_tensor *p = fused ? clv_emit_out(e, fused) : clv_emit_in(e, node, 0), *table = table_of(e, node), *dx;
    bool accumulate;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    const struct clv_emit_info info = clv_launch_info(e, node, CLV_PASS_BACKWARD);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_dice,
                                                     .name = "dice_bwd",
                                                     CLV_LAUNCH(c.launch),
                                                     .options = options,
                                                     clv_args(CLV_IN(e->state), CLV_PIXELS_IN(p), CLV_IN(e->targets),
                                                              CLV_IN(table), CLV_PIXELS_GRAD(dx, accumulate), CUT(c),
                                                              CLV_F32_ARG(q->crossentropy))});
}

enum clv_err clv_dice_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool binary)
{
    const char *options = options_of(e, node, binary);
    if (!options)
        return CLV_ERR_NOMEM;
    return pass == CLV_PASS_FORWARD ? emit_forward(e, node, options) : emit_backward(e, node, options);
}
