/* Tiled schedule, dx = conv(dz, w transposed): m = pixel of one phase of dx, those that a stride apart
 * see the same taps; k = (tap, output channel), n = input channel. -D UNPOOL: dz is dy behind a 2 x 2
 * max-pool. -D PART: sums of a slice of K to dx = part[slice][m_total][ci], m_total being all pixels. -D ENDS: bias and
 * activation (-D ACT) of a transposed convolution, whose output is dx.
 * Work-group = (tile, slice). */
#include "tiled.cl"
#include "tiled_load.cl"
#include "tiled_gather.cl"
#include "tiled_store.cl"
#include "contract_epilogue.cl"

#define A_LOADS K_LOADS(VA, M)
#define B_LOADS K_LOADS(VB, N)
#define A_M(i) K_ROW(VA, M, t, i)
#define B_N(i) K_ROW(VB, N, t, i)
#define A_AT(k, row) K_FLOAT(VA, TM, k, row)
#define B_AT(k, column) K_FLOAT(VB, TN, k, column)

#ifndef PART
DEFINE_GET4(get4, real, GET)
#endif

static inline b_vec filter(__global const float *w, place at, int n, int ci, int co)
{
    return n < ci ? GET_F32(VB, w + ((long)at.tap * ci + n) * co + at.channel) : (b_vec)(0.0f);
}

#ifdef ENDS
static DEFINE_ACTIVATE(float4, activate)
DEFINE_GET4(get_bias4, float, GET_F32)
#endif

static inline void store(__global result *dx, __global const float *bias, float4 acc[TM][TN / 4], const tile *t, int m_count, int m_total,
                         int ci, int x_pitch, int rows, int cols, int image, int first, int down, int right,
                         int has_bias, int flags)
{
    UNROLL for (int i = 0; i < TM; i++)
    {
        const int m = TILE_M(*t, i / 4) + i % 4;
        if (m >= m_count)
            continue;
        const int pixel = m / (rows * cols) * image + first + m / cols % rows * down + m % cols * right;
        UNROLL for (int j = 0; j < TN / 4; j++)
        {
            const int n = TILE_N(*t, j);
#ifdef PART
            put4(part_row(dx, t, pixel, m_total, ci) + n, acc[i][j], n, ci);
#else
            __global result *p = dx + (long)pixel * x_pitch + n;
            float4 v = acc[i][j];
#ifdef ENDS
            if (has_bias)
                v += get_bias4(bias + n, n, ci);
            v = activate(v, FLOOR_OF(flags));
#endif
            put4(p, flags & FLAG_ACCUMULATE ? get4(p, n, ci) + v : v, n, ci);
#endif
        }
    }
}

/* The tap of a place in K: tap_first + row * tap_down + column * tap_right. The pixel of dx: image * number
 * + first + row * down + column * right. VA = VB: both run along K. */
TILED_KERNEL contract_tiled_data(IN_STATE, IN(dz), IN_U8(mask), IN_F32(w), IN_F32(bias), RESULT(dx), GATHER, int ci,
                                 int depth, int slice_k, int per_sample, int m_total, int x_pitch, int tap_first,
                                 int tap_down, int tap_right, int image, int first, int down, int right,
                                 int has_bias, int flags)
{
    AT(dz);
    AT(mask);
    AT(w);
    AT(bias);
    AT(dx);
    TILED_LOCAL(as, bs);
    const tile t = tile_of(ci);
    const int m_count = STATE->n * per_sample, k_first = t.slice * slice_k;
    const int k_last = t.m0 < m_count ? k_first + min(slice_k, depth - k_first) : k_first;
    const int my_k = K_FIRST(VA, t);
    place at = place_of(k_first + my_k, GATHERED, tap_first, tap_down, tap_right);
    origin from[A_LOADS];
    a_vec a[A_LOADS];
    b_vec b[B_LOADS];
    UNROLL for (int i = 0; i < A_LOADS; i++) from[i] = origin_of(t.m0 + A_M(i), m_count, GATHERED);
    float4 acc[TM][TN / 4];
    tile_zero(acc);
#define FETCH(k)                                                                                   \
    do {                                                                                           \
        const bool in = (k) + my_k < k_last;                                                       \
        UNROLL for (int i = 0; i < A_LOADS; i++)                                                   \
            a[i] = in ? gather(dz, mask, from[i], at, GATHERED) : (a_vec)(0.0f);                   \
        UNROLL for (int i = 0; i < B_LOADS; i++)                                                   \
            b[i] = in ? filter(w, at, t.n0 + B_N(i), ci, channels) : (b_vec)(0.0f);                \
        at = place_next(at, GATHERED, tap_down, tap_right);                                        \
    } while (0)
#define STASH(stage)                                                                               \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++) if (K_IS_IN(VA, M, t, i))                         \
            STASH_BY_COLUMN(VA, as[stage], A_ROW, my_k, A_M(i), a[i]);                             \
        UNROLL for (int i = 0; i < B_LOADS; i++) if (K_IS_IN(VB, N, t, i))                         \
            STASH_BY_COLUMN(VB, bs[stage], B_ROW, my_k, B_N(i), b[i]);                             \
    } while (0)
    TILE_SUM(acc, k_first, k_last);
    store(dx, bias, acc, &t, m_count, m_total, ci, x_pitch, rows, cols, image, first, down, right, has_bias, flags);
}
