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

/* Work-item = (block of NL outputs, slice of k_step inputs): part[slice][block][n][NL], summed in fixed
 * order by contract_reduce. scratch: [k_step][NL] of w, then [row_step][k_step] of x; row_step is a
 * multiple of MR. */
VECTOR_KERNEL contract_vector_dense_forward(IN_STATE, IN(x), IN(w), OUT(part), int in, int out,
                                            int x_pitch, int batch, int k_step, int row_step,
                                            __local float *scratch)
{
    AT(x);
    AT(w);
    AT(part);
    const int block = get_global_id(0), slice = get_global_id(1), n = STATE->n;
    const int k0 = slice * k_step, count = min(k_step, in - k0);
    part += ((long)slice * get_global_size(0) + block) * batch * NL;
    __local float *ws = scratch, *xs = scratch + k_step * NL;
    load_panel(ws, count, NL, w + (long)k0 * out + block * NL, out, count, out - block * NL);
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0);
        load_panel(xs, (rows + MR - 1) / MR * MR, k_step, x + (long)m0 * x_pitch + k0, x_pitch, rows, count);
        for (int m = 0; m < rows; m += MR) {
            vec acc[MR][NV];
            TILE_ZERO(acc);
            TILE_ACCUMULATE(acc, xs + m * k_step, k_step, 1, ws, NL, count);
            UNROLL for (int r = 0; r < MR; r++)
                if (m + r < rows)
                    UNROLL for (int v = 0; v < NV; v++)
                        VSTORE(acc[r][v], v, part + (long)(m0 + m + r) * NL);
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

/* dw[i][j] = sum over m of x[m][i] * dz[m][j], and db[j]. Work-item = (in_step inputs, NL outputs).
 * scratch: [row_step][in_step + MR] of x, [row_step][NL] of dz, [in_step + 1][NL] of sums; in_step is a
 * multiple of MR. */
VECTOR_KERNEL contract_vector_dense_weights(IN_STATE, IN(x), IN(dz), OUT(dw), OUT(db), int in, int out,
                                            int x_pitch, int dz_pitch, int in_step, int row_step,
                                            int has_bias,
                                            __local float *scratch)
{
    AT(x);
    AT(dz);
    AT(dw);
    AT(db);
    const int i0 = get_global_id(0) * in_step, inputs = min(in_step, in - i0), n = STATE->n;
    const int j0 = get_global_id(1) * NL, channels = out - j0;
    __local float *xs = scratch, *ds = xs + row_step * in_step, *sums = ds + row_step * NL;
    __local float *bias = sums + in_step * NL;
    load_zeros(sums, (in_step + 1) * NL);
    for (int m0 = 0; m0 < n; m0 += row_step) {
        const int rows = min(row_step, n - m0);
        load_panel(xs, rows, in_step, x + (long)m0 * x_pitch + i0, x_pitch, rows, inputs);
        load_panel(ds, rows, NL, dz + (long)m0 * dz_pitch + j0, dz_pitch, rows, channels);
        for (int i = 0; i < inputs; i += MR) {
            vec acc[MR][NV];
            TILE_LOAD(acc, sums + i * NL, NL);
            TILE_ACCUMULATE(acc, xs + i, 1, in_step, ds, NL, rows);
            TILE_STORE(acc, sums + i * NL, NL);
        }
        for (int m = 0; m < rows; m++)
            UNROLL for (int v = 0; v < NV; v++)
                VSTORE(VLOAD(v, bias) + VLOAD(v, ds + m * NL), v, bias);
    }
    for (int i = 0; i < inputs; i++) {
        __global real *p = dw + (long)(i0 + i) * out + j0;
        if (channels >= NL) {
            UNROLL for (int v = 0; v < NV; v++) VSTORE(VLOAD(v, sums + i * NL), v, p);
        } else {
            for (int c = 0; c < channels; c++)
                p[c] = sums[i * NL + c];
        }
    }
    if (has_bias && i0 == 0)
        for (int c = 0; c < min(channels, NL); c++)
            db[j0 + c] = bias[c];
}
