/* Dense layer, vector schedule: y[n][out] = x[n][in] * w[in][out] and its two gradients. w is by far the
 * largest operand (75 MB for 18432 x 1024), so each pass reads or writes it once: in panels that stay in
 * the second-level cache while all samples pass over them, the next panel being fetched meanwhile. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_load.cl"
#include "contract_dense.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(float, activate)
static DEFINE_ACTIVATE(vec, activate_v)

/* acc += tile of a (rows a_row apart) times `count` rows of w, out apart. The rows are kept in `packed`,
 * for the tiles that follow; every step fetches ahead by ahead_step floats. */
static void accumulate_first(vec acc[MR][NV], __local const float *a, int a_row, __global const float *w,
                             long w_row, __local float *packed, __global const float *ahead, int ahead_step,
                             int count)
{
    for (int k = 0; k < count; k++, w += w_row, ahead += ahead_step) {
        vec b[NV];
        UNROLL for (int v = 0; v < NV; v++)
        {
            b[v] = VLOAD(v, w);
            VPUT(__local, b[v], v, packed + k * NL);
        }
        PREFETCH(ahead);
        UNROLL for (int r = 0; r < MR; r++)
            UNROLL for (int v = 0; v < NV; v++) acc[r][v] = fma((vec)(a[r * a_row + k]), b[v], acc[r][v]);
    }
}

static void accumulate_packed(vec acc[MR][NV], __local const float *a, int a_row, __local const float *packed,
                              __global const float *ahead, int ahead_step, int count)
{
    for (int k = 0; k < count; k++, ahead += ahead_step) {
        vec b[NV];
        UNROLL for (int v = 0; v < NV; v++) b[v] = VLOAD(v, packed + k * NL);
        PREFETCH(ahead);
        UNROLL for (int r = 0; r < MR; r++)
            UNROLL for (int v = 0; v < NV; v++) acc[r][v] = fma((vec)(a[r * a_row + k]), b[v], acc[r][v]);
    }
}

/* Work-item = (blocks_per_item blocks of NL outputs, slice of slice_k inputs), in panels of k_step inputs,
 * between which the sums lie in local memory. part[slice][block][batch][NL]. scratch: [k_step][NL] of w, [blocks_per_item][row_step][NL] of sums, [row_step][slice_k + VW]
 * of x; row_step is a multiple of MR. */
VECTOR_KERNEL contract_vector_dense_forward(IN_STATE, IN(x), IN_F32(w), OUT_F32(part), int in, int out,
                                            int x_pitch, int batch, int blocks_per_item, int slice_k,
                                            int k_step, int row_step, __local float *scratch)
{
    AT(x);
    AT(w);
    AT(part);
    const int all_blocks = (out + NL - 1) / NL, block0 = get_global_id(0) * blocks_per_item;
    const int blocks = min(blocks_per_item, all_blocks - block0);
    const int slice = get_global_id(1), n = STATE->n, first = slice * slice_k;
    const int slice_len = min(slice_k, in - first), x_row = slice_k + VW;
    part += ((long)slice * all_blocks + block0) * batch * NL;
    __local float *ws = scratch, *sums = ws + k_step * NL, *xs = sums + blocks_per_item * row_step * NL;
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0), tiles = (rows + MR - 1) / MR;
        const int ahead_step = max(NL / tiles, 1);
        load_panel(xs, tiles * MR, x_row, x + (long)m0 * x_pitch + first, x_pitch, rows, slice_len);
        for (int k0 = 0; k0 < slice_len; k0 += k_step) {
            const int count = min(k_step, slice_len - k0);
            __global const float *panel = w + (long)(first + k0) * out + block0 * NL;
            __global const float *ahead = panel + (long)k_step * out;
            for (int b = 0; b < blocks; b++) {
                const int cols = out - (block0 + b) * NL;
                for (int t = 0; t < tiles; t++, ahead += ahead_step * count) {
                    vec acc[MR][NV];
                    __local float *sum = sums + (b * row_step + t * MR) * NL;
                    __local const float *a = xs + t * MR * x_row + k0;
                    if (k0)
                        TILE_LOAD(acc, sum, NL);
                    else
                        TILE_ZERO(acc);
                    if (t == 0 && cols >= NL) {
                        accumulate_first(acc, a, x_row, panel + b * NL, out, ws, ahead, ahead_step, count);
                    } else {
                        if (t == 0)
                            load_weights(ws, 1, k_step, panel + b * NL, out, count, cols);
                        accumulate_packed(acc, a, x_row, ws, ahead, ahead_step, count);
                    }
                    TILE_STORE(__local, acc, sum, NL);
                }
            }
        }
        for (int b = 0; b < blocks; b++)
            for (int m = 0; m < rows; m++)
                UNROLL for (int v = 0; v < NV; v++)
                    VSTORE(VLOAD(v, sums + (b * row_step + m) * NL), v, part + ((long)b * batch + m0 + m) * NL);
    }
}

/* sums[j] += x[0] * w[0][j] + ... + x[ROWS - 1] * w[ROWS - 1][j] */
#define STREAM_ROWS(ROWS)                                                                          \
    do {                                                                                           \
        int j_ = 0;                                                                                \
        for (; j_ + VW <= cols; j_ += VW) {                                                        \
            vec s_ = VLOAD(0, sums + j_);                                                          \
            UNROLL for (int r_ = 0; r_ < ROWS; r_++)                                               \
            {                                                                                      \
                PREFETCH(row + (long)(r_ + ROWS) * out + j_);                                      \
                s_ = fma((vec)(xs[r_]), VLOAD(0, row + (long)r_ * out + j_), s_);                  \
            }                                                                                      \
            VSTORE(s_, 0, sums + j_);                                                              \
        }                                                                                          \
        for (; j_ < cols; j_++)                                                                    \
            for (int r_ = 0; r_ < ROWS; r_++)                                                      \
                sums[j_] = fma(xs[r_], row[(long)r_ * out + j_], sums[j_]);                        \
    } while (0)

/* Forward for few samples: w is streamed in the order in which it lies, STREAM rows at a time. Work-item =
 * (blocks_per_item blocks of NL outputs, slice of slice_k inputs). part as above. scratch: [blocks_per_item]
 * [NL] of sums, [slice_k] of x. */
enum { STREAM = 8 };
VECTOR_KERNEL contract_vector_dense_stream(IN_STATE, IN(x), IN_F32(w), OUT_F32(part), int in, int out, int x_pitch,
                                           int batch, int blocks_per_item, int slice_k,
                                           __local float *scratch)
{
    AT(x);
    AT(w);
    AT(part);
    const int all_blocks = (out + NL - 1) / NL, block0 = get_global_id(0) * blocks_per_item;
    const int blocks = min(blocks_per_item, all_blocks - block0), cols = min(blocks * NL, out - block0 * NL);
    const int slice = get_global_id(1), n = STATE->n, first = slice * slice_k;
    const int slice_len = min(slice_k, in - first);
    __local float *sums = scratch;
    for (int m = 0; m < n; m++) {
        __local float *xs = sums + blocks_per_item * NL;
        __global const float *row = w + (long)first * out + block0 * NL;
        load_run(xs, x + (long)m * x_pitch + first, slice_len);
        load_zeros(sums, blocks * NL);
        int k = 0;
        for (; k + STREAM <= slice_len; k += STREAM, xs += STREAM, row += (long)STREAM * out)
            STREAM_ROWS(STREAM);
        for (; k < slice_len; k++, xs++, row += out)
            STREAM_ROWS(1);
        for (int b = 0; b < blocks; b++)
            UNROLL for (int v = 0; v < NV; v++)
                VSTORE(VLOAD(v, sums + b * NL), v, part + (((long)slice * all_blocks + block0 + b) * batch + m) * NL);
    }
}

/* y = activate(sum of the slices in their order + bias). Work-item = (block of NL outputs, MR samples). */
VECTOR_KERNEL contract_vector_dense_sum(IN_STATE, IN_F32(part), IN_F32(bias), OUT(y), int out, int y_pitch, int batch,
                                        int slices, int has_bias, int flags)
{
    AT(part);
    AT(bias);
    AT(y);
    const int block = get_global_id(0), j0 = block * NL, m0 = get_global_id(1) * MR;
    const int rows = min(MR, STATE->n - m0);
    const long step = (long)get_global_size(0) * batch * NL;
    vec acc[MR][NV];
    TILE_ZERO(acc);
    part += ((long)block * batch + m0) * NL;
    for (int s = 0; s < slices; s++, part += step)
        UNROLL for (int r = 0; r < MR; r++)
            if (r < rows)
                UNROLL for (int v = 0; v < NV; v++) acc[r][v] += VLOAD(v, part + r * NL);
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int v = 0; v < NV; v++)
        {
            const int j = j0 + v * VW;
            __global real *target = y + (long)(m0 + r) * y_pitch + j;
            if (r < rows && j + VW <= out) {
                const vec sum = has_bias ? acc[r][v] + VLOAD(0, bias + j) : acc[r][v];
                STOREV(activate_v(sum, FLOOR_OF(flags)), target, 0);
            } else if (r < rows && j < out) {
                float s[VW];
                VSTORE(acc[r][v], 0, s);
                for (int c = 0; c < out - j; c++)
                    STORE(activate(has_bias ? s[c] + bias[j + c] : s[c], FLOOR_OF(flags)), target, c);
            }
        }
}

static float sum_lanes(vec v)
{
#if VW == 16
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
#elif VW == 8
    const float4 b = v.lo + v.hi;
#else
    const float4 b = v;
#endif
    const float2 c = b.lo + b.hi;
    return c.lo + c.hi;
}

/* dx[m][i] = sum over j of dz[m][j] * w[i][j] for MR samples and NV inputs: both contiguous in j, so lanes
 * are partial sums. d: dz in local memory, rows d_row apart; ahead: what to fetch meanwhile. */
static void data_tile(__local const float *d, int d_row, __global const float *w, int inputs, int out,
                      __global const float *ahead, int ahead_step, __global real *dx, int dx_pitch, int rows,
                      int accumulate)
{
    const int out_main = out / VW * VW;
    __global const float *row[NV];
    UNROLL for (int v = 0; v < NV; v++) row[v] = w + (long)min(v, inputs - 1) * out;
    vec acc[MR][NV];
    TILE_ZERO(acc);
    for (int j = 0; j < out_main; j += VW, ahead += ahead_step) {
        vec b[NV];
        UNROLL for (int v = 0; v < NV; v++) b[v] = VLOAD(0, row[v] + j);
        PREFETCH(ahead);
        UNROLL for (int r = 0; r < MR; r++)
        {
            const vec a = VLOAD(0, d + r * d_row + j);
            UNROLL for (int v = 0; v < NV; v++) acc[r][v] = fma(a, b[v], acc[r][v]);
        }
    }
    UNROLL for (int v = 0; v < NV; v++)
        UNROLL for (int r = 0; r < MR; r++)
        {
            float s = sum_lanes(acc[r][v]);
            for (int j = out_main; j < out; j++)
                s = fma(d[r * d_row + j], row[v][j], s);
            if (r < rows && v < inputs) {
                __global real *p = dx + (long)r * dx_pitch + v;
                STORE(accumulate ? LOAD(p, 0) + s : s, p, 0);
            }
        }
}

/* Work-item = in_step inputs, in panels of panel_step. scratch: [row_step][out rounded up to VW, and one
 * more] of dz; row_step is a multiple of MR. */
VECTOR_KERNEL contract_vector_dense_data(IN_STATE, IN(dz), IN_F32(w), OUT(dx), int in, int out, int dz_pitch,
                                         int dx_pitch, int in_step, int panel_step, int row_step,
                                         int accumulate, __local float *scratch)
{
    AT(dz);
    AT(w);
    AT(dx);
    const int first = get_global_id(0) * in_step, end = min(first + in_step, in), n = STATE->n;
    const int d_row = (out + VW - 1) / VW * VW + VW; /* not a power of two: rows share no cache set */
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0), tiles = (rows + MR - 1) / MR;
        const int ahead_step = max(NL / tiles, 1), ahead_tile = out / VW * ahead_step;
        load_panel(scratch, tiles * MR, d_row, dz + (long)m0 * dz_pitch, dz_pitch, rows, out);
        for (int i0 = first; i0 < end; i0 += panel_step) {
            const int i1 = min(i0 + panel_step, end);
            __global const float *ahead = w + (long)i1 * out;
            for (int t = 0; t < tiles; t++)
                for (int i = i0; i < i1; i += NV, ahead += ahead_tile)
                    data_tile(scratch + t * MR * d_row, d_row, w + (long)i * out, i1 - i, out, ahead, ahead_step,
                              dx + (long)(m0 + t * MR) * dx_pitch + i, dx_pitch, rows - t * MR, accumulate);
        }
    }
}

/* dw rows of one tile; `add`: to what earlier samples left there. */
static void store_weights(vec acc[MR][NV], __global float *dw, int out, int inputs, int channels, int add)
{
    const bool aligned = IS_ALIGNED(dw) && out % VW == 0;
    UNROLL for (int r = 0; r < MR; r++)
    {
        if (r < inputs) {
            UNROLL for (int v = 0; v < NV; v++)
            {
                __global float *p = dw + (long)r * out + v * VW;
                if (channels >= (v + 1) * VW) {
                    const vec sum = add ? VLOAD(0, p) + acc[r][v] : acc[r][v];
                    if (aligned)
                        VPUT(__global, sum, 0, p);
                    else
                        VSTORE(sum, 0, p);
                } else if (channels > v * VW) {
                    float s[VW];
                    VSTORE(acc[r][v], 0, s);
                    for (int c = 0; c < channels - v * VW; c++)
                        p[c] = add ? p[c] + s[c] : s[c];
                }
            }
        }
    }
}

/* dw[i][j] = sum over m of x[m][i] * dz[m][j], and db[j]. Work-item = (in_step inputs, blocks_per_item
 * blocks of NL outputs): a tile of MR inputs goes along whole rows of dw. scratch: [row_step][in_step] of
 * x, [blocks_per_item][row_step][NL] of dz; in_step is a multiple of MR. */
VECTOR_KERNEL contract_vector_dense_weights(IN_STATE, IN(x), IN(dz), OUT_F32(dw), OUT_F32(db), int in, int out,
                                            int x_pitch, int dz_pitch, int in_step, int blocks_per_item,
                                            int row_step, int has_bias, __local float *scratch)
{
    AT(x);
    AT(dz);
    AT(dw);
    AT(db);
    const int i0 = get_global_id(0) * in_step, inputs = min(in_step, in - i0), n = STATE->n;
    const int j0 = get_global_id(1) * blocks_per_item * NL;
    const int blocks = min(blocks_per_item, (out - j0 + NL - 1) / NL);
    __local float *ds = scratch, *xs = ds + blocks_per_item * row_step * NL;
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0);
        load_panel(xs, rows, in_step, x + (long)m0 * x_pitch + i0, x_pitch, rows, inputs);
        load_blocks(ds, blocks, row_step, dz + (long)m0 * dz_pitch + j0, dz_pitch, rows, out - j0);
        for (int i = 0; i < inputs; i += MR) {
            for (int b = 0; b < blocks; b++) {
                vec acc[MR][NV];
                TILE_ZERO(acc);
                TILE_ACCUMULATE(acc, xs + i, 1, in_step, ds + b * row_step * NL, NL, rows);
                store_weights(acc, dw + (long)(i0 + i) * out + j0 + b * NL, out, inputs - i,
                              out - j0 - b * NL, m0);
            }
        }
        if (has_bias && i0 == 0)
            sum_bias(db + j0, ds, row_step, rows, min(blocks * NL, out - j0), m0);
    }
}
