/* Winograd's minimal filtering F(M x M, 3 x 3), Y = A^T [(G g G^T) . (B^T d B)] A, as in Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks" (2016). -D WINO_M (2 or 4): a tile has M x M outputs
 * and WINO_T = M + 2 points in each direction. M = 2 interpolates at 0, 1, -1 and infinity. M = 4 does so
 * at 0, infinity and the square roots of 1/2 and 2 with both signs: powers of points that are each other's
 * inverse grow least, and the largest rounding errors are a fifth of those with 1, -1, 2 and -2, for as
 * many operations. Include after contract_tile.cl, for vec.
 *
 * The one-dimensional maps take and write private arrays; out may be in. The two-dimensional ones work on
 * [row][column], the columns of the image first. The gradient of the filters is the adjoint:
 * dg = G^T [(B^T d B) . (A dy A^T)] G, summed over tiles. */
#define WINO_T (WINO_M + 2)
#define WINO_POINTS (WINO_T * WINO_T)

/* Tiles count through the columns and rows of an image, then through the images. */
typedef struct {
    int high, wide; /* tiles of an image */
} tiling;
typedef struct {
    int image, row, col; /* of the tile's first output */
} corner;

static inline corner corner_of(int tile, tiling g)
{
    return (corner){tile / (g.high * g.wide), tile / g.wide % g.high * WINO_M, tile % g.wide * WINO_M};
}

#if WINO_M == 4
#define WINO_ROOT 1.41421356f /* the square root of 2 */

/* B^T d: 6 inputs to 6 points. */
static inline void wino_input(const vec d[6], vec out[6])
{
    const vec even = fma((vec)(-2.0f), d[2], d[4]), odd = fma((vec)(-2.0f), d[1], d[3]);
    const vec even2 = fma((vec)(-0.5f), d[2], d[4]), odd2 = fma((vec)(-0.5f), d[1], d[3]);
    const vec first = fma((vec)(-2.5f), d[2], d[0] + d[4]);
    const vec last = fma((vec)(-2.5f), d[3], d[1] + d[5]);
    out[0] = first;
    out[1] = fma((vec)(WINO_ROOT / 2), odd, even);
    out[2] = fma((vec)(-WINO_ROOT / 2), odd, even);
    out[3] = fma((vec)(WINO_ROOT), odd2, even2);
    out[4] = fma((vec)(-WINO_ROOT), odd2, even2);
    out[5] = last;
}

/* A^T m: 6 points to 4 outputs. */
static inline void wino_output(const vec m[6], vec out[4])
{
    const vec even = m[1] + m[2], odd = m[1] - m[2], even2 = m[3] + m[4], odd2 = m[3] - m[4];
    const vec first = m[0] + even + even2;
    const vec last = fma((vec)(WINO_ROOT / 4), odd, fma((vec)(WINO_ROOT * 2), odd2, m[5]));
    out[0] = first;
    out[1] = fma((vec)(WINO_ROOT), odd2, (vec)(WINO_ROOT / 2) * odd);
    out[2] = fma((vec)(2.0f), even2, (vec)(0.5f) * even);
    out[3] = last;
}

/* A y: 4 output gradients to 6 points. */
static inline void wino_output_adjoint(const vec y[4], vec out[6])
{
    const vec even = fma((vec)(0.5f), y[2], y[0]), odd = fma((vec)(0.5f), y[3], y[1]);
    const vec even2 = fma((vec)(2.0f), y[2], y[0]), odd2 = fma((vec)(2.0f), y[3], y[1]);
    const vec first = y[0], last = y[3];
    out[0] = first;
    out[1] = fma((vec)(WINO_ROOT / 2), odd, even);
    out[2] = fma((vec)(-WINO_ROOT / 2), odd, even);
    out[3] = fma((vec)(WINO_ROOT), odd2, even2);
    out[4] = fma((vec)(-WINO_ROOT), odd2, even2);
    out[5] = last;
}

/* G g: 3 taps to 6 points. */
static inline void wino_filter(const vec g[3], vec out[6])
{
    const vec even = (vec)(-2.0f / 3) * g[0] - (vec)(1.0f / 3) * g[2];
    const vec even2 = fma((vec)(1.0f / 6), g[0], (vec)(1.0f / 3) * g[2]);
    const vec first = g[0], middle = g[1], last = g[2];
    out[0] = first;
    out[1] = fma((vec)(-WINO_ROOT / 3), middle, even);
    out[2] = fma((vec)(WINO_ROOT / 3), middle, even);
    out[3] = fma((vec)(WINO_ROOT / 6), middle, even2);
    out[4] = fma((vec)(-WINO_ROOT / 6), middle, even2);
    out[5] = last;
}

/* G^T u: 6 points to 3 tap gradients. */
static inline void wino_filter_adjoint(const vec u[6], vec out[3])
{
    const vec even = u[1] + u[2], odd = u[2] - u[1], even2 = u[3] + u[4], odd2 = u[3] - u[4];
    const vec first = fma((vec)(-2.0f / 3), even, fma((vec)(1.0f / 6), even2, u[0]));
    const vec last = fma((vec)(-1.0f / 3), even, fma((vec)(1.0f / 3), even2, u[5]));
    out[0] = first;
    out[1] = fma((vec)(WINO_ROOT / 3), odd, (vec)(WINO_ROOT / 6) * odd2);
    out[2] = last;
}

#else

static inline void wino_input(const vec d[4], vec out[4])
{
    const vec first = d[0] - d[2], sum = d[1] + d[2], difference = d[2] - d[1], last = d[1] - d[3];
    out[0] = first;
    out[1] = sum;
    out[2] = difference;
    out[3] = last;
}

static inline void wino_output(const vec m[4], vec out[2])
{
    const vec first = m[0] + m[1] + m[2], last = m[1] - m[2] - m[3];
    out[0] = first;
    out[1] = last;
}

static inline void wino_output_adjoint(const vec y[2], vec out[4])
{
    const vec first = y[0], sum = y[0] + y[1], difference = y[0] - y[1], last = -y[1];
    out[0] = first;
    out[1] = sum;
    out[2] = difference;
    out[3] = last;
}

static inline void wino_filter(const vec g[3], vec out[4])
{
    const vec outer = (vec)(0.5f) * (g[0] + g[2]), middle = (vec)(0.5f) * g[1];
    const vec first = g[0], last = g[2];
    out[0] = first;
    out[1] = outer + middle;
    out[2] = outer - middle;
    out[3] = last;
}

static inline void wino_filter_adjoint(const vec u[4], vec out[3])
{
    const vec even = (vec)(0.5f) * (u[1] + u[2]), odd = (vec)(0.5f) * (u[1] - u[2]);
    const vec first = u[0] + even, last = even + u[3];
    out[0] = first;
    out[1] = odd;
    out[2] = last;
}

#endif

/* map applied to the columns, then to the rows: from[rows_in][rows_in] to to[rows_out][rows_out]. */
#define WINO_BOTH_WAYS(map, rows_in, from, rows_out, to)                                           \
    do {                                                                                           \
        vec half_[rows_out][rows_in];                                                              \
        UNROLL for (int j_ = 0; j_ < (rows_in); j_++)                                              \
        {                                                                                          \
            vec in_[rows_in], out_[rows_out];                                                      \
            UNROLL for (int i_ = 0; i_ < (rows_in); i_++) in_[i_] = (from)[i_][j_];                \
            map(in_, out_);                                                                        \
            UNROLL for (int i_ = 0; i_ < (rows_out); i_++) half_[i_][j_] = out_[i_];               \
        }                                                                                          \
        UNROLL for (int i_ = 0; i_ < (rows_out); i_++) map(half_[i_], (to)[i_]);                   \
    } while (0)

/* A dy A^T, G g G^T, G^T u G. */
#define WINO_OUTPUT_ADJOINT(dy, m) WINO_BOTH_WAYS(wino_output_adjoint, WINO_M, dy, WINO_T, m)
#define WINO_FILTER(g, u) WINO_BOTH_WAYS(wino_filter, 3, g, WINO_T, u)
#define WINO_FILTER_ADJOINT(u, dg) WINO_BOTH_WAYS(wino_filter_adjoint, WINO_T, u, 3, dg)
