/* One decoded image in host memory, and the list of file formats that can be decoded.
 *
 * A format is one file (png.c) and one word in image.c's table. Everything here may be called from
 * several threads at once; nothing keeps state. */
#ifndef CLV_DATA_IMAGE_H
#define CLV_DATA_IMAGE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pixels row by row, channels interleaved, no padding; alpha is gone. */
struct clv_image {
    uint32_t width, height;
    int channels;                /* 1 gray or 3 RGB */
    int value_bytes;             /* 1, or 2 in native byte order */
    float max;                   /* value of full white: 255 or 65535 */
    const unsigned char *pixels; /* NULL after a header-only read */
    unsigned char *heap;         /* owner of pixels; NULL when they are borrowed */
};

/* Larger images are refused: 2^28 pixels are already half a gigabyte of 16-bit gray. */
enum { CLV_IMAGE_MAX_PIXELS = 1 << 28 };

static inline size_t clv_image_bytes(const struct clv_image *im)
{
    return (size_t)im->width * im->height * (size_t)im->channels * (size_t)im->value_bytes;
}
void clv_image_finish(struct clv_image *im); /* accepts {0} */

/* Both get the whole file. header fills everything but the pixels and also checks what can be
 * checked without decoding (truncation, checksums). Errors: CLV_ERR_DATA, CLV_ERR_NOMEM; the text
 * does not name the file, the caller prefixes it. */
struct clv_image_format {
    const char *name;             /* "PNG" */
    const char *const *extension; /* lower case, without dot, NULL-terminated */
    enum clv_err (*header)(const unsigned char *file, size_t size, struct clv_image *ret,
                           struct clv_error *err); /* NULL: known, but this version cannot read it */
    enum clv_err (*decode)(const unsigned char *file, size_t size, struct clv_image *ret,
                           struct clv_error *err);
};
extern const struct clv_image_format clv_image_png;

/* The format that a file of this name claims to be; NULL = no image's name. */
const struct clv_image_format *clv_image_format_of(const char *name);

/* Reads and decodes one file; errors name it. A name without a known ending is taken for a PNG. */
CLV_CHECK enum clv_err clv_image_read(const char *path, struct clv_image *ret,
                                      struct clv_error *err);

/* In place: RGB to gray with the weights of ITU-R BT.601 (0.299 0.587 0.114), in 16.16 fixed point
 * so that equal channels keep their value. No-op on gray. */
CLV_CHECK enum clv_err clv_image_to_gray(struct clv_image *im, struct clv_error *err);
/* In place: keeps the box, which must lie inside. */
CLV_CHECK enum clv_err clv_image_crop(struct clv_image *im, uint32_t x, uint32_t y, uint32_t width,
                                      uint32_t height, struct clv_error *err);
/* In place: exact area average, rounded to nearest, in integers; neither size may grow. */
CLV_CHECK enum clv_err clv_image_reduce(struct clv_image *im, uint32_t width, uint32_t height,
                                        struct clv_error *err);

#endif
