/* What conv2d and dense share: weights, initialisers, and a problem filled from a node. */
#ifndef CLV_OPS_CONTRACT_OP_H
#define CLV_OPS_CONTRACT_OP_H

#include "contract/contract.h"

/* Names of enum clv_init, in its order. */
extern const char *const clv_init_names[];

/* Declares the kernel (count of 2 or 4 dimensions, fans, penalties filled by the caller) and, with
 * use_bias, a bias of `units` zeros. */
CLV_CHECK enum clv_err clv_contract_op_weights(struct clv_graph *g, struct clv_node *node,
                                               const struct clv_weight *kernel, int units,
                                               bool use_bias);
/* Arithmetic of a sample: forward one product, backward two. */
void clv_contract_op_cost(const struct clv_conv *c, enum clv_pass pass, struct clv_cost *cost);
/* Tensors of the node, then the schedule's steps. */
CLV_CHECK enum clv_err clv_contract_op_emit(struct clv_emit *e, const struct clv_node *node,
                                            const struct clv_conv *c, enum clv_pass pass,
                                            const struct clv_schedule *schedule);

#endif
