/* The tile product of the matrix schedule, by whichever unit -D UNIT names (enum clv_unit).
 *
 * A block is UNIT_ROWS rows by 32 columns of float sums. Its operands are brain floats, halves (OPERAND_F16)
 * or TF32 (OPERAND_TF32: floats with the last 13 bits zero), K going by in steps of 32:
 *   a  row r, element k at a[r * row + k]: rows lie `row` elements (even) apart, K is contiguous
 *   b  two tiles of 16 columns one behind the other, each 16 pairs of K by 16 columns: the pair of k and
 *      k + 1 of column n is the word b[n / 16 * 256 + k / 2 * 16 + n % 16], k in its low half; with TF32 each
 *      32 of K by 16 columns, b[n / 16 * 512 + k * 16 + n % 16]
 * That is what every unit here wants to load. A unit's file defines
 *   UNIT_ROWS, UNIT_ITEMS   items of a work-group, which compute a block together
 *   UNIT_SUMS               declares the sums of a block, and what the unit keeps beside them
 *   UNIT_BEGIN, UNIT_END    once for each item, around everything else
 *   UNIT_ZERO, UNIT_LOAD(c), UNIT_STORE(c)   the sums from and to c[r * 32 + n], __local float
 *   UNIT_STEP(a, row, b)    sums += a * b over 32 of K; a in local memory, b in local or global memory
 * Macros, since OpenCL C 1.2 has no generic address space and sums live in registers. */
#define UNIT_K 32
#define UNIT_COLUMNS 32
#define UNIT_UNROLL _Pragma("unroll")

#if UNIT == 2 || UNIT == 7
#define OPERAND_F16
#elif UNIT == 3 || UNIT == 8
#define OPERAND_TF32
#endif
#ifdef OPERAND_TF32
typedef uint operand;
typedef uint16 operand16;
#define UNIT_TILE 1024 /* words of b in a step */
#else
typedef ushort operand;
typedef ushort16 operand16;
#define UNIT_TILE 512
#endif
#define UNIT_HALF (UNIT_TILE / 2)        /* of sixteen columns */
#define UNIT_PAIR_WORDS (UNIT_TILE / 32) /* of a pair of K, from one pair to the next */

#if UNIT >= 1 && UNIT <= 3
#include "unit_emulated.cl"
#elif UNIT == 4
#include "unit_avx512_bf16.cl"
#elif UNIT == 5
#include "unit_amx.cl"
#elif UNIT >= 6 && UNIT <= 8
#include "unit_mma.cl"
#elif UNIT == 9
#include "unit_dpas.cl"
#endif

/* Operands from floats, one or sixteen: to nearest, ties to even; a NaN stays one. */
#ifdef OPERAND_F16
#define DEFINE_OPERAND(n)                                                                          \
    static inline operand##n to_operand##n(float##n v)                                             \
    {                                                                                              \
        operand##n bits;                                                                           \
        VSTORE_HALF(n)(v, 0, (half *)&bits);                                                       \
        return bits;                                                                               \
    }                                                                                              \
    static inline float##n of_operand##n(operand##n bits)                                          \
    {                                                                                              \
        return VLOAD_HALF(n)(0, (const half *)&bits);                                              \
    }
#define VSTORE_HALF(n) vstore_half##n##_rte
#define VLOAD_HALF(n) vload_half##n
#else
#ifdef OPERAND_TF32
#define OPERAND_CUT 13 /* bits of a float */
#define OPERAND_BITS(n, u) ((u) & ~0x1fffu)
#define FLOAT_BITS(n, v) (v)
#else
#define OPERAND_CUT 16
#define OPERAND_BITS(n, u) convert_ushort##n((u) >> 16)
#define FLOAT_BITS(n, v) (convert_uint##n(v) << 16)
#endif
#define DEFINE_OPERAND(n)                                                                          \
    static inline operand##n to_operand##n(float##n v)                                             \
    {                                                                                              \
        const uint##n u = as_uint##n(v), half_ = (uint##n)((1u << (OPERAND_CUT - 1)) - 1);         \
        const uint##n r = u + half_ + (u >> OPERAND_CUT & (uint##n)(1u));                          \
        return OPERAND_BITS(n, isnan(v) ? u | 0x400000u : r);                                      \
    }                                                                                              \
    static inline float##n of_operand##n(operand##n bits)                                          \
    {                                                                                              \
        return as_float##n(FLOAT_BITS(n, bits));                                                   \
    }
#endif
DEFINE_OPERAND()
DEFINE_OPERAND(16)

/* The pair of k and k + 1 of a column to where b has it, and the pairs of sixteen columns. */
#ifdef OPERAND_TF32
#define PUT_PAIR(dst, even, odd)                                                                   \
    do {                                                                                           \
        (dst)[0] = (even);                                                                         \
        (dst)[16] = (odd);                                                                         \
    } while (0)
#define PUT_PAIR16(dst, even, odd)                                                                 \
    do {                                                                                           \
        vstore16(even, 0, dst);                                                                    \
        vstore16(odd, 1, dst);                                                                     \
    } while (0)
#else
#define PUT_PAIR(dst, even, odd) ((dst)[0] = (uint)(even) | (uint)(odd) << 16)
#define PUT_PAIR16(dst, even, odd)                                                                 \
    vstore16(convert_uint16(even) | convert_uint16(odd) << 16, 0, dst)
#endif

/* PARTS 2: an operand is the sum of two, the second of which lies `part` elements behind the first; of their
 * four products the smallest is left out. */
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
