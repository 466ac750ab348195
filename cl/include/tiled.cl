/* The tile product of the tiled schedule. A work-group of WM x WN items computes BM x BN elements of C in
 * steps of BK along K; A's part of a step lies in local memory as [BK][BM], B's as [BK][BN], twice, so that
 * the next step is stored while this one is multiplied: one barrier a step. An item owns TM x TN elements in
 * runs of four rows and four columns, the runs of neighbouring items beside each other: local memory is read
 * in vectors without bank conflicts, C is written in whole lines.
 * -D BM, BN, BK, TM, TN; TM and TN are multiples of 4, all others powers of two. A and B are fetched from
 * global memory in vectors of VA and VB, C is written in vectors of VC (1 or 4). */
#include "types.cl"
#include "state.cl"
#define UNROLL _Pragma("unroll")
#define WM (BM / TM)
#define WN (BN / TN)
#define ITEMS (WM * WN)
/* Four floats apart, rows that are stored by column meet in few banks, and stay aligned. */
#define A_ROW (BM + 4)
#define B_ROW (BN + 4)
#define TILED_KERNEL __attribute__((reqd_work_group_size(ITEMS, 1, 1))) __kernel void
#define TILED_LOCAL(as, bs) __local float4 as[2][BK * A_ROW / 4], bs[2][BK * B_ROW / 4]

/* Groups are numbered along n first: neighbours share A, which is the larger operand of a convolution. The
 * tile's first row and column, the item's among the runs of four, and the slice of K. */
typedef struct { int item, m0, n0, row, col, slice; } tile;
static inline tile tile_of(int n_count)
{
    const int group = get_group_id(0), tiles_n = (n_count + BN - 1) / BN;
    tile t;
    t.item = get_local_id(0);
    t.m0 = group / tiles_n * BM;
    t.n0 = group % tiles_n * BN;
    t.row = t.item / WN;
    t.col = t.item % WN;
    t.slice = get_group_id(1);
    return t;
}
/* Rows of C of the item's i-th run of four, and its columns likewise. */
#define TILE_M(t, i) ((t).m0 + ((i) * WM + (t).row) * 4)
#define TILE_N(t, j) ((t).n0 + ((j) * WN + (t).col) * 4)

static inline void tile_zero(float4 acc[TM][TN / 4])
{
    UNROLL for (int i = 0; i < TM; i++)
        UNROLL for (int j = 0; j < TN / 4; j++) acc[i][j] = (float4)(0.0f);
}

static inline void tile_multiply(float4 acc[TM][TN / 4], __local const float4 *a, __local const float4 *b,
                                 const tile *t)
{
    a += t->row;
    b += t->col;
    _Pragma("unroll 8") for (int k = 0; k < BK; k++, a += A_ROW / 4, b += B_ROW / 4)
    {
        float4 bv[TN / 4];
        UNROLL for (int j = 0; j < TN / 4; j++) bv[j] = b[j * WN];
        UNROLL for (int i = 0; i < TM / 4; i++)
        {
            const float4 av = a[i * WM];
            UNROLL for (int j = 0; j < TN / 4; j++)
            {
                acc[4 * i + 0][j] = fma((float4)(av.x), bv[j], acc[4 * i + 0][j]);
                acc[4 * i + 1][j] = fma((float4)(av.y), bv[j], acc[4 * i + 1][j]);
                acc[4 * i + 2][j] = fma((float4)(av.z), bv[j], acc[4 * i + 2][j]);
                acc[4 * i + 3][j] = fma((float4)(av.w), bv[j], acc[4 * i + 3][j]);
            }
        }
    }
}

/* acc = sum over K's [first, last). FETCH(k) reads the step from k into registers, zeros from `last` on;
 * STASH(stage) stores it in as[stage] and bs[stage]. All items come by every barrier, and leave by one. */
#define TILE_SUM(acc, as, bs, t, first, last)                                                      \
    do {                                                                                           \
        FETCH(first);                                                                              \
        STASH(0);                                                                                  \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        for (int k_ = (first), stage_ = 0; k_ < (last); k_ += BK, stage_ ^= 1) {                   \
            const bool more_ = k_ + BK < (last);                                                   \
            if (more_)                                                                             \
                FETCH(k_ + BK);                                                                    \
            tile_multiply(acc, (as)[stage_], (bs)[stage_], &(t));                                  \
            if (more_)                                                                             \
                STASH(stage_ ^ 1);                                                                 \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
        }                                                                                          \
    } while (0)
