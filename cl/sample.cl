/* The preprocessing pass: from stored pixels in a staging slot to the network's input, in one go. What it
 * computes is defined in src/base/sample.h. A work-item makes `span` pixels of one output row. ROWS (CPUs): a whole row;
 * where the image is neither turned nor sheared, the row's taps are first added up down the columns, in long
 * vectors, into `line`, local memory of line_floats numbers and w, rounded up to 16, more, and then across. */
#define V 1
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "cells.cl"
#include "philox.cl"

/* struct clv_sample_record of src/base/sample.h. */
typedef struct {
    uint offset, width, height, channels, value_bytes;
    float m[6];
    uint taps[2];
    float contrast, brightness, max;
    uint erase[4];
    float erase_value[4];
    uint noise[2], erase_random, reserved[5];
} sample_record;

static inline int is_erased(__global const sample_record *r, int x, int y)
{
    return (uint)x >= r->erase[0] && (uint)y >= r->erase[1] && (uint)x < r->erase[2] && (uint)y < r->erase[3];
}
static float erased(__global const sample_record *r, int x, int y, int k)
{
    if (!r->erase_random)
        return r->erase_value[min(k, 3)];
    const philox_words begin = {{(uint)x, (uint)y, (uint)k, 0}};
    const philox_words bits = philox(r->noise[0], r->noise[1], begin);
    const float u = ((float)(bits.w[0] >> 9) + 0.5f) * 0x1p-23f, turn = (float)(bits.w[1] >> 8) * 0x1p-24f;
    return sqrt(-2.0f * log(u)) * cospi(2.0f * turn);
}

/* What follows sampling, v * scale + shift per channel. For max = contrast = std = 1 and brightness =
 * mean = 0 that is exactly v. Channels from the fifth on are not normalised. */
typedef struct { float scale[4], shift[4], plain, level; } finish;
static inline finish finish_of(__global const sample_record *r, float4 mean, float4 std)
{
    const float m[4] = {mean.x, mean.y, mean.z, mean.w}, s[4] = {std.x, std.y, std.z, std.w};
    finish f;
    f.plain = r->contrast / r->max;
    f.level = 0.5f - 0.5f * r->contrast + r->brightness;
    for (int k = 0; k < 4; k++) {
        f.scale[k] = f.plain / s[k];
        f.shift[k] = (f.level - m[k]) / s[k];
    }
    return f;
}
static inline float finish_scale(const finish *f, int k) { return k < 4 ? f->scale[k] : f->plain; }
static inline float finish_shift(const finish *f, int k) { return k < 4 ? f->shift[k] : f->level; }

#ifndef ROWS
/* Bilinear value of stored channel k at (sx, sy), edges clamped, for each type of stored values. */
#define BILINEAR(name, type)                                                                                   \
    static inline float name(__global const type *p, int w, int h, uint step, float sx, float sy)              \
    {                                                                                                          \
        const float fx = clamp(sx - 0.5f, -1.0f, (float)w), fy = clamp(sy - 0.5f, -1.0f, (float)h);            \
        const float left = floor(fx), top = floor(fy);                                                         \
        const float ax = fx - left, ay = fy - top;                                                             \
        const uint x0 = (uint)clamp((int)left, 0, w - 1) * step;                                               \
        const uint x1 = (uint)clamp((int)left + 1, 0, w - 1) * step;                                           \
        __global const type *a = p + (ulong)clamp((int)top, 0, h - 1) * ((uint)w * step);                      \
        __global const type *b = p + (ulong)clamp((int)top + 1, 0, h - 1) * ((uint)w * step);                  \
        return (1.0f - ay) * ((1.0f - ax) * (float)a[x0] + ax * (float)a[x1]) +                                \
               ay * ((1.0f - ax) * (float)b[x0] + ax * (float)b[x1]);                                          \
    }
BILINEAR(bilinear_u8, uchar)
BILINEAR(bilinear_u16, ushort)
BILINEAR(bilinear_f32, float)

/* Mean of the taps inside output pixel (x, y). */
static float area(__global const uchar *pixels, __global const sample_record *r, int x, int y, uint k)
{
    const int w = (int)r->width, h = (int)r->height;
    const uint nx = r->taps[0], ny = r->taps[1], step = r->channels, bytes = r->value_bytes;
    float sum = 0.0f;
    for (uint j = 0; j < ny; j++) {
        const float py = (float)y + ((float)j + 0.5f) / (float)ny;
        float row = 0.0f;
        for (uint i = 0; i < nx; i++) {
            const float px = (float)x + ((float)i + 0.5f) / (float)nx;
            const float sx = r->m[0] * px + r->m[1] * py + r->m[2];
            const float sy = r->m[3] * px + r->m[4] * py + r->m[5];
            if (bytes == 1)
                row += bilinear_u8(pixels + k, w, h, step, sx, sy);
            else if (bytes == 2)
                row += bilinear_u16((__global const ushort *)pixels + k, w, h, step, sx, sy);
            else
                row += bilinear_f32((__global const float *)pixels + k, w, h, step, sx, sy);
        }
        sum += row;
    }
    return sum / (float)(nx * ny);
}

#else
/* line (+)= weight * n stored values. */
#define ADD_ROW(name, type)                                                                                    \
    static inline void name(__local float *line, __global const type *p, uint n, float weight, int first)      \
    {                                                                                                          \
        uint i = 0;                                                                                            \
        for (; i + 16 <= n; i += 16) {                                                                         \
            const float16 v = convert_float16(vload16(0, p + i)) * weight;                                     \
            vstore16(first ? v : v + vload16(0, line + i), 0, line + i);                                       \
        }                                                                                                      \
        for (; i < n; i++)                                                                                     \
            line[i] = first ? (float)p[i] * weight : line[i] + (float)p[i] * weight;                           \
    }
ADD_ROW(add_row_u8, uchar)
ADD_ROW(add_row_u16, ushort)
ADD_ROW(add_row_f32, float)

/* Weight of source row `row` in the mean of the ny taps of output row y. */
static float row_weight(__global const sample_record *r, int y, int row)
{
    const uint ny = r->taps[1];
    const int h = (int)r->height;
    float sum = 0.0f;
    for (uint j = 0; j < ny; j++) {
        const float sy = r->m[4] * ((float)y + ((float)j + 0.5f) / (float)ny) + r->m[5];
        const float fy = clamp(sy - 0.5f, -1.0f, (float)h), top = floor(fy), ay = fy - top;
        if (clamp((int)top, 0, h - 1) == row)
            sum += 1.0f - ay;
        if (clamp((int)top + 1, 0, h - 1) == row)
            sum += ay;
    }
    return sum / (float)ny;
}

/* First and last source row that output row y touches. */
static int2 rows_of(__global const sample_record *r, int y)
{
    const float ny = (float)r->taps[1], h = (float)r->height;
    const float a = r->m[4] * ((float)y + 0.5f / ny) + r->m[5] - 0.5f;
    const float b = r->m[4] * ((float)y + (ny - 0.5f) / ny) + r->m[5] - 0.5f;
    return (int2)((int)clamp(floor(min(a, b)), 0.0f, h - 1.0f), (int)clamp(floor(max(a, b)) + 1.0f, 0.0f, h - 1.0f));
}

static void add_down(__local float *line, __global const uchar *pixels, __global const sample_record *r, int y)
{
    const uint n = r->width * r->channels;
    const int2 rows = rows_of(r, y);
    int first = 1;
    for (int row = rows.x; row <= rows.y; row++) {
        const float weight = row_weight(r, y, row);
        const ulong at = (ulong)row * n;
        if (weight == 0.0f)
            continue;
        if (r->value_bytes == 1)
            add_row_u8(line, pixels + at, n, weight, first);
        else if (r->value_bytes == 2)
            add_row_u16(line, (__global const ushort *)pixels + at, n, weight, first);
        else
            add_row_f32(line, (__global const float *)pixels + at, n, weight, first);
        first = 0;
    }
}

/* Sixteen stored values, or numbers of a line. */
#define GATHER(name, space, type)                                                                              \
    static inline float16 name(space const type *p, int16 i)                                                   \
    {                                                                                                          \
        return (float16)((float)p[i.s0], (float)p[i.s1], (float)p[i.s2], (float)p[i.s3], (float)p[i.s4],       \
                         (float)p[i.s5], (float)p[i.s6], (float)p[i.s7], (float)p[i.s8], (float)p[i.s9],       \
                         (float)p[i.sa], (float)p[i.sb], (float)p[i.sc], (float)p[i.sd], (float)p[i.se],       \
                         (float)p[i.sf]);                                                                      \
    }
GATHER(gather, __local, float)
GATHER(gather_u8, __global, uchar)
GATHER(gather_u16, __global, ushort)
GATHER(gather_f32, __global, float)
static inline float16 stored(__global const uchar *pixels, uint bytes, int16 at)
{
    if (bytes == 1)
        return gather_u8(pixels, at);
    return bytes == 2 ? gather_u16((__global const ushort *)pixels, at) : gather_f32((__global const float *)pixels, at);
}

/* Positions clamped to 0 .. last. The bounds are vectors: Oclgrind 21.10 clamps by scalars wrongly. */
static inline int16 inside(int16 at, int last) { return clamp(at, (int16)0, (int16)last); }

/* Numbers 0 to 15 of a vector's lanes. */
#define LANES ((float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

/* sum[x] = mean of the nx taps of output pixel x in one channel of the line. */
static void add_across(__local float *sum, __local const float *line, __global const sample_record *r, int w)
{
    const uint nx = r->taps[0];
    const int last = (int)r->width - 1, step = (int)r->channels;
    const float share = 1.0f / (float)nx, width = (float)r->width, m0 = r->m[0], m2 = r->m[2] - 0.5f;
    for (int x = 0; x < w; x += 16) {
        float16 total = 0.0f;
        for (uint i = 0; i < nx; i++) {
            const float16 px = LANES + ((float)x + ((float)i + 0.5f) * share);
            const float16 fx = clamp(m0 * px + m2, (float16)-1.0f, (float16)width), left = floor(fx), ax = fx - left;
            const int16 at = convert_int16(left);
            const float16 a = gather(line, inside(at, last) * step);
            const float16 b = gather(line, inside(at + 1, last) * step);
            total += ((1.0f - ax) * a + ax * b) * share;
        }
        vstore16(total, 0, sum + x);
    }
}

/* Bilinear values of stored channel k at sixteen places. */
static inline float16 bilinear(__global const uchar *pixels, __global const sample_record *r, float16 sx, float16 sy,
                               int k)
{
    const int w = (int)r->width, h = (int)r->height, step = (int)r->channels;
    const uint bytes = r->value_bytes;
    const float16 fx = clamp(sx - 0.5f, (float16)-1.0f, (float16)w);
    const float16 fy = clamp(sy - 0.5f, (float16)-1.0f, (float16)h);
    const float16 left = floor(fx), top = floor(fy), ax = fx - left, ay = fy - top;
    const int16 x = convert_int16(left), y = convert_int16(top);
    const int16 x0 = inside(x, w - 1) * step + k, x1 = inside(x + 1, w - 1) * step + k;
    const int16 y0 = inside(y, h - 1) * (w * step), y1 = inside(y + 1, h - 1) * (w * step);
    const float16 a = stored(pixels, bytes, y0 + x0), b = stored(pixels, bytes, y0 + x1);
    const float16 c = stored(pixels, bytes, y1 + x0), d = stored(pixels, bytes, y1 + x1);
    return (1.0f - ay) * ((1.0f - ax) * a + ax * b) + ay * ((1.0f - ax) * c + ax * d);
}

/* sum[x] = mean of the taps of output pixel (x, y) in channel k, for images at any angle. */
static void add_turned(__local float *sum, __global const uchar *pixels, __global const sample_record *r, int w, int y,
                       int k)
{
    const uint nx = r->taps[0], ny = r->taps[1];
    for (int x = 0; x < w; x += 16) {
        float16 total = 0.0f;
        for (uint j = 0; j < ny; j++) {
            const float py = (float)y + ((float)j + 0.5f) / (float)ny;
            for (uint i = 0; i < nx; i++) {
                const float16 px = LANES + ((float)x + ((float)i + 0.5f) / (float)nx);
                total += bilinear(pixels, r, r->m[0] * px + (r->m[1] * py + r->m[2]),
                                  r->m[3] * px + (r->m[4] * py + r->m[5]), k);
            }
        }
        vstore16(total / (float)(nx * ny), 0, sum + x);
    }
}

/* Images stored as the network wants them only change their scale: PATTERN numbers repeat the channels'. */
enum { PATTERN = 48 };
static int as_stored(__global const sample_record *r, int h, int w, int c)
{
    return PATTERN % c == 0 && r->width == (uint)w && r->height == (uint)h && r->channels == (uint)c &&
           r->taps[0] == 1 && r->taps[1] == 1 && r->m[0] == 1.0f && r->m[1] == 0.0f && r->m[2] == 0.0f &&
           r->m[3] == 0.0f && r->m[4] == 1.0f && r->m[5] == 0.0f;
}

/* Pixels of the box that lie in row `row`, which begins at y. */
static void erase_row(__global real *y, uint y_pitch, __global const sample_record *r, int row, int w, int c)
{
    const int end = (int)min(r->erase[2], (uint)w);
    if ((uint)row < r->erase[1] || (uint)row >= r->erase[3])
        return;
    for (int x = (int)r->erase[0]; x < end; x++)
        for (int k = 0; k < c; k++)
            STORE(erased(r, x, row, k), y, (ulong)x * y_pitch + k);
}

#define SCALE_ROW(name, type)                                                                                  \
    static inline void name(__global real *y, __global const type *p, int n, const finish *f, int c)           \
    {                                                                                                          \
        float scale[PATTERN], shift[PATTERN];                                                                  \
        for (int i = 0; i < PATTERN; i++) {                                                                    \
            scale[i] = finish_scale(f, i % c);                                                                 \
            shift[i] = finish_shift(f, i % c);                                                                 \
        }                                                                                                      \
        int i = 0;                                                                                             \
        for (; i + PATTERN <= n; i += PATTERN)                                                                 \
            for (int v = 0; v < PATTERN; v += 16)                                                              \
                STOREN(16, convert_float16(vload16(0, p + i + v)) * vload16(0, scale + v) + vload16(0, shift + v), \
                       y, i + v);                                                                              \
        for (int v = 0; i < n; i++, v++)                                                                       \
            STORE((float)p[i] * scale[v] + shift[v], y, i);                                                    \
    }
SCALE_ROW(scale_row_u8, uchar)
SCALE_ROW(scale_row_u16, ushort)
SCALE_ROW(scale_row_f32, float)

static void scale_row(__global real *y, __global const uchar *pixels, uint bytes, int row, int n, const finish *f, int c)
{
    const ulong at = (ulong)row * n;
    if (bytes == 1)
        scale_row_u8(y, pixels + at, n, f, c);
    else if (bytes == 2)
        scale_row_u16(y, (__global const ushort *)pixels + at, n, f, c);
    else
        scale_row_f32(y, (__global const float *)pixels + at, n, f, c);
}
#endif

KERNEL void sample(IN_STATE, IN_U8(slot), OUT(y), uint y_pitch, int h, int w, int c,
                   uint span, float mean0, float mean1, float mean2, float mean3, float std0, float std1, float std2,
                   float std3
#ifdef ROWS
                   , __local float *line, uint line_floats
#endif
)
{
    const cells s = cells_begin(h, w, 1, span);
    if (s.sample >= STATE->n)
        return;
    AT(y);
    AT(slot);
    y += pixel_at(s.sample, s.y, 0, h, w, y_pitch);
    __global const sample_record *r = (__global const sample_record *)slot + s.sample;
    __global const uchar *pixels = slot + r->offset;
    const finish f = finish_of(r, (float4)(mean0, mean1, mean2, mean3), (float4)(std0, std1, std2, std3));
    const int repeated = r->channels == 1;
#ifdef ROWS
    if (y_pitch == (uint)c && as_stored(r, h, w, c)) {
        scale_row(y, pixels, r->value_bytes, s.y, w * c, &f, c);
        erase_row(y, y_pitch, r, s.y, w, c);
        return;
    }
    __local float *sum = line + line_floats;
    const int upright = r->m[1] == 0.0f && r->m[3] == 0.0f && r->width * r->channels <= line_floats;
    if (upright)
        add_down(line, pixels, r, s.y);
    for (int k = 0; k < c; k++) {
        if (upright && (k == 0 || !repeated))
            add_across(sum, line + k, r, w);
        else if (k == 0 || !repeated)
            add_turned(sum, pixels, r, w, s.y, k);
        const float scale = finish_scale(&f, k), shift = finish_shift(&f, k);
        for (int x = 0; x < w; x++)
            STORE(sum[x] * scale + shift, y, (ulong)x * y_pitch + k);
    }
    erase_row(y, y_pitch, r, s.y, w, c);
#else
    cell p = s.first;
    for (uint i = s.count; i > 0; i--, cell_next(&p, 1)) {
        const int gone = is_erased(r, p.x, s.y);
        float v = gone ? 0.0f : area(pixels, r, p.x, s.y, 0);
        for (int k = 0; k < c; k++) {
            if (gone) {
                STORE(erased(r, p.x, s.y, k), y, (ulong)p.x * y_pitch + k);
                continue;
            }
            if (k > 0 && !repeated)
                v = area(pixels, r, p.x, s.y, (uint)k);
            STORE(v * finish_scale(&f, k) + finish_shift(&f, k), y, (ulong)p.x * y_pitch + k);
        }
    }
#endif
}
