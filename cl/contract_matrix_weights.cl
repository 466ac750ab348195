/* Convolution backward weights on a matrix unit: dw[kh][kw][ci][co] = sum over pixels of x * dz; a dense layer as
 * in contract_matrix_forward.cl. Rows of a tile are input channels, K the output pixels.
 *
 * Work-group = (slice of the chunks, range of filter blocks, piece of the input channels). A chunk is chunk_rows
 * output rows of one image by a strip of pixels. Its input lies in local memory by channel, each channel's grid of
 * place_of() being a row of a; output pixels are counted over whole rows of that grid, so that the input of a
 * tap is the same run of it from another place on. dz is zero at the places past the end of a row. Between
 * chunks sums lie in the group's own part: [slices][co blocks][kh * kw * ci + 1][32], the last row being the
 * bias gradient; contract_reduce adds the slices in fixed order. Their number comes from the problem and the choice,
 * never from compute units or load.
 *
 * dy is dz, or with -D UNPOOL the gradient behind a 2 x 2 max-pool, spread by its mask; oh, ow, strip and
 * chunk_rows are then even.
 *
 * grid: x_row places for each channel of a piece rounded up to UNIT_ROWS, in each of PARTS; filters: chunk pixels
 * rounded up to 32, in steps of PARTS times UNIT_TILE words; sums: a tile, and 32 for each item. */
#include "matrix_kernel.cl"

/* Places v and v + 1 of the chunk, 16 channels of dz as pairs. Adds them to the bias. */
static float16 load_pair(__local uint *dst, __global const real *dy, __global const uchar *mask, int image, int r0,
                         int c0, int row, int col, int nr, int px, int columns, int oh, int ow, int co, int pitch,
                         int channel)
{
    value16 v[2];
    for (int i = 0; i < 2; i++, col++) {
        if (col == columns) {
            col = 0;
            row++;
        }
        v[i] = (value16)(0);
        if (row < nr && col < px) {
            const pixel from = pixel_at(dy, mask, image, r0 + row, c0 + col, oh, ow, co, pitch);
            if (from.at && channel < co)
                v[i] = load_values(from.at + channel, from.mask ? from.mask + channel : 0, from.mine, co - channel);
        }
    }
    const operand16 even = OPERAND16_OF(v[0]), odd = OPERAND16_OF(v[1]);
    PUT_PAIR16(dst, even, odd);
    if (PARTS > 1)
        PUT_PAIR16(dst + UNIT_TILE, REST16_OF(v[0], even), REST16_OF(v[1], odd));
    return FLOAT16_OF(v[0]) + FLOAT16_OF(v[1]);
}

MATRIX_KERNEL contract_matrix_weights(IN_STATE, IN(x), IN(dy), IN_U8(mask), OUT_F32(part), GEOMETRY, int strip,
                                      int chunk_rows, int chunks, int blocks_per_item, int piece, int flat,
                                      __local operand *grid, __local uint *filters, __local float *sums)
{
    AT(x);
    AT(dy);
    AT(mask);
    AT(part);
    const int slice = get_group_id(0), slices = get_num_groups(0), blocks = (co + UNIT_COLUMNS - 1) / UNIT_COLUMNS;
    const int block0 = get_group_id(1) * blocks_per_item, block1 = min(block0 + blocks_per_item, blocks);
    const int ci0 = get_group_id(2) * piece, channels = min(piece, ci - ci0), taps = kh * kw;
    const long rows = (long)taps * ci + 1, block_part = rows * UNIT_COLUMNS;
    const bool bias = ci0 == 0;
    part += ((long)slice * blocks + block0) * block_part;

    const int columns = strip + (kw - 1) * dil_w / stride_w;
    const int plane = (chunk_rows + (kh - 1) * dil_h / stride_h) * columns;
    const int places = plane * stride_h * stride_w, x_row = (places + UNIT_K + 1) / 2 * 2;
    const int x_rows = (piece + UNIT_ROWS - 1) / UNIT_ROWS * UNIT_ROWS, x_part = x_rows * x_row;
    __local float *bias_sums = sums + UNIT_ROWS * UNIT_COLUMNS;
    for (int c = 0; c < PARTS * x_rows; c++)
        for (int i = (c % x_rows < channels ? places : 0) + LANE; i < x_row; i += UNIT_ITEMS)
            grid[c * x_row + i] = 0;

    const int strips = (ow + strip - 1) / strip, row_chunks = (oh + chunk_rows - 1) / chunk_rows;
    const int start = (long)slice * chunks / slices, end = (long)(slice + 1) * chunks / slices;
    bool first = true;
    UNIT_SUMS;
    UNIT_BEGIN;
    for (int chunk = start; chunk < end; chunk++) {
        const int c0 = chunk % strips * strip, r0 = chunk / strips % row_chunks * chunk_rows;
        const int image = chunk / strips / row_chunks, n = STATE->n, there = flat ? n : iw;
        const int nr = min(chunk_rows, oh - r0), px = min(strip, (flat ? n : ow) - c0);
        if (flat ? c0 >= n : image >= n)
            break;
        SYNC;
        for (int i = LANE; i < places; i += UNIT_ITEMS) {
            const int width = columns * stride_w, row = i / width, col = i % width;
            const int r = r0 * stride_h - pad_top + row, q = c0 * stride_w - pad_left + col;
            const bool inside = r >= 0 && r < ih && q >= 0 && q < there;
            __global const real *from = x + (((long)image * ih + r) * iw + q) * x_pitch + ci0;
            __local operand *to = grid + place_of(row, col, stride_h, stride_w, columns, plane);
            for (int c = 0; c < channels; c++, to += x_row) {
                const value v = inside ? VALUE(from, c) : 0;
                const operand high = OPERAND_OF(v);
                to[0] = high;
                if (PARTS > 1)
                    to[x_part] = REST_OF(v, high);
            }
        }
        const int pixels = (nr - 1) * columns + px, steps = (pixels + UNIT_K - 1) / UNIT_K;
        for (int block = block0; block < block1; block++) {
            float16 low = (float16)(0), high = (float16)(0);
            SYNC;
            for (int i = LANE; i < steps * (UNIT_K / 2); i += UNIT_ITEMS) {
                __local uint *to = filters + i / (UNIT_K / 2) * UNIT_TILE * PARTS + i % (UNIT_K / 2) * UNIT_PAIR_WORDS;
                const int row = 2 * i / columns, col = 2 * i % columns, channel = block * UNIT_COLUMNS;
                low += load_pair(to, dy, mask, image, r0, c0, row, col, nr, px, columns, oh, ow, co, y_pitch,
                                 channel);
                high += load_pair(to + UNIT_HALF, dy, mask, image, r0, c0, row, col, nr, px, columns, oh, ow, co,
                                  y_pitch, channel + 16);
            }
            vstore16(low, 2 * LANE, bias_sums);
            vstore16(high, 2 * LANE + 1, bias_sums);
            __global float *out = part + (block - block0) * block_part;
            for (int m = 0; m < taps * channels;) {
                const int tap = m / channels, c = m % channels, count = min(UNIT_ROWS, channels - c);
                const int at = place_of(tap / kw * dil_h, tap % kw * dil_w, stride_h, stride_w, columns, plane);
                __local const operand *a = grid + c * x_row + at;
                __local const uint *b = filters;
                SYNC;
                UNIT_ZERO;
                for (int k = 0; k < steps; k++, a += UNIT_K, b += UNIT_TILE * PARTS)
                    UNIT_STEPS(a, x_row, x_part, b, UNIT_TILE);
                UNIT_STORE(sums);
                SYNC;
                __global float *to = out + ((long)tap * ci + ci0 + c) * UNIT_COLUMNS;
                for (int i = 2 * LANE; i < 2 * count; i += 2 * UNIT_ITEMS)
                    for (int j = i; j < i + 2; j++) {
                        const vec v = VLOAD(j, sums);
                        VSTORE(first ? v : VLOAD(j, to) + v, j, to);
                    }
                m += count;
            }
            for (int i = LANE; bias && i < UNIT_COLUMNS; i += UNIT_ITEMS) {
                float sum = first ? 0.0f : out[block_part - UNIT_COLUMNS + i];
                for (int j = 0; j < UNIT_ITEMS; j++)
                    sum += bias_sums[j * UNIT_COLUMNS + i];
                out[block_part - UNIT_COLUMNS + i] = sum;
            }
        }
        first = false;
    }
    UNIT_END;
    /* No sample was there. */
    for (int block = block0; first && block < block1; block++, part += block_part) {
        for (int tap = 0; tap < taps; tap++)
            for (int i = LANE; i < channels * UNIT_COLUMNS; i += UNIT_ITEMS)
                part[((long)tap * ci + ci0) * UNIT_COLUMNS + i] = 0;
        for (int i = LANE; bias && i < UNIT_COLUMNS; i += UNIT_ITEMS)
            part[block_part - UNIT_COLUMNS + i] = 0;
    }
}
