#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 1}, {1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"tail", "", {{3, 5, 7}, {3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "", {{5, 3, 8}, {5, 3, 8}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"activation", "activation=relu", {{3, 5, 7}, {3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"behind batchnorm", "activation=relu", {{3, 5, 12}, {3, 5, 12}}, .batch = 3, .n = 2, .before = "batchnorm",
     .flags = CLV_CHECK_SMALL},
    {"linear behind batchnorm", "", {{5, 3, 12}, {5, 3, 12}}, .before = "batchnorm", .flags = CLV_CHECK_PITCH},
    {"outside training", "activation=relu", {{3, 5, 12}, {3, 5, 12}}, .before = "batchnorm",
     .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"chunks", "", {{33, 35, 16}, {33, 35, 16}}},
};

static void reference(const struct clv_check_ref *r)
{
    const int64_t count = r->n * clv_shape_count(r->node->shape);
    for (int64_t i = 0; i < count; i++)
        r->out[i] = r->in[0][i] + r->in[1][i];
}

const struct clv_check clv_check_add = {
    .op = "add", CLV_CHECK_CASES(cases), .reference = reference};
