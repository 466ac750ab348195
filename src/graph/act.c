/* The activations that are fused, on the host: for who computes beside a device. */
#include "graph/graph.h"

#include <math.h>

const char *const clv_act_names[CLV_ACTS] = {"linear", "relu",         "sigmoid",    "tanh", "relu6", "leaky_relu",
                                             "elu",    "hard_sigmoid", "hard_swish", "silu", "gelu"};

/* The options' defaults, as in cl/include/act.cl. */
static const double leaky_slope = 0.2, elu_alpha = 1;

double clv_act_value(enum clv_act act, double x)
{
    switch (act) {
    case CLV_ACT_RELU:
        return fmax(x, 0);
    case CLV_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case CLV_ACT_TANH:
        return tanh(x);
    case CLV_ACT_RELU6:
        return fmin(fmax(x, 0), 6);
    case CLV_ACT_LEAKY_RELU:
        return x < 0 ? leaky_slope * x : x;
    case CLV_ACT_ELU:
        return x < 0 ? elu_alpha * expm1(x) : x;
    case CLV_ACT_HARD_SIGMOID:
        return fmin(fmax(x + 3, 0), 6) / 6;
    case CLV_ACT_HARD_SWISH:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    case CLV_ACT_SILU:
        return x / (1 + exp(-x));
    case CLV_ACT_GELU:
        return x * erfc(-x * sqrt(0.5)) / 2;
    case CLV_ACT_LINEAR:
    case CLV_ACTS:
        break;
    }
    return x;
}

double clv_act_slope(enum clv_act act, double y)
{
    switch (act) {
    case CLV_ACT_RELU:
        return y > 0;
    case CLV_ACT_SIGMOID:
        return y * (1 - y);
    case CLV_ACT_TANH:
        return 1 - y * y;
    case CLV_ACT_RELU6:
        return y > 0 && y < 6;
    case CLV_ACT_LEAKY_RELU:
        return y > 0 ? 1 : leaky_slope;
    case CLV_ACT_ELU:
        return y > 0 ? 1 : y + elu_alpha;
    case CLV_ACT_HARD_SIGMOID:
        return y > 0 && y < 1 ? 1.0 / 6 : 0;
    default:
        return 1;
    }
}
