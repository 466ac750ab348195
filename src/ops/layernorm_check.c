#include "check/check.h"
#include "ops/layernorm.h"

#include <math.h>

/* Slices of the weights' gradients are 256 pixels. */
static const struct clv_check_case cases[] = {
    {"one", "epsilon=0.01", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"row", "", {{1, 1, 21}}, .batch = 3, .flags = CLV_CHECK_SMALL},
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL | CLV_CHECK_TINY},
    {"pitch", "epsilon=0.001", {{5, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"far from 0", "", {{3, 7, 48}}, .fill = CLV_CHECK_LARGE, .flags = CLV_CHECK_SMALL},
    {"slices", "activation=relu", {{18, 17, 32}}, .batch = 3, .n = 2},
    {"evaluation", "", {{6, 5, 24}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"14 x 14 x 384", "", {{14, 14, 384}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_layernorm_params *p = r->node->params;
    const int c = r->node->shape.c;
    for (int64_t at = 0; at < r->n * clv_shape_count(r->node->shape); at += c) {
        const double *x = r->in[0] + at;
        double mean = 0, variance = 0;
        for (int ch = 0; ch < c; ch++)
            mean += x[ch] / c;
        for (int ch = 0; ch < c; ch++)
            variance += (x[ch] - mean) * (x[ch] - mean) / c;
        for (int ch = 0; ch < c; ch++)
            r->out[at + ch] = (x[ch] - mean) / sqrt(variance + p->epsilon) * r->weight[0][ch] + r->weight[1][ch];
    }
}

const struct clv_check clv_check_layernorm = {
    .op = "layernorm", CLV_CHECK_CASES(cases), .reference = reference, .atol = 4e-6};
