#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "", {{5, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"large", "", {{112, 112, 16}}},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape in = r->node->in[0]->shape;
    const int64_t pixels = (int64_t)in.h * in.w;
    for (int s = 0; s < r->n; s++)
        for (int ch = 0; ch < in.c; ch++) {
            double sum = 0;
            for (int64_t i = 0; i < pixels; i++)
                sum += r->in[0][(s * pixels + i) * in.c + ch];
            r->out[(int64_t)s * in.c + ch] = sum / (double)pixels;
        }
}

const struct clv_check clv_check_globalavgpool2d = {
    .op = "globalavgpool2d", CLV_CHECK_CASES(cases), .reference = reference};
