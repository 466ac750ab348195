/* How a tile's operands come from global to local memory, or with DIRECT to registers. Memory runs along K, or
 * along the tile's rows, which are C's rows (M) for A and its columns (N) for B; items go along with it, so
 * that neighbours read neighbours. `side` is M or N. Include after tiled.cl. */
#define TILED_CAT_(a, b) a##b
#define TILED_CAT(a, b) TILED_CAT_(a, b)
typedef float vec1;
typedef float4 vec4;
typedef TILED_CAT(vec, VA) a_vec;
typedef TILED_CAT(vec, VB) b_vec;
/* Addresses are multiples of the vector's size: the host looks at channels and pitches. */
#define GET(width, p) TILED_CAT(GET, width)(p) /* activations */
#define GET1(p) LOAD(p, 0)
#define GET4(p) LOADA(4, p, 0)
#define GET_F32(width, p) (*(__global const TILED_CAT(vec, width) *)(p))
#define GET_MASK(width, p) TILED_CAT(GET_MASK, width)(p)
#define GET_MASK1(p) ((int)*(p))
#define GET_MASK4(p) convert_int4(*(__global const uchar4 *)(p))
/* value where the mask of a pool's window is `mine`, else 0 */
#define UNPOOLED(width, value, mask, mine) TILED_CAT(UNPOOLED, width)(value, mask, mine)
#define UNPOOLED1(value, mask, mine) ((mask) == (mine) ? (value) : 0.0f)
#define UNPOOLED4(value, mask, mine) select((float4)(0.0f), value, (mask) == (int4)(mine))

/* Of the item's i-th vector: K_ROW, R_ROW: its row, or the first of its four; R_K: its place in K, K_FIRST: that of
 * all. R_ROWS: how many different rows R_ROW has, which repeat; R_PLACES: how many places in K, and R_PLACE: which. */
#ifdef DIRECT
#define LANES_M LANES /* that share a part */
#define LANES_N 1
#define MINE(side, t, i) ((i) * LANES_##side + (LANES_##side > 1 ? (t).lane : 0))
/* ---- memory along K: BK = width, a vector for each of the item's rows ---- */
#define K_FIRST(width, t) 0
#define K_LOADS(width, side) ((T##side + LANES_##side - 1) / LANES_##side)
#define K_ROW(width, side, t, i) RUN_##side(t, MINE(side, t, i) % T##side)
#define K_IS_IN(width, side, t, i) true
/* ---- memory along the rows: one after the other for each k ---- */
#define ACROSS(width, side) (T##side / (width))
#define R_LOADS(width, side) ((BK * ACROSS(width, side) + LANES_##side - 1) / LANES_##side)
#define R_ROW(width, side, t, i) RUN_##side(t, MINE(side, t, i) % ACROSS(width, side) * (width))
#define R_K(width, side, t, i) (MINE(side, t, i) / ACROSS(width, side) % BK)
#define R_ROWS(width, side) (LANES_##side > 1 ? R_LOADS(width, side) : ACROSS(width, side))
#define R_PLACES(width, side) (LANES_##side > 1 ? R_LOADS(width, side) : BK)
#define R_PLACE(width, side, i) (LANES_##side > 1 ? (i) : (i) / ACROSS(width, side))
#define R_OF_PLACE(width, side, i) (LANES_##side > 1 ? (i) : (i) * ACROSS(width, side))
#define R_IS_IN(width, side, t, i) true
#else
/* ---- memory along K: an item has one place in K and several rows ---- */
#define ALONG_K(width) (BK / (width))
#define K_FIRST(width, t) ((t).item % ALONG_K(width) * (width))
#define K_ROW(width, side, t, i) ((t).item / ALONG_K(width) + (i) * (ITEMS / ALONG_K(width)))
#define K_LOADS(width, side) ((B##side * ALONG_K(width) + ITEMS - 1) / ITEMS)
#define K_IS_IN(width, side, t, i) (K_ROW(width, side, t, i) < B##side)
#define STASH_BY_COLUMN(width, to, row_floats, k, row, value)                                      \
    TILED_CAT(STASH_BY_COLUMN, width)((__local float *)(to) + (k) * (row_floats) + (row), row_floats, value)
#define STASH_BY_COLUMN1(p, step, v) (*(p) = (v))
#define STASH_BY_COLUMN4(p, step, v)                                                               \
    ((p)[0] = (v).x, (p)[step] = (v).y, (p)[2 * (step)] = (v).z, (p)[3 * (step)] = (v).w)

/* ---- memory along the rows: an item has one row, or four, and several places in K ---- */
#define ALONG_ROWS(width, side) (B##side / (width))
#define R_ROW(width, side, t, i) ((t).item % ALONG_ROWS(width, side) * (width))
#define R_K(width, side, t, i)                                                                     \
    ((t).item / ALONG_ROWS(width, side) + (i) * (ITEMS / ALONG_ROWS(width, side)))
#define R_LOADS(width, side) ((BK * ALONG_ROWS(width, side) + ITEMS - 1) / ITEMS)
#define R_ROWS(width, side) 1
#define R_PLACES R_LOADS
#define R_PLACE(width, side, i) (i)
#define R_OF_PLACE(width, side, i) (i)
#define R_IS_IN(width, side, t, i) (R_K(width, side, t, i) < BK)
#define STASH_BY_ROW(width, to, row_floats, k, row, value)                                         \
    (*(__local TILED_CAT(vec, width) *)((__local float *)(to) + (k) * (row_floats) + (row)) = (value))
#endif
