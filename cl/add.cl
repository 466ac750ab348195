/* Sum of two tensors, and -D ACT: the activation behind it (contract_epilogue.cl); the gradient goes to both
 * unchanged. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(realv, activate)
static DEFINE_ACT_GRADIENT(realv, act_gradient)

KERNEL void add_fwd(IN_STATE, MAP_IN(a), MAP_IN(b), MAP_OUT(y), MAP_SIZES)
{
    AT(a);
    AT(b);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V)
        STOREV(activate(LOADV(a, PLACE(i, a)) + LOADV(b, PLACE(i, b)), ACT == ACT_RELU ? 0.0f : -INFINITY), y,
               PLACE(i, y));
}

/* y is not touched without an activation. */
KERNEL void add_bwd(IN_STATE, MAP_IN(y), MAP_IN(dy), MAP_OUT(dx), int accumulate, MAP_SIZES)
{
    AT(y);
    AT(dy);
    AT(dx);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        realv g = LOADV(dy, PLACE(i, dy));
#if ACT != 0
        g = act_gradient(g, LOADV(y, PLACE(i, y)), ACT);
#endif
        if (accumulate)
            g += LOADV(dx, PLACE(i, dx));
        STOREV(g, dx, PLACE(i, dx));
    }
}
