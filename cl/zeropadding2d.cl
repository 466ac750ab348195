/* Zeros around an image, and backward what lies inside of them. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

#define GEOMETRY int ih, int iw, int oh, int ow, int c, int top, int left, uint span

KERNEL void zeropadding2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, GEOMETRY)
{
    const cells s = cells_begin(oh, ow, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    const int iy = s.y - top;
    y += pixel_at(s.sample, s.y, 0, oh, ow, y_pitch);
    x += pixel_at(s.sample, clamp(iy, 0, ih - 1), 0, ih, iw, x_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const int ix = k.x - left;
        const bool inside = iy >= 0 && iy < ih && ix >= 0 && ix < iw;
        const realv v = inside ? LOADV(x, (ulong)ix * x_pitch + k.ch) : (realv)0.0f;
        STOREV(v, y, (ulong)k.x * y_pitch + k.ch);
    }
}

KERNEL void zeropadding2d_bwd(IN_STATE, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin(ih, iw, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    dy += pixel_at(s.sample, s.y + top, left, oh, ow, dy_pitch);
    dx += pixel_at(s.sample, s.y, 0, ih, iw, dx_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv g = LOADV(dy, (ulong)k.x * dy_pitch + k.ch);
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            g += LOADV(dx, to);
        STOREV(g, dx, to);
    }
}
