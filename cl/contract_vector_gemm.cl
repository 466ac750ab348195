/* Dense layer with many samples, vector schedule: the three products as square as they come. A work-item owns
 * m_step rows by blocks_per_item blocks of NL columns of the result and sums them in pieces of k_step: its part of
 * A stays in the second-level cache, a block of B in the first while all tiles of rows pass over it. What comes
 * next is fetched meanwhile, since rows of both lie too far apart for the hardware to foresee them. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_load.cl"
#include "contract_dense.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(float, activate)
static DEFINE_ACTIVATE(vec, activate_v)

/* What a work-item multiplies: C[rows][cols] += A[rows][depth] B[depth][cols]. A and B lie as `a_sideways` and
 * `b_sideways` say: A[r][k] at a[r * a_pitch + k], or at a[k * a_pitch + r]; B[k][c] at b[k * b_pitch + c], or
 * at b[c * b_pitch + k]. Both are constants where they are used. */
typedef struct {
    __global const real *a, *b;
    long a_pitch, b_pitch;
    int rows, cols, depth;
    int m_step, blocks, k_step; /* room: multiples of MR and VW */
} product;

/* Part `part` of `parts` of `rows` rows of `cols`. */
static void fetch(__global const real *p, long pitch, int rows, int cols, int part, int parts)
{
    const int share = (rows + parts - 1) / parts, last = min((part + 1) * share, rows);
    for (int r = part * share; r < last; r++)
        for (int c = 0; c < cols; c += 16)
            PREFETCH(p + r * pitch + c);
}

/* r := r transposed. Each round turns the bits of (row, column) by one place. */
static void transpose(vec r[VW])
{
    UNROLL for (int round = 1; round < VW; round *= 2)
    {
        vec t[VW];
        UNROLL for (int i = 0; i < VW / 2; i++)
        {
            t[2 * i].even = r[i].lo;
            t[2 * i].odd = r[i + VW / 2].lo;
            t[2 * i + 1].even = r[i].hi;
            t[2 * i + 1].odd = r[i + VW / 2].hi;
        }
        UNROLL for (int i = 0; i < VW; i++) r[i] = t[i];
    }
}

/* dst[k][NL] = src[c][k] for `cols` of NL columns and `count` k; zeros beside them. */
static void load_sideways(__local float *dst, __global const real *src, long pitch, int cols, int count)
{
    for (int c = 0; c < NL; c += VW, dst += VW) {
        int k = 0;
        for (; c + VW <= cols && k + VW <= count; k += VW) {
            vec r[VW];
            UNROLL for (int i = 0; i < VW; i++) r[i] = VLOAD(0, src + (c + i) * pitch + k);
            transpose(r);
            UNROLL for (int i = 0; i < VW; i++) VPUT(__local, r[i], 0, dst + (k + i) * NL);
        }
        for (; k < count; k++)
            for (int i = 0; i < VW; i++)
                dst[k * NL + i] = c + i < cols ? src[(c + i) * pitch + k] : 0.0f;
    }
}

/* TILE_ACCUMULATE, four steps at a time: their addresses differ by constants. */
static void accumulate(vec acc[MR][NV], __local const float *a, int a_row, int a_step, __local const float *b,
                       int count)
{
    for (; count >= 4; count -= 4, a += 4 * a_step, b += 4 * NL) {
        UNROLL for (int k = 0; k < 4; k++)
            TILE_ACCUMULATE(acc, a + k * a_step, a_row, a_step, b + k * NL, NL, 1);
    }
    TILE_ACCUMULATE(acc, a, a_row, a_step, b, NL, count);
}

/* sums[blocks][m_step][NL]; behind it the part of A, [m_step][k_step + VW] or [k_step][m_step], and one block of
 * B, [k_step][NL]. */
static void multiply(product p, int a_sideways, int b_sideways, __local float *sums)
{
    if (p.rows <= 0) /* a short batch */
        return;
    const int tiles = (p.rows + MR - 1) / MR, blocks = (p.cols + NL - 1) / NL;
    const int a_row = a_sideways ? 1 : p.k_step + VW, a_step = a_sideways ? p.m_step : 1;
    __local float *bs = sums + p.blocks * p.m_step * NL, *as = bs + p.k_step * NL;
    for (int k0 = 0; k0 < p.depth; k0 += p.k_step) {
        const int count = min(p.k_step, p.depth - k0), next = min(p.k_step, p.depth - k0 - count);
        const long a_next = (long)(k0 + count) * (a_sideways ? p.a_pitch : 1);
        const long b_at = (long)k0 * (b_sideways ? 1 : p.b_pitch);
        const long b_next = (long)(k0 + count) * (b_sideways ? 1 : p.b_pitch);
        if (a_sideways)
            load_panel(as, count, p.m_step, p.a + k0 * p.a_pitch, p.a_pitch, count, p.rows);
        else
            load_panel(as, tiles * MR, a_row, p.a + k0, p.a_pitch, p.rows, count);
        for (int b = 0; b < blocks; b++) {
            const int cols = p.cols - b * NL, last = b + 1 == blocks;
            const long column = (long)b * NL * (b_sideways ? p.b_pitch : 1);
            __global const real *ahead = p.b + (last ? b_next : b_at + column + (b_sideways ? NL * p.b_pitch : NL));
            const int ahead_k = last ? next : count, ahead_cols = min(NL, last ? p.cols : cols - NL);
            if (b_sideways)
                load_sideways(bs, p.b + b_at + column, p.b_pitch, cols, count);
            else
                load_blocks(bs, 1, p.k_step, p.b + b_at + column, p.b_pitch, count, cols);
            for (int t = 0; t < tiles; t++) {
                __local float *sum = sums + (b * p.m_step + t * MR) * NL;
                vec acc[MR][NV];
                if (k0)
                    TILE_LOAD(acc, sum, NL);
                else
                    TILE_ZERO(acc);
                fetch(ahead, p.b_pitch, b_sideways ? ahead_cols : ahead_k, b_sideways ? ahead_k : ahead_cols, t, tiles);
                fetch(p.a + a_next, p.a_pitch, a_sideways ? next : p.rows, a_sideways ? p.rows : next,
                      b * tiles + t, blocks * tiles);
                accumulate(acc, as + t * MR * a_row, a_row, a_step, bs, count);
                TILE_STORE(__local, acc, sum, NL);
            }
        }
    }
}

/* target[j] = activate(s[j] + bias[j]) for `cols` of NL columns, or += s[j]. */
static void store_row(__local const float *s, __global const real *bias, __global real *target, int cols,
                      int has_bias, int flags)
{
    int j = 0;
    for (; j < NL && j + VW <= cols; j += VW) {
        vec sum = VLOAD(0, s + j);
        if (has_bias)
            sum += VLOAD(0, bias + j);
        if (flags & FLAG_ACCUMULATE)
            sum += VLOAD(0, target + j);
        VSTORE(activate_v(sum, FLOOR_OF(flags)), 0, target + j);
    }
    for (; j < NL && j < cols; j++) {
        const float sum = s[j] + (has_bias ? bias[j] : 0.0f) + (flags & FLAG_ACCUMULATE ? target[j] : 0.0f);
        target[j] = activate(sum, FLOOR_OF(flags));
    }
}

static void store(product p, __local const float *sums, __global const real *bias, __global real *c, long pitch,
                  int has_bias, int flags)
{
    for (int r = 0; r < p.rows; r++)
        for (int b = 0; b * NL < p.cols; b++)
            store_row(sums + (b * p.m_step + r) * NL, bias + b * NL, c + r * pitch + b * NL, p.cols - b * NL,
                      has_bias, flags);
}

/* y = activate(x w + bias). Work-item = (rows: samples, columns: outputs). */
VECTOR_KERNEL contract_vector_gemm_forward(IN_STATE, IN(x), IN(w), IN(bias), OUT(y), int in, int out, int x_pitch,
                                           int y_pitch, int m_step, int blocks_per_item, int k_step, int has_bias,
                                           int flags, __local float *scratch)
{
    AT(x);
    AT(w);
    AT(bias);
    AT(y);
    const int m0 = get_global_id(0) * m_step, j0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {x + (long)m0 * x_pitch, w + j0, x_pitch, out, min(m_step, STATE->n - m0),
                       min(blocks_per_item * NL, out - j0), in, m_step, blocks_per_item, k_step};
    multiply(p, 0, 0, scratch);
    store(p, scratch, bias + (has_bias ? j0 : 0), y + (long)m0 * y_pitch + j0, y_pitch, has_bias, flags);
}

/* dx = dz w', or += it. Work-item = (rows: samples, columns: inputs). */
VECTOR_KERNEL contract_vector_gemm_data(IN_STATE, IN(dz), IN(w), OUT(dx), int in, int out, int dz_pitch,
                                        int dx_pitch, int m_step, int blocks_per_item, int k_step, int flags,
                                        __local float *scratch)
{
    AT(dz);
    AT(w);
    AT(dx);
    const int m0 = get_global_id(0) * m_step, i0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {dz + (long)m0 * dz_pitch, w + (long)i0 * out, dz_pitch, out, min(m_step, STATE->n - m0),
                       min(blocks_per_item * NL, in - i0), out, m_step, blocks_per_item, k_step};
    multiply(p, 0, 1, scratch);
    store(p, scratch, dz, dx + (long)m0 * dx_pitch + i0, dx_pitch, 0, flags);
}

/* db[j] = sum over the samples of dz[m][j]. */
static void sum_columns(__global const real *dz, long pitch, int samples, __global real *db, int cols)
{
    int j = 0;
    for (; j + VW <= cols; j += VW) {
        vec sum = (vec)(0.0f);
        for (int m = 0; m < samples; m++)
            sum += VLOAD(0, dz + m * pitch + j);
        VSTORE(sum, 0, db + j);
    }
    for (; j < cols; j++) {
        float sum = 0.0f;
        for (int m = 0; m < samples; m++)
            sum += dz[m * pitch + j];
        db[j] = sum;
    }
}

/* dw = x' dz, db = sums of dz. Work-item = (rows: inputs, columns: outputs). */
VECTOR_KERNEL contract_vector_gemm_weights(IN_STATE, IN(x), IN(dz), OUT(dw), OUT(db), int in, int out, int x_pitch,
                                           int dz_pitch, int m_step, int blocks_per_item, int k_step, int has_bias,
                                           __local float *scratch)
{
    AT(x);
    AT(dz);
    AT(dw);
    AT(db);
    const int i0 = get_global_id(0) * m_step, j0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {x + i0, dz + j0, x_pitch, dz_pitch, min(m_step, in - i0),
                       min(blocks_per_item * NL, out - j0), STATE->n, m_step, blocks_per_item, k_step};
    multiply(p, 1, 0, scratch);
    store(p, scratch, dz, dw + (long)i0 * out + j0, out, 0, 0);
    if (has_bias && i0 == 0)
        sum_columns(dz + j0, dz_pitch, STATE->n, db + j0, p.cols);
}
