/* What the activations share: they differ in op->act and in their options only. */
#ifndef CLV_OPS_ACTIVATION_H
#define CLV_OPS_ACTIVATION_H

#include "graph/op.h"

extern const struct clv_variant clv_activation_variants[];

struct clv_activation_params {
    double param;     /* leaky_relu: slope below 0; elu: limit below 0 */
    bool approximate; /* gelu */
};
/* Of any activation; zeros for those without options. */
const struct clv_activation_params *clv_activation_params(const struct clv_node *node);

/* The output has the input's shape: for every elementwise op. */
enum clv_err clv_infer_same(struct clv_graph *g, struct clv_node *node);
/* One operation per element; reads one tensor and writes one, backward reads two. */
void clv_cost_elementwise(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);

/* The fields of an activation's struct clv_op behind its options. */
#define CLV_ACTIVATION(code)                                                                       \
    .n_in_min = 1, .n_in_max = 1, .flags = CLV_OP_ACT, .act = (code), .infer = clv_infer_same,     \
    .cost = clv_cost_elementwise, .variants = clv_activation_variants

#endif
