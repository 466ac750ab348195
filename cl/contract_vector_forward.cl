/* Convolution forward, vector schedule; also backward data, which is the forward convolution of dz with
 * flipped and transposed filters, one launch for each phase of a stride (y_first .. y_col place its
 * pixels in the output).
 *
 * The work is counted in cells: an output pixel, or with -D POOL the 2 x 2 pixels of a window of the
 * max-pool behind the activation. Work-item = (strip of columns and range of filter blocks, row_group
 * rows of cells, image). It loads the input rows it needs, padded with zeros, into local memory (-D
 * DIRECT: nothing is padded, they are read where they lie), then walks filter blocks of NL channels. A
 * block's K is cut into pieces that stay in the first-level cache while all tiles of the item pass over
 * them, partial sums waiting in local memory. A tile is MR pixels, cell after cell and row after row
 * without regard to the rows' ends, so that any width is covered without waste. A piece is piece_segs whole
 * segments or piece_k elements of one; a segment is a run of K that is contiguous in x: kw * ci elements,
 * or ci when dil_w > 1; -D RUN: its length, where that is so short that it is unrolled.
 * panel: [co blocks][kh][kw][ci][NL] from contract_pack, each block followed by its biases.
 *
 * mask is of no use without these two. -D POOL: y is [n][oh / 2][ow / 2][co] of the pooled activation; with FLAG_SAVE mask receives where the
 * maximum was. MR is a multiple of 4.
 * -D UNPOOL: x is the gradient behind such a pool, [n][ih / 2][iw / 2][ci], spread by its mask while it is
 * loaded.
 *
 * scratch: input rows (none if DIRECT) of ((strip * P - 1) * stride_w + (kw - 1) * dil_w + 1) * ci, all of
 * them together rounded up to a vector, then NL sums for each pixel of an item, rounded up to MR. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"
#include "contract_load.cl"
#include "contract_pool.cl"
#include "contract_unpool.cl"

#ifdef POOL
#define P 2 /* pixels of a cell in each direction */
#else
#define P 1
#endif
#define CELLS (MR / (P * P))
#define STEPS 4 /* of K at a time: their addresses differ by constants */
#ifdef DIRECT
#define ROWS __global const real
#define ELEMENT(p, i) LOAD(p, i)
#else
#define ROWS __local const float
#define ELEMENT(p, i) ((p)[i])
#endif

static DEFINE_ACTIVATE(vec, activate)
static DEFINE_ACTIVATE(float, activate1)

/* acc += step k of K of the rows a by the filters b. */
#define TILE_STEP(acc, a, b, k)                                                                    \
    do {                                                                                           \
        vec b_[NV];                                                                                \
        UNROLL for (int v_ = 0; v_ < NV; v_++) b_[v_] = VLOAD(v_, (b) + (k) * NL);                 \
        UNROLL for (int r_ = 0; r_ < MR; r_++)                                                     \
        {                                                                                          \
            const vec a_ = (vec)(ELEMENT((a)[r_], k));                                                      \
            UNROLL for (int v_ = 0; v_ < NV; v_++) acc[r_][v_] = fma(a_, b_[v_], acc[r_][v_]);     \
        }                                                                                          \
    } while (0)
#define TILE_ADVANCE(a, by) UNROLL for (int r_ = 0; r_ < MR; r_++) (a)[r_] += (by)

/* Where a walk over the cells of an item has come to. */
typedef struct {
    int r, c;
} place;
static void next_cell(place *at, int width)
{
    if (++at->c == width) {
        at->c = 0;
        at->r++;
    }
}

/* A cell from its sums in any case: channels that are no whole vector, addresses that are not aligned, adding
 * to what is there. */
static void store_cell(__local const float *sums, __global real *y, __global uchar *mask, int channels,
                       int flags)
{
    const float floor_ = FLOOR_OF(flags);
    for (int c = 0; c < channels; c++) {
#ifdef POOL
        float best = sums[c];
        uchar arg = 0;
        for (int i = 1; i < 4; i++) {
            const float q = sums[i * NL + c];
            if (q > best || q != q) {
                best = q;
                arg = i;
            }
        }
        if (flags & FLAG_SAVE)
            mask[c] = best <= floor_ ? POOL_DEAD : arg;
        STORE(activate1(best, floor_), y, c);
#else
        STORE(activate1(flags & FLAG_ACCUMULATE ? sums[c] + LOAD(y, c) : sums[c], floor_), y, c);
#endif
    }
}

VECTOR_KERNEL contract_vector_forward(IN_STATE, IN(x), IN_F32(panel), OUT(y), OUT_U8(mask), GEOMETRY,
                                      int y_image, int y_first, int y_row, int y_col, int strip, int row_group,
                                      int blocks_per_item, int piece_segs, int piece_k,
                                      int flags, __local float *scratch)
{
    AT(x);
    AT(panel);
    AT(y);
    AT(mask);
    const int rows = oh / P, columns = ow / P, strips = (columns + strip - 1) / strip;
    const int c0 = get_global_id(0) % strips * strip, cw = min(strip, columns - c0);
    const int r0 = get_global_id(1) * row_group, ch = min(row_group, rows - r0);
    const int image = get_global_id(2);
    if (image >= STATE->n)
        return;

    const int top = r0 * P * stride_h - pad_top, left = c0 * P * stride_w - pad_left;
#ifdef DIRECT
    const int row_len = iw * x_pitch;
    __global const real *origin = x + ((long)image * ih + top) * row_len + left * x_pitch;
    __local float *sums = scratch;
#else
    const int width = (strip * P - 1) * stride_w + (kw - 1) * dil_w + 1, row_len = width * ci;
    __local const float *origin = scratch;
    for (int h = 0; h < (ch * P - 1) * stride_h + (kh - 1) * dil_h + 1; h++)
#ifdef UNPOOL
        load_unpooled(scratch + h * row_len, x, mask, image, top + h, left, width, ih, iw, ci, x_pitch);
#else
        load_row(scratch + h * row_len, ci, x, image, top + h, left, width, ih, iw, ci, x_pitch);
#endif
    const int item_rows = (row_group * P - 1) * stride_h + (kh - 1) * dil_h + 1;
    __local float *sums = scratch + (item_rows * row_len + VW - 1) / VW * VW;
#endif

    const int row_segs = dil_w == 1 ? 1 : kw;
#ifdef RUN
    const int run = RUN;
#else
    const int run = dil_w == 1 ? kw * ci : ci;
#endif
    const int n_segs = kh * row_segs, count = ch * cw * P * P;
    const int a_col = stride_w * ci, a_row = stride_h * row_len;
    const int block0 = get_global_id(0) / strips * blocks_per_item;
    const int block1 = min(block0 + blocks_per_item, (co + NL - 1) / NL);
    const int first = image * y_image + y_first + r0 * y_row + c0 * y_col;
    for (int block = block0; block < block1; block++) {
        const int channels = min(co - block * NL, NL);
        __global const float *w = panel + (long)block * (n_segs * run + 1) * NL;
        __global real *out = y + (long)first * y_pitch + block * NL;
        bool whole = channels == NL && !(flags & FLAG_ACCUMULATE) && PUTS_AT(out) && y_pitch % VW == 0;
        __global uchar *out_mask = 0;
#ifdef POOL
        if (flags & FLAG_SAVE) {
            out_mask = mask + (((long)image * rows + r0) * columns + c0) * co + block * NL;
            whole = whole && (size_t)out_mask % VW == 0 && co % VW == 0;
        }
#endif
        for (int s0 = 0; s0 == 0 || s0 < n_segs; s0 += piece_segs) {
            for (int k0 = 0; k0 == 0 || k0 < run; k0 += piece_k) {
                const int s1 = min(s0 + piece_segs, n_segs), kn = min(piece_k, run - k0);
                const bool last = s1 == n_segs && k0 + kn == run;
                place in = {0, 0}, to = {0, 0};
                for (int t = 0; t < count; t += MR) {
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
                    ROWS *a[MR], *from = origin + k0;
                    const int row = in.r;
                    UNROLL for (int i = 0; i < CELLS; i++)
                    {
                        ROWS *cell = from + (in.r * a_row + in.c * a_col) * P;
                        UNROLL for (int j = 0; j < P * P; j++)
                            a[i * P * P + j] = cell + j / P * a_row + j % P * a_col;
                        next_cell(&in, cw);
                        if (in.r == ch) /* past the end: any pixel will do */
                            in.r = 0;
                    }
#ifdef DIRECT
                    const int first_s = s0, end_s = s1;
                    /* Two of the rows that the next item starts with. */
                    PREFETCH(a[0] + kh * dil_h * row_len + a_row);
                    PREFETCH(a[0] + kh * dil_h * row_len + 2 * a_row);
#else
                    /* Rows of padding above or below all pixels of the tile add nothing. */
                    const int last_row = min((t + MR - 1) / (cw * P * P), ch - 1);
                    const int low = max(-top - (last_row * P + P - 1) * stride_h + dil_h - 1, 0) / dil_h;
                    const int high = max(ih - top - row * P * stride_h + dil_h - 1, 0) / dil_h;
                    const int first_s = max(s0, low * row_segs), end_s = min(s1, high * row_segs);
#endif
                    TILE_ADVANCE(a, first_s / row_segs * dil_h * row_len + first_s % row_segs * dil_w * ci);
                    __global const float *b = w + ((long)first_s * run + k0) * NL;
                    for (int s = first_s, seg = first_s % row_segs; s < end_s; s++) {
#ifdef RUN
                        UNROLL for (int k = 0; k < RUN; k++) TILE_STEP(acc, a, b, k);
                        TILE_ADVANCE(a, dil_h * row_len);
                        b += RUN * NL;
#else
                        int k = 0;
                        for (; k + STEPS <= kn; k += STEPS, b += STEPS * NL) {
                            UNROLL for (int j = 0; j < STEPS; j++) TILE_STEP(acc, a, b, j);
                            TILE_ADVANCE(a, STEPS);
                        }
                        for (; k < kn; k++, b += NL) {
                            TILE_STEP(acc, a, b, 0);
                            TILE_ADVANCE(a, 1);
                        }
                        b += (run - kn) * NL;
                        int skip = dil_w * ci - kn;
                        if (++seg == row_segs) {
                            seg = 0;
                            skip += dil_h * row_len - row_segs * dil_w * ci;
                        }
                        TILE_ADVANCE(a, skip);
#endif
                    }
                    if (!last || !whole)
                        TILE_STORE(__local, acc, sums + t * NL, NL);
                    if (!last)
                        continue;
                    UNROLL for (int i = 0; i < CELLS; i++)
                    {
                        if (to.r < ch) {
                            __global real *p = out + (long)(to.r * y_row + to.c * y_col) * y_pitch;
                            __global uchar *m = out_mask + (long)(to.r * columns + to.c) * co;
                            if (!whole) {
                                store_cell(sums + (t + i * P * P) * NL, p, m, channels, flags);
                            } else {
                                UNROLL for (int v = 0; v < NV; v++)
                                {
#ifdef POOL
                                    const vec q = pool_window(acc[i * 4][v], acc[i * 4 + 1][v],
                                                              acc[i * 4 + 2][v], acc[i * 4 + 3][v],
                                                              FLOOR_OF(flags), m + v * VW,
                                                              flags & FLAG_SAVE);
#else
                                    const vec q = acc[i][v];
#endif
                                    VPUT_STORED(activate(q, FLOOR_OF(flags)), v, p);
                                }
                            }
                            next_cell(&to, cw);
                        }
                    }
                }
            }
        }
    }
}
