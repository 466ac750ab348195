/* Convolution forward on a matrix unit, and backward data as the forward convolution of dz, one launch for
 * each phase of a stride; a dense layer as a 1 x 1 convolution of one row, the samples being its pixels.
 *
 * Cells, strips, row groups and filter blocks are those of contract_vector_forward.cl. A work-group loads the
 * input it needs as the unit's operands into local memory (place_of()), `piece` channels at a time. Output pixels
 * are then counted over whole rows of that grid, so that rows of a block's tile are equally far apart: the
 * few past the end of a row are computed and not stored. K of a piece is cut into segments, contiguous in the
 * grid: kw * piece elements where stride_w = dil_w = 1, else the `piece` of each tap; each is padded to a
 * multiple of 32, with zeros in the panel.
 * panel: [co blocks][pieces][segments][run blocks][PARTS][UNIT_TILE words] from contract_matrix_pack.
 *
 * flat: the row's pixels are samples, of which the first STATE->n are there.
 * -D POOL, UNPOOL as there. rows: the grid of `planes` places, then UNIT_ROWS pixels and 32 elements, in each of
 * PARTS; sums: places of all output pixels rounded up to UNIT_ROWS, times 32, for each block if K comes in
 * pieces. */
#include "matrix_kernel.cl"

#ifdef POOL
#define P 2
#else
#define P 1
#endif

static DEFINE_ACTIVATE(vec, activate)
static DEFINE_ACTIVATE(float, activate1)

/* Filters into panels: tap (h, w), reduced channel r, output channel o comes from src[base + h * step_h +
 * w * step_w + r * step_r + o * step_o]. Work-item = (column, pair of K, block). */
__kernel void contract_matrix_pack(IN_F32(src), OUT_U32(panel), int kh, int kw, int reduced, int outputs, int piece,
                                   int joined, int base, int step_h, int step_w, int step_r, int step_o)
{
    AT(src);
    AT(panel);
    const int lane = get_global_id(0), pair = get_global_id(1), o = get_global_id(2) * UNIT_COLUMNS + lane;
    const int segs = joined ? kh : kh * kw, run = joined ? kw * piece : piece;
    const int run_pairs = (run + UNIT_K - 1) / UNIT_K * (UNIT_K / 2);
    const int pairs = (reduced + piece - 1) / piece * segs * run_pairs;
    if (lane >= UNIT_COLUMNS || pair >= pairs)
        return;
    operand high[2] = {0, 0}, rest[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const int k = pair % run_pairs * 2 + i, seg = pair / run_pairs % segs;
        const int tap = joined ? seg * kw + k / piece : seg;
        const int r = pair / run_pairs / segs * piece + k % piece;
        if (k >= run || r >= reduced || o >= outputs)
            continue;
        const float v = src[base + tap / kw * step_h + tap % kw * step_w + r * step_r + o * step_o];
        high[i] = to_operand(v);
        rest[i] = to_operand(v - of_operand(high[i]));
    }
    const long step = (long)get_global_id(2) * (pairs / (UNIT_K / 2)) + pair / (UNIT_K / 2);
    panel += step * UNIT_TILE * PARTS + lane / 16 * UNIT_HALF + pair % (UNIT_K / 2) * UNIT_PAIR_WORDS + lane % 16;
    PUT_PAIR(panel, high[0], high[1]);
    if (PARTS > 1)
        PUT_PAIR(panel + UNIT_TILE, rest[0], rest[1]);
}

static void load_pixel(__local operand *dst, int part, pixel from, int channels, int piece)
{
    int c = 0;
    for (; c + 16 <= piece; c += 16) {
        const value16 v =
            from.at ? load_values(from.at + c, from.mask ? from.mask + c : 0, from.mine, channels - c) : (value16)(0);
        const operand16 high = OPERAND16_OF(v);
        vstore16(high, 0, dst + c);
        if (PARTS > 1)
            vstore16(REST16_OF(v, high), 0, dst + part + c);
    }
    for (; c < piece; c++) {
        const bool there = from.at && c < channels && (!from.mask || from.mask[c] == from.mine);
        const value v = there ? VALUE(from.at, c) : 0;
        const operand high = OPERAND_OF(v);
        dst[c] = high;
        if (PARTS > 1)
            dst[part + c] = REST_OF(v, high);
    }
}

/* One cell from the sums of its pixels: q[0], and with POOL those of a window. */
static void store_cell(__local const float *q, int below, __global const float *bias, __global real *y,
                       __global uchar *mask, int channels, int flags)
{
    const float floor_ = FLOOR_OF(flags);
    int c = 0;
    for (; c + 16 <= channels && (!mask || (size_t)(mask + c) % 16 == 0); c += 16) {
        const vec b = bias ? VLOAD(0, bias + c) : (vec)(0.0f);
        vec v = VLOAD(0, q + c) + b;
#ifdef POOL
        v = pool_window(v, VLOAD(0, q + UNIT_COLUMNS + c) + b, VLOAD(0, q + below + c) + b,
                        VLOAD(0, q + below + UNIT_COLUMNS + c) + b, floor_, mask + c, mask != 0);
#endif
        if (flags & FLAG_ACCUMULATE)
            v += LOADV(y, c);
        STOREV(activate(v, floor_), y, c);
    }
    for (; c < channels; c++) {
        const float b = bias ? bias[c] : 0.0f;
        float v = q[c] + b;
#ifdef POOL
        uchar arg = 0;
        for (int i = 1; i < 4; i++) {
            const float other = q[(i & 1) * UNIT_COLUMNS + i / 2 * below + c] + b;
            if (other > v || other != other) {
                v = other;
                arg = i;
            }
        }
        if (mask)
            mask[c] = v <= floor_ ? POOL_DEAD : arg;
#endif
        STORE(activate1(flags & FLAG_ACCUMULATE ? v + LOAD(y, c) : v, floor_), y, c);
    }
}

MATRIX_KERNEL contract_matrix_forward(IN_STATE, IN(x), IN_U32(panel), IN_F32(bias), OUT(y), OUT_U8(mask), GEOMETRY,
                                      int y_image, int y_first, int y_row, int y_col, int strip, int row_group,
                                      int blocks_per_item, int piece, int flat, int has_bias, int flags,
                                      __local operand *grid, __local float *sums)
{
    AT(x);
    AT(panel);
    AT(bias);
    AT(y);
    AT(mask);
    const int image = get_group_id(2), there = flat ? STATE->n : iw;
    if (image >= (flat ? 1 : STATE->n))
        return;
    const int rows = oh / P, cells = (flat ? STATE->n : ow) / P, strips = (ow / P + strip - 1) / strip;
    const int group = get_group_id(0), c0 = group % strips * strip, cw = min(strip, cells - c0);
    const int r0 = get_group_id(1) * row_group, ch = min(row_group, rows - r0);
    const int top = r0 * P * stride_h - pad_top, left = c0 * P * stride_w - pad_left;
    const int columns = strip * P + (kw - 1) * dil_w / stride_w;
    const int lines = row_group * P + max(kh - 1, 0) * dil_h / stride_h, plane = lines * columns;
    const int places = plane * stride_h * stride_w, part = (places + UNIT_ROWS) * piece + UNIT_K;
    const int count = cw < 1 ? 0 : (ch * P - 1) * columns + cw * P;
    const int sums_step = (row_group * P * columns + UNIT_ROWS - 1) / UNIT_ROWS * UNIT_ROWS * UNIT_COLUMNS;

    const bool joined = stride_w == 1 && dil_w == 1;
    const int segs = joined ? kh : kh * kw, run_blocks = ((joined ? kw * piece : piece) + UNIT_K - 1) / UNIT_K;
    const int pieces = (ci + piece - 1) / piece, block0 = group / strips * blocks_per_item;
    const int block1 = min(block0 + blocks_per_item, (co + UNIT_COLUMNS - 1) / UNIT_COLUMNS);
    const long first = (long)image * y_image + y_first + (long)r0 * y_row + (long)c0 * y_col;
    UNIT_SUMS;
    UNIT_BEGIN;
    for (int i = places * piece + LANE; i < part; i += UNIT_ITEMS)
        for (int j = 0; j < PARTS; j++)
            grid[j * part + i] = 0;
    for (int p = 0; p < pieces; p++) {
        for (int i = LANE; i < places; i += UNIT_ITEMS) {
            const int width = columns * stride_w, row = i / width, col = i % width;
            pixel from = pixel_at(x, mask, image, top + row, left + col, ih, there, ci, x_pitch);
            if (from.at)
                from.at += p * piece;
            if (from.mask)
                from.mask += p * piece;
            load_pixel(grid + place_of(row, col, stride_h, stride_w, columns, plane) * piece, part, from,
                       ci - p * piece, piece);
        }
        SYNC;
        for (int block = block0; block < block1; block++) {
            __global const uint *w =
                panel + ((long)block * pieces + p) * segs * run_blocks * UNIT_TILE * PARTS;
            __local float *mine = sums + (pieces > 1 ? (block - block0) * sums_step : 0);
            for (int m = 0; m < count; m += UNIT_ROWS) {
                __global const uint *b = w;
                if (p) {
                    UNIT_LOAD(mine + m * UNIT_COLUMNS);
                } else {
                    UNIT_ZERO;
                }
                for (int s = 0; s < segs; s++) {
                    const int row = (joined ? s : s / kw) * dil_h, col = joined ? 0 : s % kw * dil_w;
                    __local const operand *a =
                        grid + (place_of(row, col, stride_h, stride_w, columns, plane) + m) * piece;
                    for (int k = 0; k < run_blocks; k++, a += UNIT_K, b += UNIT_TILE * PARTS)
                        UNIT_STEPS(a, piece, part, b, UNIT_TILE);
                }
                UNIT_STORE(mine + m * UNIT_COLUMNS);
            }
            if (p < pieces - 1)
                continue;
            SYNC;
            const int channels = min(co - block * UNIT_COLUMNS, UNIT_COLUMNS);
            for (int i = LANE; i < ch * cw; i += UNIT_ITEMS) {
                const int r = i / cw, c = i % cw;
                const long at = ((long)image * rows + r0 + r) * (ow / P) + c0 + c;
                store_cell(mine + (r * P * columns + c * P) * UNIT_COLUMNS, columns * UNIT_COLUMNS,
                           has_bias ? bias + block * UNIT_COLUMNS : 0,
                           y + (first + (long)r * y_row + (long)c * y_col) * y_pitch + block * UNIT_COLUMNS,
                           flags & FLAG_SAVE ? mask + at * co + block * UNIT_COLUMNS : 0, channels, flags);
            }
            SYNC;
        }
        SYNC;
    }
    UNIT_END;
}
