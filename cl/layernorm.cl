/* layernorm: mean and deviation over the channels of each pixel. Pixels are counted through the batch; a work-item has
 * `span` of them, one on GPUs. table: mean and inverse deviation of each pixel, for backward. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"

#if V == 1
#define SUM_OF(v) (v)
#else
#define SUM_OF(v) sum_of(v)
static inline float sum_of(realv v)
{
    float all[V], sum = 0.0f;
    PUTV(v, all, 0);
    for (int i = 0; i < V; i++)
        sum += all[i];
    return sum;
}
#endif

/* The deviations are taken from the mean, in a second pass over what the first has left in the cache. */
KERNEL void layernorm_forward(IN_STATE, IN(x), uint x_pitch, IN_F32(gamma), IN_F32(beta), OUT(y), uint y_pitch,
                              OUT_F32(table), int per_sample, int span, int c, float epsilon)
{
    const long first = (long)get_global_id(0) * span, pixels = (long)STATE->n * per_sample;
    AT(x);
    AT(gamma);
    AT(beta);
    AT(y);
    AT(table);
    for (long p = first; p < min(first + span, pixels); p++) {
        __global const real *from = x + p * x_pitch;
        realv sum = (realv)0.0f, square = (realv)0.0f;
        for (int ch = 0; ch < c; ch += V)
            sum += LOADV(from, ch);
        const float mean = SUM_OF(sum) / (float)c;
        for (int ch = 0; ch < c; ch += V) {
            const realv d = LOADV(from, ch) - mean;
            square = fma(d, d, square);
        }
        const float inverse = 1.0f / sqrt(SUM_OF(square) / (float)c + epsilon);
        for (int ch = 0; ch < c; ch += V)
            STOREV(fma((LOADV(from, ch) - mean) * inverse, GETV(gamma, ch), GETV(beta, ch)), y,
                   (ulong)p * y_pitch + ch);
        table[2 * p] = mean;
        table[2 * p + 1] = inverse;
    }
}

/* With g = gamma dy and h = (x - mean) / deviation: dx = (g - mean of g - h mean of (g h)) / deviation, means over the
 * pixel's channels: Ba, Kiros and Hinton, "Layer Normalization" (2016). */
KERNEL void layernorm_gradient(IN_STATE, IN(x), uint x_pitch, IN(dy), uint dy_pitch, IN_F32(gamma), IN_F32(table),
                               OUT(dx), uint dx_pitch, int accumulate, int per_sample, int span, int c)
{
    const long first = (long)get_global_id(0) * span, pixels = (long)STATE->n * per_sample;
    AT(x);
    AT(dy);
    AT(gamma);
    AT(table);
    AT(dx);
    for (long p = first; p < min(first + span, pixels); p++) {
        const float mean = table[2 * p], inverse = table[2 * p + 1];
        realv sum = (realv)0.0f, along = (realv)0.0f;
        for (int ch = 0; ch < c; ch += V) {
            const realv g = LOADV(dy, (ulong)p * dy_pitch + ch) * GETV(gamma, ch);
            sum += g;
            along = fma(g, (LOADV(x, (ulong)p * x_pitch + ch) - mean) * inverse, along);
        }
        const float level = SUM_OF(sum) / (float)c, slope = SUM_OF(along) / (float)c;
        for (int ch = 0; ch < c; ch += V) {
            const realv g = LOADV(dy, (ulong)p * dy_pitch + ch) * GETV(gamma, ch);
            const realv h = (LOADV(x, (ulong)p * x_pitch + ch) - mean) * inverse;
            realv to = (g - fma(h, (realv)slope, (realv)level)) * inverse;
            if (accumulate)
                to += LOADV(dx, (ulong)p * dx_pitch + ch);
            STOREV(to, dx, (ulong)p * dx_pitch + ch);
        }
    }
}

/* Sums of dy and dy h over a slice of `span` pixels, [slice][2][c]; a work-item has V channels of a slice. A slice
 * past the last sample leaves zeros. */
KERNEL void layernorm_sums(IN_STATE, IN(x), uint x_pitch, IN(dy), uint dy_pitch, IN_F32(table), OUT_F32(part),
                           int per_sample, int span, int c, int slices)
{
    const int vectors = c / V, slice = (int)get_global_id(0) / vectors, ch = (int)get_global_id(0) % vectors * V;
    const long first = (long)slice * span, pixels = (long)STATE->n * per_sample;
    if (slice >= slices)
        return;
    AT(x);
    AT(dy);
    AT(table);
    AT(part);
    realv sum = (realv)0.0f, along = (realv)0.0f;
    for (long p = first; p < min(first + span, pixels); p++) {
        const realv d = LOADV(dy, (ulong)p * dy_pitch + ch);
        sum += d;
        along = fma(d, (LOADV(x, (ulong)p * x_pitch + ch) - table[2 * p]) * table[2 * p + 1], along);
    }
    PUTV(sum, part, (ulong)slice * 2 * c + ch);
    PUTV(along, part, (ulong)slice * 2 * c + c + ch);
}

KERNEL void layernorm_weights(IN_F32(part), OUT_F32(dgamma), OUT_F32(dbeta), int slices, int c)
{
    const int ch = (int)get_global_id(0) * V;
    if (ch >= c)
        return;
    AT(part);
    AT(dgamma);
    AT(dbeta);
    realv sum = (realv)0.0f, along = (realv)0.0f;
    for (int i = 0; i < slices; i++) {
        sum += GETV(part, (ulong)i * 2 * c + ch);
        along += GETV(part, (ulong)i * 2 * c + c + ch);
    }
    PUTV(sum, dbeta, ch);
    PUTV(along, dgamma, ch);
}
