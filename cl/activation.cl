/* The activations, -DACT: enum clv_act. Backward works from v: the output, or the input where the gradient needs
 * that (cl/include/act.cl). */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"
#include "act.cl"

KERNEL void activation_fwd(IN_STATE, MAP_IN(x), MAP_OUT(y), float param, MAP_SIZES)
{
    AT(x);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        const realv v = LOADV(x, PLACE(i, x));
        STOREV(ACT_OF(realv, v, param), y, PLACE(i, y));
    }
}

KERNEL void activation_bwd(IN_STATE, MAP_IN(v), MAP_IN(dy), MAP_OUT(dx), float param, int accumulate,
                           MAP_SIZES)
{
    AT(v);
    AT(dy);
    AT(dx);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        const realv at = LOADV(v, PLACE(i, v)), d = LOADV(dy, PLACE(i, dy));
        realv g = ACT_GRADIENT(realv, d, at, param);
        if (accumulate)
            g += LOADV(dx, PLACE(i, dx));
        STOREV(g, dx, PLACE(i, dx));
    }
}
