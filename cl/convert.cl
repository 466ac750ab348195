/* Between activations in 16 bits and those of the nodes that stay in float. Tensors come as in map.cl. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "map.cl"

KERNEL void convert_to_f32(IN_STATE, MAP_IN(x), OUT_F32(y), uint y_pitch, int accumulate, MAP_SIZES)
{
    AT(x);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        realv v = LOADV(x, PLACE(i, x));
        if (accumulate)
            v += GETV(y, PLACE(i, y));
        PUTV(v, y, PLACE(i, y));
    }
}

KERNEL void convert_from_f32(IN_STATE, IN_F32(x), uint x_pitch, MAP_OUT(y), int accumulate, MAP_SIZES)
{
    AT(x);
    AT(y);
    const map_range r = map_begin(STATE->n, per_sample, chunk);
    for (ulong i = r.first; i < r.last; i += V) {
        realv v = GETV(x, PLACE(i, x));
        if (accumulate)
            v += LOADV(y, PLACE(i, y));
        STOREV(v, y, PLACE(i, y));
    }
}
