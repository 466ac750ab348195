/* Gradient of a depthwise convolution's filters and bias, first stage: part[slice][kh * kw + 1][co], the last row for
 * the bias; a slice is an equal part of all output rows of the full batch. -D MULT, V, TAPS, STEP: as in contract_depthwise.cl.
 * -D WIDE, on CPUs: work-item = (`block` channels, slice); sums and, in `strip` columns, inputs stay in the first-level cache, and
 * channels come first in the loops, along memory. Else: (vector of channels, piece, slice), a piece being PIECE taps of
 * a row of filters (-D, divides kw), whose sums stay in registers. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "contract_geometry.cl"

#define UNROLL _Pragma("unroll")
#if MULT == 1
#define SOURCE(p, c) LOADV(p, c)
#else
#define SOURCE(p, c) source_lanes(p, c)
static realv source_lanes(__global const real *p, int c)
{
    union {
        realv v;
        float lane[V];
    } u;
    UNROLL for (int l = 0; l < V; l++) u.lane[l] = LOAD(p, (c + l) / MULT);
    return u.v;
}
#endif

#ifdef WIDE
/* Adds the products of TW gradients from column o of an output row, and the inputs under their taps, to the sums of
 * the filters' rows h.x to h.y and of the taps s.x to s.y in them. p: the input under the first tap. */
#define ADD_TILE(N, h, s)                                                                                   \
    for (int c = c0; c < c1; c += V) {                                                                      \
        realv d_[N], all_ = (realv)0.0f;                                                                    \
        UNROLL for (int t_ = 0; t_ < (N); t_++) all_ += d_[t_] = LOADV(d + t_ * y_pitch, c);                \
        for (int i_ = (h).x; i_ < (h).y; i_++) {                                                            \
            __global const real *q_ = p + (long)i_ * dil_h * iw * x_pitch;                                  \
            __global float *to_ = part + i_ * kw * co;                                                      \
            ADD_TAPS##N(s)                                                                                  \
        }                                                                                                   \
        if (has_bias)                                                                                       \
            PUTV(GETV(part + kh * kw * co, c) + all_, part + kh * kw * co, c);                              \
    }
#define ADD_TAPS_1_BY_1(N, s)                                                                               \
    for (int j_ = (s).x; j_ < (s).y; j_++) {                                                                \
        realv sum_ = GETV(to_ + j_ * co, c);                                                                \
        UNROLL for (int t_ = 0; t_ < (N); t_++) sum_ =                                                      \
            fma(SOURCE(q_ + (j_ * dil_w + t_ * stride_w) * x_pitch, c), d_[t_], sum_);                      \
        PUTV(sum_, to_ + j_ * co, c);                                                                       \
    }
#define ADD_TAPS1(s) ADD_TAPS_1_BY_1(1, s)
#define TW 4
#ifdef TAPS
#define WINDOW ((TW - 1) * STEP + TAPS)
#define ADD_TAPS4(s)                                                                                        \
    realv win_[WINDOW], sum_[TAPS];                                                                         \
    UNROLL for (int j_ = 0; j_ < WINDOW; j_++) win_[j_] = LOADV(q_ + j_ * x_pitch, c);                      \
    UNROLL for (int j_ = 0; j_ < TAPS; j_++) sum_[j_] = GETV(to_ + j_ * co, c);                             \
    UNROLL for (int t_ = 0; t_ < TW; t_++)                                                                  \
        UNROLL for (int j_ = 0; j_ < TAPS; j_++) sum_[j_] = fma(win_[t_ * STEP + j_], d_[t_], sum_[j_]);    \
    UNROLL for (int j_ = 0; j_ < TAPS; j_++) PUTV(sum_[j_], to_ + j_ * co, c);
#else
#define ADD_TAPS4(s) ADD_TAPS_1_BY_1(4, s)
#endif

/* The taps from .x to before .y lie in an input of `size`; at: of the first. */
static int2 taps_inside(int at, int k, int dilation, int size)
{
    int low = 0, high = k;
    while (low < high && (uint)(at + low * dilation) >= (uint)size)
        low++;
    while (high > low && (uint)(at + (high - 1) * dilation) >= (uint)size)
        high--;
    return (int2)(low, high);
}

#ifdef MIN_VECTOR_WIDTH
__attribute__((min_vector_width(512)))
#endif
__attribute__((reqd_work_group_size(1, 1, 1))) __kernel void
contract_depthwise_weights(IN_STATE, IN(x), IN(dz), OUT_F32(part), GEOMETRY, int lines, int slices, int block,
                           int strip, int has_bias)
{
    const int slice = get_global_id(1), c0 = get_global_id(0) * block, c1 = min(c0 + block, co);
    AT(x);
    AT(dz);
    AT(part);
    part += (long)slice * (kh * kw + 1) * co;
    for (int row = 0; row <= kh * kw; row++)
        for (int c = c0; c < c1; c += V)
            PUTV((realv)0.0f, part + row * co, c);
    const int begin = (long)slice * lines / slices, end = min((int)((long)(slice + 1) * lines / slices), STATE->n * oh);
    for (int o0 = 0; o0 < ow; o0 += strip)
        for (int line = begin; line < end; line++) {
            const int top = line % oh * stride_h - pad_top, o1 = min(o0 + strip, ow);
            const int2 h = taps_inside(top, kh, dil_h, ih);
            __global const real *image = x + (long)(line / oh) * ih * iw * x_pitch;
            for (int o = o0; o < o1;) {
                const int left = o * stride_w - pad_left;
                const bool whole = o + TW <= o1 && left >= 0 && left + (TW - 1) * stride_w + (kw - 1) * dil_w < iw;
                const int2 s = whole ? (int2)(0, kw) : taps_inside(left, kw, dil_w, iw);
                __global const real *p = image + ((long)top * iw + left) * x_pitch;
                __global const real *d = dz + ((long)line * ow + o) * y_pitch;
                if (whole) {
                    ADD_TILE(4, h, s)
                } else {
                    ADD_TILE(1, h, s)
                }
                o += whole ? TW : 1;
            }
        }
}
#else
/* One chain of sums waits for itself: two take turns. */
enum { CHAINS = 2 };

/* sum[k] += an output row's gradients times the inputs under taps s, s + 1, ... of a row of filters. */
static void add_row(realv sum[PIECE], __global const real *row, __global const real *d, int c, int s, int iw,
                    int x_pitch, int ow, int y_pitch, int stride_w, int dil_w, int pad_left)
{
    realv acc[CHAINS][PIECE];
    UNROLL for (int k = 0; k < PIECE; k++)
    {
        acc[0][k] = sum[k];
        acc[1][k] = (realv)0.0f;
    }
    const int tap = dil_w * x_pitch, step = stride_w * x_pitch;
    for (int o = 0; o < ow;) {
        const int at = o * stride_w - pad_left + s * dil_w, reach = (PIECE - 1) * dil_w + (CHAINS - 1) * stride_w;
        __global const real *p = row + (long)at * x_pitch;
        if (o + CHAINS <= ow && at >= 0 && at + reach < iw) {
            UNROLL for (int i = 0; i < CHAINS; i++)
            {
                const realv v = LOADV(d, (o + i) * y_pitch + c);
                UNROLL for (int k = 0; k < PIECE; k++) acc[i][k] = fma(SOURCE(p + i * step + k * tap, c), v, acc[i][k]);
            }
            o += CHAINS;
        } else {
            const realv v = LOADV(d, o * y_pitch + c);
            UNROLL for (int k = 0; k < PIECE; k++) if ((uint)(at + k * dil_w) < (uint)iw)
                acc[0][k] = fma(SOURCE(p + k * tap, c), v, acc[0][k]);
            o++;
        }
    }
    UNROLL for (int k = 0; k < PIECE; k++) sum[k] = acc[0][k] + acc[1][k];
}

/* The same of the output rows from line to before end, counted through all images; h: the filters' row. */
static void add_rows(realv sum[PIECE], __global const real *x, __global const real *dz, int line, int end, int c, int h,
                     int s, GEOMETRY)
{
    for (; line < end; line++) {
        const int r = line % oh * stride_h - pad_top + h * dil_h;
        if (r >= 0 && r < ih)
            add_row(sum, x + ((long)(line / oh) * ih + r) * iw * x_pitch, dz + (long)line * ow * y_pitch, c, s, iw,
                    x_pitch, ow, y_pitch, stride_w, dil_w, pad_left);
    }
}

static realv add_bias(__global const real *dz, int line, int end, int c, int ow, int y_pitch)
{
    realv sum = (realv)0.0f;
    for (int row = line; row < end; row++)
        for (int o = 0; o < ow; o++)
            sum += LOADV(dz, ((long)row * ow + o) * y_pitch + c);
    return sum;
}

__kernel void contract_depthwise_weights(IN_STATE, IN(x), IN(dz), OUT_F32(part), GEOMETRY, int lines, int slices,
                                         int block, int strip, int has_bias)
{
    const int slice = get_global_id(2), piece = get_global_id(1), c = get_global_id(0) * V, pieces = kw / PIECE;
    if (slice >= slices || piece > kh * pieces || c >= co)
        return;
    AT(x);
    AT(dz);
    AT(part);
    const int begin = (long)slice * lines / slices, end = min((int)((long)(slice + 1) * lines / slices), STATE->n * oh);
    part += (long)slice * (kh * kw + 1) * co;
    if (piece == kh * pieces) {
        PUTV(add_bias(dz, begin, has_bias ? end : begin, c, ow, y_pitch), part, kh * kw * co + c);
        return;
    }
    realv sum[PIECE];
    UNROLL for (int k = 0; k < PIECE; k++) sum[k] = (realv)0.0f;
    add_rows(sum, x, dz, begin, end, c, piece / pieces, piece % pieces * PIECE, GEOMETRY_ARGS);
    UNROLL for (int k = 0; k < PIECE; k++) PUTV(sum[k], part, (piece * PIECE + k) * co + c);
}
#endif
