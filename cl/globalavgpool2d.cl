/* Mean over all pixels of a sample. Forward: a work-item owns V channels of one sample and adds up row by
 * row, then the rows, which keeps float's error small in large images. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

KERNEL void globalavgpool2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, int h, int w, int c,
                                uint span)
{
    const cells s = cells_begin(1, 1, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    const float share = 1.0f / ((float)h * (float)w);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv sum = (realv)0.0f;
        for (int py = 0; py < h; py++) {
            const ulong row = pixel_at(s.sample, py, 0, h, w, x_pitch) + k.ch;
            realv part = (realv)0.0f;
            for (int px = 0; px < w; px++)
                part += LOADV(x, row + (ulong)px * x_pitch);
            sum += part;
        }
        STOREV(sum * share, y, (ulong)s.sample * y_pitch + k.ch);
    }
}

KERNEL void globalavgpool2d_bwd(IN_STATE, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, int h,
                                int w, int c, uint span)
{
    const cells s = cells_begin(h, w, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    const float share = 1.0f / ((float)h * (float)w);
    dx += pixel_at(s.sample, s.y, 0, h, w, dx_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv g = LOADV(dy, (ulong)s.sample * dy_pitch + k.ch) * share;
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            g += LOADV(dx, to);
        STOREV(g, dx, to);
    }
}
