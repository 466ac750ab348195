/* How a tile's operands come from global to local memory. Memory runs along K, or along the tile's rows (M
 * or N); items go along with it, so that neighbours read neighbours. Include after tiled.cl. */
#define TILED_CAT_(a, b) a##b
#define TILED_CAT(a, b) TILED_CAT_(a, b)
typedef float vec1;
typedef float4 vec4;
typedef TILED_CAT(vec, VA) a_vec;
typedef TILED_CAT(vec, VB) b_vec;
/* Addresses are multiples of the vector's size: the host looks at channels and pitches. */
#define GET(width, p) (*(__global const TILED_CAT(vec, width) *)(p))
#define GET_MASK(width, p) TILED_CAT(GET_MASK, width)(p)
#define GET_MASK1(p) ((int)*(p))
#define GET_MASK4(p) convert_int4(*(__global const uchar4 *)(p))
/* value where the mask of a pool's window is `mine`, else 0 */
#define UNPOOLED(width, value, mask, mine) TILED_CAT(UNPOOLED, width)(value, mask, mine)
#define UNPOOLED1(value, mask, mine) ((mask) == (mine) ? (value) : 0.0f)
#define UNPOOLED4(value, mask, mine) select((float4)(0.0f), value, (mask) == (int4)(mine))

/* ---- memory along K: an item has one place in K and several rows ---- */
#define ALONG_K(width) (BK / (width))
#define K_FIRST(width, item) ((item) % ALONG_K(width) * (width))
#define K_ROW(width, item, i) ((item) / ALONG_K(width) + (i) * (ITEMS / ALONG_K(width)))
#define K_LOADS(width, rows) (((rows) * ALONG_K(width) + ITEMS - 1) / ITEMS)
#define STASH_BY_COLUMN(width, to, row_floats, k, row, value)                                      \
    TILED_CAT(STASH_BY_COLUMN, width)((__local float *)(to) + (k) * (row_floats) + (row), row_floats, value)
#define STASH_BY_COLUMN1(p, step, v) (*(p) = (v))
#define STASH_BY_COLUMN4(p, step, v)                                                               \
    ((p)[0] = (v).x, (p)[step] = (v).y, (p)[2 * (step)] = (v).z, (p)[3 * (step)] = (v).w)

/* ---- memory along the rows: an item has one row, or four, and several places in K ---- */
#define ALONG_ROWS(width, rows) ((rows) / (width))
#define R_FIRST(width, rows, item) ((item) % ALONG_ROWS(width, rows) * (width))
#define R_K(width, rows, item, i) \
    ((item) / ALONG_ROWS(width, rows) + (i) * (ITEMS / ALONG_ROWS(width, rows)))
#define R_LOADS(width, rows) ((BK * ALONG_ROWS(width, rows) + ITEMS - 1) / ITEMS)
#define STASH_BY_ROW(width, to, row_floats, k, row, value)                                         \
    (*(__local TILED_CAT(vec, width) *)((__local float *)(to) + (k) * (row_floats) + (row)) = (value))
