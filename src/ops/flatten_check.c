#include "check/check.h"

#include <string.h>

static const struct clv_check_case cases[] = {
    {"view",
     "",
     {{3, 5, 7}},
     .batch = 3,
     .n = 2,
     .after = "relu",
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
    {"row", "", {{1, 1, 33}}, .after = "relu", .fill = CLV_CHECK_DISTINCT},
};

static void reference(const struct clv_check_ref *r)
{
    memcpy(r->out, r->in[0], (size_t)(r->n * clv_shape_count(r->node->shape)) * sizeof(double));
}

const struct clv_check clv_check_flatten = {
    .op = "flatten", CLV_CHECK_CASES(cases), .reference = reference};
