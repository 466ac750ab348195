/* The activations and their gradients, once for the activation ops and for those fused into a
 * contraction; type is a float or a vector of floats. Numbers as enum clv_act. A NaN passes through both
 * ways (fmax would drop it), so that a diverged network is seen in its loss. */
enum { ACT_LINEAR, ACT_RELU, ACT_SIGMOID, ACT_TANH };
#define ACT_AT_LEAST(type, x, bound) ((x) < (type)(bound) ? (type)(bound) : (x))
#define ACT_SIGMOID_OF(type, x) ((type)(1.0f) / ((type)(1.0f) + exp(-(x))))
#define ACT_TANH_OF(type, x) tanh(x)
/* dy * act'(x) from y = act(x). */
#define ACT_RELU_GRADIENT(type, dy, y) ((y) <= (type)(0.0f) ? (type)(0.0f) : (dy))
#define ACT_SIGMOID_GRADIENT(type, dy, y) ((dy) * (y) * ((type)(1.0f) - (y)))
#define ACT_TANH_GRADIENT(type, dy, y) ((dy) * ((type)(1.0f) - (y) * (y)))
