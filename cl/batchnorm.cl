/* What batchnorm does for each channel between its passes over pixels (norm.cl). A work-item has V channels. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"

/* Pixels of slice i, which is not empty. */
static inline float pixels_of(int i, int span, int pixels)
{
    return (float)min(span, pixels - i * span);
}

/* Joins the slices' means and squared deviations: mean = sum n_i mean_i / n, and the deviations around it are
 * sum square_i + n_i (mean_i - mean)^2 (Chan, Golub and LeVeque). The running variance is that of n - 1 degrees of
 * freedom, as PyTorch has it. -DGUARDED: a step whose values are not finite will be skipped, and what it would
 * leave in the running statistics is not taken. */
#ifdef GUARDED
#define TAKE(value, old) (isfinite(value) ? (value) : (old))
#else
#define TAKE(value, old) (value)
#endif
KERNEL void batchnorm_join(IN_STATE, IN_F32(part), OUT_F32(table), OUT_F32(running_mean), OUT_F32(running_variance),
                           int per_sample, int span, int c, float epsilon, float momentum)
{
    const int ch = (int)get_global_id(0) * V, pixels = STATE->n * per_sample;
    if (ch >= c)
        return;
    AT(part);
    AT(table);
    AT(running_mean);
    AT(running_variance);
    part += ch;
    const realv first = GETV(part, 0);
    realv mean = (realv)0.0f, square = (realv)0.0f;
    for (int i = 0; i * span < pixels; i++)
        mean = fma(GETV(part, (ulong)i * 2 * c) - first, (realv)pixels_of(i, span, pixels), mean);
    mean = first + mean / (float)pixels;
    for (int i = 0; i * span < pixels; i++) {
        const realv d = GETV(part, (ulong)i * 2 * c) - mean;
        square += fma(d * d, (realv)pixels_of(i, span, pixels), GETV(part, ((ulong)i * 2 + 1) * c));
    }
    const realv old = GETV(running_mean, ch), old_variance = GETV(running_variance, ch);
    PUTV(mean, table, ch);
    PUTV((realv)1.0f / sqrt(square / (float)pixels + epsilon), table, c + ch);
    PUTV(TAKE(fma((realv)momentum, mean - old, old), old), running_mean, ch);
    const realv variance = square / (float)max(pixels - 1, 1);
    PUTV(TAKE(fma((realv)momentum, variance - old_variance, old_variance), old_variance), running_variance, ch);
}

KERNEL void batchnorm_running(IN_F32(running_mean), IN_F32(running_variance), OUT_F32(table), int c, float epsilon)
{
    const int ch = (int)get_global_id(0) * V;
    if (ch >= c)
        return;
    AT(running_mean);
    AT(running_variance);
    AT(table);
    PUTV(GETV(running_mean, ch), table, ch);
    PUTV((realv)1.0f / sqrt(GETV(running_variance, ch) + epsilon), table, c + ch);
}

/* With s = sum dz and t = sum dz (x - mean) over all pixels: dbeta = s, dgamma = t / deviation, and what the
 * gradient dx of each pixel is freed of, gamma / deviation times s / n and times t / (n deviation^2) (Ioffe and
 * Szegedy, "Batch Normalization", 2015). frozen: mean and deviation do not depend on x. */
KERNEL void batchnorm_gradient(IN_STATE, IN_F32(part), IN_F32(table), IN_F32(gamma), OUT_F32(means), OUT_F32(dgamma),
                               OUT_F32(dbeta), int per_sample, int span, int c, int frozen)
{
    const int ch = (int)get_global_id(0) * V, pixels = STATE->n * per_sample;
    if (ch >= c)
        return;
    AT(part);
    AT(table);
    AT(gamma);
    AT(means);
    AT(dgamma);
    AT(dbeta);
    part += ch;
    realv sum = (realv)0.0f, along = (realv)0.0f;
    for (int i = 0; i * span < pixels; i++) {
        sum += GETV(part, (ulong)i * 2 * c);
        along += GETV(part, ((ulong)i * 2 + 1) * c);
    }
    const realv inverse = GETV(table, c + ch);
    const realv share = GETV(gamma, ch) * inverse * (frozen ? 0.0f : 1.0f / (float)pixels);
    PUTV(sum, dbeta, ch);
    PUTV(along * inverse, dgamma, ch);
    PUTV(sum * share, means, ch);
    PUTV(along * inverse * inverse * share, means, c + ch);
}

/* Folds factor = gamma / deviation and constant = beta - mean factor of each channel into filters [rows][c] and
 * their bias: the convolution then computes what batchnorm would make of its output. A work-item has one row. */
KERNEL void batchnorm_fold(IN_F32(kernel_), IN_F32(bias), IN_F32(gamma), IN_F32(beta), IN_F32(running_mean),
                           IN_F32(running_variance), OUT_F32(to), OUT_F32(to_bias), int rows, int c, float epsilon,
                           int has_bias)
{
    const int row = (int)get_global_id(0);
    if (row > rows)
        return;
    AT(kernel_);
    AT(bias);
    AT(gamma);
    AT(beta);
    AT(running_mean);
    AT(running_variance);
    AT(to);
    AT(to_bias);
    for (int ch = 0; ch < c; ch += V) {
        const realv factor = GETV(gamma, ch) / sqrt(GETV(running_variance, ch) + epsilon);
        if (row < rows) {
            PUTV(GETV(kernel_, (ulong)row * c + ch) * factor, to, (ulong)row * c + ch);
        } else {
            const realv from = (has_bias ? GETV(bias, ch) : (realv)0.0f) - GETV(running_mean, ch);
            PUTV(fma(from, factor, GETV(beta, ch)), to_bias, ch);
        }
    }
}
