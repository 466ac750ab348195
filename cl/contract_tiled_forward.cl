/* Tiled schedule, y = act(conv(x, w) + bias): m = output pixel, k = (tap, input channel), n = output
 * channel. -D POOL: a 2 x 2 max-pool behind it; the rows of C are the pixels of its windows, four by four,
 * so that an item has whole windows in its registers. -D PART: sums of a slice of K, without bias and
 * activation, to y = part[slice][m_total][co]. Work-group = (tile, slice). */
#include "tiled.cl"
#include "tiled_load.cl"
#include "tiled_gather.cl"
#include "tiled_store.cl"
#include "contract_epilogue.cl"
#include "pool4.cl"

#define A_LOADS K_LOADS(VA, M)
#define B_LOADS R_LOADS(VB, N)
#define A_M(i) K_ROW(VA, M, t, i)
#define B_K(i) R_K(VB, N, t, i)
#define B_N(i) R_ROW(VB, N, t, i)
#define A_AT(k, row) K_FLOAT(VA, TM, k, row)
#define B_AT(k, column) R_FLOAT(VB, TN, k, column)

static DEFINE_ACTIVATE(float4, activate)
DEFINE_GET4(get_bias4, float, GET_F32)

static inline b_vec filter(__global const float *w, int k, int k_last, int n, int co)
{
    return k < k_last && n < co ? GET_F32(VB, w + (long)k * co + n) : (b_vec)(0.0f);
}

static inline void store(__global result *y, __global uchar *mask, __global const float *bias, float4 acc[TM][TN / 4],
                         const tile *t, int m_count, int m_total, int co, int y_pitch, int has_bias, int flags)
{
    UNROLL for (int j = 0; j < TN / 4; j++)
    {
        const int n = TILE_N(*t, j);
        const float4 start = has_bias ? get_bias4(bias + n, n, co) : (float4)(0.0f);
        UNROLL for (int i = 0; i < TM / 4; i++)
        {
            const int m = TILE_M(*t, i);
#if defined(PART)
            UNROLL for (int r = 0; r < 4; r++) if (m + r < m_count)
                put4(part_row(y, t, m + r, m_total, co) + n, acc[4 * i + r][j], n, co);
#elif defined(POOL)
            int4 place;
            const float4 best = pool4(acc[4 * i][j] + start, acc[4 * i + 1][j] + start,
                                      acc[4 * i + 2][j] + start, acc[4 * i + 3][j] + start,
                                      FLOOR_OF(flags), &place);
            if (m < m_count) {
                put4(y + (long)(m / 4) * y_pitch + n, activate(best, FLOOR_OF(flags)), n, co);
                if (flags & FLAG_SAVE)
                    put_mask4(mask + (long)(m / 4) * co + n, place, n, co);
            }
#else
            UNROLL for (int r = 0; r < 4; r++) if (m + r < m_count)
                put4(y + (long)(m + r) * y_pitch + n,
                     activate(acc[4 * i + r][j] + start, FLOOR_OF(flags)), n, co);
#endif
        }
    }
}

/* per_sample: rows of C of a sample. */
TILED_KERNEL contract_tiled_forward(IN_STATE, IN(x), IN_F32(w), IN_F32(bias), RESULT(y), OUT_U8(mask), GATHER, int co,
                                    int depth, int slice_k, int per_sample, int m_total, int y_pitch,
                                    int has_bias, int flags)
{
    AT(x);
    AT(w);
    AT(bias);
    AT(y);
    AT(mask);
    TILED_LOCAL(as, bs);
    const tile t = tile_of(co);
    const int m_count = STATE->n * per_sample, k_first = t.slice * slice_k;
    const int k_last = t.m0 < m_count ? k_first + min(slice_k, depth - k_first) : k_first;
    const int a_k = K_FIRST(VA, t);
    place at = place_of(k_first + a_k, GATHERED, 0, 0, 0);
    origin from[A_LOADS];
    a_vec a[A_LOADS];
    b_vec b[B_LOADS];
    UNROLL for (int i = 0; i < A_LOADS; i++) from[i] = origin_of(t.m0 + A_M(i), m_count, GATHERED);
    float4 acc[TM][TN / 4];
    tile_zero(acc);
#define FETCH(k)                                                                                   \
    do {                                                                                           \
        const bool in = (k) + a_k < k_last;                                                        \
        UNROLL for (int i = 0; i < A_LOADS; i++)                                                   \
            a[i] = in ? gather(x, 0, from[i], at, GATHERED) : (a_vec)(0.0f);                       \
        UNROLL for (int i = 0; i < B_LOADS; i++)                                                   \
            b[i] = filter(w, (k) + B_K(i), k_last, t.n0 + B_N(i), co);                                \
        at = place_next(at, GATHERED, 0, 0);                                                       \
    } while (0)
#define STASH(stage)                                                                               \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++) if (K_IS_IN(VA, M, t, i))                         \
            STASH_BY_COLUMN(VA, as[stage], A_ROW, a_k, A_M(i), a[i]);                              \
        UNROLL for (int i = 0; i < B_LOADS; i++) if (R_IS_IN(VB, N, t, i))                         \
            STASH_BY_ROW(VB, bs[stage], B_ROW, B_K(i), B_N(i), b[i]);                              \
    } while (0)
    TILE_SUM(acc, k_first, k_last);
    store(y, mask, bias, acc, &t, m_count, m_total, co, y_pitch, has_bias, flags);
}
