/* Tiled schedule, dw and dbias: m = (tap, input channel), k = output pixel of the batch, n = output channel.
 * The groups of m's first tile add dz up for the bias while it passes through their registers. -D UNPOOL:
 * dz is dy behind a 2 x 2 max-pool, oh and ow are even. -D PART: sums of a slice of K to
 * dw = db = part[slice][depth of forward + 1][co], the last row for the bias. Work-group = (tile, slice). */
#define RESULT_F32
#include "tiled.cl"
#include "tiled_load.cl"
#include "tiled_store.cl"
#include "contract_geometry.cl"

#define A_LOADS R_LOADS(VA, M)
#define B_LOADS R_LOADS(VB, N)
#define A_M(i) R_ROW(VA, M, t, i)
#define A_K(i) R_K(VA, M, t, i)
#define A_ROWS R_ROWS(VA, M)
#define A_PIXELS R_PLACES(VA, M)
#define A_PIXEL(i) R_PLACE(VA, M, i)
#define B_N(i) R_ROW(VB, N, t, i)
#define B_K(i) R_K(VB, N, t, i)
#define B_COLUMNS R_ROWS(VB, N)
#define B_PIXELS R_PLACES(VB, N)
#define B_PIXEL(i) R_PLACE(VB, N, i)
#define A_AT(k, row) R_FLOAT(VA, TM, k, row)
#define B_AT(k, column) R_FLOAT(VB, TN, k, column)

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

/* A row of C: a tap, as far as it is from a window's place in x, and a channel. */
typedef struct { int down, right, channel; } tap;
static inline tap tap_of(int m, int m_count, GEOMETRY)
{
    tap p;
    p.channel = m % ci;
    p.right = m / ci % kw * dil_w - pad_left;
    p.down = m < m_count ? m / ci / kw * dil_h - pad_top : ih + pad_top; /* below every image */
    return p;
}

static inline a_vec input(__global const real *x, pixel p, tap from, GEOMETRY)
{
    const int r = p.row * stride_h + from.down, q = p.col * stride_w + from.right;
    if ((uint)r >= (uint)ih || (uint)q >= (uint)iw)
        return (a_vec)(0.0f);
    return GET(VA, x + ((long)(p.image * ih + r) * iw + q) * x_pitch + from.channel);
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

/* An item's sums of dz, by the columns it reads. */
#ifdef DIRECT
#define STORE_BIAS(db, bias, scratch, t, co) store_bias(db, (const float *)bias, &t, co)

/* The items of the first row have all of K. */
static inline void store_bias(__global float *db, const float *sum, const tile *t, int co)
{
    UNROLL for (int i = 0; i < TN; i++) if (t->row == 0 && t->n0 + RUN_N(*t, i) < co)
        db[t->n0 + RUN_N(*t, i)] = sum[i];
}
#else
#define STORE_BIAS(db, bias, scratch, t, co) store_bias(db, bias[0], (__local float *)scratch, &t, co)

/* db[n] = the sum of the items' sums for column n, in order; scratch: ITEMS * VB floats. */
static inline void store_bias(__global float *db, b_vec sum, __local float *scratch, const tile *t, int co)
{
    const int lines = min(ITEMS / ALONG_ROWS(VB, N), BK), line = R_K(VB, N, *t, 0);
    if (line < lines)
        STASH_BY_ROW(VB, scratch, BN, line, R_ROW(VB, N, *t, 0), sum);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int n = t->item; n < BN; n += ITEMS) {
        float total = 0;
        for (int i = 0; i < lines; i++)
            total += scratch[i * BN + n];
        if (t->n0 + n < co)
            db[t->n0 + n] = total;
    }
}
#endif

/* per_sample: pixels of K of a sample; rows of C: `m_count`. */
TILED_KERNEL contract_tiled_weights(IN_STATE, IN(x), IN(dz), IN_U8(mask), OUT_F32(dw), OUT_F32(db), GEOMETRY, int m_count,
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
    tap from[A_ROWS];
    pixel a_at[A_PIXELS], b_at[B_PIXELS];
    a_vec a[A_LOADS];
    b_vec b[B_LOADS], bias[B_COLUMNS];
    UNROLL for (int i = 0; i < A_ROWS; i++) from[i] = tap_of(t.m0 + A_M(i), m_count, GEOMETRY_ARGS);
    UNROLL for (int i = 0; i < B_COLUMNS; i++) bias[i] = (b_vec)(0.0f);
    UNROLL for (int i = 0; i < A_PIXELS; i++) a_at[i] = pixel_of(k_first + A_K(R_OF_PLACE(VA, M, i)), oh, ow);
    UNROLL for (int i = 0; i < B_PIXELS; i++) b_at[i] = pixel_of(k_first + B_K(R_OF_PLACE(VB, N, i)), oh, ow);
    float4 acc[TM][TN / 4];
    tile_zero(acc);
#ifdef UNPOOL
#define GRADIENT(k, i) gradient(dz, mask, b_at[B_PIXEL(i)], t.n0 + B_N(i), oh, ow, co, y_pitch)
#else
#define GRADIENT(k, i) GET(VB, dz + (long)((k) + B_K(i)) * y_pitch + t.n0 + B_N(i))
#endif
#define FETCH(k)                                                                                   \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++) a[i] =                                            \
            (k) + A_K(i) < k_last ? input(x, a_at[A_PIXEL(i)], from[i % A_ROWS], GEOMETRY_ARGS)    \
                                  : (a_vec)(0.0f);                                                 \
        UNROLL for (int i = 0; i < A_PIXELS; i++) a_at[i] = pixel_next(a_at[i], oh, ow);           \
        UNROLL for (int i = 0; i < B_LOADS; i++)                                                   \
        {                                                                                          \
            const bool in = (k) + B_K(i) < k_last && R_IS_IN(VB, N, t, i) && t.n0 + B_N(i) < co;   \
            b[i] = in ? GRADIENT(k, i) : (b_vec)(0.0f);                                            \
            bias[i % B_COLUMNS] += b[i];                                                           \
        }                                                                                          \
        UNROLL for (int i = 0; i < B_PIXELS; i++) b_at[i] = pixel_next(b_at[i], oh, ow);           \
    } while (0)
#define STASH(stage)                                                                               \
    do {                                                                                           \
        UNROLL for (int i = 0; i < A_LOADS; i++) if (R_IS_IN(VA, M, t, i))                         \
            STASH_BY_ROW(VA, as[stage], A_ROW, A_K(i), A_M(i), a[i]);                              \
        UNROLL for (int i = 0; i < B_LOADS; i++) if (R_IS_IN(VB, N, t, i))                         \
            STASH_BY_ROW(VB, bs[stage], B_ROW, B_K(i), B_N(i), b[i]);                              \
    } while (0)
    TILE_SUM(acc, k_first, k_last);
    UNROLL for (int i = 0; i < TM; i++)
    {
        const int row = TILE_M(t, i / 4) + i % 4;
        UNROLL for (int j = 0; j < TN / 4; j++) if (row < m_count)
            put4(part_row(dw, &t, row, m_count + 1, co) + TILE_N(t, j), acc[i][j], TILE_N(t, j), co);
    }
    if (has_bias && t.m0 == 0)
        STORE_BIAS(part_row(db, &t, BIAS_ROW, m_count + 1, co), bias, bs, t, co);
}
