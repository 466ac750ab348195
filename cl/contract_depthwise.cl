/* Depthwise convolution: each output channel sees one input channel, which -D MULT output channels share. Channels
 * are the lanes of vectors (-D V, which divides the channels), and memory is what it waits for: so the loops run
 * over channels first, along memory, and so few of them (`block`) and so few columns (`strip`) pass before the next row
 * that the first-level cache still holds the rows in which filters overlap.
 *
 * Forward and, with -D DATA, backward data are one kernel, which gathers: each element of the target is a sum over
 * taps of the source. -D WIDE, on CPUs: a work-item takes `rows` rows of an image, and TW pixels at a time; else it
 * takes a vector of one pixel. -D TAPS: taps of a row that reach a target, where those of TW targets, STEP pixels apart,
 * lie in one window of neighbouring pixels, which is read once. Filters [kh][kw][co]. */
#include "types.cl"
#include "state.cl"
#include "vec.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(realv, activate)

#define UNROLL _Pragma("unroll")
#ifdef DATA
#define TERMS MULT /* products for a tap */
#else
#define TERMS 1
#endif

/* Pixels of a row at a time. */
#define TW 4
#ifdef TAPS
#define WINDOW ((TW - 1) * STEP + TAPS)
#ifdef DATA /* taps lie one before the other */
#define WINDOW_FIRST (TAPS - 1)
#define WINDOW_AT(t, j) ((t) + TAPS - 1 - (j))
#else
#define WINDOW_FIRST 0
#define WINDOW_AT(t, j) ((t) * STEP + (j))
#endif
#endif

/* What filter element and source element meet in lane l of vector c, term k. */
#if MULT == 1
#define SOURCE(p, c, k) LOADV(p, c)
#define FILTER(f, c, k) GETV(f, c)
#else
#ifdef DATA
#define LANE_OF(c, l, k) (((c) + (l)) * MULT + (k))
#define FILTER(f, c, k) filter_lanes(f, c, k)
#else
#define LANE_OF(c, l, k) (((c) + (l)) / MULT)
#define FILTER(f, c, k) GETV(f, c)
#endif
#define SOURCE(p, c, k) source_lanes(p, c, k)
typedef union {
    realv v;
    float lane[V];
} lanes;

static realv source_lanes(__global const real *p, int c, int k)
{
    lanes u;
    UNROLL for (int l = 0; l < V; l++) u.lane[l] = LOAD(p, LANE_OF(c, l, k));
    return u.v;
}

static realv filter_lanes(__global const float *f, int c, int k)
{
    lanes u;
    UNROLL for (int l = 0; l < V; l++) u.lane[l] = f[LANE_OF(c, l, k)];
    return u.v;
}
#endif

/* One axis: target o, tap i: source start + o * out + i * tap, filter element first + i * step; i < n. */
typedef struct {
    int n, start, out, tap, first, step;
} axis;

static axis forward_axis(int k, int stride, int dilation, int pad)
{
    const axis a = {k, -pad, stride, dilation, 0, 1};
    return a;
}

/* Of the targets phase, phase + stride, ... Every step-th tap reaches them: step = stride / gcd(stride, dilation). */
static axis data_axis(int phase, int k, int stride, int dilation, int pad, int step)
{
    axis a = {0, 0, 1, -(step * dilation / stride), 0, step};
    while (a.first < min(step, k) && (phase + pad - a.first * dilation) % stride)
        a.first++;
    if (a.first < min(step, k)) {
        a.n = (k - a.first + step - 1) / step;
        a.start = (phase + pad - a.first * dilation) / stride;
    }
    return a;
}

/* The taps from .x to before .y lie in a source of `size`. */
static int2 taps_inside(axis a, int o, int size)
{
    const int at = a.start + o * a.out;
    int low = 0, high = a.n;
    while (low < high && (uint)(at + low * a.tap) >= (uint)size)
        low++;
    while (high > low && (uint)(at + (high - 1) * a.tap) >= (uint)size)
        high--;
    return (int2)(low, high);
}

/* acc[t] += the taps h by s of target t, `next` elements of p after the one before. p, f: of the first tap; p_h,
 * p_s, f_h, f_s: from tap to tap. */
#define GATHER(N, acc, h, s, next)                                                                          \
    for (int i_ = 0; i_ < (h); i_++) {                                                                      \
        __global const real *q_ = p + (long)i_ * p_h;                                                       \
        __global const float *g_ = f + i_ * f_h;                                                            \
        for (int j_ = 0; j_ < (s); j_++, q_ += p_s, g_ += f_s)                                              \
            for (int k_ = 0; k_ < TERMS; k_++)                                                              \
                UNROLL for (int t_ = 0; t_ < (N); t_++) acc[t_] =                                           \
                    fma(SOURCE(q_ + t_ * (next), c, k_), FILTER(g_, c, k_), acc[t_]);                       \
    }

/* The same of TW targets with all taps of a row inside. */
#ifdef TAPS
#define GATHER_TILE(acc, h, s, next)                                                                        \
    for (int i_ = 0; i_ < (h); i_++) {                                                                      \
        __global const real *q_ = p + i_ * p_h - WINDOW_FIRST * (next);                                     \
        __global const float *g_ = f + i_ * f_h;                                                            \
        realv win_[WINDOW];                                                                                 \
        UNROLL for (int j_ = 0; j_ < WINDOW; j_++) win_[j_] = LOADV(q_ + j_ * SOURCE_PITCH, c);             \
        UNROLL for (int j_ = 0; j_ < TAPS; j_++)                                                            \
        {                                                                                                   \
            const realv w_ = GETV(g_ + j_ * f_s, c);                                                        \
            UNROLL for (int t_ = 0; t_ < TW; t_++) acc[t_] = fma(win_[WINDOW_AT(t_, j_)], w_, acc[t_]);     \
        }                                                                                                   \
    }
#else
#define GATHER_TILE(acc, h, s, next) GATHER(TW, acc, h, s, next)
#endif

#ifdef DATA
#define SOURCE_H oh
#define SOURCE_W ow
#define SOURCE_PITCH y_pitch
#define TARGET_H ih
#define TARGET_W iw
#define TARGET_C ci
#define TARGET_PITCH x_pitch
#define PHASES_H stride_h
#define PHASES_W stride_w
#define ROW_AXIS(phase) data_axis(phase, kh, stride_h, dil_h, pad_top, step_h)
#define COLUMN_AXIS(phase) data_axis(phase, kw, stride_w, dil_w, pad_left, step_w)
#else
#define SOURCE_H ih
#define SOURCE_W iw
#define SOURCE_PITCH x_pitch
#define TARGET_H oh
#define TARGET_W ow
#define TARGET_C co
#define TARGET_PITCH y_pitch
#define PHASES_H 1
#define PHASES_W 1
#define ROW_AXIS(phase) forward_axis(kh, stride_h, dil_h, pad_top)
#define COLUMN_AXIS(phase) forward_axis(kw, stride_w, dil_w, pad_left)
#endif
#define STEPS                                                                                               \
    const long p_h = (long)a.tap * SOURCE_W * SOURCE_PITCH, p_s = (long)b.tap * SOURCE_PITCH;               \
    const int f_h = a.step * kw * co, f_s = b.step * co
/* The first tap of target column q, row r of its phases; h, s: the taps inside. */
#define FIRST_TAP(r, q)                                                                                     \
    __global const real *p =                                                                                \
        source + ((long)(a.start + (r) * a.out + h.x * a.tap) * SOURCE_W + b.start + (q) * b.out + s.x * b.tap) * \
                     SOURCE_PITCH;                                                                          \
    __global const float *f = w + ((a.first + h.x * a.step) * kw + b.first + s.x * b.step) * co
/* ACCUMULATE: to what is there. */
#define FINISH(sum, at)                                                                                     \
    STOREV(activate(flags & FLAG_ACCUMULATE ? (sum) + LOADV(target, at) : (sum), FLOOR_OF(flags)), target, at)

#ifdef WIDE
#ifdef MIN_VECTOR_WIDTH
__attribute__((min_vector_width(512)))
#endif
__attribute__((reqd_work_group_size(1, 1, 1))) __kernel void
contract_depthwise(IN_STATE, IN(source), IN_F32(w), IN_F32(bias), OUT(target), GEOMETRY, int step_h, int step_w,
                   int rows, int strip, int block, int has_bias, int flags)
{
    const int image = get_global_id(1), row0 = get_global_id(0) * rows;
    if (image >= STATE->n)
        return;
    AT(source);
    AT(w);
    AT(bias);
    AT(target);
    source += (long)image * SOURCE_H * SOURCE_W * SOURCE_PITCH;
    target += (long)image * TARGET_H * TARGET_W * TARGET_PITCH;
    for (int c0 = 0; c0 < TARGET_C; c0 += block) {
        const int c1 = min(c0 + block, TARGET_C);
        for (int q0 = 0; q0 * PHASES_W < TARGET_W; q0 += strip)
            for (int row = row0; row < min(row0 + rows, TARGET_H); row++) {
                const axis a = ROW_AXIS(row % PHASES_H);
                const int2 h = taps_inside(a, row / PHASES_H, SOURCE_H);
                for (int phase = 0; phase < PHASES_W; phase++) {
                    const axis b = COLUMN_AXIS(phase);
                    const int q1 = min(q0 + strip, (TARGET_W - phase + PHASES_W - 1) / PHASES_W);
                    const int reach = (b.n - 1) * b.tap, next = b.out * SOURCE_PITCH;
                    STEPS;
                    for (int q = q0; q < q1;) {
                        const int left = b.start + q * b.out + min(reach, 0);
                        const int right = b.start + (q + TW - 1) * b.out + max(reach, 0);
                        const bool whole = q + TW <= q1 && left >= 0 && right < SOURCE_W && b.n > 0;
                        const int2 s = whole ? (int2)(0, b.n) : taps_inside(b, q, SOURCE_W);
                        FIRST_TAP(row / PHASES_H, q);
                        const long at = ((long)row * TARGET_W + phase + q * PHASES_W) * TARGET_PITCH;
                        if (whole) {
                            for (int c = c0; c < c1; c += V) {
                                realv acc[TW];
                                const realv start = has_bias ? GETV(bias, c) : (realv)0.0f;
                                UNROLL for (int t = 0; t < TW; t++) acc[t] = start;
                                GATHER_TILE(acc, h.y - h.x, b.n, next)
                                UNROLL for (int t = 0; t < TW; t++)
                                    FINISH(acc[t], at + t * PHASES_W * TARGET_PITCH + c);
                            }
                        } else {
                            for (int c = c0; c < c1; c += V) {
                                realv acc[1] = {has_bias ? GETV(bias, c) : (realv)0.0f};
                                GATHER(1, acc, h.y - h.x, s.y - s.x, 0)
                                FINISH(acc[0], at + c);
                            }
                        }
                        q += whole ? TW : 1;
                    }
                }
            }
    }
}
#else
/* Work-item = (vector of channels of a column, row, image). */
__kernel void contract_depthwise(IN_STATE, IN(source), IN_F32(w), IN_F32(bias), OUT(target), GEOMETRY, int step_h,
                                 int step_w, int rows, int strip, int block, int has_bias, int flags)
{
    const int vectors = TARGET_C / V, column = get_global_id(0) / vectors, c = get_global_id(0) % vectors * V;
    const int row = get_global_id(1), image = get_global_id(2);
    if (column >= TARGET_W || row >= TARGET_H || image >= STATE->n)
        return;
    AT(source);
    AT(w);
    AT(bias);
    AT(target);
    source += (long)image * SOURCE_H * SOURCE_W * SOURCE_PITCH;
    target += (long)image * TARGET_H * TARGET_W * TARGET_PITCH;
    const axis a = ROW_AXIS(row % PHASES_H), b = COLUMN_AXIS(column % PHASES_W);
    const int2 h = taps_inside(a, row / PHASES_H, SOURCE_H), s = taps_inside(b, column / PHASES_W, SOURCE_W);
    STEPS;
    FIRST_TAP(row / PHASES_H, column / PHASES_W);
    realv acc[1] = {has_bias ? GETV(bias, c) : (realv)0.0f};
    GATHER(1, acc, h.y - h.x, s.y - s.x, 0)
    FINISH(acc[0], ((long)row * TARGET_W + column) * TARGET_PITCH + c);
}
#endif
