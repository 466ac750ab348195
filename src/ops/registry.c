/* The two tables that follow from meson.build's list of ops: what each op is, and how it is
 * checked. */
#include "check/check.h"
#include "graph/op.h"

#include <string.h>

#define CLV_OP_X(name)                                                                             \
    extern const struct clv_op clv_op_##name;                                                      \
    extern const struct clv_check clv_check_##name;
#include "ops/op_list.h"
#undef CLV_OP_X

#define CLV_OP_X(name) &clv_op_##name,
const struct clv_op *const clv_ops[] = {
#include "ops/op_list.h"
    NULL,
};
#undef CLV_OP_X

#define CLV_OP_X(name) &clv_check_##name,
const struct clv_check *const clv_checks[] = {
#include "ops/op_list.h"
    NULL,
};
#undef CLV_OP_X

const struct clv_op *clv_op_find(const char *name)
{
    for (const struct clv_op *const *op = clv_ops; *op; op++)
        if (!strcmp((*op)->name, name))
            return *op;
    return NULL;
}

const struct clv_check *clv_check_find(const char *op)
{
    for (const struct clv_check *const *check = clv_checks; *check; check++)
        if (!strcmp((*check)->op, op))
            return *check;
    return NULL;
}
