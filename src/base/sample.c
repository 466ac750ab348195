#include "base/sample.h"
#include "base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* One source value, edges clamped. */
static double fetch(const unsigned char *slot, const struct clv_sample_record *r, int x, int y,
                    int k)
{
    const int w = (int)r->width, h = (int)r->height;
    x = x < 0 ? 0 : x >= w ? w - 1 : x;
    y = y < 0 ? 0 : y >= h ? h - 1 : y;
    const size_t at = ((size_t)y * r->width + (size_t)x) * r->channels + (size_t)k;
    const unsigned char *p = slot + r->offset + at * r->value_bytes;
    if (r->value_bytes == 1)
        return *p;
    if (r->value_bytes == 2) {
        uint16_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    float v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static double bilinear(const unsigned char *slot, const struct clv_sample_record *r, double sx,
                       double sy, int k)
{
    /* Beyond one pixel outside every value is the edge's: clamping there keeps the int casts
     * defined. */
    const double fx = fmin(fmax(sx - 0.5, -1), r->width), fy = fmin(fmax(sy - 0.5, -1), r->height);
    const int x = (int)floor(fx), y = (int)floor(fy);
    const double ax = fx - x, ay = fy - y;
    const double top = (1 - ax) * fetch(slot, r, x, y, k) + ax * fetch(slot, r, x + 1, y, k);
    const double low =
        (1 - ax) * fetch(slot, r, x, y + 1, k) + ax * fetch(slot, r, x + 1, y + 1, k);
    return (1 - ay) * top + ay * low;
}

/* Mean of the taps inside output pixel (x, y). */
static double area(const unsigned char *slot, const struct clv_sample_record *r, int x, int y,
                   int k)
{
    double sum = 0;
    for (uint32_t j = 0; j < r->taps[1]; j++) {
        const double py = y + (j + 0.5) / r->taps[1];
        for (uint32_t i = 0; i < r->taps[0]; i++) {
            const double px = x + (i + 0.5) / r->taps[0];
            const double sx = (double)r->m[0] * px + (double)r->m[1] * py + (double)r->m[2];
            const double sy = (double)r->m[3] * px + (double)r->m[4] * py + (double)r->m[5];
            sum += bilinear(slot, r, sx, sy, k);
        }
    }
    return sum / ((double)r->taps[0] * r->taps[1]);
}

/* G. Box, M. Muller, "A note on the generation of random normal deviates", 1958; from as many bits as a float holds. */
static double noise(const struct clv_sample_record *r, int x, int y, int k)
{
    uint32_t w[4];
    clv_philox((uint64_t)r->noise[1] << 32 | r->noise[0], (const uint32_t[]){(uint32_t)x, (uint32_t)y, (uint32_t)k, 0},
               w);
    const double u = ((w[0] >> 9) + 0.5) * 0x1p-23, turn = (w[1] >> 8) * 0x1p-24;
    return sqrt(-2 * log(u)) * cos(turn * 6.28318530717958647692);
}

static bool is_erased(const struct clv_sample_record *r, int x, int y)
{
    const uint32_t *box = r->erase, ux = (uint32_t)x, uy = (uint32_t)y;
    return ux >= box[0] && uy >= box[1] && ux < box[2] && uy < box[3];
}

void clv_sample_reference(const unsigned char *slot, const struct clv_sample_record *r, int h,
                          int w, int c, const struct clv_normalise *norm, float *out)
{
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            for (int k = 0; k < c; k++) {
                const double mean = area(slot, r, x, y, r->channels == 1 ? 0 : k);
                double v = mean / (double)r->max;
                v = (v - 0.5) * (double)r->contrast + 0.5 + (double)r->brightness;
                v = (v - (double)norm->mean[k]) / (double)norm->std[k];
                if (is_erased(r, x, y))
                    v = r->erase_random ? noise(r, x, y, k) : (double)r->erase_value[k];
                *out++ = (float)v;
            }
        }
    }
}

const struct clv_mix clv_mix_none = {1, {0, 0, 0, 0}};

double clv_mix_share(const struct clv_mix *m, int h, int w)
{
    const uint32_t *b = m->box;
    if (b[2] <= b[0] || b[3] <= b[1])
        return 1;
    const double area = (double)(b[2] - b[0]) * (b[3] - b[1]);
    return 1 - (1 - (double)m->keep) * area / ((double)h * w);
}

static void mix_pair(double keep, float *a, float *b)
{
    const double first = (double)*a, second = (double)*b;
    *a = (float)(keep * first + (1 - keep) * second);
    *b = (float)(keep * second + (1 - keep) * first);
}

void clv_mix_reference(const struct clv_mix *m, int n, int h, int w, int c, float *x)
{
    const size_t row = (size_t)w * (size_t)c, size = (size_t)h * row;
    for (int i = 0; i < n / 2; i++)
        for (uint32_t y = m->box[1]; y < m->box[3]; y++)
            for (size_t k = m->box[0] * (size_t)c; k < m->box[2] * (size_t)c; k++)
                mix_pair((double)m->keep, x + (size_t)i * size + y * row + k,
                         x + (size_t)(n - 1 - i) * size + y * row + k);
}

void clv_mix_targets(const struct clv_mix *m, int h, int w, int n, int outputs, float *targets)
{
    const double share = clv_mix_share(m, h, w);
    for (int i = 0; i < n / 2; i++)
        for (int k = 0; k < outputs; k++)
            mix_pair(share, targets + (size_t)i * (size_t)outputs + k,
                     targets + (size_t)(n - 1 - i) * (size_t)outputs + k);
}
