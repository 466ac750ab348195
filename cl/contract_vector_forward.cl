/* Convolution forward, vector schedule; also backward data, which is a forward convolution of dz with
 * flipped and transposed filters (up_h, up_w: zeros inserted between the rows and pixels of x).
 *
 * Work-item = (strip of an output row and range of filter blocks, output row, image). It loads the kh
 * input rows of its strip, padded with zeros, into local memory, then walks filter blocks of NL
 * channels; a block's K is cut into pieces that stay in the first-level cache while all tiles of the
 * strip pass over them, partial sums waiting in local memory. A piece is piece_segs whole segments or
 * piece_k elements of one; a segment is a run of K that is contiguous in x: kw * ci elements, or ci
 * when dil_w > 1. panel: [co blocks][kh][kw][ci][NL] from contract_pack,
 * each block followed by its biases. kh <= 32.
 *
 * scratch: [strip][NL], then kh rows of ((strip - 1) * stride_w + (kw - 1) * dil_w + 1) * ci; strip is a
 * multiple of MR. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"
#include "contract_load.cl"

static DEFINE_ACTIVATE(vec, activate)

static void store_tile(vec acc[MR][NV], __global real *y, int pitch, int pixels, int channels,
                       int flags)
{
    const float floor_ = FLOOR_OF(flags);
    if (pixels >= MR && channels >= NL && !(flags & FLAG_ACCUMULATE) && IS_ALIGNED(y) &&
        pitch % VW == 0) {
        UNROLL for (int r = 0; r < MR; r++)
            UNROLL for (int v = 0; v < NV; v++)
                VPUT(__global, activate(acc[r][v], floor_), v, y + (long)r * pitch);
        return;
    }
    UNROLL for (int r = 0; r < MR; r++)
    {
        if (r < pixels) {
            UNROLL for (int v = 0; v < NV; v++)
            {
                __global real *p = y + (long)r * pitch + v * VW;
                if (channels >= (v + 1) * VW) {
                    vec s = acc[r][v];
                    if (flags & FLAG_ACCUMULATE)
                        s += VLOAD(0, p);
                    VSTORE(activate(s, floor_), 0, p);
                } else if (channels > v * VW) {
                    float s[VW];
                    VSTORE(acc[r][v], 0, s);
                    for (int c = 0; c < channels - v * VW; c++) {
                        const vec sum = (vec)(s[c] + (flags & FLAG_ACCUMULATE ? p[c] : 0.0f));
                        p[c] = activate(sum, floor_).s0;
                    }
                }
            }
        }
    }
}

VECTOR_KERNEL contract_vector_forward(IN_STATE, IN(x), IN(panel), OUT(y), GEOMETRY, int up_h,
                                      int up_w, int strip, int blocks_per_item, int piece_segs,
                                      int piece_k, int flags, __local float *scratch)
{
    AT(x);
    AT(panel);
    AT(y);
    const int strips = (ow + strip - 1) / strip;
    const int px0 = get_global_id(0) % strips * strip, px = min(strip, ow - px0);
    const int row = get_global_id(1), image = get_global_id(2);
    if (image >= STATE->n)
        return;

    const int width = (strip - 1) * stride_w + (kw - 1) * dil_w + 1, row_len = width * ci;
    const int row0 = row * stride_h - pad_top;
    __local float *sums = scratch, *rows = scratch + strip * NL;
    uint inside = 0; /* bit h: that input row exists */
    for (int h = 0; h < kh; h++) {
        const int at = row0 + h * dil_h;
        if (at < 0 || at % up_h || at / up_h >= ih)
            continue;
        inside |= 1u << h;
        load_pixels(rows + h * row_len, x + ((long)image * ih + at / up_h) * iw * x_pitch,
                    px0 * stride_w - pad_left, width, iw, ci, x_pitch, up_w);
    }

    const int row_segs = dil_w == 1 ? 1 : kw, run = dil_w == 1 ? kw * ci : ci;
    const int n_segs = kh * row_segs, a_row = stride_w * ci;
    const int block0 = get_global_id(0) / strips * blocks_per_item;
    const int block1 = min(block0 + blocks_per_item, (co + NL - 1) / NL);
    for (int block = block0; block < block1; block++) {
        const int channels = co - block * NL;
        __global const real *w = panel + (long)block * (n_segs * run + 1) * NL;
        __global real *out = y + (((long)image * oh + row) * ow + px0) * y_pitch + block * NL;
        for (int s0 = 0; s0 < n_segs; s0 += piece_segs) {
            for (int k0 = 0; k0 < run; k0 += piece_k) {
                const int s1 = min(s0 + piece_segs, n_segs), count = min(piece_k, run - k0);
                const bool last = s1 == n_segs && k0 + count == run;
                const int h0 = s0 / row_segs, seg0 = s0 % row_segs;
                for (int t = 0; t < px; t += MR) {
                    vec acc[MR][NV];
                    if (s0 || k0) {
                        TILE_LOAD(acc, sums + t * NL, NL);
                    } else {
                        UNROLL for (int v = 0; v < NV; v++)
                        {
                            const vec start = VLOAD(v, w + (long)n_segs * run * NL);
                            UNROLL for (int r = 0; r < MR; r++) acc[r][v] = start;
                        }
                    }
                    for (int s = s0, h = h0, seg = seg0; s < s1; s++) {
                        if (inside >> h & 1) {
                            __local const float *a =
                                rows + h * row_len + seg * dil_w * ci + t * a_row + k0;
                            __global const real *b = w + ((long)s * run + k0) * NL;
                            TILE_ACCUMULATE(acc, a, a_row, 1, b, NL, count);
                        }
                        if (++seg == row_segs) {
                            seg = 0;
                            h++;
                        }
                    }
                    if (last)
                        store_tile(acc, out + (long)t * y_pitch, y_pitch, px - t, channels, flags);
                    else
                        TILE_STORE(__local, acc, sums + t * NL, NL);
                }
            }
        }
    }
}
