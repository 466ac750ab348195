/* The tile product of the tiled schedule. A work-group of WM x WN items computes BM x BN elements of C in
 * steps of BK along K; A's part of a step lies in local memory as [BK][BM], B's as [BK][BN], twice, so that
 * the next step is stored while this one is multiplied: one barrier a step. An item owns TM x TN elements in
 * runs of four rows and four columns, the runs of neighbouring items beside each other: local memory is read
 * in vectors without bank conflicts, C is written in whole lines.
 * -D BM, BN, BK, TM, TN; TM and TN are multiples of 4, all others powers of two. A and B are fetched from
 * global memory in vectors of VA and VB, C is written in vectors of VC (1 or 4).
 *
 * -D DIRECT: no local memory and no barrier. An item reads what it multiplies from global memory into its
 * registers; the caches serve its neighbours, which in a row of items read the same of A. BK is then what an
 * item has in registers, for an operand that lies along K one vector. -D LANES=n with it: rows of items
 * consist of sub-groups of n, an item reads one n-th of A's part and the sub-group's others have it from there. */
#include "types.cl"
#include "state.cl"
#define UNROLL _Pragma("unroll")
#define WM (BM / TM)
#define WN (BN / TN)
#define ITEMS (WM * WN)
/* Four floats apart, rows that are stored by column meet in few banks, and stay aligned. */
#define A_ROW (BM + 4)
#define B_ROW (BN + 4)
#ifndef LANES
#define LANES 1
#endif
#if LANES > 1
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
#pragma OPENCL EXTENSION cl_intel_required_subgroup_size : enable
#define TILED_KERNEL                                                                               \
    __attribute__((reqd_work_group_size(ITEMS, 1, 1))) __attribute__((intel_reqd_sub_group_size(LANES))) __kernel void
#else
#define TILED_KERNEL __attribute__((reqd_work_group_size(ITEMS, 1, 1))) __kernel void
#endif
#ifdef DIRECT
#define TILED_LOCAL(as, bs)
#else
#define TILED_LOCAL(as, bs) __local float4 as[2][BK * A_ROW / 4], bs[2][BK * B_ROW / 4]
#endif

/* Groups are numbered along n first: neighbours share A, which is the larger operand of a convolution. The
 * tile's first row and column, the item's among the runs of four, and the slice of K. */
typedef struct { int item, m0, n0, row, col, slice, lane; } tile;
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
#if LANES > 1
    t.lane = get_sub_group_local_id();
#else
    t.lane = 0;
#endif
    return t;
}
/* Rows of C of the item's i-th run of four, and its columns likewise. */
#define TILE_M(t, i) ((t).m0 + ((i) * WM + (t).row) * 4)
#define TILE_N(t, j) ((t).n0 + ((j) * WN + (t).col) * 4)
/* The item's i-th row in the tile, and its columns likewise. */
#define RUN_M(t, i) (((i) / 4 * WM + (t).row) * 4 + (i) % 4)
#define RUN_N(t, i) (((i) / 4 * WN + (t).col) * 4 + (i) % 4)

static inline void tile_zero(float4 acc[TM][TN / 4])
{
    UNROLL for (int i = 0; i < TM; i++)
        UNROLL for (int j = 0; j < TN / 4; j++) acc[i][j] = (float4)(0.0f);
}

#ifndef DIRECT
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

/* acc = sum over K's [first, last), by `tile t`. FETCH(k) reads the step from k into registers, zeros from
 * `last` on; STASH(stage) stores it in as[stage] and bs[stage]. All items come by every barrier, and leave by
 * one. */
#define TILE_SUM(acc, first, last)                                                                 \
    do {                                                                                           \
        FETCH(first);                                                                              \
        STASH(0);                                                                                  \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        for (int k_ = (first), stage_ = 0; k_ < (last); k_ += BK, stage_ ^= 1) {                   \
            const bool more_ = k_ + BK < (last);                                                   \
            if (more_)                                                                             \
                FETCH(k_ + BK);                                                                    \
            tile_multiply(acc, as[stage_], bs[stage_], &t);                                        \
            if (more_)                                                                             \
                STASH(stage_ ^ 1);                                                                 \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
        }                                                                                          \
    } while (0)
#else
/* Where an element of an operand's part lies, k and row counted from the part's first: in vectors of `width`,
 * each along K for one row (K_FLOAT), or along the rows for one k (R_FLOAT). */
#define K_FLOAT(width, rows, k, row) ((row) * (width) + (k))
#define R_FLOAT(width, rows, k, row) ((k) * (rows) + (row))
/* A's comes from the item of the sub-group that has its vector. */
#if LANES > 1
#define A_FLOAT(a, at) sub_group_broadcast((a)[(at) / VA / LANES * VA + (at) % VA], (at) / VA % LANES)
#else
#define A_FLOAT(a, at) (a)[at]
#endif

/* acc = sum over K's [first, last). FETCH(k) reads the item's parts of the step from k into a and b, zeros from
 * `last` on; A_AT(k, row) and B_AT(k, column) tell where they lie. */
#define TILE_SUM(acc, first, last)                                                                 \
    do {                                                                                           \
        for (int k_ = (first); k_ < (last); k_ += BK) {                                            \
            FETCH(k_);                                                                             \
            UNROLL for (int i_ = 0; i_ < BK; i_++)                                                 \
                TILE_MULTIPLY(acc, (const float *)a, (const float *)b, i_);                        \
        }                                                                                          \
    } while (0)
#define TILE_MULTIPLY(acc, a, b, k)                                                                \
    do {                                                                                           \
        float4 bv_[TN / 4];                                                                        \
        UNROLL for (int j_ = 0; j_ < TN / 4; j_++) bv_[j_] =                                       \
            (float4)((b)[B_AT(k, 4 * j_)], (b)[B_AT(k, 4 * j_ + 1)], (b)[B_AT(k, 4 * j_ + 2)],     \
                     (b)[B_AT(k, 4 * j_ + 3)]);                                                    \
        UNROLL for (int r_ = 0; r_ < TM; r_++)                                                     \
        {                                                                                          \
            const float4 av_ = (float4)(A_FLOAT(a, A_AT(k, r_)));                                  \
            UNROLL for (int j_ = 0; j_ < TN / 4; j_++) acc[r_][j_] = fma(av_, bv_[j_], acc[r_][j_]); \
        }                                                                                          \
    } while (0)
#endif
