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
 * scratch: V[points][v_step], M[points][m_step] vectors; V's are [ci vectors][group], M's [group][NV]. The
 * host makes both steps odd: powers of two would send all points to a few sets of the cache.
 * group is a multiple of MR. Every sum runs over the input channels in order, whatever the cuts.
 *
 * -D POOL: y = pooled [n][oh / 2][ow / 2][co], and with FLAG_MASK the position of each maximum.
 * -D UNPOOL=1 or 2: x is the gradient behind such a pooling, [n][ih / 2][iw / 2][ci], and `unpool` its
 * mask; 1 where the padding is even, so that a tile begins with a pooled cell, 2 where it is odd. */
#include "types.cl"
#include "state.cl"
#include "contract_tile.cl"
#include "contract_epilogue.cl"
#include "winograd.cl"

enum { FLAG_MASK = 4 };
#define NO_GRADIENT 4 /* in a mask: a maximum that ReLU cut off */

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
typedef CAT(int, VW) ivec;
#define TO_IVEC CAT(convert_int, VW)
#define TO_UCHARS CAT(convert_uchar, VW)

/* What is rare stays small: a kernel's code is generated while its user waits. */
#define ROLLED _Pragma("unroll 1")

static DEFINE_ACTIVATE(vec, activate)

/* A tensor's image that tiles are read from: rows and columns of what is stored, which for UNPOOL
 * are pooled cells. */
typedef struct {
    __global const real *x;
    __global const uchar *mask;
    int rows, columns, channels, pitch;
} image_in;

#ifdef UNPOOL
#define CELLS (WINO_T / 2 + UNPOOL - 1) /* in each direction of a tile */

/* The tile's upper left cell is (row, column), all its cells exist and its channels fill a vector. */
static inline void load_inside(const image_in *in, int row, int column, int channel, vec d[WINO_T][WINO_T])
{
    vec g[CELLS][CELLS];
    ivec at[CELLS][CELLS];
    UNROLL for (int i = 0; i < CELLS; i++)
        UNROLL for (int j = 0; j < CELLS; j++)
        {
            const int cell = (row + i) * in->columns + column + j;
            g[i][j] = VLOAD(0, in->x + (long)cell * in->pitch + channel);
            at[i][j] = TO_IVEC(VLOAD(0, in->mask + (long)cell * in->channels + channel));
        }
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++)
        {
            const int r = i + UNPOOL - 1, c = j + UNPOOL - 1;
            d[i][j] = select((vec)(0.0f), g[r / 2][c / 2],
                             at[r / 2][c / 2] == (ivec)(r % 2 * 2 + c % 2));
        }
}
#else
static inline void load_inside(const image_in *in, int row, int column, int channel, vec d[WINO_T][WINO_T])
{
    __global const real *x = in->x + ((long)row * in->columns + column) * in->pitch + channel;
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++)
            d[i][j] = VLOAD(0, x + (i * in->columns + j) * in->pitch);
}
#endif

/* The tile at any (row, column) of the unpooled image: zeros outside of it and past the channels. */
static inline void load_edge(const image_in *in, int row, int column, int channel, vec d[WINO_T][WINO_T])
{
    ROLLED for (int i = 0; i < WINO_T; i++)
        ROLLED for (int j = 0; j < WINO_T; j++)
        {
#ifdef UNPOOL
            const int r = (row + i) >> 1, c = (column + j) >> 1;
            const int quarter = ((row + i) & 1) * 2 + ((column + j) & 1);
#else
            const int r = row + i, c = column + j;
#endif
            vec value = (vec)(0.0f);
            if (r >= 0 && r < in->rows && c >= 0 && c < in->columns) {
                const long pixel = (long)r * in->columns + c;
                __global const real *p = in->x + pixel * in->pitch + channel;
                float some[VW];
                const int count = min(VW, in->channels - channel);
                if (count == VW) {
                    value = VLOAD(0, p);
                } else {
                    ROLLED for (int k = 0; k < VW; k++) some[k] = k < count ? p[k] : 0.0f;
                    value = VLOAD(0, some);
                }
#ifdef UNPOOL
                __global const uchar *m = in->mask + pixel * in->channels + channel;
                ivec at;
                if (count == VW) {
                    at = TO_IVEC(VLOAD(0, m));
                } else {
                    int some_at[VW];
                    ROLLED for (int k = 0; k < VW; k++)
                        some_at[k] = k < count ? m[k] : NO_GRADIENT;
                    at = VLOAD(0, some_at);
                }
                value = select((vec)(0.0f), value, at == (ivec)(quarter));
#endif
            }
            d[i][j] = value;
        }
}

static inline void put_points(const vec d[WINO_T][WINO_T], __local float *v, int v_step)
{
    vec points[WINO_T][WINO_T];
    WINO_INPUT(d, points);
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++)
            VPUT(__local, points[i][j], (i * WINO_T + j) * v_step, v);
}

/* One tile, whose first input is (row, column), into v, v + group vectors, ... */
static void input_tile(const image_in *in, int row, int column, __local float *v, int v_step, int group)
{
#ifdef UNPOOL
    const bool even = (row & 1) == UNPOOL - 1 && (column & 1) == UNPOOL - 1;
    const int r = row >> 1, c = column >> 1, reach = CELLS;
#else
    const bool even = true;
    const int r = row, c = column, reach = WINO_T;
#endif
    const bool inside = even && r >= 0 && r + reach <= in->rows && c >= 0 && c + reach <= in->columns;
    for (int channel = 0; channel < in->channels; channel += VW, v += group * VW) {
        vec d[WINO_T][WINO_T];
        if (inside && channel + VW <= in->channels) {
            load_inside(in, r, c, channel, d);
            put_points(d, v, v_step);
        } else {
            load_edge(in, row, column, channel, d);
            put_points(d, v, v_step);
        }
    }
}

/* The rows up to a full register tile. */
static void input_nothing(int channels, __local float *v, int v_step, int group)
{
    for (int channel = 0; channel < channels; channel += VW, v += group * VW)
        for (int s = 0; s < WINO_POINTS; s++)
            VPUT(__local, (vec)(0.0f), s * v_step, v);
}

static void multiply(__local const float *v, int v_step, int group, int tiles, int ci,
                     __global const real *filters, int piece_k, __local float *m, int m_step)
{
    for (int s = 0; s < WINO_POINTS; s++, v += v_step * VW, m += m_step * VW, filters += (long)ci * NL) {
        for (int k0 = 0; k0 < ci; k0 += piece_k * VW) {
            const int k1 = min(k0 + piece_k * VW, ci);
            for (int t = 0; t < tiles; t += MR) {
                vec acc[MR][NV];
                if (k0)
                    TILE_LOAD(acc, m + t * NL, NL);
                else
                    TILE_ZERO(acc);
                for (int k = k0; k < k1; k += VW) {
                    __local const float *a = v + (k / VW * group + t) * VW;
                    __global const real *b = filters + k * NL;
                    TILE_ACCUMULATE(acc, a, VW, 1, b, NL, min(VW, k1 - k));
                }
                TILE_STORE(__local, acc, m + t * NL, NL);
            }
        }
    }
}

/* One vector of channels of an image that tiles are written to. */
typedef struct {
    __global real *y;
    __global uchar *mask;
    int rows, columns, channels, pitch; /* channels from the vector's first on */
    int mask_pitch, flags;
} image_out;

static void put_some(const image_out *out, long pixel, vec value)
{
    __global real *p = out->y + pixel * out->pitch;
    float some[VW];
    VSTORE(value, 0, some);
    ROLLED for (int k = 0; k < min(out->channels, VW); k++)
        p[k] = some[k] + (out->flags & FLAG_ACCUMULATE ? p[k] : 0.0f);
}

static inline void put_vector(const image_out *out, long pixel, vec value)
{
    __global real *p = out->y + pixel * out->pitch;
    if (out->flags & FLAG_ACCUMULATE)
        value += VLOAD(0, p);
    VSTORE(value, 0, p);
}

#ifdef POOL
static void put_some_mask(const image_out *out, long pixel, ivec value)
{
    __global uchar *p = out->mask + pixel * out->mask_pitch;
    int some[VW];
    VSTORE(value, 0, some);
    ROLLED for (int k = 0; k < min(out->channels, VW); k++) p[k] = some[k];
}

#define KEEP_GREATER(v, at)                                                                        \
    do {                                                                                           \
        const ivec take_ = ((v) > best) | ((v) != (v)); /* a NaN stays */                          \
        best = select(best, (v), take_);                                                           \
        arg = select(arg, (ivec)(at), take_);                                                      \
    } while (0)

/* Activations do not decrease, so the maximum before is the maximum behind. */
static inline void put_tile(const image_out *out, int row, int column, vec y[WINO_M][WINO_M])
{
    UNROLL for (int i = 0; i < WINO_M / 2; i++)
        UNROLL for (int j = 0; j < WINO_M / 2; j++)
        {
            const int r = row / 2 + i, c = column / 2 + j;
            const long pixel = (long)r * out->columns + c;
            vec best = y[2 * i][2 * j];
            ivec arg = (ivec)(0);
            KEEP_GREATER(y[2 * i][2 * j + 1], 1);
            KEEP_GREATER(y[2 * i + 1][2 * j], 2);
            KEEP_GREATER(y[2 * i + 1][2 * j + 1], 3);
            best = activate(best, FLOOR_OF(out->flags));
            if (out->flags & FLAG_RELU)
                arg = select(arg, (ivec)(NO_GRADIENT), best <= (vec)(0.0f));
            if (r >= out->rows || c >= out->columns)
                continue;
            if (out->channels >= VW) {
                put_vector(out, pixel, best);
                if (out->flags & FLAG_MASK)
                    VSTORE(TO_UCHARS(arg), 0, out->mask + pixel * out->mask_pitch);
            } else {
                put_some(out, pixel, best);
                if (out->flags & FLAG_MASK)
                    put_some_mask(out, pixel, arg);
            }
        }
}
#else
static inline void put_tile(const image_out *out, int row, int column, vec y[WINO_M][WINO_M])
{
    const float floor_ = FLOOR_OF(out->flags);
    const long first = (long)row * out->columns + column;
    if (row + WINO_M <= out->rows && column + WINO_M <= out->columns && out->channels >= VW) {
        UNROLL for (int i = 0; i < WINO_M; i++)
            UNROLL for (int j = 0; j < WINO_M; j++)
                put_vector(out, first + i * out->columns + j, activate(y[i][j], floor_));
        return;
    }
    vec some[WINO_M][WINO_M];
    UNROLL for (int i = 0; i < WINO_M; i++) UNROLL for (int j = 0; j < WINO_M; j++) some[i][j] = y[i][j];
    ROLLED for (int i = 0; i < min(WINO_M, out->rows - row); i++)
        ROLLED for (int j = 0; j < min(WINO_M, out->columns - column); j++)
        {
            const vec value = activate(some[i][j], floor_);
            if (out->channels >= VW)
                put_vector(out, first + i * out->columns + j, value);
            else
                put_some(out, first + i * out->columns + j, value);
        }
}
#endif

/* One tile, one vector of channels: out's pointers are at that vector. */
static void output_tile(const image_out *out, int row, int column, __local const float *m, int m_step,
                        vec bias)
{
    vec sums[WINO_T][WINO_T], y[WINO_M][WINO_M];
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++) sums[i][j] = VLOAD((i * WINO_T + j) * m_step, m);
    WINO_OUTPUT(sums, y);
    UNROLL for (int i = 0; i < WINO_M; i++) UNROLL for (int j = 0; j < WINO_M; j++) y[i][j] += bias;
    put_tile(out, row, column, y);
}

static vec load_bias(__global const real *bias, int channels)
{
    if (channels >= VW)
        return VLOAD(0, bias);
    float some[VW];
    for (int k = 0; k < VW; k++)
        some[k] = k < channels ? bias[k] : 0.0f;
    return VLOAD(0, some);
}

VECTOR_KERNEL contract_winograd(IN_STATE, IN(x), IN_U8(unpool), IN(filters), IN(bias), OUT(y),
                                OUT_U8(mask), int ih, int iw, int ci, int x_pitch, int oh, int ow,
                                int co, int y_pitch, int pad_top, int pad_left, int tile_rows,
                                int tile_columns, int group, int blocks_per_item, int piece_k,
                                int v_step, int m_step, int has_bias, int flags,
                                __local float *scratch)
{
    AT(x);
    AT(unpool);
    AT(filters);
    AT(bias);
    AT(y);
    AT(mask);
    const int per_image = tile_rows * tile_columns;
    const int first = get_global_id(0) * group, tiles = min(group, STATE->n * per_image - first);
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
    __local float *v = scratch, *m = scratch + WINO_POINTS * v_step * VW;

    const int full = (tiles + MR - 1) / MR * MR;
    for (int t = 0; t < full; t++) {
        if (t >= tiles) {
            input_nothing(ci, v + t * VW, v_step, group);
            continue;
        }
        const int n = (first + t) / per_image, at = (first + t) % per_image;
        const image_in in = {x + n * in_pixels * x_pitch, unpool + n * in_pixels * ci, in_rows,
                             in_columns, ci, x_pitch};
        input_tile(&in, at / tile_columns * WINO_M - pad_top, at % tile_columns * WINO_M - pad_left,
                   v + t * VW, v_step, group);
    }

    const int block0 = get_global_id(1) * blocks_per_item;
    const int block1 = min(block0 + blocks_per_item, (co + NL - 1) / NL);
    for (int block = block0; block < block1; block++) {
        multiply(v, v_step, group, full, ci, filters + (long)block * WINO_POINTS * ci * NL, piece_k,
                 m, m_step);
        const int channels = min(co - block * NL, NL);
        for (int c = 0; c < channels; c += VW) {
            const int channel = block * NL + c;
            const vec start = has_bias ? load_bias(bias + channel, co - channel) : (vec)(0.0f);
            for (int t = 0; t < tiles; t++) {
                const int n = (first + t) / per_image, at = (first + t) % per_image;
                const image_out out = {y + n * out_pixels * y_pitch + channel,
                                       mask + n * out_pixels * co + channel, out_rows, out_columns,
                                       co - channel, y_pitch, co, flags};
                output_tile(&out, at / tile_columns * WINO_M, at % tile_columns * WINO_M,
                            m + (t * NL + c), m_step, start);
            }
        }
    }
}
