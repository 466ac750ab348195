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
/* Tensors of the node, then the steps of each product's chosen schedule. */
CLV_CHECK enum clv_err clv_contract_op_emit(struct clv_emit *e, const struct clv_node *node,
                                            const struct clv_conv *c, enum clv_pass pass);
/* A schedule takes a pass when it takes one of its products; the others go to the next that does. */
bool clv_contract_op_supports(const struct clv_schedule *schedule, const struct clv_caps *caps,
                              const struct clv_conv *c, enum clv_pass pass);

/* Defines NAME_supports for clv_schedule_NAME from the op's
 *     static struct clv_conv geometry_of(struct clv_emit *e, const struct clv_node *node)
 * where e is NULL as long as there are no tensors. The variant table's rows are
 * CLV_CONTRACT_VARIANT(NAME), all with the op's one emit(): which schedule runs is each product's choice,
 * a row only gives it a name to ask for. */
#define CLV_CONTRACT_SCHEDULE(schedule, geometry_of)                                               \
    static bool schedule##_supports(const struct clv_caps *caps, const struct clv_node *node,      \
                                    enum clv_pass pass)                                            \
    {                                                                                              \
        const struct clv_conv c = geometry_of(NULL, node);                                         \
        return clv_contract_op_supports(&clv_schedule_##schedule, caps, &c, pass);                 \
    }
#define CLV_CONTRACT_VARIANT(schedule) {#schedule, schedule##_supports, emit}

#endif
