#include "ops/norm.h"

#include "base/util.h"

CLV_SOURCE(norm);

enum {
    CPU_ITEM = 16384, /* elements of a work-item: 64 KiB, which stay in the second cache */
    GPU_SPAN = 64,    /* pixels of one: enough for the sums that it leaves to be few beside what it reads */
    MAX_BLOCK = 4,    /* vectors whose sums a CPU keeps in registers */
};

enum clv_err clv_norm_weights(struct clv_graph *g, struct clv_node *node)
{
    const int c = node->in[0]->shape.c;
    const struct clv_weight gamma = {.name = "gamma", .n_dims = 1, .dims = {c}, .init = CLV_INIT_ONES,
                                     .fan_in = 1, .fan_out = 1};
    const struct clv_weight beta = {.name = "beta", .n_dims = 1, .dims = {c}, .init = CLV_INIT_ZEROS,
                                    .fan_in = 1, .fan_out = 1};
    CLV_TRY(clv_node_add_weight(g, node, &gamma));
    return clv_node_add_weight(g, node, &beta);
}

/* Forward reads twice and writes once; backward reads x and dy twice and writes once. */
void clv_norm_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    const double count = (double)clv_shape_count(node->shape);
    cost->flops = (pass == CLV_PASS_FORWARD ? 7 : 9) * count;
    cost->bytes = (pass == CLV_PASS_FORWARD ? 3 : 5) * sizeof(float) * count;
}

static int block_for(bool wide, int vectors)
{
    int w = wide ? MAX_BLOCK : 1;
    while (vectors % w)
        w /= 2;
    return w;
}

struct clv_norm clv_norm_of(struct clv_emit *e, const struct clv_node *node, bool whole, bool wide)
{
    const struct clv_fusion *f = &e->fusion[node->id];
    struct clv_norm q = {.node = node,
                         .add = f->add,
                         .whole = whole,
                         .launch = clv_launch_cells(e, wide, node->shape),
                         .x = clv_emit_in(e, node, 0),
                         .y = clv_emit_out(e, node),
                         .gamma = clv_emit_weight(e, node, 0),
                         .beta = clv_emit_weight(e, node, 1)};
    const int64_t pixels = (int64_t)node->shape.h * node->shape.w * (whole ? e->batch : 1);
    q.act = f->add ? e->fusion[f->add->id].act : f->act;
    q.operand = f->add && clv_node_worker(f->add->in[0], e->fusion) == node ? 1 : 0;
    q.other = f->add ? clv_emit_in(e, f->add, q.operand) : q.x;
    q.block = block_for(wide, node->shape.c / q.launch.vector);
    const int width = q.block * q.launch.vector;
    q.span = (int)CLV_MIN(wide ? clv_div_up(CPU_ITEM, width) : GPU_SPAN, pixels);
    q.slices = (int)clv_div_up(pixels, q.span);
    q.launch.global = (size_t)q.slices * (size_t)(whole ? 1 : e->batch) * (size_t)(node->shape.c / width);
    return q;
}

struct clv_tensor *clv_norm_part(struct clv_emit *e, const struct clv_norm *q)
{
    const int64_t sets = q->whole ? 1 : e->batch;
    return clv_emit_scratch(e, CLV_F32, sets * q->slices * 2 * q->node->shape.c, "partial sums");
}

/* The arguments SLICES of cl/include/norm_slice.cl. */
#define SLICES(q)                                                                                  \
    CLV_I32((q)->node->shape.h * (q)->node->shape.w), CLV_I32((q)->whole), CLV_I32((q)->slices),   \
        CLV_I32((q)->span), CLV_I32((q)->node->shape.c)

static const char *options_of(struct clv_emit *e, const struct clv_norm *q, const char *more)
{
    return clv_emit_options(e, "%s -DW=%d -DACT=%d%s%s", q->launch.options, q->block, (int)q->act,
                            *more ? " " : "", more);
}

static struct clv_emit_info info_of(const struct clv_norm *q, enum clv_pass pass, const char *what, int tensors)
{
    return (struct clv_emit_info){.node = q->node,
                                  .pass = pass,
                                  .what = what,
                                  .flops = 3.0 * (double)clv_tensor_count(q->x),
                                  .bytes = tensors * (double)clv_tensor_bytes(q->x)};
}

enum clv_err clv_norm_emit_stats(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *part)
{
    const struct clv_emit_info info = info_of(q, CLV_PASS_FORWARD, "statistics", 1);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_norm,
                                  .name = "norm_stats",
                                  .options = clv_emit_options(e, "%s -DW=%d", q->launch.options, q->block),
                                  CLV_LAUNCH(q->launch),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(q->x), CLV_OUT(part), SLICES(q))});
}

enum clv_err clv_norm_emit_apply(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table)
{
    const struct clv_emit_info info = info_of(q, CLV_PASS_FORWARD, "forward", q->add ? 3 : 2);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_norm,
                                  .name = "norm_apply",
                                  .options = options_of(e, q, q->add ? "-DADD" : ""),
                                  CLV_LAUNCH(q->launch),
                                  clv_args(CLV_IN(e->state), CLV_PIXELS_IN(q->x), CLV_PIXELS_IN(q->other),
                                           CLV_IN(table), CLV_IN(q->gamma), CLV_IN(q->beta),
                                           CLV_PIXELS_OUT(q->y), SLICES(q))});
}

/* ---- backward ---- */

/* How the activation's gradient is found, MASK of cl/norm.cl. */
enum { FOUND, FROM_OUTPUT, FROM_INPUT };

static int mask_of(const struct clv_norm *q)
{
    if (q->act == CLV_ACT_LINEAR)
        return FOUND;
    return (q->act == CLV_ACT_RELU || clv_act_needs_input(q->act)) && !q->add ? FROM_INPUT : FROM_OUTPUT;
}

enum clv_err clv_norm_begin_gradient(struct clv_emit *e, const struct clv_norm *q, struct clv_norm_gradient *ret)
{
    *ret = (struct clv_norm_gradient){.dy = clv_emit_grad_out(e, q->node)};
    CLV_TRY(clv_emit_grad_in(e, q->node, 0, &ret->dx, &ret->accumulate));
    if (q->add)
        CLV_TRY(clv_emit_grad_in(e, q->add, q->operand, &ret->dother, &ret->accumulate_other));
    ret->kept = ret->dother && !ret->accumulate_other;
    return CLV_OK;
}

enum clv_err clv_norm_emit_sums(struct clv_emit *e, const struct clv_norm *q, const struct clv_norm_gradient *g,
                                struct clv_tensor *table, struct clv_tensor *part)
{
    const int mask = mask_of(q);
    const struct clv_emit_info info =
        info_of(q, CLV_PASS_BACKWARD, "backward sums", 2 + (mask == FROM_OUTPUT) + g->kept);
    struct clv_tensor *y = mask == FROM_OUTPUT ? q->y : q->x;
    /* Nothing is written there without KEEP. */
    const struct clv_arg dz = {g->kept ? CLV_ARG_OUT : CLV_ARG_IN, {.t = g->kept ? g->dother : g->dy}};
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_norm,
            .name = "norm_gradient_sums",
            .options = options_of(e, q, clv_emit_options(e, "-DMASK=%d%s", mask, g->kept ? " -DKEEP" : "")),
            CLV_LAUNCH(q->launch),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(q->x), CLV_PIXELS_IN(y), CLV_PIXELS_IN(g->dy), CLV_IN(table),
                     CLV_IN(q->gamma), CLV_IN(q->beta), dz, CLV_U32(dz.v.t->pitch), CLV_OUT(part), SLICES(q))});
}

enum clv_err clv_norm_emit_gradient(struct clv_emit *e, const struct clv_norm *q, const struct clv_norm_gradient *g,
                                    struct clv_tensor *table, struct clv_tensor *means)
{
    /* Where dz was kept it is all that is needed. */
    const int mask = g->kept ? FOUND : mask_of(q);
    const bool adds = g->dother && !g->kept;
    if (!g->dx && !adds)
        return CLV_OK;
    struct clv_tensor *dy = g->kept ? g->dother : g->dy, *y = mask == FROM_OUTPUT ? q->y : q->x;
    const struct clv_emit_info info = info_of(q, CLV_PASS_BACKWARD, "backward",
                                              2 + (mask == FROM_OUTPUT) + (g->dx ? 1 + g->accumulate : 0) + 2 * adds);
    /* Where nothing is wanted nothing is written. */
    struct clv_arg dx = {CLV_ARG_IN, {.t = q->x}}, dother = dx;
    if (g->dx)
        dx = (struct clv_arg){g->accumulate ? CLV_ARG_INOUT : CLV_ARG_OUT, {.t = g->dx}};
    if (adds)
        dother = (struct clv_arg){g->accumulate_other ? CLV_ARG_INOUT : CLV_ARG_OUT, {.t = g->dother}};
    const char *more = clv_emit_options(e, "-DMASK=%d%s%s", mask, adds ? " -DADD" : "", g->dx ? " -DDX" : "");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_norm,
            .name = "norm_gradient",
            .options = options_of(e, q, more ? more : ""),
            CLV_LAUNCH(q->launch),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(q->x), CLV_PIXELS_IN(y), CLV_PIXELS_IN(dy), CLV_IN(table),
                     CLV_IN(q->gamma), CLV_IN(q->beta), CLV_IN(means), dx, CLV_U32(dx.v.t->pitch),
                     CLV_I32(g->accumulate), dother, CLV_U32(dother.v.t->pitch), CLV_I32(g->accumulate_other),
                     SLICES(q))});
}
