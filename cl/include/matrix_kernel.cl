/* What the kernels of the matrix schedule share. -D UNIT, PARTS (1, or 2: operands split), and ITEMS where
 * the unit leaves it open. One work-group of UNIT_ITEMS computes what one work-item of the vector schedule
 * does; pixels are shared out among its items, a whole pixel each. */
#define VW 16
#define NV 2
#define MR UNIT_ROWS
#include "types.cl"
#include "state.cl"
#include "matrix_unit.cl"
#include "contract_tile.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"
#include "contract_load.cl"
#include "contract_pool.cl"

#define OUT_U32(x) __global uint *restrict x, ulong x##_off
#ifndef UNIT_SUB_GROUP
#define UNIT_SUB_GROUP
#endif
#ifdef MIN_VECTOR_WIDTH
#define MATRIX_WIDTH __attribute__((min_vector_width(512)))
#else
#define MATRIX_WIDTH
#endif
#define MATRIX_KERNEL                                                                              \
    __attribute__((reqd_work_group_size(UNIT_ITEMS, 1, 1))) MATRIX_WIDTH UNIT_SUB_GROUP __kernel void
#define LANE ((int)get_local_id(0))
#if UNIT_ITEMS > 1
#define SYNC barrier(CLK_LOCAL_MEM_FENCE)
#else
#define SYNC
#endif

/* The input that an item needs lies in local memory by the phases of the stride, each a plane of `columns`
 * places to a row: the pixels that one tap meets are then neighbours, row after row. Input row and column
 * are counted from the item's first. */
static int place_of(int row, int col, int stride_h, int stride_w, int columns, int plane)
{
    return (row % stride_h * stride_w + col % stride_w) * plane + row / stride_h * columns + col / stride_w;
}

/* Activations on their way into operands: as they are stored where the unit takes them so (AS_STORED), and nothing is
 * converted; else floats. */
#if (defined(STORE_F16) && defined(OPERAND_F16)) ||                                                \
    (defined(STORE_BF16) && !defined(OPERAND_F16) && !defined(OPERAND_TF32))
#define AS_STORED
typedef ushort value;
typedef ushort16 value16;
typedef short16 mask16;
#define VALUE(p, i) ((p)[i].bits)
#define VALUE16(p, i) (((__global const bits16 *)((p) + (i)))->v)
#define AS_MASK as_short16
#define TO_MASK convert_short16
#define AS_VALUE16 as_ushort16
#define OPERAND_OF(v) (v)
#define OPERAND16_OF(v) (v)
#define FLOAT16_OF(v) float16_of_bits(v)
/* What the first of two parts leaves. */
#define REST_OF(v, high) ((operand)0)
#define REST16_OF(v, high) ((operand16)(0))
#else
typedef float value;
typedef float16 value16;
typedef int16 mask16;
#define VALUE LOAD
#define VALUE16(p, i) LOADN(16, p, i)
#define AS_MASK as_int16
#define TO_MASK convert_int16
#define AS_VALUE16 as_float16
#define OPERAND_OF(v) to_operand(v)
#define OPERAND16_OF(v) to_operand16(v)
#define FLOAT16_OF(v) (v)
#define REST_OF(v, high) to_operand((v) - of_operand(high))
#define REST16_OF(v, high) to_operand16((v) - of_operand16(high))
#endif

/* `count` <= 16 values from dy, of which those pass whose mask is `mine`; without a mask all do. */
static value16 load_values(__global const real *src, __global const uchar *mask, int mine, int count)
{
    if (count >= 16) {
        const value16 v = VALUE16(src, 0);
        return mask ? AS_VALUE16(AS_MASK(v) & (TO_MASK(vload16(0, mask)) == (mask16)(mine))) : v;
    }
    value one[16];
    for (int c = 0; c < 16; c++)
        one[c] = c < count && (!mask || mask[c] == mine) ? VALUE(src, c) : 0;
    return vload16(0, one);
}

/* Where pixel (row, col) of the problem's input, or of the gradient behind a pool, is stored. */
typedef struct {
    __global const real *at;    /* NULL: outside, zeros */
    __global const uchar *mask; /* NULL: no pool */
    int mine;
} pixel;
static pixel pixel_at(__global const real *x, __global const uchar *mask, int image, int row, int col, int ih,
                      int iw, int channels, int pitch)
{
    pixel p = {0, 0, 0};
#ifdef UNPOOL
    const bool inside = row >= 0 && row / 2 < ih / 2 && col >= 0 && col / 2 < iw / 2;
    const long at = ((long)image * (ih / 2) + row / 2) * (iw / 2) + col / 2;
    if (inside) {
        p.mask = mask + at * channels;
        p.mine = row % 2 * 2 + col % 2;
    }
#else
    const bool inside = row >= 0 && row < ih && col >= 0 && col < iw;
    const long at = ((long)image * ih + row) * iw + col;
#endif
    if (inside)
        p.at = x + at * pitch;
    return p;
}
