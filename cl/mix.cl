/* mixup and CutMix, in place behind sampling: what becomes of the batch is defined at struct clv_mix in
 * src/base/sample.h. A work-item takes `span` pixels of one row of a pair of samples. */
#define V 1
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

/* n numbers of both samples, which follow each other. */
static void mix_numbers(__global real *a, __global real *b, int n, float keep)
{
    int i = 0;
#ifdef ROWS
    for (; i + 16 <= n; i += 16) {
        const float16 first = LOADN(16, a, i), second = LOADN(16, b, i);
        STOREN(16, keep * first + (1.0f - keep) * second, a, i);
        STOREN(16, keep * second + (1.0f - keep) * first, b, i);
    }
#endif
    for (; i < n; i++) {
        const float first = LOAD(a, i), second = LOAD(b, i);
        STORE(keep * first + (1.0f - keep) * second, a, i);
        STORE(keep * second + (1.0f - keep) * first, b, i);
    }
}

KERNEL void mix_pairs(IN_STATE, OUT(x), uint x_pitch, int h, int w, int c, uint span)
{
    const cells s = cells_begin(h, w, 1, span);
    const uint left = max(STATE->mix_box[0], (uint)s.first.x), top = STATE->mix_box[1];
    const uint right = min(STATE->mix_box[2], (uint)s.first.x + s.count), bottom = STATE->mix_box[3];
    if (s.sample >= STATE->n / 2 || (uint)s.y < top || (uint)s.y >= bottom || left >= right)
        return;
    AT(x);
    __global real *a = x + pixel_at(s.sample, s.y, (int)left, h, w, x_pitch);
    __global real *b = x + pixel_at(STATE->n - 1 - s.sample, s.y, (int)left, h, w, x_pitch);
    if (x_pitch == (uint)c) {
        mix_numbers(a, b, (int)(right - left) * c, STATE->mix_keep);
        return;
    }
    for (uint i = left; i < right; i++, a += x_pitch, b += x_pitch)
        mix_numbers(a, b, c, STATE->mix_keep);
}
