/* relu, sigmoid, tanh: -DACT=1, 2, 3 (enum clv_act). Backward works from the output. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"
#include "act.cl"

#if ACT == 1
#define APPLY(x) ACT_AT_LEAST(realv, x, 0.0f)
#define SLOPE(y, dy) ACT_RELU_GRADIENT(realv, dy, y)
#elif ACT == 2
#define APPLY(x) ACT_SIGMOID_OF(realv, x)
#define SLOPE(y, dy) ACT_SIGMOID_GRADIENT(realv, dy, y)
#else
#define APPLY(x) ACT_TANH_OF(realv, x)
#define SLOPE(y, dy) ACT_TANH_GRADIENT(realv, dy, y)
#endif

KERNEL void activation_fwd(IN_STATE, MAP_IN(x), MAP_OUT(y), MAP_SIZES)
{
    AT(x);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        const realv v = LOADV(x, PLACE(i, x));
        STOREV(APPLY(v), y, PLACE(i, y));
    }
}

KERNEL void activation_bwd(IN_STATE, MAP_IN(y), MAP_IN(dy), MAP_OUT(dx), int accumulate, MAP_SIZES)
{
    AT(y);
    AT(dy);
    AT(dx);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        const realv out = LOADV(y, PLACE(i, y)), d = LOADV(dy, PLACE(i, dy));
        realv g = SLOPE(out, d);
        if (accumulate)
            g += LOADV(dx, PLACE(i, dx));
        STOREV(g, dx, PLACE(i, dx));
    }
}
