#include "ops/activation_check.h"

static double value(const struct clv_node *node, double x)
{
    return x < 0 ? clv_activation_params(node)->param * expm1(x) : x;
}

static const struct clv_check_case cases[] = {
    CLV_ACTIVATION_CASES,
    {"alpha", "alpha=0.5", {{3, 5, 7}}, .flags = CLV_CHECK_SMALL},
};

CLV_ACTIVATION_CHECK(elu, value)
