/* 3 x 3 convolution of stride 1 by Winograd's minimal filtering in stages that hand each other their results in
 * memory: for GPUs, and for CPUs whose local memory holds no tiles of contract_winograd.cl. A pass takes
 * whole images, `images` from first_image on; its tiles are rounded up to `tiles`, those past the end being
 * zero, so that no stage needs a bound.
 *
 *   winograd_stage_input    x to v [point][tile][v_pitch], by B^T d B
 *   winograd_stage_adjoint  dz to v [point][tile][v_pitch], by A dz A^T, and behind the points one more plane:
 *                           each tile's sum of dz
 *   winograd_stage_product  c[slice][point][row][c_step] = sum over k of a[point][row, k] b[point][k, column]
 *   winograd_stage_output   m [point][tile][m_pitch] to y, by A^T m A, with bias, activation and pool
 *   winograd_stage_bias     the bias gradient of a slice, behind its points
 *
 * Forward and backward data: a = v, rows = tiles, k = channels in, b = filters from contract_winograd_filter.
 * Backward weights: rows = channels in, k = tiles, b = transformed dz; contract_winograd_weights_sum adds the
 * slices. What a slice holds comes from the problem and the host's choice only.
 *
 * Work-item of the transforms = (vector of channels, tile). -D WINO_M, VW (1 on GPUs: neighbouring items take
 * neighbouring channels), MR, NV; POOL and UNPOOL as in winograd_image.cl. The product is that of the vector
 * schedule, one item for MR rows by NL columns; with -D SIDE it is a work-group of SIDE x SIDE items for
 * 4 SIDE x 4 SIDE, fed through local memory. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_epilogue.cl"
#include "contract_pool.cl"
#include "winograd.cl"
#include "winograd_image.cl"

#define IMAGES_ARGS int images, int first_image, int tile_rows, int tile_columns, int tiles

/* Of the tiles of a pass, how many the batch has. */
static int tiles_there(int n, int images, int first_image, tiling g)
{
    return clamp(n - first_image, 0, images) * g.high * g.wide;
}

static void put_points(vec points[WINO_T][WINO_T], __global float *v, long plane)
{
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++)
            VSTORE(points[i][j], 0, v + (i * WINO_T + j) * plane);
}

/* The image that a tile is read from; nothing is in one that the batch does not have. */
static image_in image_of(int image, bool there, __global const real *x, __global const uchar *unpool, int rows,
                         int columns, int channels, int pitch)
{
    const long pixels = (long)image * rows * columns;
    const image_in in = {x + pixels * pitch, unpool + pixels * channels, there ? rows : 0, columns, channels, pitch};
    return in;
}

/* rows, columns: of x as it is stored. */
VECTOR_KERNEL winograd_stage_input(IN_STATE, IN(x), IN_U8(unpool), OUT_F32(v), int rows, int columns, int channels,
                                   int x_pitch, int v_pitch, int pad_top, int pad_left, IMAGES_ARGS)
{
    AT(x);
    AT(unpool);
    AT(v);
    const int channel = get_global_id(0) * VW, tile = get_global_id(1);
    const tiling g = {tile_rows, tile_columns};
    if (channel >= v_pitch || tile >= tiles)
        return;
    const corner at = corner_of(tile, g);
    const bool there = tile < tiles_there(STATE->n, images, first_image, g);
    const image_in in = image_of(first_image + at.image, there, x, unpool, rows, columns, channels, x_pitch);
    vec d[WINO_T][WINO_T], points[WINO_T][WINO_T];
    for (int i = 0; i < WINO_T; i++)
        for (int j = 0; j < WINO_T; j++)
            d[i][j] = load_pixel(&in, at.row - pad_top + i, at.col - pad_left + j, channel);
    WINO_BOTH_WAYS(wino_input, WINO_T, d, WINO_T, points);
    put_points(points, v + (long)tile * v_pitch + channel, (long)tiles * v_pitch);
}

VECTOR_KERNEL winograd_stage_adjoint(IN_STATE, IN(dz), IN_U8(unpool), OUT_F32(v), int rows, int columns,
                                     int channels, int dz_pitch, int v_pitch, IMAGES_ARGS)
{
    AT(dz);
    AT(unpool);
    AT(v);
    const int channel = get_global_id(0) * VW, tile = get_global_id(1);
    const tiling g = {tile_rows, tile_columns};
    if (channel >= v_pitch || tile >= tiles)
        return;
    const corner at = corner_of(tile, g);
    const bool there = tile < tiles_there(STATE->n, images, first_image, g);
    const image_in in = image_of(first_image + at.image, there, dz, unpool, rows, columns, channels, dz_pitch);
    vec z[WINO_M][WINO_M], points[WINO_T][WINO_T], sum = (vec)(0.0f);
    for (int i = 0; i < WINO_M; i++)
        for (int j = 0; j < WINO_M; j++) {
            z[i][j] = load_pixel(&in, at.row + i, at.col + j, channel);
            sum += z[i][j];
        }
    WINO_OUTPUT_ADJOINT(z, points);
    v += (long)tile * v_pitch + channel;
    put_points(points, v, (long)tiles * v_pitch);
    VSTORE(sum, 0, v + (long)WINO_POINTS * tiles * v_pitch);
}

/* oh, ow: of y as it is stored. */
VECTOR_KERNEL winograd_stage_output(IN_STATE, IN_F32(m), IN_F32(bias), OUT(y), OUT_U8(mask), int oh, int ow, int channels,
                                    int y_pitch, int m_pitch, int has_bias, int flags, IMAGES_ARGS)
{
    AT(m);
    AT(bias);
    AT(y);
    AT(mask);
    const int channel = get_global_id(0) * VW, tile = get_global_id(1);
    const tiling g = {tile_rows, tile_columns};
    if (channel >= channels || tile >= tiles_there(STATE->n, images, first_image, g))
        return;
    const corner at = corner_of(tile, g);
    const long pixels = (long)(first_image + at.image) * oh * ow, plane = (long)tiles * m_pitch;
    const image_out out = {y + pixels * y_pitch + channel, mask + pixels * channels + channel, oh, ow,
                           channels - channel, y_pitch, channels, flags};
    vec points[WINO_T][WINO_T], sums[WINO_M][WINO_M];
    m += (long)tile * m_pitch + channel;
    for (int i = 0; i < WINO_T; i++)
        for (int j = 0; j < WINO_T; j++)
            points[i][j] = VLOAD(0, m + (i * WINO_T + j) * plane);
    WINO_BOTH_WAYS(wino_output, WINO_T, points, WINO_M, sums);
    const vec start = has_bias ? load_some(bias + channel, channels - channel) : (vec)(0.0f);
    for (int i = 0; i < WINO_M; i += ROWS)
        put_rows(&out, at.row + i, at.col, sums + i, start, false);
}

/* Work-item = (vector of columns, slice): adds the plane of sums up, slice_k tiles a slice. */
VECTOR_KERNEL winograd_stage_bias(IN_F32(v), OUT_F32(c), int v_pitch, int tiles, int slice_k, int c_at, int c_slice,
                                  int add)
{
    AT(v);
    AT(c);
    const int channel = get_global_id(0) * VW, slice = get_global_id(1);
    if (channel >= v_pitch || slice * slice_k >= tiles)
        return;
    __global float *to = c + (long)slice * c_slice + c_at + channel;
    vec sum = add ? VLOAD(0, to) : (vec)(0.0f);
    v += (long)WINO_POINTS * tiles * v_pitch + channel;
    for (int t = slice * slice_k; t < min((slice + 1) * slice_k, tiles); t++)
        sum += VLOAD(0, v + (long)t * v_pitch);
    VSTORE(sum, 0, to);
}

/* a lies at point * a_plane + row * a_row + k * a_k; b in blocks of b_step columns [block][point][depth], of
 * which the columns past the last may be anything; c at slice * c_slice + (point * rows + row) * c_step +
 * column. Group (i, j, s * WINO_POINTS + point) = (tile of columns, tile of rows, slice of k and point). */
#define PRODUCT_ARGS                                                                               \
    IN_F32(a), IN_F32(b), OUT_F32(c), int a_plane,  int a_row, int a_k, int b_step, int rows, int columns,     \
        int depth, int slice_k, int c_step, int c_slice, int add

#ifdef SIDE
#define BLOCK (4 * SIDE)
__attribute__((reqd_work_group_size(SIDE, SIDE, 1))) __kernel void winograd_stage_product(PRODUCT_ARGS)
{
    AT(a);
    AT(b);
    AT(c);
    __local float as[SIDE][BLOCK + 1], bs[SIDE][BLOCK + 1];
    const int x = get_local_id(0), y = get_local_id(1), item = y * SIDE + x;
    const int column0 = get_group_id(0) * BLOCK, row0 = get_group_id(1) * BLOCK;
    const int point = get_group_id(2) % WINO_POINTS, slice = get_group_id(2) / WINO_POINTS;
    const int begin = slice * slice_k, end = min(begin + slice_k, depth);
    a += (long)point * a_plane;
    b += (long)point * depth * b_step;
    float acc[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            acc[i][j] = 0.0f;
    for (int k0 = begin; k0 < end; k0 += SIDE) {
        /* Neighbouring items read neighbouring elements of a, whichever way it lies. */
        for (int i = 0; i < 4; i++) {
            const int ar = a_k == 1 ? item / SIDE + i * SIDE : item % BLOCK;
            const int ak = a_k == 1 ? item % SIDE : item / BLOCK + i * (SIDE / 4);
            const bool in_a = row0 + ar < rows && k0 + ak < end;
            as[ak][ar] = in_a ? a[(long)(row0 + ar) * a_row + (long)(k0 + ak) * a_k] : 0.0f;
            const int bc = item % BLOCK, bk = item / BLOCK + i * (SIDE / 4);
            const bool in_b = column0 + bc < columns && k0 + bk < end;
            bs[bk][bc] = in_b ? b[(long)(k0 + bk) * b_step + column0 + bc] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < SIDE; k++)
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    acc[i][j] = fma(as[k][y + i * SIDE], bs[k][x + j * SIDE], acc[i][j]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const int row = row0 + y + i * SIDE, column = column0 + x + j * SIDE;
            if (row < rows && column < columns) {
                __global float *to =
                    c + (long)slice * c_slice + ((long)point * rows + row) * c_step + column;
                *to = add ? *to + acc[i][j] : acc[i][j];
            }
        }
}
#else
/* rows are a multiple of MR, columns of NL; b_step is NL, or no less than columns. */
VECTOR_KERNEL winograd_stage_product(PRODUCT_ARGS)
{
    AT(a);
    AT(b);
    AT(c);
    const int column = get_global_id(0) * NL, row = get_global_id(1) * MR;
    const int point = get_global_id(2) % WINO_POINTS, slice = get_global_id(2) / WINO_POINTS;
    const int begin = slice * slice_k, end = min(begin + slice_k, depth);
    a += (long)point * a_plane + (long)row * a_row + (long)begin * a_k;
    b += ((long)(column / b_step * WINO_POINTS + point) * depth + begin) * b_step + column % b_step;
    c += (long)slice * c_slice + ((long)point * rows + row) * c_step + column;
    vec acc[MR][NV];
    if (add)
        TILE_LOAD(acc, c, c_step);
    else
        TILE_ZERO(acc);
    TILE_ACCUMULATE(acc, a, a_row, a_k, b, b_step, end - begin);
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int k = 0; k < NV; k++) VSTORE(acc[r][k], k, c + (long)r * c_step);
}
#endif
