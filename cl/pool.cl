/* Max and average pooling over NHWC. -DKH -DKW -DSH -DSW: window and strides; -DPAD: windows may reach over
 * the edge by `top` and `left`; -DCOUNT_PADDING: the average takes what lies there for zeros; -DMASK: type of the saved argmax (y * KW + x inside the window).
 * Backward gathers: each input element is written once, whatever overlaps. Where windows neither overlap nor
 * reach over an edge (DISJOINT), it goes by windows instead and reads every output once. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

#define GEOMETRY int ih, int iw, int oh, int ow, int c, int top, int left, uint span

/* The part of an output's window that lies inside the image: rows [y0, y1), columns [x0, x1). */
typedef struct { int y0, y1, x0, x1; } window;
static inline window window_of(int oy, int ox, int ih, int iw, int top, int left)
{
    window w;
#ifdef PAD
    w.y0 = max(oy * SH - top, 0);
    w.x0 = max(ox * SW - left, 0);
    w.y1 = min(oy * SH - top + KH, ih);
    w.x1 = min(ox * SW - left + KW, iw);
#else
    w.y0 = oy * SH;
    w.x0 = ox * SW;
    w.y1 = w.y0 + KH;
    w.x1 = w.x0 + KW;
#endif
    return w;
}
/* First and last output whose window of k with stride s holds input position i (padding added). */
static inline int first_output(int i, int k, int s) { return max(i - k + s, 0) / s; }
static inline int last_output(int i, int s, int count) { return min(i / s, count - 1); }

#ifdef MASK
#define MASK_IN __global const MASK *restrict mask, ulong mask_off,
KERNEL void maxpool2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, __global MASK *restrict mask,
                          ulong mask_off, int save, GEOMETRY)
{
    const cells s = cells_begin(oh, ow, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    AT(mask);
    x += pixel_at(s.sample, 0, 0, ih, iw, x_pitch);
    y += pixel_at(s.sample, s.y, 0, oh, ow, y_pitch);
    mask += pixel_at(s.sample, s.y, 0, oh, ow, c);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const window w = window_of(s.y, k.x, ih, iw, top, left);
        realv best = LOADV(x, ((ulong)w.y0 * iw + w.x0) * x_pitch + k.ch);
#ifdef PAD
        const int y_first = s.y * SH - top, x_first = k.x * SW - left;
#else
        const int y_first = w.y0, x_first = w.x0;
#endif
        intv arg = (intv)((w.y0 - y_first) * KW + w.x0 - x_first);
        for (int py = w.y0; py < w.y1; py++)
            for (int px = w.x0; px < w.x1; px++) {
                const realv v = LOADV(x, ((ulong)py * iw + px) * x_pitch + k.ch);
                const intv take = (v > best) | (v != v); /* a NaN stays */
                best = select(best, v, take);
                arg = select(arg, (intv)((py - y_first) * KW + px - x_first), take);
            }
        STOREV(best, y, (ulong)k.x * y_pitch + k.ch);
        if (save)
            PUTV(CONVERTV(MASK)(arg), mask, (ulong)k.x * c + k.ch);
    }
}

#ifndef DISJOINT
KERNEL void maxpool2d_bwd(IN_STATE, MASK_IN IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin(ih, iw, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    AT(mask);
    dy += pixel_at(s.sample, 0, 0, oh, ow, dy_pitch);
    mask += pixel_at(s.sample, 0, 0, oh, ow, c);
    dx += pixel_at(s.sample, s.y, 0, ih, iw, dx_pitch);
    const int oy0 = first_output(s.y + top, KH, SH), oy1 = last_output(s.y + top, SH, oh);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const int ox0 = first_output(k.x + left, KW, SW), ox1 = last_output(k.x + left, SW, ow);
        realv sum = (realv)0.0f;
        for (int oy = oy0; oy <= oy1; oy++)
            for (int ox = ox0; ox <= ox1; ox++) {
                const int mine = (s.y + top - oy * SH) * KW + k.x + left - ox * SW;
                const ulong o = (ulong)oy * ow + ox;
                const intv hit = CONVERTV(int)(GETV(mask, o * c + k.ch)) == (intv)mine;
                sum += select((realv)0.0f, LOADV(dy, o * dy_pitch + k.ch), hit);
            }
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            sum += LOADV(dx, to);
        STOREV(sum, dx, to);
    }
}
#endif
#else
#define MASK_IN

static inline float share(window w)
{
#ifdef COUNT_PADDING
    return 1.0f / (KH * KW);
#endif
    return 1.0f / (float)((w.y1 - w.y0) * (w.x1 - w.x0));
}

KERNEL void avgpool2d_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, GEOMETRY)
{
    const cells s = cells_begin(oh, ow, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    x += pixel_at(s.sample, 0, 0, ih, iw, x_pitch);
    y += pixel_at(s.sample, s.y, 0, oh, ow, y_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const window w = window_of(s.y, k.x, ih, iw, top, left);
        realv sum = (realv)0.0f;
        for (int py = w.y0; py < w.y1; py++)
            for (int px = w.x0; px < w.x1; px++)
                sum += LOADV(x, ((ulong)py * iw + px) * x_pitch + k.ch);
        STOREV(sum * share(w), y, (ulong)k.x * y_pitch + k.ch);
    }
}

#ifndef DISJOINT
KERNEL void avgpool2d_bwd(IN_STATE, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin(ih, iw, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    dy += pixel_at(s.sample, 0, 0, oh, ow, dy_pitch);
    dx += pixel_at(s.sample, s.y, 0, ih, iw, dx_pitch);
    const int oy0 = first_output(s.y + top, KH, SH), oy1 = last_output(s.y + top, SH, oh);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const int ox0 = first_output(k.x + left, KW, SW), ox1 = last_output(k.x + left, SW, ow);
        realv sum = (realv)0.0f;
        for (int oy = oy0; oy <= oy1; oy++)
            for (int ox = ox0; ox <= ox1; ox++)
                sum += LOADV(dy, ((ulong)oy * ow + ox) * dy_pitch + k.ch) *
                       share(window_of(oy, ox, ih, iw, top, left));
        const ulong to = (ulong)k.x * dx_pitch + k.ch;
        if (accumulate)
            sum += LOADV(dx, to);
        STOREV(sum, dx, to);
    }
}
#endif
#endif

#ifdef DISJOINT
/* A cell is a window with the pixels up to the next one; those outside of every window get 0. */
#ifdef MASK
KERNEL void maxpool2d_bwd(
#else
KERNEL void avgpool2d_bwd(
#endif
    IN_STATE, MASK_IN IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch, int accumulate, GEOMETRY)
{
    const cells s = cells_begin((ih + SH - 1) / SH, (iw + SW - 1) / SW, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(dy);
    AT(dx);
    dy += pixel_at(s.sample, s.y, 0, oh, ow, dy_pitch);
#ifdef MASK
    AT(mask);
    mask += pixel_at(s.sample, s.y, 0, oh, ow, c);
#endif
    dx += pixel_at(s.sample, s.y * SH, 0, ih, iw, dx_pitch);
    const int rows = min(SH, ih - s.y * SH);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const bool pooled = s.y < oh && k.x < ow;
        const int columns = min(SW, iw - k.x * SW);
        const realv g = pooled ? LOADV(dy, (ulong)k.x * dy_pitch + k.ch) : (realv)0.0f;
#ifdef MASK
        const intv arg = pooled ? CONVERTV(int)(GETV(mask, (ulong)k.x * c + k.ch)) : (intv)-1;
#endif
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < columns; x++) {
#ifdef MASK
                const int mine = y < KH && x < KW ? y * KW + x : -2;
                realv v = select((realv)0.0f, g, arg == (intv)mine);
#else
                realv v = y < KH && x < KW ? g * (1.0f / (KH * KW)) : (realv)0.0f;
#endif
                const ulong to = ((ulong)y * iw + k.x * SW + x) * dx_pitch + k.ch;
                if (accumulate)
                    v += LOADV(dx, to);
                STOREV(v, dx, to);
            }
    }
}
#endif
