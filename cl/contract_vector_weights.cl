/* Convolution backward weights, vector schedule: dw[kh][kw][ci][co] = sum over pixels of x * dz.
 *
 * Work-item = (slice of the chunks, filter block). A chunk is chunk_rows output rows of one image by a
 * strip of pixels. Per chunk the item loads dz = dy * act'(y) of its NL channels and the input rows
 * into local memory, then walks register tiles of MR elements of K by NL channels, each summed over all
 * pixels of the chunk in registers; between chunks sums lie in the item's own slice of `part`:
 * [slices][co blocks][kh * kw * ci + 1][NL], the last row being the bias gradient. contract_reduce adds
 * the slices in fixed order; their number comes from the problem and the vector width, never
 * from compute units or load. With store_dz the activation gradient is also written back over dy, whose
 * elements belong to exactly one item each.
 *
 * scratch: chunk_rows * strip * NL, then ((chunk_rows - 1) * stride_h + (kh - 1) * dil_h + 1) input
 * rows of ((strip - 1) * stride_w + (kw - 1) * dil_w + 1) * ci, then MR. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"
#include "contract_load.cl"

static DEFINE_ACT_GRADIENT(vec, act_gradient)
static DEFINE_ACT_GRADIENT(float, act_gradient1)

/* One pixel of dz; the vectors past the channels are zero. */
static void load_dz(__local float *dst, __global real *dy, __global const real *y, int channels,
                    int act, bool store)
{
    UNROLL for (int v = 0; v < NV; v++)
    {
        const int at = v * VW;
        if (channels >= at + VW) {
            vec d = VLOAD(0, dy + at);
            if (act != ACT_LINEAR)
                d = act_gradient(d, VLOAD(0, y + at), act);
            if (store)
                VSTORE(d, 0, dy + at);
            VPUT(__local, d, 0, dst + at);
        } else {
            VPUT(__local, (vec)(0.0f), 0, dst + at);
            for (int c = at; c < channels; c++) {
                dst[c] = act == ACT_LINEAR ? dy[c] : act_gradient1(dy[c], y[c], act);
                if (store)
                    dy[c] = dst[c];
            }
        }
    }
}

VECTOR_KERNEL contract_vector_weights(IN_STATE, IN(x), OUT(dy), IN(y), OUT(part), GEOMETRY, int dy_pitch,
                                      int strip, int chunk_rows, int chunks, int act, int store_dz,
                                      __local float *scratch)
{
    AT(x);
    AT(dy);
    AT(y);
    AT(part);
    const int slice = get_global_id(0), slices = get_global_size(0), block = get_global_id(1);
    const int channels = co - block * NL;
    const int row_segs = dil_w == 1 ? 1 : kw, run = dil_w == 1 ? kw * ci : ci;
    const int n_segs = kh * row_segs, k_rows = n_segs * run + 1;
    part += ((long)slice * get_global_size(1) + block) * k_rows * NL;
    for (int k = 0; k < k_rows; k++)
        UNROLL for (int v = 0; v < NV; v++) VPUT(__global, (vec)(0.0f), v, part + (long)k * NL);

    const int width = (strip - 1) * stride_w + (kw - 1) * dil_w + 1, row_len = width * ci;
    const int x_rows = (chunk_rows - 1) * stride_h + (kh - 1) * dil_h + 1;
    __local float *dz = scratch, *rows = scratch + chunk_rows * strip * NL;
    load_zeros(rows + x_rows * row_len, MR);

    const int strips = (ow + strip - 1) / strip, row_chunks = (oh + chunk_rows - 1) / chunk_rows;
    const int end = (long)(slice + 1) * chunks / slices;
    for (int chunk = (long)slice * chunks / slices; chunk < end; chunk++) {
        const int px0 = chunk % strips * strip, px = min(strip, ow - px0);
        const int r0 = chunk / strips % row_chunks * chunk_rows, nr = min(chunk_rows, oh - r0);
        const int image = chunk / strips / row_chunks, top = r0 * stride_h - pad_top;
        if (image >= STATE->n)
            break;
        for (int r = 0; r < x_rows; r++)
            if (top + r >= 0 && top + r < ih)
                load_pixels(rows + r * row_len, x + ((long)image * ih + top + r) * iw * x_pitch,
                            px0 * stride_w - pad_left, width, iw, ci, x_pitch, 1);
            else
                load_zeros(rows + r * row_len, MR); /* the row before is read MR past its end */

        vec sum[NV];
        UNROLL for (int v = 0; v < NV; v++) sum[v] = (vec)(0.0f);
        for (int r = 0; r < nr; r++) {
            const long at = ((long)image * oh + r0 + r) * ow + px0;
            for (int p = 0; p < px; p++) {
                __local float *d = dz + (r * strip + p) * NL;
                load_dz(d, dy + (at + p) * dy_pitch + block * NL, y + (at + p) * y_pitch + block * NL,
                        channels, act, store_dz);
                UNROLL for (int v = 0; v < NV; v++) sum[v] += VLOAD(v, d);
            }
        }
        __global real *bias = part + (long)(k_rows - 1) * NL;
        UNROLL for (int v = 0; v < NV; v++) VPUT(__global, VLOAD(v, bias) + sum[v], v, bias);

        for (int h = 0, s = 0; h < kh; h++) {
            for (int seg = 0; seg < row_segs; seg++, s++) {
                for (int k0 = 0; k0 < run; k0 += MR) {
                    vec acc[MR][NV];
                    TILE_ZERO(acc);
                    for (int r = 0; r < nr; r++) {
                        const int at = r * stride_h + h * dil_h;
                        if (top + at < 0 || top + at >= ih)
                            continue;
                        __local const float *a = rows + at * row_len + seg * dil_w * ci + k0;
                        __local const float *b = dz + r * strip * NL;
                        TILE_ACCUMULATE(acc, a, 1, stride_w * ci, b, NL, px);
                    }
                    __global real *out = part + ((long)s * run + k0) * NL;
                    UNROLL for (int r = 0; r < MR; r++)
                        if (k0 + r < run)
                            UNROLL for (int v = 0; v < NV; v++)
                                VPUT(__global, VLOAD(v, out + r * NL) + acc[r][v], v, out + r * NL);
                }
            }
        }
    }
}
