/* The 2 x 2 max-pool that is fused behind a convolution: its window's maximum and where that was. Include
 * after contract_tile.cl. The mask is that of enum clv_pool_mask in
 * src/contract/contract.h: 0 to 3 = (row & 1) * 2 + (column & 1). */
#define POOL_DEAD 4

#if VW == 16
typedef int16 ivec;
typedef uchar16 bvec;
#define AS_VEC as_float16
#define AS_IVEC as_int16
#define TO_IVEC convert_int16
#define TO_BVEC convert_uchar16
#elif VW == 8
typedef int8 ivec;
typedef uchar8 bvec;
#define AS_VEC as_float8
#define AS_IVEC as_int8
#define TO_IVEC convert_int8
#define TO_BVEC convert_uchar8
#elif VW == 1
typedef int ivec;
typedef uchar bvec;
#define AS_VEC as_float
#define AS_IVEC as_int
#define TO_IVEC convert_int
#define TO_BVEC convert_uchar
#else
typedef int4 ivec;
typedef uchar4 bvec;
#define AS_VEC as_float4
#define AS_IVEC as_int4
#define TO_IVEC convert_int4
#define TO_BVEC convert_uchar4
#endif

/* The maximum of a window's pixels; a NaN wins. *at: the first of them that it is, 0 to 3, or the last NaN, as in
 * pool.cl. Compilers make one instruction of each maximum and two of the search for a NaN. */
static inline vec pool_maximum(vec q0, vec q1, vec q2, vec q3, ivec *at)
{
    const vec a = q0 > q1 ? q0 : q1, b = q2 > q3 ? q2 : q3, top = a > b ? a : b;
    *at = q2 == top ? (ivec)(2) : (ivec)(3);
    *at = q1 == top ? (ivec)(1) : *at;
    *at = q0 == top ? (ivec)(0) : *at;
    *at = q0 == q0 ? *at : (ivec)(0);
    *at = q1 == q1 ? *at : (ivec)(1);
    *at = q2 == q2 ? *at : (ivec)(2);
    *at = q3 == q3 ? *at : (ivec)(3);
    const ivec numbers = (q0 == q0) & (q1 == q1) & (q2 == q2) & (q3 == q3);
    return numbers ? top : (vec)(NAN);
}

/* What the mask says of it: dead where it is not above floor_. */
static inline ivec pool_mask(ivec at, vec top, float floor_)
{
    return top <= (vec)(floor_) ? (ivec)(POOL_DEAD) : at;
}

/* The same, and save: its place goes to mask. */
static vec pool_window(vec q0, vec q1, vec q2, vec q3, float floor_, __global uchar *mask, bool save)
{
    ivec at;
    const vec top = pool_maximum(q0, q1, q2, q3, &at);
    if (save)
        *(__global bvec *)mask = TO_BVEC(pool_mask(at, top, floor_));
    return top;
}
