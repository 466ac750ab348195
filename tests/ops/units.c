/* The matrix units' tiles in C: each unit's operands are loaded as its file in cl/include loads
 * them and multiplied as its manual says; the result must be the product of the panels. What no
 * machine of the project's can run is checked this far. Sources: Intel's Software Developer's
 * Manual, TDPBF16PS; the PTX ISA, "Matrix Fragments for mma.m16n8k16" (of brain floats and halves alike) and
 * "mma.m16n8k8"; cl_intel_subgroup_matrix_multiply_accumulate. */
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 32, COLUMNS = 32, K = 32, ROW = 38 /* elements from row to row */ };

static uint16_t a[ROWS * ROW]; /* rows, K contiguous */
static uint32_t b[512];        /* two tiles of pairs */
static uint32_t a_tf32[ROWS * ROW], b_tf32[1024]; /* the same numbers, a word each */
static float want[ROWS][COLUMNS], got[ROWS][COLUMNS];

static float value(uint16_t bits)
{
    const uint32_t word = (uint32_t)bits << 16;
    float v;
    memcpy(&v, &word, sizeof v);
    return v;
}

static float low(uint32_t pair)
{
    return value((uint16_t)pair);
}
static float high(uint32_t pair)
{
    return value((uint16_t)(pair >> 16));
}

/* cl/include/matrix_unit.cl: the pair of k and k + 1 of column n. */
static uint32_t pair_at(int n, int k)
{
    return b[n / 16 * 256 + k / 2 * 16 + n % 16];
}

static void fill(void)
{
    struct clv_rng rng = clv_rng_init(7, 7);
    memset(got, 0, sizeof got);
    /* Small integers: sums are exact, so any order gives the same. */
    for (int i = 0; i < ROWS * ROW; i++) {
        const float v = (float)clv_rng_below(&rng, 15) - 7;
        uint32_t word;
        memcpy(&word, &v, sizeof word);
        a[i] = (uint16_t)(word >> 16);
    }
    for (int i = 0; i < 512; i++)
        b[i] =
            (uint32_t)a[clv_rng_below(&rng, ROWS * ROW)] << 16 | a[clv_rng_below(&rng, ROWS * ROW)];
    for (int i = 0; i < ROWS * ROW; i++)
        a_tf32[i] = (uint32_t)a[i] << 16;
    for (int n = 0; n < COLUMNS; n++)
        for (int k = 0; k < K; k++)
            b_tf32[n / 16 * 512 + k * 16 + n % 16] = (k & 1 ? pair_at(n, k) >> 16 : pair_at(n, k)) << 16;
    for (int r = 0; r < ROWS; r++)
        for (int n = 0; n < COLUMNS; n++) {
            want[r][n] = 0;
            for (int k = 0; k < K; k++)
                want[r][n] += value(a[r * ROW + k]) * (k & 1 ? high : low)(pair_at(n, k));
        }
}

static void check(void)
{
    for (int r = 0; r < ROWS; r++)
        for (int n = 0; n < COLUMNS; n++)
            cr_assert_eq(got[r][n], want[r][n], "row %d, column %d is %g instead of %g", r, n,
                         (double)got[r][n], (double)want[r][n]);
}

/* ---- AMX ---- */

struct tile {
    uint8_t row[16][64];
};

static struct tile tileload(const void *from, size_t stride)
{
    struct tile t;
    for (int r = 0; r < 16; r++)
        memcpy(t.row[r], (const uint8_t *)from + (size_t)r * stride, 64);
    return t;
}

static void tdpbf16ps(struct tile *sum, const struct tile *x, const struct tile *y)
{
    for (int m = 0; m < 16; m++)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 16; n++) {
                float s;
                uint32_t p, q;
                memcpy(&s, &sum->row[m][4 * n], 4);
                memcpy(&p, &x->row[m][4 * k], 4);
                memcpy(&q, &y->row[k][4 * n], 4);
                s += low(p) * low(q) + high(p) * high(q);
                memcpy(&sum->row[m][4 * n], &s, 4);
            }
}

Test(units, amx)
{
    struct tile sum[4];
    fill();
    memset(sum, 0, sizeof sum);
    /* UNIT_STEP of unit_amx.cl. */
    const struct tile t4 = tileload(a, ROW * 2), t5 = tileload(a + 16 * ROW, ROW * 2);
    const struct tile t6 = tileload(b, 64), t7 = tileload(b + 256, 64);
    tdpbf16ps(&sum[0], &t4, &t6);
    tdpbf16ps(&sum[1], &t4, &t7);
    tdpbf16ps(&sum[2], &t5, &t6);
    tdpbf16ps(&sum[3], &t5, &t7);
    for (int t = 0; t < 4; t++) /* UNIT_STORE */
        for (int r = 0; r < 16; r++)
            memcpy(&got[0][0] + t / 2 * 16 * COLUMNS + t % 2 * 16 + r * COLUMNS, sum[t].row[r], 64);
    check();
}

/* ---- NVIDIA ---- */

/* mma.m16n8k16 over its 32 lanes: fragments to matrices as the manual places them, and back. */
static void mma(float c[32][4], uint32_t x[32][4], uint32_t y[32][2])
{
    float p[16][16], q[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 8; i++) { /* elements a0 .. a7, two in a register */
            const int row = (i < 2 || (i >= 4 && i < 6)) ? g : g + 8;
            const int col = t * 2 + (i & 1) + (i < 4 ? 0 : 8);
            p[row][col] = (i & 1 ? high : low)(x[lane][i / 2]);
        }
        for (int i = 0; i < 4; i++) /* b0 .. b3 */
            q[t * 2 + (i & 1) + (i < 2 ? 0 : 8)][g] = (i & 1 ? high : low)(y[lane][i / 2]);
    }
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            const int row = i < 2 ? lane / 4 : lane / 4 + 8, col = lane % 4 * 2 + (i & 1);
            for (int k = 0; k < 16; k++)
                c[lane][i] += p[row][k] * q[k][col];
        }
}

static void take_sums(float sum[2][4][32][4])
{
    for (int m = 0; m < 2; m++)
        for (int n = 0; n < 4; n++)
            for (int lane = 0; lane < 32; lane++)
                for (int i = 0; i < 4; i++) /* UNIT_AT */
                    got[m * 16 + lane / 4 + i / 2 * 8][n * 8 + lane % 4 * 2 + i % 2] =
                        sum[m][n][lane][i];
}

Test(units, mma)
{
    static float sum[2][4][32][4];
    fill();
    memset(sum, 0, sizeof sum);
    /* UNIT_STEP of unit_mma.cl for every lane. */
    for (int k = 0; k < 2; k++)
        for (int n = 0; n < 4; n++)
            for (int m = 0; m < 2; m++) {
                uint32_t x[32][4], y[32][2];
                for (int lane = 0; lane < 32; lane++) {
                    const int g = lane / 4, t = lane % 4;
                    for (int i = 0; i < 4; i++) {
                        const uint16_t *at =
                            a + (m * 16 + g + i % 2 * 8) * ROW + 2 * (k * 8 + t + i / 2 * 4);
                        x[lane][i] = at[0] | (uint32_t)at[1] << 16;
                    }
                    const int at = n / 2 * 256 + (k * 8 + t) * 16 + n % 2 * 8 + g;
                    y[lane][0] = b[at];
                    y[lane][1] = b[at + 4 * 16];
                }
                mma(sum[m][n], x, y);
            }
    take_sums(sum);
    check();
}

/* mma.m16n8k8: a0 .. a3 are (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b0, b1 are (t, g), (t + 4, g). */
static void mma_tf32(float c[32][4], uint32_t x[32][4], uint32_t y[32][2])
{
    float p[16][8], q[8][8];
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++)
            memcpy(&p[g + i % 2 * 8][t + i / 2 * 4], &x[lane][i], 4);
        for (int i = 0; i < 2; i++)
            memcpy(&q[t + i * 4][g], &y[lane][i], 4);
    }
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 8; k++)
                c[lane][i] += p[i < 2 ? lane / 4 : lane / 4 + 8][k] * q[k][lane % 4 * 2 + (i & 1)];
}

Test(units, mma_tf32)
{
    static float sum[2][4][32][4];
    fill();
    memset(sum, 0, sizeof sum);
    for (int k = 0; k < 4; k++)
        for (int n = 0; n < 4; n++)
            for (int m = 0; m < 2; m++) {
                uint32_t x[32][4], y[32][2];
                for (int lane = 0; lane < 32; lane++) {
                    const int g = lane / 4, t = lane % 4;
                    for (int i = 0; i < 4; i++)
                        x[lane][i] = a_tf32[(m * 16 + g + i % 2 * 8) * ROW + k * 8 + t + i / 2 * 4];
                    const int at = n / 2 * 512 + (k * 8 + t) * 16 + n % 2 * 8 + g;
                    y[lane][0] = b_tf32[at];
                    y[lane][1] = b_tf32[at + 4 * 16];
                }
                mma_tf32(sum[m][n], x, y);
            }
    take_sums(sum);
    check();
}

/* ---- Intel GPUs ---- */

/* The sub-group's operands: x[row] of item k is element (row, k), y[i] of item n the pair 2 i of
 * column n. */
static void mad_k16(float c[16][8], uint16_t x[16][8], uint32_t y[16][8])
{
    for (int n = 0; n < 16; n++)
        for (int row = 0; row < 8; row++)
            for (int k = 0; k < 16; k++)
                c[n][row] += value(x[k][row]) * (k & 1 ? high : low)(y[n][k / 2]);
}

Test(units, dpas)
{
    static float sum[4][2][16][8];
    fill();
    memset(sum, 0, sizeof sum);
    /* UNIT_STEP of unit_dpas.cl for every item. */
    for (int k = 0; k < 2; k++)
        for (int m = 0; m < 4; m++)
            for (int n = 0; n < 2; n++) {
                uint16_t x[16][8];
                uint32_t y[16][8];
                for (int item = 0; item < 16; item++)
                    for (int i = 0; i < 8; i++) {
                        x[item][i] = a[m * 8 * ROW + i * ROW + k * 16 + item];
                        y[item][i] = b[n * 256 + k * 128 + i * 16 + item];
                    }
                mad_k16(sum[m][n], x, y);
            }
    for (int m = 0; m < 4; m++)
        for (int n = 0; n < 2; n++)
            for (int item = 0; item < 16; item++)
                for (int r = 0; r < 8; r++) /* UNIT_AT */
                    got[m * 8 + r][n * 16 + item] = sum[m][n][item][r];
    check();
}
