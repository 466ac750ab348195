/* Product of two tensors. -DBROADCAST: b has one pixel a sample, which every pixel of a takes. The gradient of a is
 * the product of dy and b; that of b, where it is broadcast, a sum over all pixels: a work-item owns V channels of one
 * sample and adds up row by row, then the rows. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

KERNEL void multiply(IN_STATE, IN(a), uint a_pitch, IN(b), uint b_pitch, OUT(y), uint y_pitch, int accumulate, int h,
                     int w, int c, uint span)
{
    const cells s = cells_begin(h, w, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(a);
    AT(b);
    AT(y);
    a += pixel_at(s.sample, s.y, 0, h, w, a_pitch);
    y += pixel_at(s.sample, s.y, 0, h, w, y_pitch);
#ifdef BROADCAST
    b += (ulong)s.sample * b_pitch;
#define B_AT(k) ((k).ch)
#else
    b += pixel_at(s.sample, s.y, 0, h, w, b_pitch);
#define B_AT(k) ((ulong)(k).x * b_pitch + (k).ch)
#endif
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv v = LOADV(a, (ulong)k.x * a_pitch + k.ch) * LOADV(b, B_AT(k));
        const ulong to = (ulong)k.x * y_pitch + k.ch;
        if (accumulate)
            v += LOADV(y, to);
        STOREV(v, y, to);
    }
}

KERNEL void multiply_sum(IN_STATE, IN(a), uint a_pitch, IN(dy), uint dy_pitch, OUT(db), uint db_pitch, int accumulate,
                         int h, int w, int c, uint span)
{
    const cells s = cells_begin(1, 1, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(a);
    AT(dy);
    AT(db);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv sum = (realv)0.0f;
        for (int py = 0; py < h; py++) {
            const ulong of_a = pixel_at(s.sample, py, 0, h, w, a_pitch) + k.ch;
            const ulong of_dy = pixel_at(s.sample, py, 0, h, w, dy_pitch) + k.ch;
            realv part = (realv)0.0f;
            for (int px = 0; px < w; px++)
                part += LOADV(a, of_a + (ulong)px * a_pitch) * LOADV(dy, of_dy + (ulong)px * dy_pitch);
            sum += part;
        }
        const ulong to = (ulong)s.sample * db_pitch + k.ch;
        if (accumulate)
            sum += LOADV(db, to);
        STOREV(sum, db, to);
    }
}
