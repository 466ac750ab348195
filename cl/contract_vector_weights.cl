/* Convolution backward weights, vector schedule: dw[kh][kw][ci][co] = sum over pixels of x * dz.
 *
 * Work-item = (slice of the chunks, range of filter blocks). A chunk is chunk_rows output rows of one image
 * by a strip of pixels. Per chunk the item loads the input rows into local memory, then for each of its
 * blocks dz = dy * act'(y) of NL channels, and walks register tiles of MR elements of K by NL channels,
 * each summed over all pixels of the chunk in registers; between chunks sums lie in the item's own slice
 * of `part`: [slices][co blocks][kh * kw * ci + 1][NL], the last row being the bias gradient.
 * contract_reduce adds the slices in fixed order; their number comes from the problem and the choice,
 * never from compute units or load. With store_dz the activation gradient is also written back over dy,
 * whose elements belong to exactly one item each.
 *
 * -D POOL: dy is the gradient behind a 2 x 2 max-pool, spread by its mask while it is loaded; oh, ow, strip
 * and chunk_rows are even.
 *
 * scratch: chunk_rows * strip * NL, then ((chunk_rows - 1) * stride_h + (kh - 1) * dil_h + 1) input
 * rows of ((strip - 1) * stride_w + (kw - 1) * dil_w + 1) pixels of x_step, then MR. x_step is ci, or
 * more where ci would put all pixels into a few cache sets; rows of the filter are then no single run. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"
#include "contract_load.cl"
#include "contract_pool.cl"
#include "contract_pick.cl"

#define STEPS 4 /* pixels at a time: fewer of other instructions beside the products */
#define ROW_SLACK 8 /* at least so much is read past the end of a row */

static DEFINE_ACT_GRADIENT(vec, act_gradient)
static DEFINE_ACT_GRADIENT(float, act_gradient1)

/* acc += the outer products of `count` pixels, MR elements of each at a, NL of each at b. */
#define TILE_STEP(acc, a, b)                                                                       \
    do {                                                                                           \
        vec b_[NV];                                                                                \
        UNROLL for (int v_ = 0; v_ < NV; v_++) b_[v_] = VLOAD(v_, (b));                            \
        UNROLL for (int r_ = 0; r_ < MR; r_++)                                                     \
        {                                                                                          \
            const vec a_ = (vec)((a)[r_]);                                                         \
            UNROLL for (int v_ = 0; v_ < NV; v_++) acc[r_][v_] = fma(a_, b_[v_], acc[r_][v_]);     \
        }                                                                                          \
    } while (0)
#define TILE_PIXELS(acc, a, a_step, b, count)                                                      \
    do {                                                                                           \
        int p_ = 0;                                                                                \
        for (; p_ + STEPS <= (count); p_ += STEPS, a += STEPS * (a_step), b += STEPS * NL)         \
            UNROLL for (int j_ = 0; j_ < STEPS; j_++)                                              \
                TILE_STEP(acc, a + j_ * (a_step), b + j_ * NL);                                    \
        for (; p_ < (count); p_++, a += (a_step), b += NL)                                         \
            TILE_STEP(acc, a, b);                                                                  \
    } while (0)

#ifdef POOL
#ifdef PICKS
#define DZ_WINDOW(dz, r, p) ((dz) + ((r) / 2 * strip + (p)) / 2 * PICK_WINDOW)
#define PUT_WINDOW(dst, strip, d, mask) put_window(dst, d, mask)
#else
#define DZ_WINDOW(dz, r, p) ((dz) + ((r) * strip + (p)) * NL)
#define PUT_WINDOW spread
/* dz of a window, two pixels of each of two rows NL * strip apart. Returns the gradient where it passes. */
static vec spread(__local float *dst, int strip, vec d, ivec mask)
{
    UNROLL for (int i = 0; i < 4; i++)
        VPUT(__local, AS_VEC(AS_IVEC(d) & (mask == (ivec)(i))), 0, dst + (i / 2 * strip + i % 2) * NL);
    return AS_VEC(AS_IVEC(d) & (mask < (ivec)(POOL_DEAD)));
}
#endif

static void load_window(vec sum[NV], __local float *dst, int strip, __global const real *dy,
                        __global const uchar *mask, int channels)
{
    UNROLL for (int v = 0; v < NV; v++)
    {
        const int at = v * VW, there = channels - at;
        if (there >= VW && (size_t)mask % VW == 0) {
            sum[v] += PUT_WINDOW(dst + at, strip, LOADV(dy, at),
                             TO_IVEC(*(__global const bvec *)(mask + at)));
        } else {
            float d[VW];
            int m[VW];
            for (int c = 0; c < VW; c++) {
                d[c] = c < there ? LOAD(dy, at + c) : 0.0f;
                m[c] = c < there ? mask[at + c] : POOL_DEAD;
            }
            sum[v] += PUT_WINDOW(dst + at, strip, VLOAD(0, d), VLOAD(0, m));
        }
    }
}
#else
/* One pixel of dz; the vectors past the channels are zero. */
static void load_dz(__local float *dst, __global real *dy, __global const real *y, int channels,
                    int act, bool store)
{
    UNROLL for (int v = 0; v < NV; v++)
    {
        const int at = v * VW;
        if (channels >= at + VW) {
            vec d = LOADV(dy, at);
            if (act != ACT_LINEAR)
                d = act_gradient(d, LOADV(y, at), act);
            if (store)
                STOREV(d, dy, at);
            VPUT(__local, d, 0, dst + at);
        } else {
            VPUT(__local, (vec)(0.0f), 0, dst + at);
            for (int c = at; c < channels; c++) {
                dst[c] = act == ACT_LINEAR ? LOAD(dy, c) : act_gradient1(LOAD(dy, c), LOAD(y, c), act);
                if (store)
                    STORE(dst[c], dy, c);
            }
        }
    }
}
#endif

#ifdef PICKS
/* sums[kh][kw][PICK][NL] += the windows of nr rows of px pixels, whose gradients are at dz. */
static void add_picked(__global float *sums, __local const float *rows, __local const float *dz, int kh, int kw,
                       int dil_h, int dil_w, int stride_h, int row_len, int strip, int nr, int px)
{
    for (int h = 0; h < kh; h += PICK_ROWS)
        for (int w = 0; w < kw; w++) {
            vec acc[PICK_ROWS][PICK][NV];
            UNROLL for (int i = 0; i < PICK_ROWS; i++)
                UNROLL for (int c = 0; c < PICK; c++)
                    UNROLL for (int v = 0; v < NV; v++) acc[i][c][v] = (vec)(0.0f);
            for (int r = 0; r < nr; r += 2)
                PICK_WINDOWS(acc, rows + (r * stride_h + h * dil_h) * row_len + w * dil_w * PICK,
                             dil_h * row_len, stride_h * row_len, DZ_WINDOW(dz, r, 0), px / 2);
            UNROLL for (int i = 0; i < PICK_ROWS; i++)
            {
                __global float *out = sums + (long)((h + i) * kw + w) * PICK * NL;
                UNROLL for (int c = 0; c < PICK; c++)
                    UNROLL for (int v = 0; v < NV; v++)
                        VPUT(__global, VLOAD(v, out + c * NL) + acc[i][c][v], v, out + c * NL);
            }
        }
}
#endif

VECTOR_KERNEL contract_vector_weights(IN_STATE, IN(x), OUT(dy),
#ifdef POOL
                                      IN_U8(mask),
#else
                                      IN(y),
#endif
                                      OUT_F32(part), GEOMETRY, int dy_pitch, int strip, int chunk_rows,
                                      int chunks, int blocks_per_item, int x_step, int act, int store_dz,
                                      __local float *scratch)
{
    AT(x);
    AT(dy);
    AT(part);
#ifdef POOL
    AT(mask);
#else
    AT(y);
#endif
    const int slice = get_global_id(0), slices = get_global_size(0), blocks = (co + NL - 1) / NL;
    const int block0 = get_global_id(1) * blocks_per_item, block1 = min(block0 + blocks_per_item, blocks);
    const bool joined = dil_w == 1 && x_step == ci;
    const int row_segs = joined ? 1 : kw, run = joined ? kw * ci : ci;
    const int n_segs = kh * row_segs, k_rows = n_segs * run + 1;
    part += ((long)slice * blocks + block0) * k_rows * NL;
    for (int k = 0; k < k_rows * (block1 - block0); k++)
        UNROLL for (int v = 0; v < NV; v++) VPUT(__global, (vec)(0.0f), v, part + (long)k * NL);

    const int width = (strip - 1) * stride_w + (kw - 1) * dil_w + 1, row_len = width * x_step;
    const int x_rows = (chunk_rows - 1) * stride_h + (kh - 1) * dil_h + 1, a_step = stride_w * x_step;
    __local float *dz = scratch, *rows = scratch + chunk_rows * strip * NL;
    load_zeros(rows + x_rows * row_len, max(MR, ROW_SLACK)); /* each row is read past its end */

    const int strips = (ow + strip - 1) / strip, row_chunks = (oh + chunk_rows - 1) / chunk_rows;
    const int end = (long)(slice + 1) * chunks / slices;
    for (int chunk = (long)slice * chunks / slices; chunk < end; chunk++) {
        const int px0 = chunk % strips * strip, px = min(strip, ow - px0);
        const int r0 = chunk / strips % row_chunks * chunk_rows, nr = min(chunk_rows, oh - r0);
        const int image = chunk / strips / row_chunks, top = r0 * stride_h - pad_top;
        if (image >= STATE->n)
            break;
        for (int r = 0; r < x_rows; r++)
            load_row(rows + r * row_len, x_step, x, image, top + r, px0 * stride_w - pad_left, width, ih,
                     iw, ci, x_pitch);

        for (int block = block0; block < block1; block++) {
            const int channels = co - block * NL;
            __global float *sums = part + (long)(block - block0) * k_rows * NL;
            __global float *bias = sums + (long)(k_rows - 1) * NL;
            vec sum[NV];
            UNROLL for (int v = 0; v < NV; v++) sum[v] = VLOAD(v, bias);
#ifdef POOL
            for (int r = 0; r < nr; r += 2) {
                const long at = ((long)image * (oh / 2) + (r0 + r) / 2) * (ow / 2) + px0 / 2;
                for (int p = 0; p < px; p += 2)
                    load_window(sum, DZ_WINDOW(dz, r, p), strip,
                                dy + (at + p / 2) * dy_pitch + block * NL,
                                mask + (at + p / 2) * co + block * NL, channels);
            }
#else
            for (int r = 0; r < nr; r++) {
                const long at = ((long)image * oh + r0 + r) * ow + px0;
                for (int p = 0; p < px; p++) {
                    __local float *d = dz + (r * strip + p) * NL;
                    load_dz(d, dy + (at + p) * dy_pitch + block * NL, y + (at + p) * y_pitch + block * NL,
                            channels, act, store_dz);
                    UNROLL for (int v = 0; v < NV; v++) sum[v] += VLOAD(v, d);
                }
            }
#endif
            UNROLL for (int v = 0; v < NV; v++) VPUT(__global, sum[v], v, bias);

#ifdef PICKS
            add_picked(sums, rows, dz, kh, kw, dil_h, dil_w, stride_h, row_len, strip, nr, px);
#else
            for (int s = 0; s < n_segs; s++) {
                const int h = s / row_segs * dil_h, seg = s % row_segs * dil_w * x_step;
                for (int k0 = 0; k0 < run; k0 += MR) {
                    vec acc[MR][NV];
                    TILE_ZERO(acc);
                    for (int r = 0; r < nr; r++) {
                        const int at = r * stride_h + h;
                        if (top + at < 0 || top + at >= ih)
                            continue;
                        __local const float *a = rows + at * row_len + seg + k0;
                        __local const float *b = dz + r * strip * NL;
                        TILE_PIXELS(acc, a, a_step, b, px);
                    }
                    __global float *out = sums + ((long)s * run + k0) * NL;
                    UNROLL for (int r = 0; r < MR; r++)
                        if (k0 + r < run)
                            UNROLL for (int v = 0; v < NV; v++)
                                VPUT(__global, VLOAD(v, out + r * NL) + acc[r][v], v, out + r * NL);
                }
            }
#endif
        }
    }
}
