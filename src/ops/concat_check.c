#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"tail", "", {{3, 5, 7}, {3, 5, 4}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "", {{5, 3, 16}, {5, 3, 32}, {5, 3, 1}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"four", "", {{2, 3, 16}, {2, 3, 3}, {2, 3, 8}, {2, 3, 16}}},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape out = r->node->shape;
    double *to = r->out;
    for (int64_t p = 0; p < (int64_t)r->n * out.h * out.w; p++)
        for (int i = 0; i < r->node->n_in; i++) {
            const int c = r->node->in[i]->shape.c;
            for (int k = 0; k < c; k++)
                *to++ = r->in[i][p * c + k];
        }
}

const struct clv_check clv_check_concat = {
    .op = "concat", CLV_CHECK_CASES(cases), .reference = reference};
