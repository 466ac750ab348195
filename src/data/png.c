/* PNG through libpng: every bit depth, colour type and interlacing, to 8- or 16-bit gray or RGB.
 *
 * Alpha and tRNS are dropped, gamma and significant bits are ignored: the network sees the stored
 * values. 1, 2 and 4 bits are widened to 8 by repetition, which is exact (255 / 15 = 17). */
#include "data/image.h"
#include "base/util.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char *const extension[] = {"png", NULL};
static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* libpng's callbacks get at this. Whatever changes between setjmp and longjmp lives here. */
struct reader {
    const unsigned char *file;
    size_t size, pos;
    png_structp png;
    png_infop info;
    struct clv_image image;
    char message[160];
};

static void on_error(png_structp png, png_const_charp text)
{
    struct reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->size - r->pos)
        png_error(png, "the file is cut short");
    memcpy(out, r->file + r->pos, n);
    r->pos += n;
}

static enum clv_err reader_init(struct reader *r, const unsigned char *file, size_t size,
                                struct clv_error *err)
{
    *r = (struct reader){.file = file, .size = size};
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    if (r->png)
        r->info = png_create_info_struct(r->png);
    if (!r->info) {
        png_destroy_read_struct(&r->png, NULL, NULL);
        return clv_fail_nomem(err, "a PNG decoder");
    }
    png_set_read_fn(r->png, r, on_read);
    png_set_chunk_malloc_max(r->png, 8u << 20);
    return CLV_OK;
}

/* Header and what the pixels will be. May longjmp. */
static void read_info(struct reader *r)
{
    png_read_info(r->png, r->info);
    const png_uint_32 w = png_get_image_width(r->png, r->info);
    const png_uint_32 h = png_get_image_height(r->png, r->info);
    if ((uint64_t)w * h > CLV_IMAGE_MAX_PIXELS)
        png_error(r->png, "the image has more than 2^28 pixels");
    const int type = png_get_color_type(r->png, r->info);
    const int depth = png_get_bit_depth(r->png, r->info);
    r->image = (struct clv_image){
        .width = w,
        .height = h,
        .channels = type & PNG_COLOR_MASK_COLOR ? 3 : 1,
        .value_bytes = depth == 16 ? 2 : 1,
        .max = depth == 16 ? 65535.f : 255.f,
    };
}

/* May longjmp. */
static void read_pixels(struct reader *r)
{
    const uint16_t one = 1;
    const int type = png_get_color_type(r->png, r->info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    else if (type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(r->png);
    png_set_strip_alpha(r->png);
    if (r->image.value_bytes == 2 && *(const unsigned char *)&one)
        png_set_swap(r->png);
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);

    const size_t row = png_get_rowbytes(r->png, r->info);
    if (row * r->image.height != clv_image_bytes(&r->image))
        png_error(r->png, "unexpected pixel layout");
    r->image.heap = malloc(row * r->image.height);
    if (!r->image.heap)
        png_error(r->png, "out of memory");
    r->image.pixels = r->image.heap;
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < r->image.height; y++)
            png_read_row(r->png, r->image.heap + y * row, NULL);
    png_read_end(r->png, NULL);
}

static enum clv_err run(struct reader *r, bool pixels, struct clv_error *err)
{
    if (setjmp(png_jmpbuf(r->png))) {
        clv_image_finish(&r->image);
        png_destroy_read_struct(&r->png, &r->info, NULL);
        return clv_fail(err, CLV_ERR_DATA, "damaged PNG: %s", r->message);
    }
    read_info(r);
    if (pixels)
        read_pixels(r);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    return CLV_OK;
}

static enum clv_err check_signature(const unsigned char *file, size_t size, struct clv_error *err)
{
    if (size >= sizeof signature && !memcmp(file, signature, sizeof signature))
        return CLV_OK;
    const char *what = "";
    if (size == 0)
        what = " (it is empty)";
    else if (size > 2 && file[0] == 0xff && file[1] == 0xd8)
        what = " (it is a JPEG file)";
    else if (size > 131 && !memcmp(file + 128, "DICM", 4))
        what = " (it is a DICOM file)";
    return clv_fail(err, CLV_ERR_DATA, "not a PNG file%s", what);
}

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Walks the chunks (PNG specification, section 5): a truncated or altered file is found here, before
 * training begins, at the price of a CRC instead of a decode. Ancillary chunks may be bad. */
static enum clv_err check_chunks(const unsigned char *file, size_t size, struct clv_error *err)
{
    bool pixels = false;
    size_t pos = sizeof signature;
    for (;;) {
        if (size - pos < 12)
            return clv_fail(err, CLV_ERR_DATA, "damaged PNG: the file is cut short");
        const uint32_t n = big32(file + pos);
        const unsigned char *type = file + pos + 4;
        if (n > size - pos - 12)
            return clv_fail(err, CLV_ERR_DATA, "damaged PNG: the file is cut short");
        if (!(type[0] & 0x20) && crc32(0, type, n + 4) != big32(type + 4 + n))
            return clv_fail(err, CLV_ERR_DATA, "damaged PNG: wrong checksum at byte %zu", pos);
        if (!memcmp(type, "IDAT", 4))
            pixels = true;
        if (!memcmp(type, "IEND", 4))
            break;
        pos += 12 + (size_t)n;
    }
    if (!pixels)
        return clv_fail(err, CLV_ERR_DATA, "damaged PNG: it has no pixels (no IDAT chunk)");
    return CLV_OK;
}

static enum clv_err header(const unsigned char *file, size_t size, struct clv_image *ret,
                           struct clv_error *err)
{
    struct reader r;
    CLV_TRY(check_signature(file, size, err));
    CLV_TRY(reader_init(&r, file, size, err));
    CLV_TRY(run(&r, false, err));
    CLV_TRY(check_chunks(file, size, err));
    *ret = r.image;
    return CLV_OK;
}

static enum clv_err decode(const unsigned char *file, size_t size, struct clv_image *ret,
                           struct clv_error *err)
{
    struct reader r;
    CLV_TRY(check_signature(file, size, err));
    CLV_TRY(reader_init(&r, file, size, err));
    CLV_TRY(run(&r, true, err));
    *ret = r.image;
    return CLV_OK;
}

const struct clv_image_format clv_image_png = {
    .name = "PNG", .extension = extension, .header = header, .decode = decode};
