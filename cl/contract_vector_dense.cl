/* Dense layer, vector schedule: y[n][out] = x[n][in] * w[in][out] and its two gradients. w is by far the
 * largest operand (75 MB for 18432 x 1024), so each pass reads or writes it once, in rows as long as the
 * tile allows, and all samples pass over a slab of it while it is in cache. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_load.cl"

/* rows x cols of src at dst, dst rows `dst_cols` long; what lies outside the valid part is zero. */
static void load_panel(__local float *dst, int dst_rows, int dst_cols, __global const real *src,
                       long src_step, int rows, int cols)
{
    for (int r = 0; r < dst_rows; r++, dst += dst_cols) {
        const int valid = r < rows ? min(cols, dst_cols) : 0;
        if (valid)
            load_run(dst, src + r * src_step, valid);
        load_zeros(dst + valid, dst_cols - valid);
    }
}

/* rows x (blocks * NL) of src as panels [blocks][dst_rows][NL], read row by row: the rows of w and dz are
 * long and lie one behind the other, which is how memory delivers them fastest. */
static void load_blocks(__local float *dst, int blocks, int dst_rows, __global const real *src,
                        long src_step, int rows, int cols)
{
    for (int r = 0; r < rows; r++, src += src_step, dst += NL) {
        for (int b = 0; b < blocks; b++) {
            __local float *d = dst + b * dst_rows * NL;
            if (cols >= (b + 1) * NL) {
                UNROLL for (int v = 0; v < NV; v++)
                    VPUT(__local, VLOAD(v, src + b * NL), v, d);
            } else {
                for (int c = 0; c < NL; c++)
                    d[c] = b * NL + c < cols ? src[b * NL + c] : 0.0f;
            }
        }
    }
}

/* Work-item = (blocks_per_item blocks of NL outputs, slice of slice_k inputs), in steps of k_step
 * between which the sums lie in local memory. part[slice][block][n][NL] is summed in fixed order by
 * contract_reduce. scratch: [blocks_per_item][k_step][NL] of w, [blocks_per_item][row_step][NL] of sums,
 * [row_step][slice_k] of x; row_step is a multiple of MR. */
VECTOR_KERNEL contract_vector_dense_forward(IN_STATE, IN(x), IN(w), OUT(part), int in, int out,
                                            int x_pitch, int batch, int blocks_per_item, int slice_k,
                                            int k_step, int row_step, __local float *scratch)
{
    AT(x);
    AT(w);
    AT(part);
    const int all_blocks = (out + NL - 1) / NL, block0 = get_global_id(0) * blocks_per_item;
    const int blocks = min(blocks_per_item, all_blocks - block0);
    const int slice = get_global_id(1), n = STATE->n, first = slice * slice_k;
    const int slice_len = min(slice_k, in - first);
    part += ((long)slice * all_blocks + block0) * batch * NL;
    __local float *ws = scratch, *sums = ws + blocks_per_item * k_step * NL;
    __local float *xs = sums + blocks_per_item * row_step * NL;
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0);
        load_panel(xs, (rows + MR - 1) / MR * MR, slice_k, x + (long)m0 * x_pitch + first, x_pitch, rows,
                   slice_len);
        for (int k0 = 0; k0 < slice_len; k0 += k_step) {
            const int count = min(k_step, slice_len - k0);
            const bool last = k0 + count == slice_len;
            load_blocks(ws, blocks, k_step, w + (long)(first + k0) * out + block0 * NL, out, count,
                        out - block0 * NL);
            for (int b = 0; b < blocks; b++) {
                for (int m = 0; m < rows; m += MR) {
                    vec acc[MR][NV];
                    __local float *sum = sums + (b * row_step + m) * NL;
                    if (k0)
                        TILE_LOAD(acc, sum, NL);
                    else
                        TILE_ZERO(acc);
                    TILE_ACCUMULATE(acc, xs + m * slice_k + k0, slice_k, 1, ws + b * k_step * NL, NL, count);
                    if (!last) {
                        TILE_STORE(__local, acc, sum, NL);
                        continue;
                    }
                    UNROLL for (int r = 0; r < MR; r++)
                        if (m + r < rows)
                            UNROLL for (int v = 0; v < NV; v++)
                                VPUT(__global, acc[r][v], v, part + ((long)b * batch + m0 + m + r) * NL);
                }
            }
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

/* dx[m][i] = sum over j of dz[m][j] * w[i][j]: both contiguous in j, so lanes are partial sums.
 * Work-item = in_step inputs. scratch: [row_step][out rounded up to VW] of dz; row_step is a multiple
 * of MR. */
VECTOR_KERNEL contract_vector_dense_data(IN_STATE, IN(dz), IN(w), OUT(dx), int in, int out, int dz_pitch,
                                         int dx_pitch, int in_step, int row_step, int accumulate,
                                         __local float *scratch)
{
    AT(dz);
    AT(w);
    AT(dx);
    const int i0 = get_global_id(0) * in_step, i1 = min(i0 + in_step, in), n = STATE->n;
    const int out_main = out / VW * VW, out_pad = (out + VW - 1) / VW * VW;
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0);
        load_panel(scratch, (rows + MR - 1) / MR * MR, out_pad, dz + (long)m0 * dz_pitch, dz_pitch, rows, out);
        for (int m = 0; m < rows; m += MR) {
            __local const float *d = scratch + m * out_pad;
            for (int i = i0; i < i1; i += NV) {
                __global const real *row[NV];
                UNROLL for (int v = 0; v < NV; v++) row[v] = w + (long)min(i + v, in - 1) * out;
                vec acc[MR][NV];
                TILE_ZERO(acc);
                for (int j = 0; j < out_main; j += VW) {
                    vec b[NV];
                    UNROLL for (int v = 0; v < NV; v++) b[v] = VLOAD(0, row[v] + j);
                    UNROLL for (int r = 0; r < MR; r++)
                    {
                        const vec a = VLOAD(0, d + r * out_pad + j);
                        UNROLL for (int v = 0; v < NV; v++) acc[r][v] = fma(a, b[v], acc[r][v]);
                    }
                }
                UNROLL for (int v = 0; v < NV; v++)
                    UNROLL for (int r = 0; r < MR; r++)
                    {
                        float s = sum_lanes(acc[r][v]);
                        for (int j = out_main; j < out; j++)
                            s = fma(d[r * out_pad + j], row[v][j], s);
                        if (m + r < rows && i + v < i1) {
                            __global real *p = dx + (long)(m0 + m + r) * dx_pitch + i + v;
                            *p = accumulate ? *p + s : s;
                        }
                    }
            }
        }
    }
}

/* dw rows of one tile; `add`: to what earlier samples left there. */
static void store_weights(vec acc[MR][NV], __global real *dw, int out, int inputs, int channels, int add)
{
    const bool aligned = IS_ALIGNED(dw) && out % VW == 0;
    UNROLL for (int r = 0; r < MR; r++)
    {
        if (r < inputs) {
            UNROLL for (int v = 0; v < NV; v++)
            {
                __global real *p = dw + (long)r * out + v * VW;
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
VECTOR_KERNEL contract_vector_dense_weights(IN_STATE, IN(x), IN(dz), OUT(dw), OUT(db), int in, int out,
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
        for (int j = 0; has_bias && i0 == 0 && j < min(blocks * NL, out - j0); j++) {
            float sum = m0 ? db[j0 + j] : 0.0f;
            for (int m = 0; m < rows; m++)
                sum += ds[(j / NL * row_step + m) * NL + j % NL];
            db[j0 + j] = sum;
        }
    }
}
