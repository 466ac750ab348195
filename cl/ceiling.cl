/* What a device reaches when it does one thing only: multiply-adds in registers, reading, writing and
 * copying memory, any mix of those, nothing. Mapping: work-items share `count` vectors; with STRIPS each takes a strip of
 * its own (CPU devices), otherwise neighbours take neighbouring vectors (GPUs). -D V: floats in a vector;
 * ACCUMULATORS: independent sums; MIN_VECTOR_WIDTH where the compiler takes the attribute. */
#include "vec.cl"

#ifdef MIN_VECTOR_WIDTH
#define WIDE __attribute__((min_vector_width(512))) KERNEL
#else
#define WIDE KERNEL
#endif
#define UNROLL _Pragma("unroll")

#ifdef STRIPS
#define RANGE(count)                                                                               \
    const ulong begin = (count)*get_global_id(0) / get_global_size(0), step = 1,                   \
                end = (count) * (get_global_id(0) + 1) / get_global_size(0)
#else
#define RANGE(count) const ulong begin = get_global_id(0), step = get_global_size(0), end = (count)
#endif

WIDE void ceiling_fma(__global float *restrict out, int rounds, float a, float b)
{
    realv x[ACCUMULATORS];
    UNROLL for (int i = 0; i < ACCUMULATORS; i++) x[i] = (realv)((float)i);
    for (int k = 0; k < rounds; k++) {
        UNROLL for (int i = 0; i < ACCUMULATORS; i++) x[i] = fma(x[i], (realv)(a), (realv)(b));
    }
    realv sum = x[0];
    UNROLL for (int i = 1; i < ACCUMULATORS; i++) sum += x[i];
    PUTV(sum, out, get_global_id(0) * V);
}

/* Four sums, so that the additions' latency is no limit. */
WIDE void ceiling_read(__global const realv *restrict x, __global float *restrict out, ulong count)
{
    RANGE(count);
    realv sum[4] = {(realv)(0.0f), (realv)(0.0f), (realv)(0.0f), (realv)(0.0f)};
    ulong i = begin;
    for (; i + 3 * step < end; i += 4 * step) {
        UNROLL for (int k = 0; k < 4; k++) sum[k] += x[i + (ulong)k * step];
    }
    for (; i < end; i += step)
        sum[0] += x[i];
    PUTV((sum[0] + sum[1]) + (sum[2] + sum[3]), out, get_global_id(0) * V);
}

WIDE void ceiling_write(__global realv *restrict x, float value, ulong count)
{
    RANGE(count);
    for (ulong i = begin; i < end; i += step)
        x[i] = (realv)(value);
}

WIDE void ceiling_copy(__global realv *restrict x, ulong count)
{
    RANGE(count);
    for (ulong i = begin; i < end; i += step)
        x[count + i] = x[i];
}

/* What a kernel moves that is to be judged: vectors that are read, written, and changed where they lie, one
 * kind after the other in memory from `first` on, in pieces so small that the kinds take turns. */
#ifdef STRIPS
#define PIECE(r, rounds) const ulong piece = get_global_id(0) * (rounds) + (r), pieces = get_global_size(0) * (rounds)
#define FIRST 0
#define STEP 1
#else
#define PIECE(r, rounds) const ulong piece = (r), pieces = (rounds)
#define FIRST get_global_id(0)
#define STEP get_global_size(0)
#endif
#define BEGIN(count) ((count)*piece / pieces + FIRST)
#define END(count) ((count) * (piece + 1) / pieces)

WIDE void ceiling_mix(__global realv *restrict x, __global float *restrict out, float value, ulong reads,
                      ulong writes, ulong changes, ulong rounds, ulong first)
{
    __global realv *read = x + first, *written = read + reads, *changed = written + writes;
    realv sum[4] = {(realv)(0.0f), (realv)(0.0f), (realv)(0.0f), (realv)(0.0f)};
    for (ulong r = 0; r < rounds; r++) {
        PIECE(r, rounds);
        ulong i = BEGIN(reads);
        for (; i + 3 * STEP < END(reads); i += 4 * STEP) {
            UNROLL for (int k = 0; k < 4; k++) sum[k] += read[i + (ulong)k * STEP];
        }
        for (; i < END(reads); i += STEP)
            sum[0] += read[i];
        for (i = BEGIN(changes); i < END(changes); i += STEP)
            changed[i] = fma(changed[i], (realv)(value), (realv)(value));
        for (i = BEGIN(writes); i < END(writes); i += STEP)
            written[i] = (realv)(value);
    }
    PUTV((sum[0] + sum[1]) + (sum[2] + sum[3]), out, get_global_id(0) * V);
}

KERNEL void ceiling_nothing(__global float *restrict out)
{
    if (get_global_id(0) == 0)
        out[0] = 1.0f;
}
