/* The tile product of the matrix schedule, by whichever unit -D UNIT names (enum clv_unit).
 *
 * A block is UNIT_ROWS rows by 32 columns of float sums. Its operands are 16-bit brain floats, K going by
 * in steps of 32:
 *   a  row r, element k at a[r * row + k]: rows lie `row` elements (even) apart, K is contiguous
 *   b  two tiles of 16 columns one behind the other, each 16 pairs of K by 16 columns: the pair of k and
 *      k + 1 of column n is the word b[n / 16 * 256 + k / 2 * 16 + n % 16], k in its low half
 * That is what every unit here wants to load. A unit's file defines
 *   UNIT_ROWS, UNIT_ITEMS   items of a work-group, which compute a block together
 *   UNIT_SUMS               declares the sums of a block, and what the unit keeps beside them
 *   UNIT_BEGIN, UNIT_END    once for each item, around everything else
 *   UNIT_ZERO, UNIT_LOAD(c), UNIT_STORE(c)   the sums from and to c[r * 32 + n], __local float
 *   UNIT_STEP(a, row, b)    sums += a * b over 32 of K; a in local memory, b in local or global memory
 * Macros, since OpenCL C 1.2 has no generic address space and sums live in registers. */
#define UNIT_K 32
#define UNIT_COLUMNS 32
#define UNIT_TILE 512 /* words of b in a step */
#define UNIT_UNROLL _Pragma("unroll")

#if UNIT == 1
#include "unit_emulated.cl"
#elif UNIT == 2
#include "unit_avx512_bf16.cl"
#elif UNIT == 3
#include "unit_amx.cl"
#elif UNIT == 4
#include "unit_mma.cl"
#elif UNIT == 5
#include "unit_dpas.cl"
#endif

/* To brain float, to nearest, ties to even; a NaN stays one. */
static ushort to_bf16(float v)
{
    const uint u = as_uint(v);
    return v != v ? (ushort)(u >> 16 | 0x40) : (ushort)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
static float of_bf16(ushort v)
{
    return as_float((uint)v << 16);
}
/* Sixteen at a time. */
static ushort16 to_bf16_16(float16 v)
{
    const uint16 u = as_uint16(v);
    const uint16 nearest = (u + (uint16)(0x7fff) + (u >> 16 & (uint16)(1))) >> 16;
    return convert_ushort16(select(nearest, u >> 16 | (uint16)(0x40), as_uint16(v != v)));
}
static float16 of_bf16_16(ushort16 v)
{
    return as_float16(convert_uint16(v) << 16);
}

/* PARTS 2: an operand is the sum of two brain floats, the second of which lies `part` elements behind the
 * first; of their four products the smallest is left out. */
#if PARTS == 2
#define UNIT_STEPS(a, row, a_part, b, b_part)                                                      \
    do {                                                                                           \
        UNIT_STEP((a) + (a_part), row, b);                                                         \
        UNIT_STEP(a, row, (b) + (b_part));                                                         \
        UNIT_STEP(a, row, b);                                                                      \
    } while (0)
#else
#define UNIT_STEPS(a, row, a_part, b, b_part) UNIT_STEP(a, row, b)
#endif
