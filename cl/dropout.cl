/* Inverted dropout, forward (x to y) and backward (dy to dx) alike: the mask is not stored but drawn again.
 * Element e of a sample is kept when its 32 random bits reach `threshold` (rate * 2^32) and then
 * multiplied by `scale`. Its bits: Philox with key = seed ^ hash of the node's name and counter =
 * (e / 64 * 16 + e % 16, sample's global index, optimizer step, 0x64726f70), word e % 64 / 16, so that V
 * neighbours come from V generators side by side. A work-item takes `span` blocks of 64 elements
 * of one sample.
 * Spatial dropout draws one element for each channel, stochastic depth one for each sample. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"
typedef VEC(uint) uintv;
#define UINT uintv
#include "philox.cl"

#ifdef DENSE
#define PLACE(i, x) (i)
#define SAMPLE_AT(s, x) ((ulong)(s) * per_sample)
#else
#define PLACE(i, x) ((ulong)((i) / c) * x##_pitch + (i) % c)
#define SAMPLE_AT(s, x) ((ulong)(s) * (per_sample / c) * x##_pitch)
#endif

/* Lanes 0 .. V-1 as a vector. */
static inline UINT lanes(void)
{
    const uint16 all = (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#if V == 16
    return all;
#elif V == 8
    return all.lo;
#elif V == 4
    return all.lo.lo;
#else
    return all.s0;
#endif
}

static inline philox_words draw_at(__global const step_state *state, uint hash0, uint hash1, uint index, UINT at)
{
    philox_words counter;
    counter.w[0] = at;
    counter.w[1] = (UINT)index;
    counter.w[2] = (UINT)state->step;
    counter.w[3] = (UINT)0x64726f70u;
    return philox(state->seed[0] ^ hash0, state->seed[1] ^ hash1, counter);
}

/* The words of V elements from 64 * block + V * part on, 16 apart. */
static inline philox_words draw(__global const step_state *state, uint hash0, uint hash1, uint index, uint block,
                                uint part)
{
    return draw_at(state, hash0, hash1, index, (UINT)(block * 16 + part * V) + lanes());
}

KERNEL void dropout(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, int accumulate, uint per_sample,
                    uint c, uint span, uint hash0, uint hash1, uint threshold, float scale)
{
    /* An item: 64 * span elements, of which it takes all V-wide lanes if V is 16, else 16 / V items share. */
    const uint blocks = (per_sample + 63) / 64, parts = 16 / V;
    const uint items = (blocks + span - 1) / span * parts;
    const int sample = (int)(get_global_id(0) / items);
    if (sample >= STATE->n)
        return;
    const uint part = (uint)(get_global_id(0) % items) % parts;
    const uint begin = (uint)(get_global_id(0) % items) / parts * span;
    const uint end = min(begin + span, blocks);
    const uint index = SAMPLE_INDEX(sample);
    AT(x);
    AT(y);
    x += SAMPLE_AT(sample, x);
    y += SAMPLE_AT(sample, y);
    for (uint block = begin; block < end; block++) {
        const philox_words bits = draw(STATE, hash0, hash1, index, block, part);
        for (uint word = 0; word < 4; word++) {
            const uint e = block * 64 + word * 16 + part * V;
            if (e >= per_sample)
                break;
            const realv v = LOADV(x, PLACE(e, x)) * scale;
            realv kept = select((realv)0.0f, v, bits.w[word] >= (UINT)threshold);
            if (accumulate)
                kept += LOADV(y, PLACE(e, y));
            STOREV(kept, y, PLACE(e, y));
        }
    }
}

/* A cell is a vector of channels in a row of pixels, so that its channels are drawn once a row. */
KERNEL void spatial_dropout(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, int accumulate, int h, int w, int c,
                            uint hash0, uint hash1, uint threshold, float scale, uint span)
{
    const cells s = cells_begin(h, 1, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    x += pixel_at(s.sample, s.y, 0, h, w, x_pitch);
    y += pixel_at(s.sample, s.y, 0, h, w, y_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        const philox_words bits = draw(STATE, hash0, hash1, SAMPLE_INDEX(s.sample), (uint)k.ch / 64, (uint)k.ch % 16 / V);
        const UINT word = bits.w[k.ch % 64 / 16];
        const realv factor = select((realv)0.0f, (realv)scale, word >= (UINT)threshold);
        for (int px = 0; px < w; px++) {
            realv v = LOADV(x, (ulong)px * x_pitch + k.ch) * factor;
            if (accumulate)
                v += LOADV(y, (ulong)px * y_pitch + k.ch);
            STOREV(v, y, (ulong)px * y_pitch + k.ch);
        }
    }
}

/* A cell is a vector of channels in a pixel. */
KERNEL void stochastic_depth(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, int accumulate, int h, int w, int c,
                             uint hash0, uint hash1, uint threshold, float scale, uint span)
{
    const cells s = cells_begin(h, w, c, span);
    if (s.sample >= STATE->n)
        return;
    AT(x);
    AT(y);
    const philox_words bits = draw_at(STATE, hash0, hash1, SAMPLE_INDEX(s.sample), (UINT)0u);
    const realv factor = select((realv)0.0f, (realv)scale, bits.w[0] >= (UINT)threshold);
    x += pixel_at(s.sample, s.y, 0, h, w, x_pitch);
    y += pixel_at(s.sample, s.y, 0, h, w, y_pitch);
    cell k = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&k, c)) {
        realv v = LOADV(x, (ulong)k.x * x_pitch + k.ch) * factor;
        if (accumulate)
            v += LOADV(y, (ulong)k.x * y_pitch + k.ch);
        STOREV(v, y, (ulong)k.x * y_pitch + k.ch);
    }
}
