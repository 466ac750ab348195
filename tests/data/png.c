/* The PNG decoder against PngSuite and against files written here. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/tmp.h"
#include "base/util.h"
#include "make.h"
#include <png.h>
#include <string.h>
#include <zlib.h>

static enum clv_err read_header(const char *path, struct clv_image *im, struct clv_error *err)
{
    unsigned char *file;
    size_t n;
    cr_assert_eq(clv_file_read(path, &file, &n, NULL), CLV_OK);
    const enum clv_err e = clv_image_png.header(file, n, im, err);
    free(file);
    return e;
}

static unsigned value(const struct clv_image *im, size_t i)
{
    uint16_t v;
    if (im->value_bytes == 1)
        return im->pixels[i];
    memcpy(&v, im->pixels + 2 * i, 2);
    return v;
}

static uint32_t hash(const struct clv_image *im)
{
    uint32_t s = 0;
    const size_t n = (size_t)im->width * im->height * (size_t)im->channels;
    for (size_t i = 0; i < n; i++)
        s = s * 31 + value(im, i);
    return s;
}

/* The width and height that PngSuite's documentation gives a file of this name. */
static void named_size(const char *name, unsigned *w, unsigned *h)
{
    *w = *h = 32;
    if (name[0] == 's' && name[1] >= '0' && name[1] <= '9')
        *w = *h = (unsigned)atoi(name + 1);
    if (!strncmp(name, "cdf", 3) || !strncmp(name, "cds", 3))
        *w = 8;
    if (!strncmp(name, "cdh", 3) || !strncmp(name, "cds", 3))
        *h = 8;
}

/* Names end in colour type (0 2 3 4 6), letter, two digits of bit depth. */
static void check_valid(const char *path, const char *name)
{
    struct clv_image im = {0}, head = {0};
    struct clv_error err = {0};
    unsigned w, h;
    named_size(name, &w, &h);
    const int type = name[4] - '0', depth = atoi(name + 6);
    if (!strcmp(name, "PngSuite.png"))
        w = h = 256;
    const int channels = type == 0 || type == 4 ? 1 : 3;
    cr_expect_eq(clv_image_read(path, &im, &err), CLV_OK, "%s", err.text);
    cr_expect_eq(read_header(path, &head, &err), CLV_OK, "%s: %s", name, err.text);
    cr_expect(im.width == w && im.height == h, "%s is %ux%u", name, im.width, im.height);
    if (strcmp(name, "PngSuite.png")) {
        cr_expect_eq(im.channels, channels, "%s", name);
        cr_expect_eq(im.value_bytes, depth == 16 ? 2 : 1, "%s", name);
        cr_expect_eq(im.max, depth == 16 ? 65535.f : 255.f, "%s", name);
    }
    cr_expect(head.width == im.width && head.height == im.height && head.channels == im.channels &&
                  head.value_bytes == im.value_bytes && !head.pixels,
              "%s: header and pixels disagree", name);
    clv_image_finish(&im);
}

static void check_corrupt(const char *path, const char *name)
{
    struct clv_image im = {0};
    struct clv_error err = {0};
    cr_expect_eq(clv_image_read(path, &im, &err), CLV_ERR_DATA, "%s was taken", name);
    cr_expect_null(im.heap);
    cr_expect(strstr(err.text, name) && strstr(err.text, "PNG") && !strchr(err.text, '\n'),
              "unclear: %s", err.text);
    err = (struct clv_error){0};
    cr_expect_eq(read_header(path, &im, &err), CLV_ERR_DATA, "%s: header taken", name);
}

Test(png, pngsuite_sizes_kinds_and_corrupt)
{
    const char *dir = make_real("pngsuite");
    char **names;
    size_t n, valid = 0, corrupt = 0;
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    for (size_t i = 0; i < n; i++) {
        if (!strstr(names[i], ".png"))
            continue;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (names[i][0] == 'x') {
            corrupt++;
            check_corrupt(path, names[i]);
        } else {
            valid++;
            check_valid(path, names[i]);
        }
    }
    cr_expect_eq(valid, 161);
    cr_expect_eq(corrupt, 14);
    clv_list_free(names, n);
}

/* Sums and pixels from a decoder written for the purpose in Python with zlib alone. */
Test(png, pngsuite_values)
{
    static const struct {
        const char *name;
        uint32_t hash;
        unsigned first[3], other[3]; /* pixels (0,0) and (5,17) */
    } known[] = {
        {"basn0g01", 0xcef62276u, {255}, {255}},
        {"basn0g02", 0x565be000u, {0}, {85}},
        {"basn0g04", 0xe3fdc000u, {0}, {85}},
        {"basn0g08", 0x57fb87c4u, {0}, {39}},
        {"basn0g16", 0x46612932u, {0}, {20224}},
        {"basn2c08", 0x35d55f00u, {255, 255, 255}, {218, 255, 255}},
        {"basn2c16", 0x5ac30b08u, {65535, 65535, 0}, {54965, 29596, 0}},
        {"basn3p01", 0x9aa88000u, {238, 255, 34}, {34, 102, 255}},
        {"basn3p02", 0x504fd000u, {0, 0, 255}, {255, 0, 0}},
        {"basn3p04", 0x25a1f800u, {255, 0, 0}, {34, 255, 0}},
        {"basn3p08", 0x7fb61400u, {1, 0, 0}, {255, 139, 17}},
        {"basn4a08", 0x2c280200u, {255}, {115}},
        {"basn4a16", 0x4037b600u, {0}, {56172}},
        {"basn6a08", 0xf3cf9800u, {255, 0, 8}, {4, 255, 31}},
        {"basn6a16", 0x9dbda7c8u, {65535, 65535, 0}, {65535, 28086, 0}},
        {"tbbn0g04", 0x735d9687u, {255}, {102}},
        {"tbrn2c08", 0x893729aau, {255, 255, 255}, {0, 177, 0}},
        {"tbwn0g16", 0xacc1b02bu, {65535}, {26684}},
        {"tm3n3p02", 0x0b0f4000u, {0, 0, 255}, {0, 0, 255}},
        {"f04n2c08", 0x8de801d9u, {255, 0, 8}, {1, 95, 11}},
        {"s40n3p04", 0x2dbf3402u, {255, 0, 0}, {0, 255, 119}},
        {"cdfn2c08", 0x24952592u, {255, 0, 0}, {34, 238, 102}},
        {"cs3n2c16", 0xb2d60000u, {65535, 0, 0}, {0, 65535, 8185}},
        {"g25n0g16", 0x02c9fce8u, {65535}, {8995}},
        {"tp1n3p08", 0x4fde4948u, {255, 255, 255}, {0, 177, 0}},
        {"pp0n6a08", 0x35d55f00u, {255, 255, 255}, {218, 255, 255}},
    };
    const char *dir = make_real("pngsuite");
    for (size_t i = 0; i < CLV_COUNT(known); i++) {
        char path[512];
        struct clv_image im = {0};
        snprintf(path, sizeof path, "%s/%s.png", dir, known[i].name);
        cr_assert_eq(clv_image_read(path, &im, NULL), CLV_OK, "%s", path);
        for (size_t c = 0; c < (size_t)im.channels; c++) {
            const size_t at = (17 * im.width + 5) * (size_t)im.channels + c;
            cr_expect_eq(value(&im, c), known[i].first[c], "%s", known[i].name);
            cr_expect_eq(value(&im, at), known[i].other[c], "%s", known[i].name);
        }
        cr_expect_eq(hash(&im), known[i].hash, "%s: 0x%08x", known[i].name, hash(&im));
        clv_image_finish(&im);
    }
}

/* The same picture interlaced and not, in sizes 1 to 40 and every kind. */
Test(png, pngsuite_interlaced_equals_plain)
{
    const char *dir = make_real("pngsuite");
    char **names;
    size_t n, pairs = 0;
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    for (size_t i = 0; i < n; i++) {
        if ((names[i][0] != 's' && strncmp(names[i], "bas", 3)) || names[i][3] != 'i')
            continue;
        char a[512], b[512];
        struct clv_image x = {0}, y = {0};
        snprintf(a, sizeof a, "%s/%s", dir, names[i]);
        snprintf(b, sizeof b, "%s/%.3sn%s", dir, names[i], names[i] + 4);
        cr_assert_eq(clv_image_read(a, &x, NULL), CLV_OK);
        cr_assert_eq(clv_image_read(b, &y, NULL), CLV_OK);
        cr_assert_eq(clv_image_bytes(&x), clv_image_bytes(&y));
        cr_expect_eq(memcmp(x.pixels, y.pixels, clv_image_bytes(&x)), 0, "%s", names[i]);
        clv_image_finish(&x);
        clv_image_finish(&y);
        pairs++;
    }
    cr_expect_geq(pairs, 33);
    clv_list_free(names, n);
}

/* 16-bit values, alpha and tRNS, written by libpng. */
Test(png, written_values)
{
    static const unsigned char gray16[] = {0x01, 0x02, 0xff, 0xff, 0x00, 0x07, 0x80, 0x00};
    static const unsigned char rgba[] = {1, 2, 3, 0, 4, 5, 6, 128, 7, 7, 7, 255, 10, 11, 12, 0};
    static const unsigned char ga[] = {9, 0, 8, 1, 7, 2, 6, 255};
    static const unsigned char index2[] = {0x10, 0xb0}; /* 0 1 / 2 3 in two bits each */
    static const struct {
        struct make_png png;
        int channels, value_bytes;
        unsigned want[12];
    } cases[] = {
        {{2, 2, PNG_COLOR_TYPE_GRAY, 16, .rows = gray16, .transparent = true}, 1, 2,
         {0x0102, 0xffff, 7, 0x8000}},
        {{2, 2, PNG_COLOR_TYPE_RGB_ALPHA, 8, .rows = rgba}, 3, 1,
         {1, 2, 3, 4, 5, 6, 7, 7, 7, 10, 11, 12}},
        {{2, 2, PNG_COLOR_TYPE_GRAY_ALPHA, 8, .rows = ga, .interlaced = true}, 1, 1, {9, 8, 7, 6}},
        {{2, 2, PNG_COLOR_TYPE_PALETTE, 2, .rows = index2, .transparent = true}, 3, 1,
         {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120}},
        {{2, 2, PNG_COLOR_TYPE_GRAY, 2, .rows = index2, .transparent = true}, 1, 1,
         {0, 85, 170, 255}},
    };
    char dir[64];
    tmp_dir(dir);
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct clv_image im = {0};
        const char *path = make_path(dir, "a.png");
        make_png(path, &cases[i].png);
        cr_assert_eq(clv_image_read(path, &im, NULL), CLV_OK, "case %zu", i);
        cr_assert_eq(im.channels, cases[i].channels, "case %zu", i);
        cr_assert_eq(im.value_bytes, cases[i].value_bytes, "case %zu", i);
        for (size_t k = 0; k < 4 * (size_t)im.channels; k++)
            cr_expect_eq(value(&im, k), cases[i].want[k], "case %zu value %zu", i, k);
        clv_image_finish(&im);
    }
    tmp_remove(dir);
}

/* Every prefix of a file is refused by the header check already, and nothing crashes. */
Test(png, truncated_at_every_byte)
{
    char dir[64];
    unsigned char *file;
    size_t n;
    make_gray(tmp_dir(dir), "a.png", 3);
    cr_assert_eq(clv_file_read(make_path(dir, "a.png"), &file, &n, NULL), CLV_OK);
    for (size_t k = 0; k < n; k++) {
        struct clv_image im = {0};
        unsigned char *part = malloc(k ? k : 1); /* exact size: a sanitizer sees reads beyond */
        memcpy(part, file, k);
        cr_expect_eq(clv_image_png.header(part, k, &im, NULL), CLV_ERR_DATA, "%zu of %zu", k, n);
        cr_expect_eq(clv_image_png.decode(part, k, &im, NULL), CLV_ERR_DATA, "%zu of %zu", k, n);
        free(part);
    }
    free(file);
    tmp_remove(dir);
}

/* One changed byte anywhere: refused, or in a place that does not matter; never a crash. */
Test(png, changed_bytes)
{
    char dir[64];
    unsigned char *file;
    size_t n, refused = 0;
    make_gray(tmp_dir(dir), "a.png", 3);
    cr_assert_eq(clv_file_read(make_path(dir, "a.png"), &file, &n, NULL), CLV_OK);
    for (size_t k = 0; k < n; k++) {
        struct clv_image im = {0};
        file[k] ^= 0x55;
        refused += clv_image_png.header(file, n, &im, NULL) == CLV_ERR_DATA;
        if (clv_image_png.decode(file, n, &im, NULL) == CLV_OK)
            clv_image_finish(&im);
        file[k] ^= 0x55;
    }
    cr_expect_eq(refused, n); /* such a small file has critical chunks only */
    free(file);
    tmp_remove(dir);
}

Test(png, bomb_is_refused)
{
    /* IHDR of 100000 x 100000 gray with a right checksum; the pixels never come. */
    unsigned char b[57] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R',
                           0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 0, 0, 0, 0};
    const uint32_t crc = (uint32_t)crc32(0, b + 12, 17);
    for (int k = 0; k < 4; k++)
        b[29 + k] = (unsigned char)(crc >> (24 - 8 * k));
    memcpy(b + 33, "\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82", 24);
    struct clv_image im = {0};
    struct clv_error err = {0};
    cr_expect_eq(clv_image_png.header(b, sizeof b, &im, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "2^28"), "%s", err.text);
}

Test(png, says_what_it_is_instead)
{
    struct clv_image im;
    struct clv_error err = {0};
    const unsigned char jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0};
    cr_expect_eq(clv_image_png.header(jpeg, sizeof jpeg, &im, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "JPEG"), "%s", err.text);
    cr_expect_eq(clv_image_png.header(jpeg, 0, &im, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "empty"), "%s", err.text);
}
