/* Losses: one number per sample, one work-item per sample (class counts are small). -DLOSS=1 categorical
 * cross-entropy, 2 binary cross-entropy, 3 mean squared error; definitions are Keras'. FUSED: x holds
 * logits, and p, the softmax's or sigmoid's output, is written as well; else x holds the predictions.
 * WEIGHTS: the class weights as a list. Samples at and beyond the batch's count lose 0. Gradients
 * carry the 1/n of the mean over the batch (STATE->inv_n); with SCALED, the loss scale too. */
#include "types.cl"
#include "state.cl"

#define T_IN __global const float *restrict
#define T_OUT __global float *restrict

/* Keras clips unfused probabilities here (its backend epsilon). clamp() would make a number of a NaN. */
#define EPSILON 1e-7f
static inline bool clips(float p) { return p < EPSILON || p > 1.0f - EPSILON; }
static inline float clipped(float p) { return clips(p) ? clamp(p, EPSILON, 1.0f - EPSILON) : p; }

#ifdef WEIGHTS
__constant float class_weight[] = {WEIGHTS};
#endif

/* The weight of a sample: its targets' share of each class's weight. */
static inline float sample_weight(T_IN t, uint c)
{
#if !defined(WEIGHTS)
    return 1.0f;
#elif LOSS == 2
    return t[0] * class_weight[1] + (1.0f - t[0]) * class_weight[0];
#else
    float w = 0.0f;
    for (uint i = 0; i < c; i++)
        w += t[i] * class_weight[i];
    return w;
#endif
}

/* Target i of a sample of that weight. Where a target is soft, each class's share of the loss has that class's weight: the
 * loss of a mixture is the mixture of the losses. A hard target stays 1, to the bit. */
static inline float target(T_IN t, uint i, float weight)
{
#if defined(WEIGHTS) && LOSS == 1
    return weight > 0.0f ? t[i] * class_weight[i] / weight : t[i];
#elif defined(WEIGHTS) && LOSS == 2
    return weight > 0.0f ? t[i] * class_weight[1] / weight : t[i];
#else
    return t[i];
#endif
}

#if LOSS == 1
/* -sum t log p; from logits, log p = x - max - log(sum exp(x - max)). */
static inline float smooth(float t, uint c, float smoothing)
{
    return t * (1.0f - smoothing) + smoothing / (float)c;
}
#ifdef FUSED
static float sample_loss(T_IN x, T_OUT p, T_IN t, float weight, uint c, float smoothing)
{
    float top = x[0], total = 0.0f, sum = 0.0f;
    for (uint i = 1; i < c; i++)
        top = fmax(top, x[i]);
    for (uint i = 0; i < c; i++)
        total += exp(x[i] - top);
    const float share = 1.0f / total, log_total = log(total);
    for (uint i = 0; i < c; i++) {
        p[i] = exp(x[i] - top) * share;
        sum += smooth(target(t, i, weight), c, smoothing) * (log_total - (x[i] - top));
    }
    return sum;
}
#else
static float sample_loss(T_IN x, T_IN t, float weight, uint c, float smoothing)
{
    float sum = 0.0f;
    for (uint i = 0; i < c; i++)
        sum -= smooth(target(t, i, weight), c, smoothing) * log(clipped(x[i]));
    return sum;
}
#endif
/* d loss / d logit i = p sum(t) - t, which is p - t when the targets sum to 1; unfused -t / p. */
static inline float total_target(T_IN t, float weight, uint c, float smoothing)
{
    float sum = 0.0f;
    for (uint i = 0; i < c; i++)
        sum += smooth(target(t, i, weight), c, smoothing);
    return sum;
}
static inline float slope(float p, float t, float total, uint c, float smoothing)
{
    const float want = smooth(t, c, smoothing);
#ifdef FUSED
    return p * total - want;
#else
    return clips(p) ? 0.0f : -want / p;
#endif
}

#elif LOSS == 2
/* Mean over c of -(t log p + (1-t) log(1-p)); from logits max(x,0) - x t + log(1 + exp(-|x|)). */
static inline float smooth(float t, float smoothing) { return t * (1.0f - smoothing) + 0.5f * smoothing; }
#ifdef FUSED
static float sample_loss(T_IN x, T_OUT p, T_IN t, float weight, uint c, float smoothing)
{
    float sum = 0.0f;
    for (uint i = 0; i < c; i++) {
        const float e = exp(-fabs(x[i]));
        p[i] = (x[i] >= 0.0f ? 1.0f : e) / (1.0f + e);
        sum += fmax(x[i], 0.0f) - x[i] * smooth(target(t, i, weight), smoothing) + log1p(e);
    }
    return sum / (float)c;
}
#else
static float sample_loss(T_IN x, T_IN t, float weight, uint c, float smoothing)
{
    float sum = 0.0f;
    for (uint i = 0; i < c; i++) {
        const float p = clipped(x[i]), want = smooth(target(t, i, weight), smoothing);
        sum -= want * log(p) + (1.0f - want) * log1p(-p);
    }
    return sum / (float)c;
}
#endif
static inline float total_target(T_IN t, float weight, uint c, float smoothing) { return 1.0f; }
static inline float slope(float p, float t, float total, uint c, float smoothing)
{
    const float want = smooth(t, smoothing);
#ifdef FUSED
    return (p - want) / (float)c;
#else
    return clips(p) ? 0.0f : (p - want) / (p * (1.0f - p)) / (float)c;
#endif
}

#else
/* Mean over c of (x - t)^2. */
static float sample_loss(T_IN x, T_IN t, float weight, uint c, float smoothing)
{
    float sum = 0.0f;
    for (uint i = 0; i < c; i++)
        sum += (x[i] - t[i]) * (x[i] - t[i]);
    return sum / (float)c;
}
static inline float total_target(T_IN t, float weight, uint c, float smoothing) { return 1.0f; }
static inline float slope(float p, float t, float total, uint c, float smoothing)
{
    return 2.0f * (p - t) / (float)c;
}
#endif

#ifdef FUSED
#define P_OUT OUT(p), uint p_pitch,
#define P_AT(s) p + p_off + (ulong)(s) * p_pitch,
#else
#define P_OUT
#define P_AT(s)
#endif

__kernel void loss_fwd(IN_STATE, IN(x), uint x_pitch, P_OUT IN(t), OUT(loss), uint batch, uint c,
                       float smoothing)
{
    const uint s = get_global_id(0);
    if (s >= batch)
        return;
    AT(t);
    float value = 0.0f;
    if (s < (uint)STATE->n) {
        t += (ulong)s * c;
        const float weight = sample_weight(t, c);
        value = sample_loss(x + x_off + (ulong)s * x_pitch, P_AT(s) t, weight, c, smoothing) * weight;
    }
    loss[loss_off + s] = value;
}

/* p: the probabilities (what FUSED forward wrote, or the loss's input). */
__kernel void loss_bwd(IN_STATE, IN(p), uint p_pitch, IN(t), OUT(dx), uint dx_pitch, int accumulate, uint c,
                       float smoothing)
{
    const uint s = get_global_id(0);
    if (s >= (uint)STATE->n)
        return;
    p += p_off + (ulong)s * p_pitch;
    t += t_off + (ulong)s * c;
    dx += dx_off + (ulong)s * dx_pitch;
    const float weight = sample_weight(t, c);
    float factor = weight * STATE->inv_n;
#ifdef SCALED
    factor *= STATE->loss_scale;
#endif
    const float total = total_target(t, weight, c, smoothing);
    for (uint i = 0; i < c; i++) {
        const float g = slope(p[i], target(t, i, weight), total, c, smoothing) * factor;
        dx[i] = accumulate ? dx[i] + g : g;
    }
}
