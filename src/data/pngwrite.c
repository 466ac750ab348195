#include "data/pngwrite.h"
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

/* libpng's callbacks get at this. Whatever changes between setjmp and longjmp lives here. */
struct writer {
    FILE *f;
    int why; /* errno of the failed write, 0 when libpng itself gave up */
    char message[160];
};

static void on_error(png_structp png, png_const_charp text)
{
    struct writer *w = png_get_error_ptr(png);
    snprintf(w->message, sizeof w->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep data, size_t n)
{
    struct writer *w = png_get_io_ptr(png);
    if (fwrite(data, 1, n, w->f) != n) {
        w->why = errno;
        png_error(png, "short write");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* 0 and w->message when libpng gave up. A function of its own: no local here changes after setjmp.
 */
static int encode(png_structp png, png_infop info, const struct clv_png *im)
{
    if (setjmp(png_jmpbuf(png)))
        return 0;
    png_set_IHDR(png, info, (png_uint_32)im->width, (png_uint_32)im->height, 8,
                 im->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    const size_t stride = (size_t)im->width * (size_t)im->channels;
    for (int y = 0; y < im->height; y++)
        png_write_row(png, im->pixels + stride * (size_t)y);
    png_write_end(png, info);
    return 1;
}

enum clv_err clv_png_write_file(FILE *f, const char *name, const struct clv_png *im,
                                struct clv_error *err)
{
    struct writer w = {.f = f};
    png_infop info = NULL;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
    if (png)
        info = png_create_info_struct(png);
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return clv_fail_nomem(err, "a PNG encoder");
    }
    png_set_write_fn(png, &w, on_write, on_flush);
    const int good = encode(png, info, im);
    png_destroy_write_struct(&png, &info);
    if (good)
        return CLV_OK;
    char reason[128];
    return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", name,
                    w.why ? clv_errno_text(reason, w.why) : w.message);
}

enum clv_err clv_png_write(const char *path, const struct clv_png *im, struct clv_error *err)
{
    struct clv_out out;
    CLV_TRY(clv_out_open(&out, path, err));
    const enum clv_err e = clv_png_write_file(out.f, path, im, err);
    if (e) {
        clv_out_abort(&out);
        return e;
    }
    return clv_out_commit(&out, err);
}
