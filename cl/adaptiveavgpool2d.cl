/* Means over windows that cut the image into oh x ow: window i of an axis is [floor(i in / out), ceil((i + 1) in /
 * out)), neighbours may share a pixel. Backward gathers. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

#define GEOMETRY int ih, int iw, int oh, int ow, int c, uint span
#define BEGIN(i, in, out) ((int)((long)(i) * (in) / (out)))
#define END(i, in, out) ((int)(((long)((i) + 1) * (in) + (out)-1) / (out)))

KERNEL void adaptiveavgpool2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, GEOMETRY)
{
    const cells s = cells_begin(oh, ow, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    x += pixel_at(s.sample, 0, 0, ih, iw, x_pitch);
    y += pixel_at(s.sample, s.y, 0, oh, ow, y_pitch);
    const int y0 = BEGIN(s.y, ih, oh), y1 = END(s.y, ih, oh);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const int x0 = BEGIN(k.x, iw, ow), x1 = END(k.x, iw, ow);
        realv sum = (realv)0.0f;
        for (int py = y0; py < y1; py++) {
            realv part = (realv)0.0f;
            for (int px = x0; px < x1; px++)
                part += LOADV(x, ((ulong)py * iw + px) * x_pitch + k.ch);
            sum += part;
        }
        STOREV(sum / (float)((y1 - y0) * (x1 - x0)), y, (ulong)k.x * y_pitch + k.ch);
    }
}

KERNEL void adaptiveavgpool2d_bwd(IN_STATE, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin(ih, iw, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    dy += pixel_at(s.sample, 0, 0, oh, ow, dy_pitch);
    dx += pixel_at(s.sample, s.y, 0, ih, iw, dx_pitch);
    /* The windows that hold a pixel are the pixels that a window of the other way round holds. */
    const int oy0 = BEGIN(s.y, oh, ih), oy1 = END(s.y, oh, ih);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv sum = (realv)0.0f;
        for (int oy = oy0; oy < oy1; oy++)
            for (int ox = BEGIN(k.x, ow, iw); ox < END(k.x, ow, iw); ox++) {
                const int rows = END(oy, ih, oh) - BEGIN(oy, ih, oh), columns = END(ox, iw, ow) - BEGIN(ox, iw, ow);
                sum += LOADV(dy, ((ulong)oy * ow + ox) * dy_pitch + k.ch) / (float)(rows * columns);
            }
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            sum += LOADV(dx, to);
        STOREV(sum, dx, to);
    }
}
