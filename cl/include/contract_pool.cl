/* The 2 x 2 max-pool that is fused behind a convolution: its window's maximum and where that was, and the
 * gradient spread back by it. Include after contract_tile.cl. The mask is that of enum clv_pool_mask in
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
#else
typedef int4 ivec;
typedef uchar4 bvec;
#define AS_VEC as_float4
#define AS_IVEC as_int4
#define TO_IVEC convert_int4
#define TO_BVEC convert_uchar4
#endif

/* The maximum of a window's pixels; a NaN wins. save: the first place it is at goes to mask, dead where it is
 * not above floor_. Compilers make one instruction of each maximum and two of the search for a NaN. */
static vec pool_window(vec q0, vec q1, vec q2, vec q3, float floor_, __global uchar *mask, bool save)
{
    const vec a = q0 > q1 ? q0 : q1, b = q2 > q3 ? q2 : q3, top = a > b ? a : b;
    if (save) {
        ivec at = q2 == top ? (ivec)(2) : (ivec)(3);
        at = q1 == top ? (ivec)(1) : at;
        at = q0 == top ? (ivec)(0) : at;
        at = top <= (vec)(floor_) ? (ivec)(POOL_DEAD) : at;
        *(__global bvec *)mask = TO_BVEC(at);
    }
    const ivec numbers = (q0 == q0) & (q1 == q1) & (q2 == q2) & (q3 == q3);
    return numbers ? top : (vec)(NAN);
}

/* Row `at` of the gradient before the pool, padded like load_row(): dy and mask are [n][ih / 2][iw / 2]
 * [channels] of the full ih x iw. */
static void load_unpooled(__local float *dst, __global const real *dy, __global const uchar *mask, int image,
                          int at, int first, int width, int ih, int iw, int channels, int pitch)
{
    const int ph = ih / 2, pw = iw / 2;
    if (at < 0 || at / 2 >= ph) {
        load_zeros(dst, width * channels);
        return;
    }
    const long row = ((long)image * ph + at / 2) * pw;
    dy += row * pitch;
    mask += row * channels;
    for (int p = 0; p < width; p++, dst += channels) {
        const int x = first + p, mine = at % 2 * 2 + (x & 1);
        if (x < 0 || x / 2 >= pw) {
            load_zeros(dst, channels);
            continue;
        }
        __global const real *d = dy + (long)(x / 2) * pitch;
        __global const uchar *m = mask + x / 2 * channels;
        int c = 0;
        if ((size_t)m % VW == 0)
            for (; c + VW <= channels; c += VW) {
                const ivec hit = TO_IVEC(*(__global const bvec *)(m + c)) == (ivec)(mine);
                VSTORE(AS_VEC(AS_IVEC(VLOAD(0, d + c)) & hit), 0, dst + c);
            }
        for (; c < channels; c++)
            dst[c] = m[c] == mine ? d[c] : 0.0f;
    }
}
