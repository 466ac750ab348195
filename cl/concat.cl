/* A part of the channels from one tensor to another: the host points at where it begins. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"

KERNEL void concat_copy(IN_STATE, MAP_IN(x), MAP_OUT(y), int accumulate, MAP_SIZES)
{
    AT(x);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        realv v = LOADV(x, PLACE(i, x));
        if (accumulate)
            v += LOADV(y, PLACE(i, y));
        STOREV(v, y, PLACE(i, y));
    }
}
