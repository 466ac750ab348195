/* Upsampling by whole factors fh x fw. -DBILINEAR: between the centres of the input's pixels, which lie half a pixel
 * inside its edges; beyond the outermost centres their values hold (Keras; PyTorch's align_corners=False). Backward
 * gathers: each input pixel sums up the outputs that it is part of. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

#define GEOMETRY int ih, int iw, int oh, int ow, int c, int fh, int fw, uint span

/* Where output o of an axis reads, in input pixels. */
static inline float place_of(int o, int factor, int in)
{
    return clamp(((float)o + 0.5f) / (float)factor - 0.5f, 0.0f, (float)(in - 1));
}
/* The share of input i in it. */
static inline float share_of(int o, int i, int factor, int in)
{
    return max(0.0f, 1.0f - fabs(place_of(o, factor, in) - (float)i));
}

KERNEL void upsampling2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, GEOMETRY)
{
    const cells s = cells_begin(oh, ow, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    y += pixel_at(s.sample, s.y, 0, oh, ow, y_pitch);
    cell k = s.first;
#ifdef BILINEAR
    const float at_y = place_of(s.y, fh, ih);
    const int y0 = (int)at_y, y1 = min(y0 + 1, ih - 1);
    const float below = at_y - (float)y0;
    __global const real *upper = x + pixel_at(s.sample, y0, 0, ih, iw, x_pitch);
    __global const real *lower = x + pixel_at(s.sample, y1, 0, ih, iw, x_pitch);
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const float at_x = place_of(k.x, fw, iw);
        const int x0 = (int)at_x, x1 = min(x0 + 1, iw - 1);
        const float right = at_x - (float)x0;
        const ulong p0 = (ulong)x0 * x_pitch + k.ch, p1 = (ulong)x1 * x_pitch + k.ch;
        const realv up = LOADV(upper, p0) * (1.0f - right) + LOADV(upper, p1) * right;
        const realv low = LOADV(lower, p0) * (1.0f - right) + LOADV(lower, p1) * right;
        STOREV(up * (1.0f - below) + low * below, y, (ulong)k.x * y_pitch + k.ch);
    }
#else
    x += pixel_at(s.sample, s.y / fh, 0, ih, iw, x_pitch);
    for (uint i = s.count; i > 0; i--, cell_next(&k, c))
        STOREV(LOADV(x, (ulong)(k.x / fw) * x_pitch + k.ch), y, (ulong)k.x * y_pitch + k.ch);
#endif
}

KERNEL void upsampling2d_bwd(IN_STATE, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin(ih, iw, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    dx += pixel_at(s.sample, s.y, 0, ih, iw, dx_pitch);
    cell k = s.first;
#ifdef BILINEAR
#define FIRST(i, f) max(((i)-1) * (f), 0)
#define LAST(i, f, out) min(((i) + 2) * (f), out)
#define SHARE(o, i, f, in) share_of(o, i, f, in)
#else
#define FIRST(i, f) ((i) * (f))
#define LAST(i, f, out) (((i) + 1) * (f))
#define SHARE(o, i, f, in) 1.0f
#endif
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv sum = (realv)0.0f;
        for (int oy = FIRST(s.y, fh); oy < LAST(s.y, fh, oh); oy++) {
            __global const real *row = dy + pixel_at(s.sample, oy, 0, oh, ow, dy_pitch);
            realv part = (realv)0.0f;
            for (int ox = FIRST(k.x, fw); ox < LAST(k.x, fw, ow); ox++)
                part += LOADV(row, (ulong)ox * dy_pitch + k.ch) * SHARE(ox, k.x, fw, iw);
            sum += part * SHARE(oy, s.y, fh, ih);
        }
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            sum += LOADV(dx, to);
        STOREV(sum, dx, to);
    }
}
