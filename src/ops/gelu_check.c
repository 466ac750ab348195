#include "ops/activation_check.h"

static double value(const struct clv_node *node, double x)
{
    if (clv_activation_params(node)->approximate) /* sqrt(2 / pi) */
        return x / 2 * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
    return x / 2 * erfc(-x * sqrt(0.5));
}

static const struct clv_check_case cases[] = {
    CLV_ACTIVATION_CASES,
    {"tanh", "approximate=yes", {{3, 5, 7}}, .flags = CLV_CHECK_SMALL},
    {"tanh, large", "approximate=yes", {{3, 5, 7}}, .fill = CLV_CHECK_LARGE},
};

CLV_ACTIVATION_CHECK(gelu, value)
