/* The gradient behind a fused 2 x 2 max-pool, spread back by its mask, for the vector schedule. Include after
 * contract_load.cl and contract_pool.cl. */

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
                VSTORE(AS_VEC(AS_IVEC(LOADV(d, c)) & hit), 0, dst + c);
            }
        for (; c < channels; c++)
            dst[c] = m[c] == mine ? LOAD(d, c) : 0.0f;
    }
}
