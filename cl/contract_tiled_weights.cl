/* Tiled schedule, dw and dbias: m = (tap, input channel), k = output pixel of the batch, n = output channel.
 * The groups of m's first tile add dz up for the bias while it passes through their registers. -D UNPOOL:
 * dz is dy behind a 2 x 2 max-pool, oh and ow are even. -D PART: sums of a slice of K to
 * dw = db = part[slice][depth of forward + 1][co], the last row for the bias. Work-group = (tile, slice). */
#include "tiled.cl"
#include "tiled_load.cl"
#include "tiled_store.cl"
#include "contract_geometry.cl"

#define A_LOADS R_LOADS(VA, BM)
#define B_LOADS R_LOADS(VB, BN)
#define A_K(i) R_K(VA, BM, t.item, i)
#define B_K(i) R_K(VB, BN, t.item, i)

#ifdef PART
#define BIAS_ROW m_count
#else
#define BIAS_ROW 0 /* of db */
#endif

/* An output pixel, moved along without divisions. */
typedef struct { int image, row, col; } pixel;
static inline pixel pixel_of(int k, int oh, int ow)
{
    pixel p;
    p.image = k / (oh * ow);
    p.row = k / ow % oh;
    p.col = k % ow;
    return p;
}
static inline pixel pixel_next(pixel p, int oh, int ow)
{
    p.col += BK;
    while (p.col >= ow) {
        p.col -= ow;
        if (++p.row == oh) {
            p.row = 0;
            p.image++;
        }
    }
    return p;
}

/* Channel c of the input pixel under tap (down, right); down is past every image for a row of C that is
 * not there. */
static inline a_vec input(__global const real *x, pixel p, int down, int right, int c, GEOMETRY)
{
    const int r = p.row * stride_h + down, q = p.col * stride_w + right;
    if ((uint)r >= (uint)ih || (uint)q >= (uint)iw)
        return (a_vec)(0.0f);
    return GET(VA, x + ((long)(p.image * ih + r) * iw + q) * x_pitch + c);
}

#ifdef UNPOOL
static inline b_vec gradient(__global const real *dy, __global const uchar *mask, pixel p, int n, int oh, int ow,
                             int co, int pitch)
{
    const long at = (long)(p.image * (oh >> 1) + (p.row >> 1)) * (ow >> 1) + (p.col >> 1);
    const b_vec value = GET(VB, dy + at * pitch + n);
    return UNPOOLED(VB, value, GET_MASK(VB, mask + at * co + n), (p.row & 1) * 2 + (p.col & 1));
}
#endif

/* db[n] = the sum of the items' sums for column n, in order; scratch: ITEMS * VB floats. */
static inline void store_bias(__global real *db, b_vec sum, __local float *scratch, const tile *t, int co)
{
    const int lines = min(ITEMS / ALONG_ROWS(VB, BN), BK), line = R_K(VB, BN, t->item, 0);
    if (line < lines)
        STASH_BY_ROW(VB, scratch, BN, line, R_FIRST(VB, BN, t->item), sum);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int n = t->item; n < BN; n += ITEMS) {
        float total = 0;
        for (int i = 0; i < lines; i++)
            total += scratch[i * BN + n];
        if (t->n0 + n < co)
            db[t->n0 + n] = total;
    }
}

/* per_sample: pixels of K of a sample; rows of C: `m_count`. */
TILED_KERNEL contract_tiled_weights(IN_STATE, IN(x), IN(dz), IN_U8(mask), OUT(dw), OUT(db), GEOMETRY, int m_count,
                                    int slice_k, int per_sample, int has_bias)
{
    AT(x);
    AT(dz);
    AT(mask);
    AT(dw);
    AT(db);
    TILED_LOCAL(as, bs);
    const tile t = tile_of(co);
    const int k_first = t.slice * slice_k, k_last = k_first + min(slice_k, STATE->n * per_sample - k_first);
    const int a_m = R_FIRST(VA, BM, t.item), b_n = R_FIRST(VB, BN, t.item);
    const int m = t.m0 + a_m, tap = m / ci, c = m % ci, right = tap % kw * dil_w - pad_left;
    const int down = m < m_count ? tap / kw * dil_h - pad_top : ih + pad_top;
    pixel a_at[A_LOADS], b_at[B_LOADS];
    a_vec a[A_LOADS];
    b_vec b[B_LOADS], bias = (b_vec)(0.0f);
    UNROLL for (int i = 0; i < A_LOADS; i++) a_at[i] = pixel_of(k_first + A_K(i), oh, ow);
    UNROLL for (int i = 0; i < B_LOADS; i++) b_at[i] = pixel_of(k_first + B_K(i), oh, ow);
    float4 acc[TM][TN / 4];
    tile_zero(acc);
#ifdef UNPOOL
#define GRADIENT(k, i) gradient(dz, mask, b_at[i], t.n0 + b_n, oh, ow, co, y_pitch)
#else
#define GRADIENT(k, i) GET(VB, dz + (long)((k) + B_K(i)) * y_pitch + t.n0 + b_n)
#endif
#define FETCH(k)                                                                                   \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++)                                                   \
        {                                                                                          \
            a[i] = (k) + A_K(i) < k_last ? input(x, a_at[i], down, right, c, GEOMETRY_ARGS)        \
                                         : (a_vec)(0.0f);                                          \
            a_at[i] = pixel_next(a_at[i], oh, ow);                                                 \
        }                                                                                          \
        UNROLL for (int i = 0; i < B_LOADS; i++)                                                   \
        {                                                                                          \
            const bool in = (k) + B_K(i) < k_last && B_K(i) < BK && t.n0 + b_n < co;               \
            b[i] = in ? GRADIENT(k, i) : (b_vec)(0.0f);                                            \
            bias += b[i];                                                                          \
            b_at[i] = pixel_next(b_at[i], oh, ow);                                                 \
        }                                                                                          \
    } while (0)
#define STASH(stage)                                                                               \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++) if (A_K(i) < BK)                                  \
            STASH_BY_ROW(VA, as[stage], A_ROW, A_K(i), a_m, a[i]);                                 \
        UNROLL for (int i = 0; i < B_LOADS; i++) if (B_K(i) < BK)                                  \
            STASH_BY_ROW(VB, bs[stage], B_ROW, B_K(i), b_n, b[i]);                                 \
    } while (0)
    TILE_SUM(acc, as, bs, t, k_first, k_last);
    UNROLL for (int i = 0; i < TM; i++)
    {
        const int row = TILE_M(t, i / 4) + i % 4;
        UNROLL for (int j = 0; j < TN / 4; j++) if (row < m_count)
            put4(part_row(dw, &t, row, m_count + 1, co) + TILE_N(t, j), acc[i][j], TILE_N(t, j), co);
    }
    if (has_bias && t.m0 == 0)
        store_bias(part_row(db, &t, BIAS_ROW, m_count + 1, co), bias, (__local float *)bs, &t, co);
}
