/* What groupnorm does for each sample between its passes over pixels (norm.cl): a group's channels share one mean and
 * one deviation. part: [sample][slice][2][c], table and means: [sample][2][c]. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"

/* Slices and channels of a group are joined as slices are in batchnorm.cl. A work-item has a group of a sample. */
KERNEL void groupnorm_join(IN_STATE, IN_F32(part), OUT_F32(table), int per_sample, int slices, int span, int c,
                           int groups, float epsilon)
{
    const int sample = (int)get_global_id(0) / groups, group = (int)get_global_id(0) % groups, width = c / groups;
    if (sample >= STATE->n)
        return;
    AT(part);
    AT(table);
    part += (ulong)sample * slices * 2 * c + group * width;
    table += (ulong)sample * 2 * c + group * width;
    const float first = part[0], count = (float)per_sample * (float)width;
    float mean = 0.0f, square = 0.0f;
    for (int i = 0; i < slices; i++) {
        const float pixels = (float)min(span, per_sample - i * span);
        for (int ch = 0; ch < width; ch++)
            mean = fma(part[(ulong)i * 2 * c + ch] - first, pixels, mean);
    }
    mean = first + mean / count;
    for (int i = 0; i < slices; i++) {
        const float pixels = (float)min(span, per_sample - i * span);
        for (int ch = 0; ch < width; ch++) {
            const float d = part[(ulong)i * 2 * c + ch] - mean;
            square += fma(d * d, pixels, part[((ulong)i * 2 + 1) * c + ch]);
        }
    }
    const float inverse = 1.0f / sqrt(square / count + epsilon);
    for (int ch = 0; ch < width; ch++) {
        table[ch] = mean;
        table[c + ch] = inverse;
    }
}

/* With s and t of each channel, sums of dz and dz (x - mean) over the pixels of the sample: the gradient dx is freed
 * of sum (gamma s) / (n deviation) and sum (gamma t) / (n deviation^3), sums over the group's channels, n its values.
 * Leaves s and t / deviation in the first slice's place. A work-item has a group of a sample. */
KERNEL void groupnorm_gradient(IN_STATE, OUT_F32(part), IN_F32(table), IN_F32(gamma), OUT_F32(means), int per_sample,
                               int slices, int span, int c, int groups)
{
    const int sample = (int)get_global_id(0) / groups, group = (int)get_global_id(0) % groups, width = c / groups;
    if (sample >= STATE->n)
        return;
    AT(part);
    AT(table);
    AT(gamma);
    AT(means);
    part += (ulong)sample * slices * 2 * c + group * width;
    table += (ulong)sample * 2 * c + group * width;
    means += (ulong)sample * 2 * c + group * width;
    gamma += group * width;
    const float inverse = table[c], share = inverse / ((float)per_sample * (float)width);
    float level = 0.0f, slope = 0.0f;
    for (int ch = 0; ch < width; ch++) {
        float sum = 0.0f, along = 0.0f;
        for (int i = 0; i < slices; i++) {
            sum += part[(ulong)i * 2 * c + ch];
            along += part[((ulong)i * 2 + 1) * c + ch];
        }
        level = fma(gamma[ch], sum, level);
        slope = fma(gamma[ch], along, slope);
        part[ch] = sum;
        part[c + ch] = along * inverse;
    }
    for (int ch = 0; ch < width; ch++) {
        means[ch] = level * share;
        means[c + ch] = slope * share * inverse * inverse;
    }
}

/* dbeta and dgamma: sums over samples of the two rows of c that lie `stride` apart from sample to sample. */
KERNEL void groupnorm_weights(IN_STATE, IN_F32(part), OUT_F32(dgamma), OUT_F32(dbeta), int stride, int c)
{
    const int ch = (int)get_global_id(0) * V;
    if (ch >= c)
        return;
    AT(part);
    AT(dgamma);
    AT(dbeta);
    realv sum = (realv)0.0f, along = (realv)0.0f;
    for (int i = 0; i < STATE->n; i++) {
        sum += GETV(part, (ulong)i * stride + ch);
        along += GETV(part, (ulong)i * stride + c + ch);
    }
    PUTV(sum, dbeta, ch);
    PUTV(along, dgamma, ch);
}
