/* flatten: h x w x c becomes 1 x 1 x hwc. NHWC is dense in exactly this order, so it is a view. */
#include "graph/op.h"

#include <limits.h>

static enum clv_err flatten_infer(struct clv_graph *g, struct clv_node *node)
{
    const int64_t count = clv_shape_count(node->in[0]->shape);
    if (count > INT_MAX)
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: %lld values per sample are too many for one row", node->name,
                        (long long)count);
    node->shape = (struct clv_shape){1, 1, (int)count};
    return CLV_OK;
}

const struct clv_op clv_op_flatten = {
    .name = "flatten",
    .help = "One row of all values of a sample, in height, width, channel order.",
    .n_in_min = 1,
    .n_in_max = 1,
    .flags = CLV_OP_VIEW,
    .infer = flatten_infer,
};
