/* Convolution backward weights by Winograd's transforms (cl/include/winograd.cl), vector schedule:
 * dw = G^T [sum over tiles of (B^T x B) . (A dz A^T)] G, for 3 x 3 filters with stride 1. -D WINO_M and
 * those of contract_tile.cl; -D POOL: dz is dy behind a 2 x 2 max-pool, unpooled by the mask while it is
 * loaded.
 *
 * contract_winograd_weights: work-item = (block of ci by co channels, slice of the tiles). Tiles are
 * counted through image, tile row and tile column, in chunks. Per chunk the item transforms its channels
 * of x and dz into panels [point][tile][channel] in local memory, then multiplies them point by point:
 * products [point][ci][co] summed over the chunk in registers, over the chunks in the item's own part,
 * which is sized to stay in the second-level cache beside the panels. Points lie x_step or z_step
 * apart, a little more than a panel, lest they share cache sets. Channels past the tensors' are zero.
 *
 * part[slice][ci block][co block]: [WINO_POINTS][rows][co_block], then [co_block] for the bias gradient,
 * which the blocks of the first ci channels fill: dz's panels have one point more, each tile's sum.
 *
 * contract_winograd_weights_sum: work-item = (NL output channels, input channel), and one more for the
 * bias; adds the slices in their order and transforms the sum. The tiles of a batch, hence what each
 * slice holds, depend on the problem and the host's choice only. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "winograd.cl"

/* patch[WINO_T][WINO_T][VW]: the tile at (row, col) of an image, zeros outside it and past the channels. */
static void load_x_edge(__local float *patch, __global const real *image, int row, int col, int ih,
                        int iw, int pitch, int channels)
{
    for (int i = row; i < row + WINO_T; i++)
        for (int j = col; j < col + WINO_T; j++, patch += VW) {
            const bool inside = i >= 0 && i < ih && j >= 0 && j < iw;
            __global const real *from = image + ((long)i * iw + j) * pitch;
            const int there = inside ? min(channels, VW) : 0;
            if (there == VW)
                VPUT(__local, LOADV(from, 0), 0, patch);
            else
                for (int c = 0; c < VW; c++)
                    patch[c] = c < there ? LOAD(from, c) : 0.0f;
        }
}

/* Transforms `channels` channels of `count` tiles from `first` on to panels `wide` channels wide. */
static void transform_x(__local float *panel, int step, int wide, __local float *patch,
                        __global const real *x, int first, int count, int channels, int ih, int iw,
                        int pitch, int pad_top, int pad_left, tiling g)
{
    for (int t = 0; t < count; t++, panel += wide) {
        const corner at = corner_of(first + t, g);
        const int row = at.row - pad_top, col = at.col - pad_left, next = iw * pitch;
        const bool inside = row >= 0 && row + WINO_T <= ih && col >= 0 && col + WINO_T <= iw;
        for (int c = 0; c < wide; c += VW) {
            __global const real *image = x + (long)at.image * ih * next + c;
            const bool edge = !inside || c + VW > channels;
            if (edge)
                load_x_edge(patch, image, row, col, ih, iw, pitch, channels - c);
            vec half_[WINO_T][WINO_T];
            UNROLL for (int j = 0; j < WINO_T; j++)
            {
                vec d[WINO_T];
                if (edge)
                    UNROLL for (int i = 0; i < WINO_T; i++) d[i] = VLOAD(i * WINO_T + j, patch);
                else
                    UNROLL for (int i = 0; i < WINO_T; i++)
                        d[i] = LOADV(image, (long)(row + i) * next + (col + j) * pitch);
                wino_input(d, d);
                UNROLL for (int i = 0; i < WINO_T; i++) half_[i][j] = d[i];
            }
            UNROLL for (int i = 0; i < WINO_T; i++)
            {
                wino_input(half_[i], half_[i]);
                UNROLL for (int j = 0; j < WINO_T; j++)
                    VPUT(__local, half_[i][j], 0, panel + (i * WINO_T + j) * step + c);
            }
        }
    }
}

#ifdef POOL
/* Where dy lies: one cell for each 2 x 2 pixels of dz. */
#define CELL 2
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
typedef CAT(int, VW) ints;
#define LOAD_MASK(p) CAT(convert_int, VW)(VLOAD(0, p))
#else
#define CELL 1
#endif

/* patch[WINO_M][WINO_M][VW] of dz, zeros as above; high x wide is the size of dy. */
static void load_z_edge(__local float *patch, __global const real *dy, __global const uchar *mask,
                        int row, int col, int high, int wide, int pitch, int mask_pitch, int channels)
{
    for (int i = row; i < row + WINO_M; i++)
        for (int j = col; j < col + WINO_M; j++) {
            const int at = i / CELL * wide + j / CELL;
            const bool inside = i / CELL < high && j / CELL < wide;
            for (int c = 0; c < VW; c++) {
                float z = inside && c < channels ? LOAD(dy, (long)at * pitch + c) : 0.0f;
#ifdef POOL
                if (inside && c < channels && mask[(long)at * mask_pitch + c] != i % 2 * 2 + j % 2)
                    z = 0.0f;
#endif
                *patch++ = z;
            }
        }
}

/* One vector of channels of a tile wholly inside: dy and mask point at its first pixel or cell. */
static void load_z(vec z[WINO_M][WINO_M], __global const real *dy, __global const uchar *mask, int wide,
                   int pitch, int mask_pitch)
{
    UNROLL for (int i = 0; i < WINO_M / CELL; i++) UNROLL for (int j = 0; j < WINO_M / CELL; j++)
    {
        const vec d = LOADV(dy, ((long)i * wide + j) * pitch);
#ifdef POOL
        const ints arg = LOAD_MASK(mask + ((long)i * wide + j) * mask_pitch);
        UNROLL for (int k = 0; k < 4; k++)
            z[2 * i + k / 2][2 * j + k % 2] = select((vec)(0.0f), d, arg == (ints)(k));
#else
        z[i][j] = d;
#endif
    }
}

static void transform_z(__local float *panel, int step, int wide, __local float *patch,
                        __global const real *dy, __global const uchar *mask, int first, int count,
                        int channels, int high, int width, int pitch, int mask_pitch, tiling g)
{
    for (int t = 0; t < count; t++, panel += wide) {
        const corner at = corner_of(first + t, g);
        const int row = at.row / CELL, col = at.col / CELL;
        const bool inside = row + WINO_M / CELL <= high && col + WINO_M / CELL <= width;
        const long image = (long)at.image * high * width, from = image + (long)row * width + col;
        for (int c = 0; c < wide; c += VW) {
            vec z[WINO_M][WINO_M], m[WINO_T][WINO_T];
            if (inside && c + VW <= channels) {
                load_z(z, dy + from * pitch + c, mask + from * mask_pitch + c, width, pitch, mask_pitch);
            } else {
                load_z_edge(patch, dy + image * pitch + c, mask + image * mask_pitch + c, at.row, at.col,
                            high, width, pitch, mask_pitch, channels - c);
                UNROLL for (int i = 0; i < WINO_M * WINO_M; i++)
                    z[i / WINO_M][i % WINO_M] = VLOAD(i, patch);
            }
            vec sum = (vec)(0.0f);
            UNROLL for (int i = 0; i < WINO_M; i++) UNROLL for (int j = 0; j < WINO_M; j++) sum += z[i][j];
            VPUT(__local, sum, 0, panel + WINO_POINTS * step + c);
            WINO_OUTPUT_ADJOINT(z, m);
            UNROLL for (int i = 0; i < WINO_T; i++) UNROLL for (int j = 0; j < WINO_T; j++)
                VPUT(__local, m[i][j], 0, panel + (i * WINO_T + j) * step + c);
        }
    }
}

/* part [+]= the panels' products; whether part holds a sum already. */
static void multiply(__global float *part, __local const float *x, __local const float *z, int rows,
                     int x_wide, int co_block, int x_step, int z_step, int count, bool add)
{
    for (int s = 0; s < WINO_POINTS; s++, x += x_step, z += z_step, part += rows * co_block)
        for (int c = 0; c < co_block; c += NL)
            for (int k = 0; k < rows; k += MR) {
                vec acc[MR][NV];
                __global float *to = part + k * co_block + c;
                TILE_ZERO(acc);
                TILE_ACCUMULATE(acc, x + k, 1, x_wide, z + c, co_block, count);
                if (add)
                    UNROLL for (int r = 0; r < MR; r++) UNROLL for (int v = 0; v < NV; v++)
                        acc[r][v] += VLOAD(v, to + r * co_block);
                TILE_STORE(__global, acc, to, co_block);
            }
}

/* bias [+]= the sum over the tiles of a panel's columns. */
static void add_bias(__global float *bias, __local const float *z, int co_block, int count, bool add)
{
    for (int c = 0; c < co_block; c += VW) {
        vec sum = add ? VLOAD(0, bias + c) : (vec)(0.0f);
        for (int t = 0; t < count; t++)
            sum += VLOAD(0, z + t * co_block + c);
        VPUT(__global, sum, 0, bias + c);
    }
}

/* scratch: WINO_POINTS * x_step, (WINO_POINTS + 1) * z_step, WINO_POINTS * VW. rows: ci_block in whole tiles. */
VECTOR_KERNEL contract_winograd_weights(IN_STATE, IN(x), IN(dy), IN_U8(mask), OUT_F32(part), int ih, int iw,
                                        int ci, int x_pitch, int oh, int ow, int co, int dy_pitch,
                                        int pad_top, int pad_left, int tiles_high, int tiles_wide,
                                        int chunk, int ci_block, int co_block, int rows, int x_wide,
                                        int x_step, int z_step, __local float *scratch)
{
    AT(x);
    AT(dy);
    AT(mask);
    AT(part);
    const int blocks = get_global_size(0), block = get_global_id(0);
    const int slices = get_global_size(1), slice = get_global_id(1);
    const int co_blocks = (co + co_block - 1) / co_block;
    const int ci0 = block / co_blocks * ci_block, co0 = block % co_blocks * co_block;
    __local float *x_panel = scratch, *z_panel = scratch + WINO_POINTS * x_step;
    __local float *patch = z_panel + (WINO_POINTS + 1) * z_step;
    __global float *bias;
    part += ((long)slice * blocks + block) * (WINO_POINTS * rows + 1) * co_block;
    bias = part + WINO_POINTS * rows * co_block;

    const tiling g = {tiles_high, tiles_wide};
    const int tiles = tiles_high * tiles_wide * STATE->n, chunks = (tiles + chunk - 1) / chunk;
    const int begin = (long)slice * chunks / slices, end = (long)(slice + 1) * chunks / slices;
    for (int i = begin; i < end; i++) {
        const int count = min(chunk, tiles - i * chunk);
        transform_x(x_panel, x_step, x_wide, patch, x + ci0, i * chunk, count, ci - ci0, ih, iw,
                    x_pitch, pad_top, pad_left, g);
        transform_z(z_panel, z_step, co_block, patch, dy + co0, mask + co0, i * chunk, count, co - co0,
                    oh / CELL, ow / CELL, dy_pitch, co, g);
        multiply(part, x_panel, z_panel, rows, x_wide, co_block, x_step, z_step, count, i > begin);
        add_bias(bias, z_panel + WINO_POINTS * z_step, co_block, count, i > begin);
    }
    for (int i = 0; begin == end && i < (WINO_POINTS * rows + 1) * co_block; i += VW)
        VPUT(__global, (vec)(0.0f), 0, part + i);
}

/* A sum of the slices, one vector. */
static vec sum_slices(__global const float *part, long step, int slices)
{
    vec sum = (vec)(0.0f);
    for (int s = 0; s < slices; s++, part += step)
        sum += VLOAD(0, part);
    return sum;
}

static void store_some(__global float *to, vec v, int channels)
{
    if (channels >= VW) {
        VSTORE(v, 0, to);
        return;
    }
    float value[VW];
    VSTORE(v, 0, value);
    for (int c = 0; c < channels; c++)
        to[c] = value[c];
}

VECTOR_KERNEL contract_winograd_weights_sum(IN_F32(part), OUT_F32(dw), OUT_F32(dbias), int ci, int co, int ci_block,
                                            int co_block, int rows, int slices, int has_bias)
{
    AT(part);
    AT(dw);
    AT(dbias);
    const int k = get_global_id(1), co_blocks = (co + co_block - 1) / co_block;
    if (k > ci)
        return;
    const long size = (long)(WINO_POINTS * rows + 1) * co_block;
    const long step = size * co_blocks * ((ci + ci_block - 1) / ci_block);
    for (int c = get_global_id(0) * NL; c < min(co, ((int)get_global_id(0) + 1) * NL); c += VW) {
        __global const float *from = part + c / co_block * size + c % co_block;
        if (k == ci) {
            if (has_bias)
                store_some(dbias + c,
                           sum_slices(from + (long)WINO_POINTS * rows * co_block, step, slices), co - c);
            continue;
        }
        from += k / ci_block * co_blocks * size + (long)(k % ci_block) * co_block;
        vec u[WINO_T][WINO_T], dg[3][3];
        UNROLL for (int i = 0; i < WINO_T; i++) UNROLL for (int j = 0; j < WINO_T; j++)
            u[i][j] = sum_slices(from + (long)(i * WINO_T + j) * rows * co_block, step, slices);
        WINO_FILTER_ADJOINT(u, dg);
        UNROLL for (int i = 0; i < 3; i++) UNROLL for (int j = 0; j < 3; j++)
            store_some(dw + ((long)(i * 3 + j) * ci + k) * co + c, dg[i][j], co - c);
    }
}
