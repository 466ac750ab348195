/* Inverted dropout, forward (x to y) and backward (dy to dx) alike: the mask is not stored but drawn again.
 * Element e of a sample is kept when its 32 random bits reach `threshold` (rate * 2^32) and then
 * multiplied by `scale`. Its bits: Philox with key = seed ^ hash of the node's name and counter =
 * (e / 64 * 16 + e % 16, sample's global index, optimizer step, 0x64726f70), word e % 64 / 16, so that V
 * neighbours come from V generators side by side. A work-item takes `span` blocks of 64 elements
 * of one sample. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
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
    const uint step = STATE->step, index = SAMPLE_INDEX(sample);
    AT(x);
    AT(y);
    x += SAMPLE_AT(sample, x);
    y += SAMPLE_AT(sample, y);
    for (uint block = begin; block < end; block++) {
        philox_words counter;
        counter.w[0] = (UINT)(block * 16 + part * V) + lanes();
        counter.w[1] = (UINT)index;
        counter.w[2] = (UINT)step;
        counter.w[3] = (UINT)0x64726f70u;
        const philox_words bits = philox(STATE->seed[0] ^ hash0, STATE->seed[1] ^ hash1, counter);
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
