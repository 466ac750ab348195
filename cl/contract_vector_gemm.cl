/* Dense layer with many samples, vector schedule: the three products as square as they come. A work-item owns
 * m_step rows by blocks_per_item blocks of NL columns of the result and sums them in pieces of k_step: its part of
 * A and the sums stay in the second-level cache, a block of B in the first while all tiles of rows pass over it. What
 * comes next is fetched meanwhile, since rows of both lie too far apart for the hardware to foresee them. */
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

/* MR rows of `count` of A, a_row apart; zeros for those beyond `rows`. */
static void load_rows(__local float *dst, int a_row, __global const real *src, long pitch, int rows, int count)
{
    UNROLL for (int r = 0; r < MR; r++)
    {
        if (r < rows)
            load_run(dst + r * a_row, src + r * pitch, count);
        else
            load_zeros(dst + r * a_row, count);
    }
}

/* dst[k][MR] = src[k][r] for `rows` r and `count` k; zeros beside them. Writes up to VW floats behind the last. */
static void load_columns(__local float *dst, __global const real *src, long pitch, int rows, int count)
{
    for (int k = 0; k < count; k++, src += pitch, dst += MR) { /* ascending: what is too much is overwritten */
        if ((MR + VW - 1) / VW * VW <= rows)
            UNROLL for (int i = 0; i < MR; i += VW) VSTORE(VLOAD(0, src + i), 0, dst + i);
        else
            for (int i = 0; i < MR; i++)
                dst[i] = i < rows ? src[i] : 0.0f;
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

/* The same from where B lies, rows b_pitch apart; they are kept in bs[count][NL] for the tiles that follow. */
static void accumulate_first(vec acc[MR][NV], __local const float *a, int a_row, int a_step,
                             __global const real *b, long b_pitch, __local float *bs, int count)
{
    for (int k = 0; k < count; k++, a += a_step, b += b_pitch, bs += NL) {
        vec row[NV];
        UNROLL for (int v = 0; v < NV; v++)
        {
            row[v] = VLOAD(v, b);
            VPUT(__local, row[v], v, bs);
        }
        UNROLL for (int r = 0; r < MR; r++)
            UNROLL for (int v = 0; v < NV; v++) acc[r][v] = fma((vec)(a[r * a_row]), row[v], acc[r][v]);
    }
}

/* What becomes of the sums. */
typedef struct {
    __global const real *bias;
    __global real *c;
    long pitch;
    int has_bias, flags;
} target;

/* c[j] = activate(s[j] + bias[j]) for `cols` of NL columns, or += s[j]. */
static void store_row(__local const float *s, __global const real *bias, __global real *c, int cols, int has_bias,
                      int flags)
{
    int j = 0;
    for (; j < NL && j + VW <= cols; j += VW) {
        vec sum = VLOAD(0, s + j);
        if (has_bias)
            sum += VLOAD(0, bias + j);
        if (flags & FLAG_ACCUMULATE)
            sum += VLOAD(0, c + j);
        sum = activate_v(sum, FLOOR_OF(flags));
        if (IS_ALIGNED(c))
            VPUT(__global, sum, 0, c + j);
        else
            VSTORE(sum, 0, c + j);
    }
    for (; j < NL && j < cols; j++) {
        const float sum = s[j] + (has_bias ? bias[j] : 0.0f) + (flags & FLAG_ACCUMULATE ? c[j] : 0.0f);
        c[j] = activate(sum, FLOOR_OF(flags));
    }
}

/* The part of A that tile t needs, of `count` k from k0 on. */
static void load_a(__local float *dst, product p, int a_sideways, int t, int k0, int count)
{
    const int rows = p.rows - t * MR;
    if (a_sideways)
        load_columns(dst, p.a + k0 * p.a_pitch + t * MR, p.a_pitch, rows, count);
    else
        load_rows(dst, p.k_step + VW, p.a + k0 + t * MR * p.a_pitch, p.a_pitch, rows, count);
}

/* sums[blocks][m_step][NL]; behind it one block of B, [k_step][NL], and the part of A, [m_step][k_step + VW] or
 * [tile][k_step][MR] where A lies sideways. Every copy is made right before its first use, which hides it. */
static void multiply(product p, int a_sideways, int b_sideways, target to, __local float *sums)
{
    if (p.rows <= 0) /* a short batch */
        return;
    const int tiles = (p.rows + MR - 1) / MR, blocks = (p.cols + NL - 1) / NL;
    const int a_row = a_sideways ? 1 : p.k_step + VW, a_step = a_sideways ? MR : 1;
    const int a_tile = a_sideways ? MR * p.k_step : MR * a_row;
    __local float *bs = sums + p.blocks * p.m_step * NL, *as = bs + p.k_step * NL;
    for (int k0 = 0; k0 < p.depth; k0 += p.k_step) {
        const int count = min(p.k_step, p.depth - k0), next = min(p.k_step, p.depth - k0 - count);
        const long a_next = (long)(k0 + count) * (a_sideways ? p.a_pitch : 1);
        const long b_at = (long)k0 * (b_sideways ? 1 : p.b_pitch);
        const long b_next = (long)(k0 + count) * (b_sideways ? 1 : p.b_pitch);
        for (int b = 0; b < blocks; b++) {
            const int cols = p.cols - b * NL, last = b + 1 == blocks;
            __global const real *block = p.b + b_at + (long)b * NL * (b_sideways ? p.b_pitch : 1);
            __global const real *ahead = last ? p.b + b_next : block + (b_sideways ? NL * p.b_pitch : NL);
            const int ahead_k = last ? next : count, ahead_cols = min(NL, last ? p.cols : cols - NL);
            for (int t = 0; t < tiles; t++) {
                __local float *sum = sums + (b * p.m_step + t * MR) * NL, *a = as + t * a_tile;
                vec acc[MR][NV];
                TILE_ZERO(acc);
                if (b == 0)
                    load_a(a, p, a_sideways, t, k0, count);
                fetch(ahead, p.b_pitch, b_sideways ? ahead_cols : ahead_k, b_sideways ? ahead_k : ahead_cols, t, tiles);
                fetch(p.a + a_next, p.a_pitch, a_sideways ? next : p.rows, a_sideways ? p.rows : next,
                      b * tiles + t, blocks * tiles);
                UNROLL for (int i = 0; i < MR * NL; i += 16) PREFETCH_TO_CHANGE(sum + i);
                if (t == 0 && !b_sideways && cols >= NL) {
                    accumulate_first(acc, a, a_row, a_step, block, p.b_pitch, bs, count);
                } else {
                    if (t == 0 && b_sideways)
                        load_sideways(bs, block, p.b_pitch, cols, count);
                    else if (t == 0)
                        load_blocks(bs, 1, p.k_step, block, p.b_pitch, count, cols);
                    accumulate(acc, a, a_row, a_step, bs, count);
                }
                if (k0)
                    UNROLL for (int r = 0; r < MR; r++)
                        UNROLL for (int v = 0; v < NV; v++) acc[r][v] += VLOAD(v, sum + r * NL);
                TILE_STORE(__local, acc, sum, NL);
                for (int r = 0; !next && r < min(MR, p.rows - t * MR); r++)
                    store_row(sum + r * NL, to.bias + b * NL, to.c + (t * MR + r) * to.pitch + b * NL, cols,
                              to.has_bias, to.flags);
            }
        }
    }
}

/* What follows the tensors in every kernel's arguments. */
#define ARGUMENTS                                                                                                    \
    int in, int out, int x_pitch, int y_pitch, int m_step, int blocks_per_item, int k_step, int has_bias, int flags, \
        __local float *scratch

/* y = activate(x w + bias). Work-item = (rows: samples, columns: outputs). */
VECTOR_KERNEL contract_vector_gemm_forward(IN_STATE, IN(x), IN(w), IN(bias), OUT(y), ARGUMENTS)
{
    AT(x);
    AT(w);
    AT(bias);
    AT(y);
    const int m0 = get_global_id(0) * m_step, j0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {x + (long)m0 * x_pitch, w + j0, x_pitch, out, min(m_step, STATE->n - m0),
                       min(blocks_per_item * NL, out - j0), in, m_step, blocks_per_item, k_step};
    const target to = {bias + (has_bias ? j0 : 0), y + (long)m0 * y_pitch + j0, y_pitch, has_bias, flags};
    multiply(p, 0, 0, to, scratch);
}

/* dx = dz w', or += it. Work-item = (rows: samples, columns: inputs). */
VECTOR_KERNEL contract_vector_gemm_data(IN_STATE, IN(dz), IN(w), OUT(dx), ARGUMENTS)
{
    AT(dz);
    AT(w);
    AT(dx);
    const int m0 = get_global_id(0) * m_step, i0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {dz + (long)m0 * y_pitch, w + (long)i0 * out, y_pitch, out, min(m_step, STATE->n - m0),
                       min(blocks_per_item * NL, in - i0), out, m_step, blocks_per_item, k_step};
    const target to = {dz, dx + (long)m0 * x_pitch + i0, x_pitch, 0, flags};
    multiply(p, 0, 1, to, scratch);
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
VECTOR_KERNEL contract_vector_gemm_weights(IN_STATE, IN(x), IN(dz), OUT(dw), OUT(db), ARGUMENTS)
{
    AT(x);
    AT(dz);
    AT(dw);
    AT(db);
    const int i0 = get_global_id(0) * m_step, j0 = get_global_id(1) * blocks_per_item * NL;
    const product p = {x + i0, dz + j0, x_pitch, y_pitch, min(m_step, in - i0),
                       min(blocks_per_item * NL, out - j0), STATE->n, m_step, blocks_per_item, k_step};
    const target to = {dz, dw + (long)i0 * out + j0, out, 0, flags};
    multiply(p, 1, 0, to, scratch);
    if (has_bias && i0 == 0)
        sum_columns(dz + j0, y_pitch, STATE->n, db + j0, p.cols);
}
