/* The activations and their gradients, once for the activation ops and for those fused into a
 * contraction; type is a float or a vector of floats, and arguments are plain variables. Numbers as enum clv_act. A
 * NaN passes through both ways (fmax would drop it), so that a diverged network is seen in its loss. */
enum {
    ACT_LINEAR,
    ACT_RELU,
    ACT_SIGMOID,
    ACT_TANH,
    ACT_RELU6,
    ACT_LEAKY_RELU,
    ACT_ELU,
    ACT_HARD_SIGMOID,
    ACT_HARD_SWISH, /* from here on gradients need the input */
    ACT_SILU,
    ACT_GELU,
};
/* The options' defaults; with others an activation is not fused. */
#define ACT_LEAKY_RELU_SLOPE 0.2f
#define ACT_ELU_ALPHA 1.0f
#define ACT_AT_LEAST(type, x, bound) ((x) < (type)(bound) ? (type)(bound) : (x))
#define ACT_AT_MOST(type, x, bound) ((x) > (type)(bound) ? (type)(bound) : (x))
#define ACT_SIGMOID_OF(type, x) ((type)(1.0f) / ((type)(1.0f) + exp(-(x))))
#define ACT_TANH_OF(type, x) tanh(x)
#define ACT_RELU6_OF(type, x) ((x) < (type)(0.0f) ? (type)(0.0f) : ACT_AT_MOST(type, x, 6.0f))
#define ACT_LEAKY_RELU_OF(type, x, slope) ((x) < (type)(0.0f) ? (x) * (type)(slope) : (x))
#define ACT_ELU_OF(type, x, alpha) ((x) < (type)(0.0f) ? (type)(alpha) * expm1(x) : (x))
#define ACT_HARD_SIGMOID_OF(type, x)                                                               \
    ((x) <= (type)(-3.0f)  ? (type)(0.0f)                                                          \
     : (x) >= (type)(3.0f) ? (type)(1.0f)                                                          \
                           : ((x) + (type)(3.0f)) * (type)(1.0f / 6.0f))
#define ACT_HARD_SWISH_OF(type, x) ((x) * ACT_HARD_SIGMOID_OF(type, x))
#define ACT_SILU_OF(type, x) ((x) / ((type)(1.0f) + exp(-(x))))
/* The share of a normal distribution below x; the tanh form's is a logistic one (Hendrycks and Gimpel, 2016). */
#define ACT_NORMAL(type, x) ((type)(0.5f) + (type)(0.5f) * erf((x) * (type)(M_SQRT1_2_F)))
#define ACT_LOGIT(type, x)                                                                         \
    ((x) * ((type)(1.5957691f) + (x) * (x) * (type)(1.5957691f * 0.044715f)))
#define ACT_GELU_OF(type, x) ((x) * ACT_NORMAL(type, x))
#define ACT_GELU_TANH_OF(type, x) ((x) / ((type)(1.0f) + exp(-ACT_LOGIT(type, x))))
/* dy * act'(x) from y = act(x). */
#define ACT_RELU_GRADIENT(type, dy, y) ((y) <= (type)(0.0f) ? (type)(0.0f) : (dy))
#define ACT_SIGMOID_GRADIENT(type, dy, y) ((dy) * (y) * ((type)(1.0f) - (y)))
#define ACT_TANH_GRADIENT(type, dy, y) ((dy) * ((type)(1.0f) - (y) * (y)))
#define ACT_RELU6_GRADIENT(type, dy, y)                                                            \
    ((y) <= (type)(0.0f) ? (type)(0.0f) : (y) >= (type)(6.0f) ? (type)(0.0f) : (dy))
#define ACT_LEAKY_RELU_GRADIENT(type, dy, y, slope)                                                \
    ((y) <= (type)(0.0f) ? (dy) * (type)(slope) : (dy))
#define ACT_ELU_GRADIENT(type, dy, y, alpha)                                                       \
    ((y) <= (type)(0.0f) ? (dy) * ((y) + (type)(alpha)) : (dy))
#define ACT_HARD_SIGMOID_GRADIENT(type, dy, y)                                                     \
    ((y) <= (type)(0.0f)   ? (type)(0.0f)                                                          \
     : (y) >= (type)(1.0f) ? (type)(0.0f)                                                          \
                           : (dy) * (type)(1.0f / 6.0f))
/* dy * act'(x) from x. */
#define ACT_HARD_SWISH_GRADIENT(type, dy, x)                                                       \
    ((x) <= (type)(-3.0f)  ? (type)(0.0f)                                                          \
     : (x) >= (type)(3.0f) ? (dy)                                                                  \
                           : (dy) * ((x) * (type)(1.0f / 3.0f) + (type)(0.5f)))
/* s = the share, s' = the share's slope: (x s)' = s + x s'. */
#define ACT_SHARE_GRADIENT(type, dy, x, share, slope) ((dy) * ((share) + (x) * (slope)))
#define ACT_SILU_GRADIENT(type, dy, x)                                                             \
    ACT_SHARE_GRADIENT(type, dy, x, ACT_SIGMOID_OF(type, x),                                       \
                       ACT_SIGMOID_OF(type, x) * ((type)(1.0f) - ACT_SIGMOID_OF(type, x)))
#define ACT_GELU_GRADIENT(type, dy, x)                                                             \
    ACT_SHARE_GRADIENT(type, dy, x, ACT_NORMAL(type, x),                                           \
                       (type)(0.39894228f) * exp((x) * (x) * (type)(-0.5f)))
#define ACT_GELU_TANH_GRADIENT(type, dy, x)                                                        \
    ACT_SHARE_GRADIENT(                                                                            \
        type, dy, x, ACT_SIGMOID_OF(type, ACT_LOGIT(type, x)),                                     \
        ACT_SIGMOID_OF(type, ACT_LOGIT(type, x)) *                                                 \
            ((type)(1.0f) - ACT_SIGMOID_OF(type, ACT_LOGIT(type, x))) *                            \
            ((type)(1.5957691f) + (x) * (x) * (type)(3.0f * 1.5957691f * 0.044715f)))

/* -D ACT: one of them with code of its own. ACT_OF(type, x, param); ACT_GRADIENT(type, dy, v, param), v being y or,
 * from hard_swish on, x. param: leaky_relu's slope, elu's alpha. */
#ifndef ACT
#define ACT 0
#endif
#if ACT == 1
#define ACT_OF(type, x, param) ACT_AT_LEAST(type, x, 0.0f)
#define ACT_GRADIENT(type, dy, v, param) ACT_RELU_GRADIENT(type, dy, v)
#elif ACT == 2
#define ACT_OF(type, x, param) ACT_SIGMOID_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_SIGMOID_GRADIENT(type, dy, v)
#elif ACT == 3
#define ACT_OF(type, x, param) ACT_TANH_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_TANH_GRADIENT(type, dy, v)
#elif ACT == 4
#define ACT_OF(type, x, param) ACT_RELU6_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_RELU6_GRADIENT(type, dy, v)
#elif ACT == 5
#define ACT_PARAM ACT_LEAKY_RELU_SLOPE
#define ACT_OF(type, x, param) ACT_LEAKY_RELU_OF(type, x, param)
#define ACT_GRADIENT(type, dy, v, param) ACT_LEAKY_RELU_GRADIENT(type, dy, v, param)
#elif ACT == 6
#define ACT_PARAM ACT_ELU_ALPHA
#define ACT_OF(type, x, param) ACT_ELU_OF(type, x, param)
#define ACT_GRADIENT(type, dy, v, param) ACT_ELU_GRADIENT(type, dy, v, param)
#elif ACT == 7
#define ACT_OF(type, x, param) ACT_HARD_SIGMOID_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_HARD_SIGMOID_GRADIENT(type, dy, v)
#elif ACT == 8
#define ACT_OF(type, x, param) ACT_HARD_SWISH_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_HARD_SWISH_GRADIENT(type, dy, v)
#elif ACT == 9
#define ACT_OF(type, x, param) ACT_SILU_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_SILU_GRADIENT(type, dy, v)
#elif ACT == 10 && defined(APPROXIMATE)
#define ACT_OF(type, x, param) ACT_GELU_TANH_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_GELU_TANH_GRADIENT(type, dy, v)
#elif ACT == 10
#define ACT_OF(type, x, param) ACT_GELU_OF(type, x)
#define ACT_GRADIENT(type, dy, v, param) ACT_GELU_GRADIENT(type, dy, v)
#else
#define ACT_OF(type, x, param) (x)
#define ACT_GRADIENT(type, dy, v, param) (dy)
#endif
#ifndef ACT_PARAM
#define ACT_PARAM 0.0f
#endif
