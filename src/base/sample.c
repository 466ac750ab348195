#include "base/sample.h"

#include <math.h>
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
                *out++ = (float)v;
            }
        }
    }
}
