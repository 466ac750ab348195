#include "check/check.h"

#include <math.h>

static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"row", "", {{1, 1, 10}}, .batch = 5, .n = 3, .flags = CLV_CHECK_SMALL},
    {"pixels", "", {{3, 5, 4}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    /* exp would overflow without the maximum taken off. */
    {"shift", "", {{1, 1, 33}}, .batch = 4, .fill = CLV_CHECK_LARGE},
    {"wide", "", {{1, 1, 1000}}, .batch = 3},
};

static void reference(const struct clv_check_ref *r)
{
    const int c = r->node->shape.c;
    const int64_t rows = r->n * clv_shape_count(r->node->shape) / c;
    for (int64_t row = 0; row < rows; row++) {
        const double *x = r->in[0] + row * c;
        double top = x[0], sum = 0;
        for (int i = 1; i < c; i++)
            top = fmax(top, x[i]);
        for (int i = 0; i < c; i++)
            sum += exp(x[i] - top);
        for (int i = 0; i < c; i++)
            r->out[row * c + i] = exp(x[i] - top) / sum;
    }
}

const struct clv_check clv_check_softmax = {
    .op = "softmax", CLV_CHECK_CASES(cases), .reference = reference};
