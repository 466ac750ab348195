#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"tail", "", {{3, 5, 7}, {3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "", {{5, 3, 8}, {5, 3, 8}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"one pixel", "", {{5, 3, 7}, {1, 1, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"one pixel, pitch", "", {{5, 3, 16}, {1, 1, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"one pixel each", "", {{1, 1, 16}, {1, 1, 16}}},
    {"bench", "", {{56, 56, 96}, {1, 1, 96}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape a = r->node->shape, b = r->node->in[1]->shape;
    const int64_t pixels = (int64_t)a.h * a.w, of_b = (int64_t)b.h * b.w;
    for (int s = 0; s < r->n; s++)
        for (int64_t p = 0; p < pixels; p++)
            for (int c = 0; c < a.c; c++) {
                const int64_t at = (s * pixels + p) * a.c + c;
                r->out[at] = r->in[0][at] * r->in[1][(s * of_b + (of_b > 1 ? p : 0)) * a.c + c];
            }
}

const struct clv_check clv_check_multiply = {
    .op = "multiply", CLV_CHECK_CASES(cases), .reference = reference};
