/* Gray conversion, crop and area reduction. */
#include "base/rng.h"
#include "base/util.h"
#include "make.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct clv_image random_image(uint32_t w, uint32_t h, int channels, int value_bytes)
{
    struct clv_image im = {w, h, channels, value_bytes, value_bytes == 1 ? 255.f : 65535.f};
    struct clv_rng rng = clv_rng_init(7, w * 1000 + h);
    im.heap = malloc(clv_image_bytes(&im));
    for (size_t i = 0; i < clv_image_bytes(&im); i++)
        im.heap[i] = (unsigned char)clv_rng_u32(&rng);
    im.pixels = im.heap;
    return im;
}

static unsigned value(const struct clv_image *im, uint32_t x, uint32_t y, int c)
{
    const size_t i = ((size_t)y * im->width + x) * (size_t)im->channels + (size_t)c;
    uint16_t v;
    if (im->value_bytes == 1)
        return im->pixels[i];
    memcpy(&v, im->pixels + 2 * i, 2);
    return v;
}

static struct clv_image copy(const struct clv_image *im)
{
    struct clv_image c = *im;
    c.heap = malloc(clv_image_bytes(im));
    memcpy(c.heap, im->pixels, clv_image_bytes(im));
    c.pixels = c.heap;
    return c;
}

/* Length of the overlap of [a, a+1) scaled by s with source pixel i. */
static double overlap(double from, double to, double i)
{
    return fmax(0, fmin(to, i + 1) - fmax(from, i));
}

/* Plain double sum over all source pixels. */
static double area_reference(const struct clv_image *im, uint32_t w, uint32_t h, uint32_t x,
                             uint32_t y, int c)
{
    const double sx = (double)im->width / w, sy = (double)im->height / h;
    double sum = 0;
    for (uint32_t j = 0; j < im->height; j++)
        for (uint32_t i = 0; i < im->width; i++)
            sum += overlap(x * sx, (x + 1) * sx, i) * overlap(y * sy, (y + 1) * sy, j) *
                   value(im, i, j, c);
    return sum / (sx * sy);
}

Test(image, reduce_is_the_area_average)
{
    static const struct { uint32_t w, h, to_w, to_h; int channels, bytes; } cases[] = {
        {8, 8, 4, 4, 1, 1}, {7, 5, 3, 2, 3, 1}, {13, 4, 13, 1, 1, 2}, {9, 31, 8, 30, 3, 2},
        {5, 5, 1, 1, 1, 1}, {6, 9, 4, 9, 1, 1}};
    for (size_t k = 0; k < CLV_COUNT(cases); k++) {
        struct clv_image im = random_image(cases[k].w, cases[k].h, cases[k].channels,
                                           cases[k].bytes);
        struct clv_image r = copy(&im);
        cr_assert_eq(clv_image_reduce(&r, cases[k].to_w, cases[k].to_h, NULL), CLV_OK);
        cr_assert(r.width == cases[k].to_w && r.height == cases[k].to_h);
        for (uint32_t y = 0; y < r.height; y++)
            for (uint32_t x = 0; x < r.width; x++)
                for (int c = 0; c < r.channels; c++) {
                    const double want = area_reference(&im, r.width, r.height, x, y, c);
                    cr_expect(fabs(value(&r, x, y, c) - want) <= 0.5 + 1e-6,
                              "case %zu (%u,%u,%d): %u, wanted %f", k, x, y, c, value(&r, x, y, c),
                              want);
                }
        clv_image_finish(&im);
        clv_image_finish(&r);
    }
}

Test(image, crop_keeps_the_box)
{
    for (int bytes = 1; bytes <= 2; bytes++) {
        struct clv_image im = random_image(9, 7, 3, bytes), r = copy(&im);
        cr_assert_eq(clv_image_crop(&r, 2, 1, 4, 5, NULL), CLV_OK);
        cr_assert(r.width == 4 && r.height == 5);
        for (uint32_t y = 0; y < 5; y++)
            for (uint32_t x = 0; x < 4; x++)
                for (int c = 0; c < 3; c++)
                    cr_expect_eq(value(&r, x, y, c), value(&im, x + 2, y + 1, c));
        clv_image_finish(&im);
        clv_image_finish(&r);
    }
}

Test(image, gray_weights)
{
    for (int bytes = 1; bytes <= 2; bytes++) {
        struct clv_image im = random_image(31, 3, 3, bytes), r = copy(&im);
        cr_assert_eq(clv_image_to_gray(&r, NULL), CLV_OK);
        cr_assert_eq(r.channels, 1);
        for (uint32_t y = 0; y < 3; y++)
            for (uint32_t x = 0; x < 31; x++) {
                const double want = 0.299 * value(&im, x, y, 0) + 0.587 * value(&im, x, y, 1) +
                                    0.114 * value(&im, x, y, 2);
                cr_expect(fabs(value(&r, x, y, 0) - want) <= (bytes == 1 ? 0.51 : 1.0));
            }
        clv_image_finish(&im);
        clv_image_finish(&r);
    }
    /* Equal channels keep their value, white stays white. */
    for (unsigned v = 0; v < 256; v++) {
        unsigned char p[3] = {(unsigned char)v, (unsigned char)v, (unsigned char)v};
        struct clv_image im = {1, 1, 3, 1, 255, p, NULL};
        cr_assert_eq(clv_image_to_gray(&im, NULL), CLV_OK);
        cr_expect_eq(im.pixels[0], v);
        clv_image_finish(&im);
    }
}

Test(image, names)
{
    cr_expect_eq(clv_image_format_of("a/b.PNG"), &clv_image_png);
    cr_expect_eq(clv_image_format_of("a.png/b"), NULL);
    cr_expect_eq(clv_image_format_of("png"), NULL);
    cr_expect_str_eq(clv_image_format_of("x.jpeg")->name, "JPEG");
    cr_expect_str_eq(clv_image_format_of("x.dcm")->name, "DICOM");
}
