/* Whether what a step wrote holds a number that is not finite: all bits of its exponent are set. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"

/* n samples, or as many as the batch has for 0. Sets flags[flag]; never clears it. */
KERNEL void check_finite(IN_STATE, MAP_IN(x), __global uint *restrict flags, ulong flags_off, uint flag, int n,
                         MAP_SIZES)
{
    AT(x);
    AT(flags);
    const map_range r = map_begin(n ? n : STATE->n, per_sample, chunk);
    VEC(uint) most = 0;
    for (ulong i = r.first; i < r.last; i += V)
        most = max(most, VEC_CAT(as_, VEC(uint))(LOADV(x, PLACE(i, x))) & 0x7fffffffu);
    uint lane[V], greatest = 0;
    PUTV(most, lane, 0);
    for (int i = 0; i < V; i++)
        greatest = max(greatest, lane[i]);
    if (greatest >= 0x7f800000u)
        atomic_or(flags + flag, 1u);
}
