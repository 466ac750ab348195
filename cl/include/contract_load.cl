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
            VPUT(__local, LOADV(src, i), 0, dst + i);
    for (; i + VW <= count; i += VW)
        VSTORE(LOADV(src, i), 0, dst + i);
    for (; i < count; i++)
        dst[i] = LOAD(src, i);
}

/* `width` pixels of `channels`, `step` apart, from position `first` of a row of iw pixels; zeros outside
 * it. */
static void load_pixels(__local float *dst, int step, __global const real *row, int first, int width,
                        int iw, int channels, int pitch)
{
    const int left = clamp(-first, 0, width);
    const int right = clamp(first + width - iw, 0, width - left);
    const int middle = width - left - right;
    load_zeros(dst, left * step);
    dst += left * step;
    row += (long)(first + left) * pitch;
    if (pitch == channels && step == channels)
        load_run(dst, row, middle * channels);
    else
        for (int p = 0; p < middle; p++)
            load_run(dst + p * step, row + (long)p * pitch, channels);
    load_zeros(dst + middle * step, right * step);
}

/* The same from row `at` of an image; zeros above and below it. */
static void load_row(__local float *dst, int step, __global const real *x, int image, int at, int first,
                     int width, int ih, int iw, int channels, int pitch)
{
    if (at < 0 || at >= ih)
        load_zeros(dst, width * step);
    else
        load_pixels(dst, step, x + ((long)image * ih + at) * iw * pitch, first, width, iw, channels, pitch);
}
