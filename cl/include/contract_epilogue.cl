/* Epilogue: bias is where accumulation starts; then what is already there is added, then the
 * activation. Numbers as enum clv_act. ReLU and linear are one program (a lower bound, minus infinity
 * for linear); -D ACT=2 (sigmoid) and 3 (tanh) bring their own code. NaN passes through. */
#ifndef ACT
#define ACT 0
#endif
enum { ACT_LINEAR, ACT_RELU, ACT_SIGMOID, ACT_TANH };
enum { FLAG_ACCUMULATE = 1, FLAG_RELU = 2 };
#define FLOOR_OF(flags) ((flags) & FLAG_RELU ? 0.0f : -INFINITY)

#define DEFINE_ACTIVATE(type, name)                                                                \
    type name(type v, float floor_)                                                                \
    {                                                                                              \
        ACTIVATE_BODY(type)                                                                        \
    }
#if ACT == 2
#define ACTIVATE_BODY(type) return (type)(1.0f) / ((type)(1.0f) + exp(-v));
#elif ACT == 3
#define ACTIVATE_BODY(type) return tanh(v);
#else
#define ACTIVATE_BODY(type) return v < (type)(floor_) ? (type)(floor_) : v;
#endif

/* dz = dy * act'(y) from the activation's output. act is an argument: no branch costs anything
 * beside the loads. */
#define DEFINE_ACT_GRADIENT(type, name)                                                            \
    type name(type dy, type y, int act)                                                            \
    {                                                                                              \
        if (act == ACT_RELU)                                                                       \
            return y > (type)(0.0f) ? dy : (type)(0.0f);                                           \
        if (act == ACT_SIGMOID)                                                                    \
            return dy * y * ((type)(1.0f) - y);                                                    \
        if (act == ACT_TANH)                                                                       \
            return dy * ((type)(1.0f) - y * y);                                                    \
        return dy;                                                                                 \
    }
