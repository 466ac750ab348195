/* What a transposed convolution does beside its products: the gradients of its bias, -D BIAS, and its activation, -D ACT
 * (act.cl). A work-item takes one vector of channels over one slice of the batch's pixels. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "act.cl"
#include "norm_slice.cl"

/* dy = dy * act'(y) in place, where there is an activation; with BIAS part[slice][c] = the slice's sums of it. */
KERNEL void conv2dtranspose_end_gradient(IN_STATE, OUT(dy), uint dy_pitch, IN(y), uint y_pitch, OUT_F32(part), SLICES)
{
    const norm_slice s = norm_begin(STATE->n, per_sample, whole, slices, span, c);
    if (s.count <= 0)
        return;
    AT(dy);
    AT(y);
    AT(part);
    dy += s.first * dy_pitch + s.ch;
    y += s.first * y_pitch + s.ch;
    realv sum = (realv)0.0f;
    for (int i = 0; i < s.count; i++) {
        realv g = LOADV(dy, (ulong)i * dy_pitch);
#if ACT > 0
        g = ACT_GRADIENT(realv, g, LOADV(y, (ulong)i * y_pitch), ACT_PARAM);
        STOREV(g, dy, (ulong)i * dy_pitch);
#endif
        sum += g;
    }
#ifdef BIAS
    PUTV(sum, part, s.slice * c + s.ch);
#endif
}

/* db[c] = the slices' sums, in their order. A work-item has V channels. */
KERNEL void conv2dtranspose_bias(IN_STATE, IN_F32(part), OUT_F32(db), int per_sample, int span, int c)
{
    const int ch = (int)get_global_id(0) * V, pixels = STATE->n * per_sample;
    if (ch >= c)
        return;
    AT(part);
    AT(db);
    realv sum = (realv)0.0f;
    for (int i = 0; i * span < pixels; i++)
        sum += GETV(part, (ulong)i * c + ch);
    PUTV(sum, db, ch);
}
