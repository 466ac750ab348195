/* Greatest value over all pixels of a sample, and which pixel it was: of equal ones the first; a NaN stays. Forward:
 * a work-item owns V channels of one sample. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

KERNEL void globalmaxpool2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, __global int *restrict mask,
                                ulong mask_off, int save, int h, int w, int c, uint span)
{
    const cells s = cells_begin(1, 1, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    AT(mask);
    x += pixel_at(s.sample, 0, 0, h, w, x_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv best = LOADV(x, (ulong)k.ch);
        intv arg = (intv)0;
        for (int p = 1; p < h * w; p++) {
            const realv v = LOADV(x, (ulong)p * x_pitch + k.ch);
            const intv take = (v > best) | (v != v);
            best = select(best, v, take);
            arg = select(arg, (intv)p, take);
        }
        STOREV(best, y, (ulong)s.sample * y_pitch + k.ch);
        if (save)
            PUTV(arg, mask, (ulong)s.sample * c + k.ch);
    }
}

KERNEL void globalmaxpool2d_bwd(IN_STATE, __global const int *restrict mask, ulong mask_off, IN(dy), uint dy_pitch,
                                OUT(dx), uint dx_pitch, int accumulate, int h, int w, int c, uint span)
{
    const cells s = cells_begin(h, w, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    AT(mask);
    dx += pixel_at(s.sample, s.y, 0, h, w, dx_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const intv hit = GETV(mask, (ulong)s.sample * c + k.ch) == (intv)(s.y * w + k.x);
        realv g = select((realv)0.0f, LOADV(dy, (ulong)s.sample * dy_pitch + k.ch), hit);
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            g += LOADV(dx, to);
        STOREV(g, dx, to);
    }
}
