#include "check/check.h"

/* Distinct values keep the kink at 0 out of the central differences. */
static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 1}}, .batch = 1, .fill = CLV_CHECK_DISTINCT, .flags = CLV_CHECK_SMALL},
    {"tail",
     "",
     {{3, 5, 7}},
     .batch = 3,
     .n = 2,
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
    {"pitch",
     "",
     {{5, 3, 16}},
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"odd pitch", "", {{5, 3, 19}}, .fill = CLV_CHECK_DISTINCT, .flags = CLV_CHECK_PITCH},
    {"chunks", "", {{33, 35, 16}}, .fill = CLV_CHECK_DISTINCT},
    {"bench", "", {{111, 111, 32}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

static void reference(const struct clv_check_ref *r)
{
    const int64_t count = r->n * clv_shape_count(r->node->shape);
    for (int64_t i = 0; i < count; i++)
        r->out[i] = r->in[0][i] > 0 ? r->in[0][i] : 0;
}

const struct clv_check clv_check_relu = {
    .op = "relu", CLV_CHECK_CASES(cases), .reference = reference};
