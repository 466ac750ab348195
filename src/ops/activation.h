/* What relu, sigmoid and tanh share: they differ in op->act only. */
#ifndef CLV_OPS_ACTIVATION_H
#define CLV_OPS_ACTIVATION_H

#include "graph/op.h"

extern const struct clv_variant clv_activation_variants[];

/* The output has the input's shape: for every elementwise op. */
enum clv_err clv_infer_same(struct clv_graph *g, struct clv_node *node);
/* One operation per element; reads one tensor and writes one, backward reads two. */
void clv_cost_elementwise(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);

#endif
