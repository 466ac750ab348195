/* Writes 8-bit gray or RGB images as PNG through libpng. */
#ifndef CLV_DATA_PNGWRITE_H
#define CLV_DATA_PNGWRITE_H

#include "base/error.h"
#include <stdio.h>

struct clv_png {
    const unsigned char *pixels; /* [height][width][channels] */
    int width, height;           /* at least 1 */
    int channels;                /* 1 gray, 3 RGB */
};

/* To an open file, from where it stands; not flushed. name is for the message only.
 * Errors: CLV_ERR_WRITE, CLV_ERR_NOMEM. */
CLV_CHECK enum clv_err clv_png_write_file(FILE *f, const char *name, const struct clv_png *image,
                                          struct clv_error *err);
/* Atomically: path holds the whole image or what it held before. Errors: the same. */
CLV_CHECK enum clv_err clv_png_write(const char *path, const struct clv_png *image,
                                     struct clv_error *err);

#endif
