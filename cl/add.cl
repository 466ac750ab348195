/* Sum of two tensors; the gradient goes to both unchanged. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"

KERNEL void add_fwd(IN_STATE, MAP_IN(a), MAP_IN(b), MAP_OUT(y), MAP_SIZES)
{
    AT(a);
    AT(b);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V)
        STOREV(LOADV(a, PLACE(i, a)) + LOADV(b, PLACE(i, b)), y, PLACE(i, y));
}

KERNEL void add_bwd(IN_STATE, MAP_IN(dy), MAP_OUT(dx), int accumulate, MAP_SIZES)
{
    AT(dy);
    AT(dx);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        realv g = LOADV(dy, PLACE(i, dy));
        if (accumulate)
            g += LOADV(dx, PLACE(i, dx));
        STOREV(g, dx, PLACE(i, dx));
    }
}
