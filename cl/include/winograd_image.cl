/* Where the tiles of a Winograd convolution come from and go to: one vector of channels of images that may
 * lie behind a fused 2 x 2 max-pool. Include after contract_epilogue.cl, contract_pool.cl and winograd.cl.
 *
 * -D POOL: what is written is pooled, [n][oh / 2][ow / 2][co], with FLAG_SAVE beside a mask of each maximum.
 * -D UNPOOL: what is read is the gradient behind such a pooling, with its mask. */

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

/* A vector of which so many elements are there, the others zero. */
static vec load_some(__global const float *p, int channels)
{
    if (channels >= VW)
        return VLOAD(0, p);
    float some[VW];
    ROLLED for (int k = 0; k < VW; k++) some[k] = k < channels ? p[k] : 0.0f;
    return VLOAD(0, some);
}

/* A pixel of the unpooled image; zero outside of it and past the channels. */
static vec load_pixel(const image_in *in, int row, int column, int channel)
{
#ifdef UNPOOL
    const int r = row >> 1, c = column >> 1, quarter = (row & 1) * 2 + (column & 1);
#else
    const int r = row, c = column;
#endif
    if (r < 0 || r >= in->rows || c < 0 || c >= in->columns)
        return (vec)(0.0f);
    const long pixel = (long)r * in->columns + c;
    const int count = clamp(in->channels - channel, 0, VW);
    __global const real *p = in->x + pixel * in->pitch + channel;
#ifndef UNPOOL
    if (count >= VW)
        return LOADV(p, 0);
#endif
    float some[VW];
    ROLLED for (int k = 0; k < VW; k++) some[k] = k < count ? LOAD(p, k) : 0.0f;
#ifdef UNPOOL
    __global const uchar *m = in->mask + pixel * in->channels + channel;
    ROLLED for (int k = 0; k < count; k++) some[k] = m[k] == quarter ? some[k] : 0.0f;
#endif
    return VLOAD(0, some);
}

/* One vector of channels of an image that tiles are written to. */
typedef struct {
    __global real *y;
    __global uchar *mask;
    int rows, columns, channels, pitch; /* channels from the vector's first on */
    int mask_pitch, flags;
} image_out;

/* whole, here and below: nothing lies outside and the channels fill a vector; known when compiling. */
static inline void put(const image_out *out, long pixel, vec value, bool whole)
{
    __global real *p = out->y + pixel * out->pitch;
    if (whole || out->channels >= VW) {
        if (out->flags & FLAG_ACCUMULATE)
            value += LOADV(p, 0);
        STOREV(value, p, 0);
    } else {
        float some[VW];
        VSTORE(value, 0, some);
        ROLLED for (int k = 0; k < out->channels; k++)
            STORE(some[k] + (out->flags & FLAG_ACCUMULATE ? LOAD(p, k) : 0.0f), p, k);
    }
}

#ifdef POOL
#define ROWS 2 /* of outputs that belong together */
#define CELL 2 /* outputs of a stored value, in each direction */

static inline void put_mask(const image_out *out, long pixel, ivec value, bool whole)
{
    __global uchar *p = out->mask + pixel * out->mask_pitch;
    if (whole || out->channels >= VW) {
        VSTORE(TO_BVEC(value), 0, p);
    } else {
        int some[VW];
        VSTORE(value, 0, some);
        ROLLED for (int k = 0; k < out->channels; k++) p[k] = some[k];
    }
}

/* Two rows from (row, column) on, but what lies outside. Neither adding a bias nor an activation turns the
 * order of two values, so the maximum before is the maximum behind. */
static inline void put_rows(const image_out *out, int row, int column, const vec y[ROWS][WINO_M],
                            vec bias, bool whole)
{
    UNROLL for (int j = 0; j < WINO_M; j += 2)
    {
        const int r = row / 2, c = (column + j) / 2;
        const long pixel = (long)r * out->columns + c;
        const float floor_ = FLOOR_OF(out->flags);
        ivec at;
        const vec best = activate(
            pool_maximum(y[0][j], y[0][j + 1], y[1][j], y[1][j + 1], &at) + bias, floor_);
        if (whole || (r < out->rows && c < out->columns)) {
            put(out, pixel, best, whole);
            if (out->flags & FLAG_SAVE)
                put_mask(out, pixel, pool_mask(at, best, floor_), whole);
        }
    }
}
#else
#define ROWS 1
#define CELL 1

static inline void put_rows(const image_out *out, int row, int column, const vec y[ROWS][WINO_M],
                            vec bias, bool whole)
{
    UNROLL for (int j = 0; j < WINO_M; j++)
        if (whole || (row < out->rows && column + j < out->columns))
            put(out, (long)row * out->columns + column + j,
                activate(y[0][j] + bias, FLOOR_OF(out->flags)), whole);
}
#endif
