/* 3 x 3 convolution of stride 1 by Winograd's minimal filtering, F(WINO_M x WINO_M, 3 x 3); also its
 * backward data, which is the same convolution of dz with flipped and transposed filters.
 *
 * Work-item = (group of `group` consecutive tiles, range of filter blocks); tiles count through the tile
 * rows of an image, then through the images, so that a group is full whatever the image's size. The item
 * transforms its tiles' inputs into local memory, then for each block of NL output channels multiplies
 * them with the block's filters, point by point, and transforms the sums back. A point's filters are cut
 * into pieces of piece_k vectors of input channels, which stay in the first-level cache while all tiles
 * pass over them.
 * filters: [co blocks][points][ci][NL] from contract_winograd_filter.
 * scratch, with runs of MR tiles outermost: V[ci vectors][group / MR][points][MR] vectors of VW, then
 * M[group / MR][points][MR][NL]. So all points of a tile lie on a few pages: written to a page each, they would
 * miss the few entries for stores in the first level of address translation.
 * group is a multiple of MR. Every sum runs over the input channels in order, whatever the cuts.
 *
 * -D POOL: y = pooled [n][oh / 2][ow / 2][co], and with FLAG_SAVE the position of each maximum.
 * -D UNPOOL=1 or 2: x is the gradient behind such a pooling, [n][ih / 2][iw / 2][ci], and `unpool` its
 * mask; 1 where the padding is even, so that a tile begins with a pooled cell, 2 where it is odd. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_epilogue.cl"
#include "contract_pool.cl"
#include "winograd.cl"
#include "winograd_image.cl"

/* Where tile t's first point lies in V or M, in rows of either. */
#define TILE_AT(t) ((t) / MR * MR * WINO_POINTS + (t) % MR)

#ifdef UNPOOL
#define CELLS (WINO_T / 2 + UNPOOL - 1) /* in each direction of a tile */

/* Column j of a tile whose upper left cell is (row, column), all of it inside, its channels a full vector. */
static inline void load_column(const image_in *in, int row, int column, int channel, int j, vec d[WINO_T])
{
    const int c = j + UNPOOL - 1;
    vec g[CELLS];
    ivec at[CELLS];
    UNROLL for (int i = 0; i < CELLS; i++)
    {
        const int cell = (row + i) * in->columns + column + c / 2;
        g[i] = LOADV(in->x, (long)cell * in->pitch + channel);
        at[i] = TO_IVEC(VLOAD(0, in->mask + (long)cell * in->channels + channel));
    }
    UNROLL for (int i = 0; i < WINO_T; i++)
    {
        const int r = i + UNPOOL - 1;
        d[i] = select((vec)(0.0f), g[r / 2], at[r / 2] == (ivec)(r % 2 * 2 + c % 2));
    }
}
#else
static inline void load_column(const image_in *in, int row, int column, int channel, int j, vec d[WINO_T])
{
    __global const real *x = in->x + ((long)row * in->columns + column + j) * in->pitch + channel;
    UNROLL for (int i = 0; i < WINO_T; i++) d[i] = LOADV(x, (long)(i * in->columns) * in->pitch);
}
#endif

/* One vector of a tile's channels to its points. The columns are loaded where they are used: 36 vectors do
 * not fit into the registers. */
static inline void input_inside(const image_in *in, int row, int column, int channel, __local float *v)
{
    vec half_[WINO_T][WINO_T];
    UNROLL for (int j = 0; j < WINO_T; j++)
    {
        vec d[WINO_T];
        load_column(in, row, column, channel, j, d);
        wino_input(d, d);
        UNROLL for (int i = 0; i < WINO_T; i++) half_[i][j] = d[i];
    }
    UNROLL for (int i = 0; i < WINO_T; i++)
    {
        wino_input(half_[i], half_[i]);
        UNROLL for (int j = 0; j < WINO_T; j++) VPUT(__local, half_[i][j], (i * WINO_T + j) * MR, v);
    }
}

/* The same at any (row, column) of the unpooled image. */
static void input_edge(const image_in *in, int row, int column, int channel, __local float *v)
{
    vec d[WINO_T][WINO_T], points[WINO_T];
    ROLLED for (int j = 0; j < WINO_T; j++)
    {
        UNROLL for (int i = 0; i < WINO_T; i++)
            points[i] = load_pixel(in, row + i, column + j, channel);
        wino_input(points, points);
        UNROLL for (int i = 0; i < WINO_T; i++) d[i][j] = points[i];
    }
    ROLLED for (int i = 0; i < WINO_T; i++)
    {
        wino_input(d[i], points);
        UNROLL for (int j = 0; j < WINO_T; j++) VPUT(__local, points[j], (i * WINO_T + j) * MR, v);
    }
}

/* One tile, whose first input is (row, column); its vectors of channels go to v, v + v_step, ... */
static void input_tile(const image_in *in, int row, int column, __local float *v, int v_step)
{
#ifdef UNPOOL
    const bool even = (row & 1) == UNPOOL - 1 && (column & 1) == UNPOOL - 1;
    const int r = row >> 1, c = column >> 1, reach = CELLS;
#else
    const bool even = true;
    const int r = row, c = column, reach = WINO_T;
#endif
    const bool inside = even && r >= 0 && r + reach <= in->rows && c >= 0 && c + reach <= in->columns;
    for (int channel = 0; channel < in->channels; channel += VW, v += v_step) {
        if (inside && channel + VW <= in->channels)
            input_inside(in, r, c, channel, v);
        else
            input_edge(in, row, column, channel, v);
    }
}

/* The rows up to a full register tile. */
static void input_nothing(int channels, __local float *v, int v_step)
{
    for (int channel = 0; channel < channels; channel += VW, v += v_step)
        for (int s = 0; s < WINO_POINTS; s++)
            VPUT(__local, (vec)(0.0f), s * MR, v);
}

static void multiply(__local const float *v, int v_step, int tiles, int ci, __global const float *filters,
                     int piece_k, __local float *m)
{
    for (int s = 0; s < WINO_POINTS; s++, v += MR * VW, m += MR * NL, filters += (long)ci * NL) {
        for (int k0 = 0; k0 < ci; k0 += piece_k * VW) {
            const int k1 = min(k0 + piece_k * VW, ci);
            for (int t = 0; t < tiles; t += MR) {
                vec acc[MR][NV];
                if (k0)
                    TILE_LOAD(acc, m + t * WINO_POINTS * NL, NL);
                else
                    TILE_ZERO(acc);
                for (int k = k0; k < k1; k += VW) {
                    __local const float *a = v + t * WINO_POINTS * VW + k / VW * v_step;
                    __global const float *b = filters + k * NL;
                    TILE_ACCUMULATE(acc, a, VW, 1, b, NL, min(VW, k1 - k));
                }
                TILE_STORE(__local, acc, m + t * WINO_POINTS * NL, NL);
            }
        }
    }
}

/* Column j of the points, one vector, to that of the sums over points in a column. */
static inline void output_column(__local const float *m, int j, vec sums[WINO_M])
{
    vec points[WINO_T];
    UNROLL for (int i = 0; i < WINO_T; i++) points[i] = VLOAD((i * WINO_T + j) * MR * NV, m);
    wino_output(points, sums);
}

static inline void output_rows(const image_out *out, int row, int column, const vec half_[ROWS][WINO_T],
                               vec bias, bool whole)
{
    vec y[ROWS][WINO_M];
    UNROLL for (int k = 0; k < ROWS; k++)
    wino_output(half_[k], y[k]);
    put_rows(out, row, column, y, bias, whole);
}

static inline void output_inside(const image_out *out, int row, int column, __local const float *m,
                                 vec bias)
{
    vec half_[WINO_M][WINO_T];
    UNROLL for (int j = 0; j < WINO_T; j++)
    {
        vec sums[WINO_M];
        output_column(m, j, sums);
        UNROLL for (int i = 0; i < WINO_M; i++) half_[i][j] = sums[i];
    }
    UNROLL for (int i = 0; i < WINO_M; i += ROWS)
        output_rows(out, row + i, column, half_ + i, bias, true);
}

static void output_edge(const image_out *out, int row, int column, __local const float *m, vec bias)
{
    vec half_[WINO_M][WINO_T];
    ROLLED for (int j = 0; j < WINO_T; j++)
    {
        vec sums[WINO_M];
        output_column(m, j, sums);
        UNROLL for (int i = 0; i < WINO_M; i++) half_[i][j] = sums[i];
    }
    ROLLED for (int i = 0; i < WINO_M; i += ROWS)
        output_rows(out, row + i, column, half_ + i, bias, false);
}

/* One tile, one vector of channels: out's pointers are at that vector. */
static void output_tile(const image_out *out, int row, int column, __local const float *m, vec bias)
{
    if ((row + WINO_M) / CELL <= out->rows && (column + WINO_M) / CELL <= out->columns &&
        out->channels >= VW)
        output_inside(out, row, column, m, bias);
    else
        output_edge(out, row, column, m, bias);
}

VECTOR_KERNEL contract_winograd(IN_STATE, IN(x), IN_U8(unpool), IN_F32(filters), IN_F32(bias), OUT(y),
                                OUT_U8(mask), int ih, int iw, int ci, int x_pitch, int oh, int ow,
                                int co, int y_pitch, int pad_top, int pad_left, int tile_rows,
                                int tile_columns, int group, int blocks_per_item, int piece_k,
                                int has_bias, int flags, __local float *scratch)
{
    AT(x);
    AT(unpool);
    AT(filters);
    AT(bias);
    AT(y);
    AT(mask);
    const tiling g = {tile_rows, tile_columns};
    const int first = get_global_id(0) * group;
    const int tiles = min(group, STATE->n * tile_rows * tile_columns - first);
    if (tiles <= 0)
        return;
#ifdef UNPOOL
    const int in_rows = ih / 2, in_columns = iw / 2;
#else
    const int in_rows = ih, in_columns = iw;
#endif
#ifdef POOL
    const int out_rows = oh / 2, out_columns = ow / 2;
#else
    const int out_rows = oh, out_columns = ow;
#endif
    const long in_pixels = (long)in_rows * in_columns, out_pixels = (long)out_rows * out_columns;
    const int v_step = group * WINO_POINTS * VW;
    __local float *v = scratch, *m = scratch + (ci + VW - 1) / VW * v_step;

    const int full = (tiles + MR - 1) / MR * MR;
    for (int t = 0; t < full; t++) {
        __local float *to = v + TILE_AT(t) * VW;
        if (t >= tiles) {
            input_nothing(ci, to, v_step);
            continue;
        }
        const corner at = corner_of(first + t, g);
        const image_in in = {x + at.image * in_pixels * x_pitch, unpool + at.image * in_pixels * ci,
                             in_rows, in_columns, ci, x_pitch};
        input_tile(&in, at.row - pad_top, at.col - pad_left, to, v_step);
    }

    const int block0 = get_global_id(1) * blocks_per_item;
    const int block1 = min(block0 + blocks_per_item, (co + NL - 1) / NL);
    for (int block = block0; block < block1; block++) {
        multiply(v, v_step, full, ci, filters + (long)block * WINO_POINTS * ci * NL, piece_k, m);
        const int channels = min(co - block * NL, NL);
        for (int c = 0; c < channels; c += VW) {
            const int channel = block * NL + c;
            const vec start = has_bias ? load_some(bias + channel, co - channel) : (vec)(0.0f);
            for (int t = 0; t < tiles; t++) {
                const corner at = corner_of(first + t, g);
                const image_out out = {y + at.image * out_pixels * y_pitch + channel,
                                       mask + at.image * out_pixels * co + channel, out_rows,
                                       out_columns, co - channel, y_pitch, co, flags};
                output_tile(&out, at.row, at.col, m + TILE_AT(t) * NL + c, start);
            }
        }
    }
}
