/* A of forward and data: rows are output pixels, K runs over the taps and their channels, and what is
 * gathered is x [n][height][width][channels], or, for one phase of the data product, dz. Include after
 * tiled_load.cl.
 *   input row = output row * stride_h - pad_top + tap * dil_h
 * -D POOL: four rows of A, the pixels of a 2 x 2 window, for each of rows x cols. -D UNPOOL: what is
 * gathered lies behind a 2 x 2 max-pool: x is [n][height / 2][width / 2][channels], as is the mask, and
 * height and width are even. */
#define GATHER                                                                                     \
    int height, int width, int channels, int pitch, int rows, int cols, int stride_h,              \
        int stride_w, int dil_h, int dil_w, int pad_top, int pad_left, int taps_w

enum { OUTSIDE = -(1 << 30) };

/* Where the first tap of a row of A lies; image: its first pixel in x. */
typedef struct { int image, row, col; } origin;
/* How far the item's place in K is from there; tap and channel tell its filter's. */
typedef struct { int channel, tap_w, down, right, tap; } place;

static inline origin origin_of(int m, int m_count, GATHER)
{
#ifdef POOL
    const int cell = m / 4, r = cell / cols % rows * 2 + (m >> 1 & 1), c = cell % cols * 2 + (m & 1);
#else
    const int cell = m, r = cell / cols % rows, c = cell % cols;
#endif
    origin o;
#ifdef UNPOOL
    o.image = cell / (rows * cols) * (height / 2 * (width / 2));
#else
    o.image = cell / (rows * cols) * (height * width);
#endif
    o.row = m < m_count ? r * stride_h - pad_top : OUTSIDE;
    o.col = c * stride_w - pad_left;
    return o;
}

static inline place place_of(int k, GATHER, int tap_first, int tap_down, int tap_right)
{
    const int tap = k / channels;
    place p;
    p.channel = k % channels;
    p.tap_w = tap % taps_w;
    p.down = tap / taps_w * dil_h;
    p.right = p.tap_w * dil_w;
    p.tap = tap_first + tap / taps_w * tap_down + p.tap_w * tap_right;
    return p;
}

/* BK further, without a division. */
static inline place place_next(place p, GATHER, int tap_down, int tap_right)
{
    p.channel += BK;
    while (p.channel >= channels) {
        p.channel -= channels;
        p.right += dil_w;
        p.tap += tap_right;
        if (++p.tap_w == taps_w) {
            p.tap_w = 0;
            p.right = 0;
            p.down += dil_h;
            p.tap += tap_down - taps_w * tap_right;
        }
    }
    return p;
}

static inline a_vec gather(__global const real *x, __global const uchar *mask, origin o, place p, GATHER)
{
    const int r = o.row + p.down, c = o.col + p.right;
    if ((uint)r >= (uint)height || (uint)c >= (uint)width)
        return (a_vec)(0.0f);
#ifdef UNPOOL
    const int at = o.image + (r >> 1) * (width >> 1) + (c >> 1), mine = (r & 1) * 2 + (c & 1);
    const a_vec value = GET(VA, x + (long)at * pitch + p.channel);
    return UNPOOLED(VA, value, GET_MASK(VA, mask + (long)at * channels + p.channel), mine);
#else
    return GET(VA, x + (long)(o.image + r * width + c) * pitch + p.channel);
#endif
}

#define GATHERED                                                                                   \
    height, width, channels, pitch, rows, cols, stride_h, stride_w, dil_h, dil_w, pad_top,         \
        pad_left, taps_w
