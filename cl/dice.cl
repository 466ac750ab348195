/* Dice and cross-entropy of images of probabilities; the formula is in src/ops/dice.h. -D C: classes. -D BINARY: each
 * class has a probability of its own. -D FUSED: x holds logits, and p, the softmax's or sigmoid's output, is written as
 * well; else x holds the probabilities. -D FIRST=1: class 0 has no part in Dice. A work-item takes one slice of `span`
 * pixels of one sample. Gradients carry the 1/n of the mean over the batch (STATE->inv_n); with SCALED, the loss
 * scale too. */
#include "types.cl"
#include "state.cl"

#ifndef FIRST
#define FIRST 0
#endif
enum { SUMS = 1 + 3 * C }; /* cross-entropy; then sum p t, sum p, sum t of each class */

/* As loss.cl: clamp() would make a number of a NaN. */
#define EPSILON 1e-7f
static inline bool clips(float p) { return p < EPSILON || p > 1.0f - EPSILON; }
static inline float clipped(float p) { return clips(p) ? clamp(p, EPSILON, 1.0f - EPSILON) : p; }

#define T_IN __global const float *restrict

/* Cross-entropy of a pixel, its probabilities to p. */
static inline float pixel_loss(T_IN x, T_IN t, float *p)
{
    float loss = 0.0f;
#if defined(FUSED) && !defined(BINARY)
    float top = x[0], total = 0.0f;
    for (int i = 1; i < C; i++)
        top = fmax(top, x[i]);
    for (int i = 0; i < C; i++) {
        p[i] = exp(x[i] - top);
        total += p[i];
    }
    const float share = 1.0f / total, log_total = log(total);
    for (int i = 0; i < C; i++) {
        p[i] *= share;
        loss += t[i] * (log_total - (x[i] - top));
    }
#elif defined(FUSED)
    for (int i = 0; i < C; i++) {
        const float e = exp(-fabs(x[i]));
        p[i] = (x[i] >= 0.0f ? 1.0f : e) / (1.0f + e);
        loss += (fmax(x[i], 0.0f) - x[i] * t[i] + log1p(e)) / C;
    }
#else
    for (int i = 0; i < C; i++) {
        p[i] = x[i];
#ifdef BINARY
        loss -= (t[i] * log(clipped(x[i])) + (1.0f - t[i]) * log1p(-clipped(x[i]))) / C;
#else
        loss -= t[i] * log(clipped(x[i]));
#endif
    }
#endif
    return loss;
}

/* part[sample][slice][SUMS]. p is written with FUSED only. */
__kernel void dice_pixels(IN_STATE, IN(x), uint x_pitch, OUT(p), uint p_pitch, IN_F32(t), OUT_F32(part), int pixels,
                          int slices, int span)
{
    const int sample = get_global_id(0) / slices, first = get_global_id(0) % slices * span;
    if (sample >= STATE->n)
        return;
    const int last = min(first + span, pixels);
    float sum[SUMS], q[C];
    for (int i = 0; i < SUMS; i++)
        sum[i] = 0.0f;
    for (int k = first; k < last; k++) {
        const ulong pixel = (ulong)sample * pixels + k;
        T_IN want = t + t_off + pixel * C;
        sum[0] += pixel_loss(x + x_off + pixel * x_pitch, want, q);
        for (int i = 0; i < C; i++) {
#ifdef FUSED
            p[p_off + pixel * p_pitch + i] = q[i];
#endif
            sum[1 + i] = fma(q[i], want[i], sum[1 + i]);
            sum[1 + C + i] += q[i];
            sum[1 + 2 * C + i] += want[i];
        }
    }
    for (int i = 0; i < SUMS; i++)
        part[part_off + get_global_id(0) * SUMS + i] = sum[i];
}

/* A sample's loss, and table[sample][2][C]: d loss / d p = table[1] - table[0] t, of Dice. Samples at and beyond the
 * batch's count lose 0. Work-item = sample. */
__kernel void dice_join(IN_STATE, IN_F32(part), OUT_F32(table), OUT(loss), int batch, int pixels, int slices, int span,
                        float dice, float crossentropy, float smooth)
{
    const int s = get_global_id(0);
    if (s >= batch)
        return;
    float sum[SUMS], mean = 0.0f;
    for (int i = 0; i < SUMS; i++) {
        sum[i] = 0.0f;
        for (int k = 0; s < STATE->n && k < slices; k++)
            sum[i] += part[part_off + ((ulong)s * slices + k) * SUMS + i];
    }
    const float share = dice / (C - FIRST);
    for (int i = 0; i < C; i++) {
        const float over = 1.0f / (sum[1 + C + i] + sum[1 + 2 * C + i] + smooth);
        const float value = (2.0f * sum[1 + i] + smooth) * over, part_of = i < FIRST ? 0.0f : share;
        mean = fma(part_of, value, mean);
        table[table_off + ((ulong)s * 2) * C + i] = part_of * 2.0f * over;
        table[table_off + ((ulong)s * 2 + 1) * C + i] = part_of * value * over;
    }
    loss[loss_off + s] = s < STATE->n ? crossentropy * sum[0] / pixels + dice - mean : 0.0f;
}

/* p: the probabilities (what FUSED forward wrote, or the loss's input). */
__kernel void dice_bwd(IN_STATE, IN(p), uint p_pitch, IN_F32(t), IN_F32(table), OUT(dx), uint dx_pitch, int accumulate,
                       int pixels, int slices, int span, float crossentropy)
{
    const int sample = get_global_id(0) / slices, first = get_global_id(0) % slices * span;
    if (sample >= STATE->n)
        return;
    float factor = STATE->inv_n, fall[C], level[C];
#ifdef SCALED
    factor *= STATE->loss_scale;
#endif
    for (int i = 0; i < C; i++) {
        fall[i] = table[table_off + ((ulong)sample * 2) * C + i];
        level[i] = table[table_off + ((ulong)sample * 2 + 1) * C + i];
    }
#ifdef BINARY
    const float weight = crossentropy / ((float)pixels * C);
#else
    const float weight = crossentropy / pixels;
#endif
    const int last = min(first + span, pixels);
    for (int k = first; k < last; k++) {
        const ulong pixel = (ulong)sample * pixels + k;
        T_IN q = p + p_off + pixel * p_pitch;
        T_IN want = t + t_off + pixel * C;
        __global float *to = dx + dx_off + pixel * dx_pitch;
        float along = 0.0f, total = 0.0f;
        for (int i = 0; i < C; i++) {
            along = fma(q[i], level[i] - fall[i] * want[i], along);
            total += want[i];
        }
        for (int i = 0; i < C; i++) {
            const float slope = level[i] - fall[i] * want[i];
#if defined(FUSED) && defined(BINARY)
            const float g = q[i] * (1.0f - q[i]) * slope + weight * (q[i] - want[i]);
#elif defined(FUSED)
            const float g = q[i] * (slope - along) + weight * (q[i] * total - want[i]);
#elif defined(BINARY)
            const float g = slope + (clips(q[i]) ? 0.0f : weight * (q[i] - want[i]) / (q[i] * (1.0f - q[i])));
#else
            const float g = slope - (clips(q[i]) ? 0.0f : weight * want[i] / q[i]);
#endif
            to[i] = accumulate ? fma(g, factor, to[i]) : g * factor;
        }
    }
}
