/* dropout: in training each value is zero with probability `rate`, else divided by 1 - rate;
 * outside training a view. The mask is a function of (seed, node name, optimizer step, sample's
 * global index, element), so backward draws it again instead of storing it; cl/dropout.cl says how.
 */
#include "ops/activation.h"
#include "ops/launch.h"

#include "base/util.h"

CLV_SOURCE(dropout);

struct dropout_params {
    double rate;
};

static const struct clv_opt dropout_opts[] = {
    {"rate", "share of values set to zero, below 1", CLV_OPT_DOUBLE,
     offsetof(struct dropout_params, rate), NULL, 0, 0.999},
    {NULL},
};

enum {
    BLOCK = 64,       /* elements that one generator call of 16 lanes covers */
    CPU_BLOCKS = 256, /* blocks of a CPU item */
};

/* x to y, or dy to dx: the same mask. */
static enum clv_err emit_mask(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                              bool wide, struct clv_tensor *x, struct clv_tensor *y,
                              bool accumulate)
{
    const double rate = ((const struct dropout_params *)node->params)->rate;
    struct clv_launch l = clv_launch_map(e, wide, (struct clv_tensor *const[]){x, y}, 2);
    const int64_t blocks = clv_div_up(l.per_sample, BLOCK), span = wide ? CPU_BLOCKS : 1;
    l.global = (size_t)(e->batch * clv_div_up(blocks, span) * (16 / l.vector));
    const struct clv_emit_info info = clv_launch_info(e, node, pass);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_dropout,
            .name = "dropout",
            .options = l.options,
            CLV_LAUNCH(l),
            clv_args(CLV_IN(e->state), CLV_PIXELS_IN(x), CLV_PIXELS_GRAD(y, accumulate),
                     CLV_U32(l.per_sample), CLV_U32(l.c), CLV_U32(span), CLV_U32(node->name_hash),
                     CLV_U32(node->name_hash >> 32), CLV_U32(rate * 4294967296.0),
                     CLV_F32_ARG(1.0 / (1.0 - rate)))});
}

static enum clv_err emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                         bool wide)
{
    if (!e->training)
        return CLV_OK; /* a view */
    if (pass == CLV_PASS_FORWARD)
        return emit_mask(e, node, pass, wide, clv_emit_in(e, node, 0), clv_emit_out(e, node),
                         false);
    bool accumulate;
    struct clv_tensor *dx;
    CLV_TRY(clv_emit_grad_in(e, node, 0, &dx, &accumulate));
    if (!dx)
        return CLV_OK;
    return emit_mask(e, node, pass, wide, clv_emit_grad_out(e, node), dx, accumulate);
}

CLV_LAUNCH_VARIANTS(static const struct clv_variant dropout_variants[])

const struct clv_op clv_op_dropout = {
    .name = "dropout",
    .help = "In training, sets a share of the values to zero and scales the rest up.",
    .params_size = sizeof(struct dropout_params),
    .opts = dropout_opts,
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_TRAIN_ONLY,
    .infer = clv_infer_same,
    .cost = clv_cost_elementwise,
    .variants = dropout_variants,
};
