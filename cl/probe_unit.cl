/* What a matrix unit computes, and how fast, beside products of floats: for the probe in src/device/probe.c.
 * -D UNIT (0: floats), ITEMS, PARTS=1; a is rows of ROW elements, a word each, b steps of UNIT_TILE words, as the matrix schedule
 * packs them; DEFECT: for tests of the probe. Every group computes the same block; the first stores it. */
enum { STEPS = 3, ROW = 98 };

#if UNIT == 0
#define UNIT_ROWS 12
#define UNIT_ITEMS 1
#endif
#include "matrix_kernel.cl"

#if UNIT == 0
VECTOR_KERNEL probe_float(OUT(c), int repeat)
{
    AT(c);
    __local float a[MR * ROW], b[96 * NL];
    for (int i = 0; i < MR * ROW; i++)
        a[i] = 1.0f / (1 + i % 7);
    for (int i = 0; i < 96 * NL; i++)
        b[i] = 1.0f / (1 + i % 5);
    vec acc[MR][NV];
    TILE_ZERO(acc);
    for (int i = 0; i < repeat; i++)
        TILE_ACCUMULATE(acc, a, ROW, 1, b, NL, 96);
    if (get_global_id(0) == 0)
        TILE_STORE(__global, acc, c, NL);
}
#else
MATRIX_KERNEL probe_unit(IN_U32(a), IN_U32(b), OUT(c), int repeat)
{
    AT(a);
    AT(b);
    AT(c);
    __local operand rows[UNIT_ROWS * ROW];
    __local float sums[UNIT_ROWS * UNIT_COLUMNS];
    for (int i = LANE; i < UNIT_ROWS * ROW; i += UNIT_ITEMS)
        rows[i] = (operand)a[i];
    SYNC;
    UNIT_SUMS;
    UNIT_BEGIN;
    UNIT_ZERO;
    /* Through memory and back, as sums go that are cut in pieces of K. */
    UNIT_STORE(sums);
    SYNC;
    UNIT_LOAD(sums);
    for (int i = 0; i < repeat; i++)
        for (int k = 0; k < STEPS; k++)
            UNIT_STEP(rows + k * UNIT_K, ROW, b + k * UNIT_TILE);
    SYNC;
    UNIT_STORE(sums);
    UNIT_END;
    SYNC;
#if DEFECT == 1
    sums[5] += 1;
#elif DEFECT == 2
    for (volatile int i = 0; i < 1;)
        ;
#elif DEFECT == 3
    *(volatile __global float *)(size_t)(repeat - 1) = 0;
#endif
    for (int i = LANE; get_group_id(0) == 0 && i < UNIT_ROWS * UNIT_COLUMNS; i += UNIT_ITEMS)
        c[i] = sums[i];
}
#endif
