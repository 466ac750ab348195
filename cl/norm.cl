/* Normalisation by mean and variance over pixels, for each channel: batchnorm (the pixels of the whole batch are
 * one set) and groupnorm (those of a sample are one). Tables hold [set][2][c]: mean and inverse deviation, or the
 * two means that the gradient is freed of; batchnorm has one set, groupnorm repeats a group's numbers for each of
 * its channels.
 *
 * A set is cut into slices of `span` pixels, and the channels into blocks of W * V; a work-item takes one block of
 * one slice. Slices leave their sums in `part`, [set][slice][2][c]; another kernel adds them up in fixed order.
 *
 * -D ACT (act.cl): the activation behind. -D ADD: a second tensor is added before it. The gradient of
 * the activation is found from the output, -D MASK=1; from the input once more, which saves reading the output,
 * -D MASK=2 (ReLU, nothing added); or has been found, -D MASK=0. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "act.cl"
#include "norm_slice.cl"

enum { GROUP_OF = 8 }; /* pixels whose mean is taken at a time */

/* Mean and sum of squared deviations of the slice. Pixels are taken in groups, whose own mean and deviations are
 * found in registers (two passes), and joined as in Chan, Golub and LeVeque, "Updating Formulae and a Pairwise
 * Algorithm for Computing Sample Variances" (1979): nothing is ever subtracted that is large beside the result. */
KERNEL void norm_stats(IN_STATE, IN(x), uint x_pitch, OUT_F32(part), SLICES)
{
    const norm_slice s = norm_begin(STATE->n, per_sample, whole, slices, span, c);
    if (s.count <= 0)
        return;
    AT(x);
    AT(part);
    x += s.first * x_pitch + s.ch;
    realv mean[W], square[W];
    for (int w = 0; w < W; w++)
        mean[w] = square[w] = (realv)0.0f;
    int i = 0;
    for (; i + GROUP_OF <= s.count; i += GROUP_OF) {
        const float share = (float)GROUP_OF / (float)(i + GROUP_OF), both = (float)i * share;
        for (int w = 0; w < W; w++) {
            realv v[GROUP_OF], sum = (realv)0.0f, around = (realv)0.0f;
            for (int k = 0; k < GROUP_OF; k++) {
                v[k] = LOADV(x, (ulong)(i + k) * x_pitch + w * V);
                sum += v[k];
            }
            sum *= 1.0f / GROUP_OF;
            for (int k = 0; k < GROUP_OF; k++)
                around = fma(v[k] - sum, v[k] - sum, around);
            const realv d = sum - mean[w];
            mean[w] = fma(d, (realv)share, mean[w]);
            square[w] += fma(d * d, (realv)both, around);
        }
    }
    for (; i < s.count; i++)
        for (int w = 0; w < W; w++) {
            const realv v = LOADV(x, (ulong)i * x_pitch + w * V), d = v - mean[w];
            mean[w] += d / (float)(i + 1);
            square[w] = fma(d, v - mean[w], square[w]);
        }
    part += s.slice * 2 * c + s.ch;
    for (int w = 0; w < W; w++) {
        PUTV(mean[w], part, w * V);
        PUTV(square[w], part, c + w * V);
    }
}

/* y = act((x - mean) * deviation * gamma + beta + other). `other` is not touched without ADD. */
KERNEL void norm_apply(IN_STATE, IN(x), uint x_pitch, IN(other), uint other_pitch, IN_F32(table), IN_F32(gamma),
                       IN_F32(beta), OUT(y), uint y_pitch, SLICES)
{
    const norm_slice s = norm_begin(STATE->n, per_sample, whole, slices, span, c);
    AT(x);
    AT(other);
    AT(table);
    AT(gamma);
    AT(beta);
    AT(y);
    x += s.first * x_pitch + s.ch;
    y += s.first * y_pitch + s.ch;
    other += s.first * other_pitch + s.ch;
    table += (ulong)s.set * 2 * c + s.ch;
    realv mean[W], factor[W], shift[W];
    for (int w = 0; w < W && s.count > 0; w++) {
        mean[w] = GETV(table, w * V);
        factor[w] = GETV(table, c + w * V) * GETV(gamma, s.ch + w * V);
        shift[w] = GETV(beta, s.ch + w * V);
    }
    for (int i = 0; i < s.count; i++)
        for (int w = 0; w < W; w++) {
            realv v = fma(LOADV(x, (ulong)i * x_pitch + w * V) - mean[w], factor[w], shift[w]);
#ifdef ADD
            v += LOADV(other, (ulong)i * other_pitch + w * V);
#endif
            STOREV(ACT_OF(realv, v, ACT_PARAM), y, (ulong)i * y_pitch + w * V);
        }
}

/* Gradient of what the activation was applied to. v: x; seen: y, with MASK=1. */
static inline realv gradient_of(realv dy, realv v, realv seen, realv mean, realv factor, realv shift)
{
#if MASK == 0
    return dy;
#elif MASK == 1
    return ACT_GRADIENT(realv, dy, seen, ACT_PARAM);
#else
    const realv z = fma(v - mean, factor, shift);
#if ACT < 8 /* ACT_HARD_SWISH */
    const realv out = ACT_OF(realv, z, ACT_PARAM);
    return ACT_GRADIENT(realv, dy, out, ACT_PARAM);
#else
    return ACT_GRADIENT(realv, dy, z, ACT_PARAM);
#endif
#endif
}

/* What it is found from. */
#if MASK == 1
#define SEEN(i) LOADV(y, (ulong)(i) * y_pitch + w * V)
#else
#define SEEN(i) (realv)0.0f
#endif

/* Sums of dz and dz * (x - mean) of the slice. dz: also kept, with KEEP (what is added has this gradient). */
KERNEL void norm_gradient_sums(IN_STATE, IN(x), uint x_pitch, IN(y), uint y_pitch, IN(dy), uint dy_pitch,
                               IN_F32(table), IN_F32(gamma), IN_F32(beta), OUT(dz), uint dz_pitch, OUT_F32(part),
                               SLICES)
{
    const norm_slice s = norm_begin(STATE->n, per_sample, whole, slices, span, c);
    if (s.count <= 0)
        return;
    AT(x);
    AT(y);
    AT(dy);
    AT(table);
    AT(gamma);
    AT(beta);
    AT(dz);
    AT(part);
    x += s.first * x_pitch + s.ch;
    y += s.first * y_pitch + s.ch;
    dy += s.first * dy_pitch + s.ch;
    dz += s.first * dz_pitch + s.ch;
    table += (ulong)s.set * 2 * c + s.ch;
    realv mean[W], factor[W], shift[W], sum[W], along[W];
    for (int w = 0; w < W; w++) {
        mean[w] = GETV(table, w * V);
        factor[w] = GETV(table, c + w * V) * GETV(gamma, s.ch + w * V);
        shift[w] = GETV(beta, s.ch + w * V);
        sum[w] = along[w] = (realv)0.0f;
    }
    for (int i = 0; i < s.count; i++)
        for (int w = 0; w < W; w++) {
            const realv v = LOADV(x, (ulong)i * x_pitch + w * V), d = LOADV(dy, (ulong)i * dy_pitch + w * V);
            const realv g = gradient_of(d, v, SEEN(i), mean[w], factor[w], shift[w]);
            sum[w] += g;
            along[w] = fma(g, v - mean[w], along[w]);
#ifdef KEEP
            STOREV(g, dz, (ulong)i * dz_pitch + w * V);
#endif
        }
    part += s.slice * 2 * c + s.ch;
    for (int w = 0; w < W; w++) {
        PUTV(sum[w], part, w * V);
        PUTV(along[w], part, c + w * V);
    }
}

/* dx = factor * dz - means[0] - (x - mean) * means[1]. ADD: dz is added to the gradient of what was added. DX: dx is
 * wanted at all. */
KERNEL void norm_gradient(IN_STATE, IN(x), uint x_pitch, IN(y), uint y_pitch, IN(dy), uint dy_pitch, IN_F32(table),
                          IN_F32(gamma), IN_F32(beta), IN_F32(means), OUT(dx), uint dx_pitch, int accumulate,
                          OUT(dother), uint dother_pitch, int accumulate_other, SLICES)
{
    const norm_slice s = norm_begin(STATE->n, per_sample, whole, slices, span, c);
    if (s.count <= 0)
        return;
    AT(x);
    AT(y);
    AT(dy);
    AT(table);
    AT(gamma);
    AT(beta);
    AT(means);
    AT(dx);
    AT(dother);
    x += s.first * x_pitch + s.ch;
    y += s.first * y_pitch + s.ch;
    dy += s.first * dy_pitch + s.ch;
    dx += s.first * dx_pitch + s.ch;
    dother += s.first * dother_pitch + s.ch;
    table += (ulong)s.set * 2 * c + s.ch;
    means += (ulong)s.set * 2 * c + s.ch;
    realv mean[W], factor[W], shift[W], level[W], slope[W];
    for (int w = 0; w < W; w++) {
        mean[w] = GETV(table, w * V);
        factor[w] = GETV(table, c + w * V) * GETV(gamma, s.ch + w * V);
        shift[w] = GETV(beta, s.ch + w * V);
        level[w] = GETV(means, w * V);
        slope[w] = GETV(means, c + w * V);
    }
    for (int i = 0; i < s.count; i++)
        for (int w = 0; w < W; w++) {
            const realv v = LOADV(x, (ulong)i * x_pitch + w * V), d = LOADV(dy, (ulong)i * dy_pitch + w * V);
            const realv g = gradient_of(d, v, SEEN(i), mean[w], factor[w], shift[w]);
#ifdef DX
            realv to = fma(factor[w], g, -fma(v - mean[w], slope[w], level[w]));
            if (accumulate)
                to += LOADV(dx, (ulong)i * dx_pitch + w * V);
            STOREV(to, dx, (ulong)i * dx_pitch + w * V);
#endif
#ifdef ADD
            realv more = g;
            if (accumulate_other)
                more += LOADV(dother, (ulong)i * dother_pitch + w * V);
            STOREV(more, dother, (ulong)i * dother_pitch + w * V);
#endif
        }
}
