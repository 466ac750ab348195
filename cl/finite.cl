/* Whether what a step wrote holds a number beyond a bound: `most` is the greatest one's bits without its sign. A NaN
 * and what is infinite is beyond any. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"

/* n samples, or as many as the batch has for 0. Sets flags[flag]; never clears it. */
KERNEL void check_finite(IN_STATE, MAP_IN(x), __global uint *restrict flags, ulong flags_off, uint flag, uint most,
                         int n, MAP_SIZES)
{
    AT(x);
    AT(flags);
    const map_range r = map_begin(n ? n : STATE->n, per_sample, chunk);
    VEC(uint) seen = 0;
    for (ulong i = r.first; i < r.last; i += V)
        seen = max(seen, VEC_CAT(as_, VEC(uint))(LOADV(x, PLACE(i, x))) & 0x7fffffffu);
    uint lane[V], greatest = 0;
    PUTV(seen, lane, 0);
    for (int i = 0; i < V; i++)
        greatest = max(greatest, lane[i]);
    if (greatest > most)
        atomic_or(flags + flag, 1u);
}
