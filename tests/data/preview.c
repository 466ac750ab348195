/* Contact sheets, and the PNG writer under them. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/rng.h"
#include "base/tmp.h"
#include "data/image.h"
#include "data/pngwrite.h"
#include "make.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static struct make_log lines;

Test(pngwrite, reads_back_equal)
{
    char dir[64];
    unsigned char pixels[7 * 5 * 3];
    tmp_dir(dir);
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * 77);
    for (int channels = 1; channels <= 3; channels += 2) {
        const char *path = make_path(dir, "a.png");
        struct clv_image im = {0};
        const struct clv_png out = {
            .pixels = pixels, .width = 7, .height = 5, .channels = channels};
        cr_assert_eq(clv_png_write(path, &out, NULL), CLV_OK);
        cr_assert_eq(clv_image_read(path, &im, NULL), CLV_OK);
        cr_expect(im.width == 7 && im.height == 5 && im.channels == channels &&
                  im.value_bytes == 1);
        cr_expect_arr_eq(im.pixels, pixels, 7 * 5 * (size_t)channels);
        clv_image_finish(&im);
    }
    tmp_remove(dir);
}

Test(pngwrite, full_disk_keeps_the_old_file)
{
    enum { SIDE = 64 };
    char dir[64], **names = NULL;
    size_t n = 0;
    unsigned char pixels[SIDE * SIDE];
    struct clv_error err = {0};
    tmp_dir(dir);
    struct clv_rng r = clv_rng_init(1, 2);
    for (unsigned i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)clv_rng_u32(&r);
    const struct clv_png out = {.pixels = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    make_file(dir, "a.png", "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
    cr_assert_eq(clv_png_write(make_path(dir, "a.png"), &out, &err), CLV_ERR_WRITE);
    cr_expect(strstr(err.text, "a.png") && strstr(err.text, "large"), "%s", err.text);
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    cr_expect_eq(n, 1, "only the old file");
    clv_list_free(names, n);
    tmp_remove(dir);
}

/* Folder whose images are one gray value each: 40 in a, 200 in b; 8x8. */
static void make_flat(const char *dir, int n)
{
    unsigned char rows[64];
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "train/%s/%02d.png", i % 2 ? "b" : "a", i);
        memset(rows, i % 2 ? 200 : 40, sizeof rows);
        rows[0] = (unsigned char)i; /* no duplicates */
        make_png(make_path(dir, name), &(struct make_png){8, 8, 0, 8, .rows = rows});
    }
    make_gray(dir, "test/a/x.png", 1);
    make_gray(dir, "test/b/y.png", 2);
}

Test(preview, tiles_show_the_samples)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_image im = {0};
    tmp_dir(dir);
    make_flat(dir, 12);
    struct clv_data *d = make_open(ctx, make_path(dir, ""), NULL);
    const char *png = make_path(dir, "sheet.png");
    const struct clv_preview_params p = {.height = 16, .width = 12, .channels = 3, .count = 6};
    cr_assert_eq(clv_data_preview(d, png, &p), CLV_OK, "%s", clv_error_text(ctx));
    cr_assert_eq(clv_image_read(png, &im, NULL), CLV_OK);
    cr_assert_eq(im.channels, 3);
    cr_assert_eq((im.width - 2) % 14, 0);
    cr_assert_eq((im.height - 2) % 18, 0);
    const uint32_t columns = (im.width - 2) / 14, rows = (im.height - 2) / 18;
    cr_assert(columns * rows >= 6 && (columns - 1) * rows < 6);
    int seen[2] = {0};
    for (uint32_t i = 0; i < 6; i++) {
        const uint32_t x = 2 + i % columns * 14 + 9, y = 2 + i / columns * 18 + 12;
        const unsigned char *q = im.pixels + ((size_t)y * im.width + x) * 3;
        cr_expect((q[0] == 40 || q[0] == 200) && q[1] == q[0] && q[2] == q[0], "%u", q[0]);
        seen[q[0] == 200]++;
    }
    cr_expect(seen[0] && seen[1], "the order is shuffled: both classes show");
    cr_expect_eq(im.pixels[0], 96, "gap");
    clv_image_finish(&im);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(preview, mean_and_std_do_not_show_but_augmentation_does)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    unsigned char *sheet[3];
    size_t size[3];
    static const char *const augment[3] = {NULL, NULL, "brightness=0.4"};
    static const char *const preprocess[3] = {NULL, "mean=0.5 std=0.25", NULL};
    tmp_dir(dir);
    make_flat(dir, 8);
    struct clv_data *d = make_open(ctx, make_path(dir, ""), NULL);
    const char *png = make_path(dir, "sheet.png");
    for (int i = 0; i < 3; i++) {
        const struct clv_preview_params p = {
            .height = 16,
            .width = 16,
            .channels = 1,
            .count = 100,
            .seed = 3,
            .pipeline = {.preprocess = preprocess[i], .augment = augment[i]}};
        cr_assert_eq(clv_data_preview(d, png, &p), CLV_OK, "%s", clv_error_text(ctx));
        cr_assert_eq(clv_file_read(png, &sheet[i], &size[i], NULL), CLV_OK);
    }
    cr_expect(size[0] == size[1] && !memcmp(sheet[0], sheet[1], size[0]));
    cr_expect(size[0] != size[2] || memcmp(sheet[0], sheet[2], size[0]));
    for (int i = 0; i < 3; i++)
        free(sheet[i]);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(preview, refuses)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    make_flat(dir, 4);
    struct clv_data *d = make_open(ctx, make_path(dir, ""), NULL);
    const char *png = make_path(dir, "sheet.png");
    struct clv_preview_params p = {.height = 16, .width = 16, .channels = 1};
    p.pipeline.augment = "rotate=1";
    cr_expect_eq(clv_data_preview(d, png, &p), CLV_ERR_ARG);
    p.pipeline.augment = NULL;
    p.height = 0;
    cr_expect_eq(clv_data_preview(d, png, &p), CLV_ERR_ARG);
    p.height = 16;
    cr_expect_eq(clv_data_preview(d, make_path(dir, "no/such/sheet.png"), &p), CLV_ERR_WRITE);
    cr_expect(!clv_file_exists(png));
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}
