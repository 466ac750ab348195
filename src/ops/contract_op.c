/* The host side that conv2d and dense have in common. */
#include "ops/contract_op.h"

#include "ops/batchnorm.h"

const char *const clv_init_names[] = {
    "zeros", "ones", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", NULL};

enum clv_err clv_contract_op_weights(struct clv_graph *g, struct clv_node *node,
                                     const struct clv_weight *kernel, int units, bool use_bias)
{
    CLV_TRY(clv_node_add_weight(g, node, kernel));
    if (!use_bias)
        return CLV_OK;
    return clv_node_add_weight(g, node,
                               &(struct clv_weight){.name = "bias",
                                                    .n_dims = 1,
                                                    .dims = {units},
                                                    .init = CLV_INIT_ZEROS,
                                                    .fan_in = 1,
                                                    .fan_out = units});
}

void clv_contract_op_cost(const struct clv_conv *c, enum clv_pass pass, struct clv_cost *cost)
{
    const int products = pass == CLV_PASS_FORWARD ? 1 : 2;
    cost->flops = products * clv_contract_flops(c);
    cost->bytes =
        products * sizeof(float) * ((double)c->ih * c->iw * c->ci + (double)c->oh * c->ow * c->co);
}

bool clv_contract_op_supports(const struct clv_schedule *schedule, const struct clv_caps *caps,
                              const struct clv_conv *c, enum clv_pass pass)
{
    if (pass == CLV_PASS_FORWARD)
        return schedule->supports(caps, c, CLV_PRODUCT_FORWARD);
    return schedule->supports(caps, c, CLV_PRODUCT_DATA) ||
           schedule->supports(caps, c, CLV_PRODUCT_WEIGHTS);
}

/* Written by forward, read by backward. */
static enum clv_err pool_mask(struct clv_emit *e, const struct clv_node *node,
                              struct clv_contract *p)
{
    p->pool = e->fusion[node->id].pool != NULL;
    if (!p->pool || !e->training)
        return CLV_OK;
    p->mask = clv_emit_saved(e, node, 0, CLV_U8, p->y->n * p->y->h * p->y->w * p->y->c, "argmax");
    return p->mask ? CLV_OK : CLV_ERR_NOMEM;
}

enum clv_err clv_contract_op_emit(struct clv_emit *e, const struct clv_node *node,
                                  const struct clv_conv *c, enum clv_pass pass)
{
    const bool bias = node->n_weights > 1;
    struct clv_contract p = {
        .node = node,
        .conv = *c,
        .act = clv_emit_act(e, node),
        .dtype = clv_emit_dtype(e, node),
        .x = clv_emit_in(e, node, 0),
        .w = clv_emit_weight(e, node, 0),
        .bias = bias ? clv_emit_weight(e, node, 1) : NULL,
        .y = clv_emit_out(e, node),
    };
    if (e->fusion[node->id].norm)
        CLV_TRY(clv_batchnorm_fold(e, e->fusion[node->id].norm, &p.w, &p.bias));
    CLV_TRY(pool_mask(e, node, &p));
    if (pass == CLV_PASS_BACKWARD) {
        p.dy = clv_emit_grad_out(e, node);
        p.dw = clv_emit_weight_grad(e, node, 0);
        p.dbias = bias ? clv_emit_weight_grad(e, node, 1) : NULL;
        CLV_TRY(clv_emit_grad_in(e, node, 0, &p.dx, &p.accumulate));
    }
    return clv_contract_emit(e, &p, pass);
}
