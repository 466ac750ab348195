#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 1}}, .batch = 1, .targets = CLV_CHECK_SOFT, .flags = CLV_CHECK_SMALL},
    {"row",
     "",
     {{1, 1, 9}},
     .batch = 5,
     .n = 3,
     .targets = CLV_CHECK_SOFT,
     .flags = CLV_CHECK_SMALL | CLV_CHECK_PITCH},
    {"behind sigmoid", "", {{1, 1, 3}}, .before = "sigmoid", .targets = CLV_CHECK_SOFT},
    {"evaluation", "", {{1, 1, 6}}, .batch = 3, .flags = CLV_CHECK_EVAL},
};

static void reference(const struct clv_check_ref *r)
{
    const int c = r->node->in[0]->shape.c;
    for (int s = 0; s < r->n; s++) {
        double sum = 0;
        for (int i = s * c; i < (s + 1) * c; i++)
            sum += (r->in[0][i] - r->targets[i]) * (r->in[0][i] - r->targets[i]);
        r->out[s] = sum / c;
    }
}

const struct clv_check clv_check_mean_squared_error = {
    .op = "mean_squared_error", CLV_CHECK_CASES(cases), .reference = reference};
