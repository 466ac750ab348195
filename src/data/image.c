/* The list of image formats, and the few operations a decoder thread does on pixels. */
#include "data/image.h"
#include "base/file.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const jpeg_extension[] = {"jpg", "jpeg", NULL};
static const char *const dicom_extension[] = {"dcm", "dicom", "ima", NULL};
static const struct clv_image_format jpeg = {.name = "JPEG", .extension = jpeg_extension};
static const struct clv_image_format dicom = {.name = "DICOM", .extension = dicom_extension};

static const struct clv_image_format *const formats[] = {&clv_image_png, &jpeg, &dicom};

const struct clv_image_format *clv_image_format_of(const char *name)
{
    const char *dot = strrchr(clv_path_base(name), '.');
    if (!dot)
        return NULL;
    for (size_t i = 0; i < CLV_COUNT(formats); i++)
        for (const char *const *e = formats[i]->extension; *e; e++)
            if (!strcasecmp(dot + 1, *e))
                return formats[i];
    return NULL;
}

enum clv_err clv_image_read(const char *path, struct clv_image *ret, struct clv_error *err)
{
    const struct clv_image_format *f = clv_image_format_of(path);
    if (!f)
        f = &clv_image_png;
    if (!f->decode)
        return clv_fail(err, CLV_ERR_DATA, "%s: this version cannot read %s files; convert it to PNG",
                        path, f->name);
    unsigned char *file = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(path, &file, &size, err));
    const enum clv_err e = f->decode(file, size, ret, err);
    free(file);
    if (e)
        clv_fail_prefix(err, "%s", path);
    return e;
}

void clv_image_finish(struct clv_image *im)
{
    free(im->heap);
    *im = (struct clv_image){0};
}

static void adopt(struct clv_image *im, unsigned char *pixels)
{
    free(im->heap);
    im->heap = pixels;
    im->pixels = pixels;
}

static uint16_t load16(const unsigned char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void store16(unsigned char *p, uint16_t v) { memcpy(p, &v, sizeof v); }

enum { GRAY_R = 19595, GRAY_G = 38470, GRAY_B = 7471 }; /* sum 65536 */

enum clv_err clv_image_to_gray(struct clv_image *im, struct clv_error *err)
{
    if (im->channels == 1)
        return CLV_OK;
    const size_t n = (size_t)im->width * im->height;
    unsigned char *out = malloc(n * (size_t)im->value_bytes);
    if (!out)
        return clv_fail_nomem(err, "an image");
    const unsigned char *in = im->pixels;
    if (im->value_bytes == 1) {
        for (size_t i = 0; i < n; i++, in += 3)
            out[i] = (unsigned char)((in[0] * (uint32_t)GRAY_R + in[1] * (uint32_t)GRAY_G +
                                      in[2] * (uint32_t)GRAY_B + 0x8000u) >> 16);
    } else {
        for (size_t i = 0; i < n; i++, in += 6)
            store16(out + 2 * i,
                    (uint16_t)((load16(in) * (uint64_t)GRAY_R + load16(in + 2) * (uint64_t)GRAY_G +
                                load16(in + 4) * (uint64_t)GRAY_B + 0x8000u) >> 16));
    }
    adopt(im, out);
    im->channels = 1;
    return CLV_OK;
}

enum clv_err clv_image_crop(struct clv_image *im, uint32_t x, uint32_t y, uint32_t width,
                            uint32_t height, struct clv_error *err)
{
    if (x == 0 && y == 0 && width == im->width && height == im->height)
        return CLV_OK;
    const size_t pixel = (size_t)im->channels * (size_t)im->value_bytes;
    const size_t row = width * pixel;
    unsigned char *out = malloc(row * height);
    if (!out)
        return clv_fail_nomem(err, "an image");
    for (uint32_t j = 0; j < height; j++)
        memcpy(out + j * row, im->pixels + (((size_t)y + j) * im->width + x) * pixel, row);
    adopt(im, out);
    im->width = width;
    im->height = height;
    return CLV_OK;
}

/* One source row summed into `width` columns. In units of 1/width of a source pixel, source pixel i
 * covers [i*width, (i+1)*width) and column x covers [x*w, (x+1)*w): every overlap is an integer. */
static void reduce_row(const struct clv_image *im, const unsigned char *row, uint32_t width,
                       uint64_t *sum)
{
    const uint32_t w = im->width;
    const size_t c = (size_t)im->channels;
    memset(sum, 0, sizeof *sum * width * c);
    uint32_t x = 0;
    uint64_t end = w; /* of column x */
    for (uint32_t i = 0; i < w; i++) {
        uint64_t from = (uint64_t)i * width, left = width;
        while (left) {
            const uint64_t part = CLV_MIN(left, end - from);
            for (size_t k = 0; k < c; k++)
                sum[x * c + k] += part * (im->value_bytes == 1 ? row[i * c + k]
                                                               : load16(row + 2 * (i * c + k)));
            from += part;
            left -= part;
            if (from == end) {
                x++;
                end += w;
            }
        }
    }
}

/* sum / area of one finished output row, to nearest. */
static void store_row(const uint64_t *sum, size_t n, uint64_t area, int value_bytes,
                      unsigned char *out)
{
    for (size_t k = 0; k < n; k++) {
        const uint64_t v = (sum[k] + area / 2) / area;
        if (value_bytes == 1)
            out[k] = (unsigned char)v;
        else
            store16(out + 2 * k, (uint16_t)v);
    }
}

enum clv_err clv_image_reduce(struct clv_image *im, uint32_t width, uint32_t height,
                              struct clv_error *err)
{
    if (width == im->width && height == im->height)
        return CLV_OK;
    const size_t n = width * (size_t)im->channels, row_out = n * (size_t)im->value_bytes;
    const size_t row_in = (size_t)im->width * (size_t)im->channels * (size_t)im->value_bytes;
    const uint64_t area = (uint64_t)im->width * im->height;
    unsigned char *out = malloc(row_out * height);
    uint64_t *row = malloc(2 * n * sizeof *row);
    if (!out || !row) {
        free(out);
        free(row);
        return clv_fail_nomem(err, "an image");
    }
    uint64_t *sum = row + n;
    memset(sum, 0, n * sizeof *sum);
    uint32_t y = 0;
    uint64_t end = im->height; /* of output row y, in units of 1/height of a source row */
    for (uint32_t j = 0; j < im->height; j++) {
        reduce_row(im, im->pixels + j * row_in, width, row);
        uint64_t from = (uint64_t)j * height, left = height;
        while (left) {
            const uint64_t part = CLV_MIN(left, end - from);
            for (size_t k = 0; k < n; k++)
                sum[k] += part * row[k];
            from += part;
            left -= part;
            if (from == end) {
                store_row(sum, n, area, im->value_bytes, out + y * row_out);
                memset(sum, 0, n * sizeof *sum);
                y++;
                end += im->height;
            }
        }
    }
    free(row);
    adopt(im, out);
    im->width = width;
    im->height = height;
    return CLV_OK;
}
