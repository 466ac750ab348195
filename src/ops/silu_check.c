#include "ops/activation_check.h"

static double value(const struct clv_node *node, double x)
{
    (void)node;
    return x / (1 + exp(-x));
}

static const struct clv_check_case cases[] = {
    CLV_ACTIVATION_CASES,
};

CLV_ACTIVATION_CHECK(silu, value)
