/* The preprocessing pass: from stored pixels in a staging slot to the network's input, in one go. What it
 * computes is defined in src/base/sample.h. A work-item makes `span` pixels of one output row. */
#define V 1
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"

/* struct clv_sample_record of src/base/sample.h. */
typedef struct {
    uint offset, width, height, channels, value_bytes;
    float m[6];
    uint taps[2];
    float contrast, brightness, max;
} sample_record;

static inline float fetch(__global const uchar *pixels, uint value_bytes, ulong at)
{
    if (value_bytes == 1)
        return (float)pixels[at];
    if (value_bytes == 2)
        return (float)((__global const ushort *)pixels)[at];
    return ((__global const float *)pixels)[at];
}

/* Value of stored channel k at source position (sx, sy); edges clamped. */
static float bilinear(__global const uchar *pixels, __global const sample_record *r, float sx, float sy, uint k)
{
    const int w = (int)r->width, h = (int)r->height;
    const float fx = clamp(sx - 0.5f, -1.0f, (float)w), fy = clamp(sy - 0.5f, -1.0f, (float)h);
    const float left = floor(fx), top = floor(fy);
    const float ax = fx - left, ay = fy - top;
    const int x0 = clamp((int)left, 0, w - 1), x1 = clamp((int)left + 1, 0, w - 1);
    const ulong y0 = (ulong)clamp((int)top, 0, h - 1) * (uint)w, y1 = (ulong)clamp((int)top + 1, 0, h - 1) * (uint)w;
    const uint step = r->channels, bytes = r->value_bytes;
    const float a = fetch(pixels, bytes, (y0 + x0) * step + k), b = fetch(pixels, bytes, (y0 + x1) * step + k);
    const float c = fetch(pixels, bytes, (y1 + x0) * step + k), d = fetch(pixels, bytes, (y1 + x1) * step + k);
    return (1.0f - ay) * ((1.0f - ax) * a + ax * b) + ay * ((1.0f - ax) * c + ax * d);
}

/* Mean of the taps inside output pixel (x, y). */
static float area(__global const uchar *pixels, __global const sample_record *r, int x, int y, uint k)
{
    const uint nx = r->taps[0], ny = r->taps[1];
    float sum = 0.0f;
    for (uint j = 0; j < ny; j++) {
        const float py = (float)y + ((float)j + 0.5f) / (float)ny;
        float row = 0.0f;
        for (uint i = 0; i < nx; i++) {
            const float px = (float)x + ((float)i + 0.5f) / (float)nx;
            row += bilinear(pixels, r, r->m[0] * px + r->m[1] * py + r->m[2], r->m[3] * px + r->m[4] * py + r->m[5], k);
        }
        sum += row;
    }
    return sum / (float)(nx * ny);
}

/* Written so that max = contrast = std = 1, brightness = mean = 0 leave every bit of v alone. */
static inline float finish(__global const sample_record *r, float v, float mean, float std)
{
    return (v / r->max * r->contrast + (0.5f - 0.5f * r->contrast + r->brightness) - mean) / std;
}

KERNEL void sample(IN_STATE, IN_U8(slots), uint slot_low, uint slot_high, OUT(y), uint y_pitch, int h, int w, int c,
                   uint span, float mean0, float mean1, float mean2, float mean3, float std0, float std1, float std2,
                   float std3)
{
    const cells s = cells_begin(h, w, 1, span);
    if (s.sample >= STATE->n)
        return;
    const float mean[4] = {mean0, mean1, mean2, mean3}, std[4] = {std0, std1, std2, std3};
    const ulong slot_bytes = ((ulong)slot_high << 32) | slot_low;
    AT(y);
    AT(slots);
    slots += slot_bytes * STATE->slot;
    y += pixel_at(s.sample, s.y, 0, h, w, y_pitch);
    __global const sample_record *r = (__global const sample_record *)slots + s.sample;
    __global const uchar *pixels = slots + r->offset;
    cell p = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&p, 1)) {
        float v = area(pixels, r, p.x, s.y, 0);
        for (int k = 0; k < c; k++) {
            if (k > 0 && r->channels > 1)
                v = area(pixels, r, p.x, s.y, (uint)k);
            y[(ulong)p.x * y_pitch + k] = finish(r, v, k < 4 ? mean[k] : 0.0f, k < 4 ? std[k] : 1.0f);
        }
    }
}
