/* Loaders of the vector schedule: fill a panel of local memory, which a work-group of one item has
 * for itself, so that the hot loops need no bounds. Include after contract_tile.cl. */

static void load_zeros(__local float *dst, int count)
{
    int i = 0;
    for (; i + VW <= count; i += VW)
        VSTORE((vec)(0.0f), 0, dst + i);
    for (; i < count; i++)
        dst[i] = 0.0f;
}

static void load_run(__local float *dst, __global const real *src, int count)
{
    int i = 0;
    if (IS_ALIGNED(dst))
        for (; i + VW <= count; i += VW)
            VPUT(__local, VLOAD(0, src + i), 0, dst + i);
    for (; i + VW <= count; i += VW)
        VSTORE(VLOAD(0, src + i), 0, dst + i);
    for (; i < count; i++)
        dst[i] = src[i];
}

/* `width` pixels of `channels`, from position `first` of a row of iw pixels; zeros outside it. With
 * up > 1 the row is taken with up - 1 zeros between its pixels (gradient of a strided convolution). */
static void load_pixels(__local float *dst, __global const real *row, int first, int width, int iw,
                        int channels, int pitch, int up)
{
    if (up == 1 && pitch == channels) {
        const int left = clamp(-first, 0, width);
        const int right = clamp(first + width - iw, 0, width - left);
        const int middle = width - left - right;
        load_zeros(dst, left * channels);
        load_run(dst + left * channels, row + (long)(first + left) * pitch, middle * channels);
        load_zeros(dst + (left + middle) * channels, right * channels);
        return;
    }
    for (int p = 0; p < width; p++, dst += channels) {
        const int at = first + p;
        if (at >= 0 && at % up == 0 && at / up < iw)
            load_run(dst, row + (long)(at / up) * pitch, channels);
        else
            load_zeros(dst, channels);
    }
}
