/* Epilogue: bias is where accumulation starts; then what is already there is added, then the
 * activation. ReLU and linear are one program (a lower bound, minus infinity for linear); the others
 * (-D ACT, enum clv_act) bring their own code. */
#include "act.cl"
enum { FLAG_ACCUMULATE = 1, FLAG_RELU = 2, FLAG_SAVE = 4 /* a fused pool's mask */ };
#define FLOOR_OF(flags) ((flags) & FLAG_RELU ? 0.0f : -INFINITY)

#define DEFINE_ACTIVATE(type, name)                                                                \
    type name(type v, float floor_)                                                                \
    {                                                                                              \
        ACTIVATE_BODY(type)                                                                        \
    }
#if ACT > 1
#define ACTIVATE_BODY(type) return ACT_OF(type, v, ACT_PARAM);
#else
#define ACTIVATE_BODY(type) return ACT_AT_LEAST(type, v, floor_);
#endif

/* dz = dy * act'(y) from the activation's output. act is an argument: no branch costs anything
 * beside the loads. */
#define DEFINE_ACT_GRADIENT(type, name)                                                            \
    type name(type dy, type y, int act)                                                            \
    {                                                                                              \
        if (act == ACT_RELU)                                                                       \
            return ACT_RELU_GRADIENT(type, dy, y);                                                 \
        if (act == ACT_SIGMOID)                                                                    \
            return ACT_SIGMOID_GRADIENT(type, dy, y);                                              \
        if (act == ACT_TANH)                                                                       \
            return ACT_TANH_GRADIENT(type, dy, y);                                                 \
        if (act == ACT_RELU6)                                                                      \
            return ACT_RELU6_GRADIENT(type, dy, y);                                                \
        if (act == ACT_LEAKY_RELU)                                                                 \
            return ACT_LEAKY_RELU_GRADIENT(type, dy, y, ACT_LEAKY_RELU_SLOPE);                     \
        if (act == ACT_ELU)                                                                        \
            return ACT_ELU_GRADIENT(type, dy, y, ACT_ELU_ALPHA);                                   \
        if (act == ACT_HARD_SIGMOID)                                                               \
            return ACT_HARD_SIGMOID_GRADIENT(type, dy, y);                                         \
        return dy;                                                                                 \
    }
