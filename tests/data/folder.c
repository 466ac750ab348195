/* Walking folders: layouts, what is ignored, what is refused, what is counted. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/tmp.h"
#include "make.h"
#include <png.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static struct make_log lines;

Test(folder, class_folders_and_what_is_ignored)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    for (unsigned i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%02u.%s", i % 2 ? "sick" : "deeper", i, i % 3 ? "png" : "PNG");
        make_gray(dir, name, i);
    }
    make_gray(dir, "deeper/one/two/x.png", 100);   /* belongs to class deeper */
    make_gray(dir, ".hidden/y.png", 101);          /* 1: the folder counts once */
    make_gray(dir, "sick/.z.png", 102);            /* 2 */
    make_gray(dir, "__MACOSX/sick/._z.png", 102);  /* 3 */
    make_file(dir, "sick/Thumbs.db", "x", 1);      /* 4 */
    make_file(dir, "sick/.DS_Store", "x", 1);      /* 5 */
    make_file(dir, "desktop.ini", "x", 1);         /* 6 */
    make_file(dir, "sick/notes.txt", "x", 1);      /* 7 */
    make_file(dir, "sick/scan.jpg", "x", 1);       /* 8, and a warning */
    make_gray(dir, "stray.png", 103);              /* 9, and a warning */
    cr_assert_eq(mkfifo(make_path(dir, "sick/pipe.png"), 0600), 0); /* 10 */
    cr_assert_eq(clv_mkdirs(make_path(dir, "empty"), NULL), CLV_OK); /* no class */
    struct clv_data *d = make_open(ctx, dir, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect_str_eq(in->format, "folder");
    cr_assert_eq(in->n_classes, 2);
    cr_expect_str_eq(in->classes[0], "deeper");
    cr_expect_str_eq(in->classes[1], "sick");
    cr_expect_eq(in->count[0] + in->count[1] + in->count[2], 21);
    cr_expect_eq(in->class_count[0][0] + in->class_count[1][0] + in->class_count[2][0], 11);
    cr_expect_eq(in->ignored, 10, "%zu", in->ignored);
    cr_expect(!in->given_split && in->bad == 0 && in->duplicates == 0);
    cr_expect(in->min_width == 8 && in->max_height == 8 && in->channels == 1 && in->bits == 8);
    cr_expect_not_null(strstr(lines.text, "JPEG"));
    cr_expect_not_null(strstr(lines.text, "no class folder"));
    clv_data_close(&d);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(folder, sizes_channels_bits)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    make_png(make_path(dir, "a/1.png"), &(struct make_png){5, 9, PNG_COLOR_TYPE_GRAY, 16});
    make_png(make_path(dir, "a/2.png"), &(struct make_png){7, 3, PNG_COLOR_TYPE_RGB, 8});
    make_png(make_path(dir, "b/1.png"), &(struct make_png){6, 4, PNG_COLOR_TYPE_GRAY, 8});
    struct clv_data *d = make_open(ctx, dir, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->min_width == 5 && in->max_width == 7 && in->min_height == 3 && in->max_height == 9);
    cr_expect(in->channels == 3 && in->bits == 16);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

static void make_split_folder(const char *dir, const char *split, unsigned n, unsigned seed)
{
    char name[64];
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%s/i%03u.png", split, i % 2 ? "B" : "A", i);
        make_gray(dir, name, seed + i);
    }
}

Test(folder, given_splits)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    make_split_folder(dir, "train", 40, 0);
    make_split_folder(dir, "test", 10, 1000);
    make_file(dir, "SOURCE", "x", 1);
    struct clv_data *d = make_open(ctx, dir, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->given_split && in->ignored == 1);
    cr_expect_eq(in->count[CLV_SPLIT_TRAIN], 34);
    cr_expect_eq(in->count[CLV_SPLIT_VAL], 6);
    cr_expect_eq(in->count[CLV_SPLIT_TEST], 10);
    struct clv_sample_info s;
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TEST, i, &s), CLV_OK);
        cr_expect_eq(strncmp(s.path, "test/", 5), 0, "%s", s.path);
        cr_expect_eq(s.label, s.path[5] - 'A');
    }
    cr_expect_eq(clv_data_sample(d, CLV_SPLIT_TEST, 10, &s), CLV_ERR_ARG);
    clv_data_close(&d);

    make_split_folder(dir, "val", 4, 2000);
    d = make_open(ctx, dir, NULL);
    in = clv_data_get_info(d);
    cr_expect(in->count[0] == 40 && in->count[1] == 4 && in->count[2] == 10);
    clv_data_close(&d);

    make_gray(dir, "other/x.png", 5);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"other", "train", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(folder, refuses_what_it_cannot_use)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    make_refused(ctx, make_path(dir, "none"), NULL, CLV_ERR_IO, (const char *[]){"none", "no such", NULL});
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"no PNG files", NULL});
    make_file(dir, "a/x.jpg", "x", 1);
    make_file(dir, "a/y.jpeg", "x", 1);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"cannot read JPEG", "PNG", NULL});
    cr_assert_eq(remove(make_path(dir, "a/x.jpg")) | remove(make_path(dir, "a/y.jpeg")), 0);
    make_file(dir, "a/x.dcm", "x", 1);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"cannot read DICOM", NULL});
    cr_assert_eq(remove(make_path(dir, "a/x.dcm")), 0);
    make_gray(dir, "flat.png", 1);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"no class folders", NULL});
    make_file(dir, "words.txt", "x", 1);
    make_refused(ctx, make_path(dir, "words.txt"), NULL, CLV_ERR_DATA,
                 (const char *[]){"not a data set", NULL});
    cr_assert_eq(symlink("..", make_path(dir, "a/loop")), 0);
    make_gray(dir, "a/x.png", 1);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"nested", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(folder, damage_is_named_or_skipped)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    unsigned char *file;
    size_t n;
    tmp_dir(dir);
    for (unsigned i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%02u.png", i % 2 ? "B" : "A", i);
        make_gray(dir, name, i);
    }
    cr_assert_eq(clv_file_read(make_path(dir, "A/00.png"), &file, &n, NULL), CLV_OK);
    make_file(dir, "B/cut.png", file, n - 20);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA,
                 (const char *[]){"B/cut.png", "cut short", "--skip-bad", NULL});
    make_file(dir, "A/jpeg.png", "\xff\xd8\xff\xe0    ", 8);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"A/jpeg.png", "JPEG", NULL});
    make_file(dir, "A/empty.png", "", 0);
    cr_assert_eq(symlink("nowhere", make_path(dir, "A/gone.png")), 0);
    /* Right checksums around pixels that do not inflate: only decoding finds it. */
    unsigned char *idat = file + 8 + 25;
    idat[8 + 4] ^= 0x7f;
    const size_t len = (size_t)idat[2] << 8 | idat[3];
    const uint32_t crc = (uint32_t)crc32(0, idat + 4, (uInt)len + 4);
    for (int k = 0; k < 4; k++)
        idat[8 + len + (size_t)k] = (unsigned char)(crc >> (24 - 8 * k));
    make_file(dir, "B/rot.png", file, n);
    free(file);
    struct clv_data *d = make_open(ctx, dir, &(struct clv_data_params){.skip_bad = true});
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect_eq(in->bad, 5);
    cr_expect_eq(in->count[0] + in->count[1] + in->count[2], 12);
    cr_expect_not_null(strstr(lines.text, "B/cut.png"));
    cr_expect_not_null(strstr(lines.text, "B/rot.png"));
    cr_expect_str_eq(clv_error_text(ctx), "");
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(folder, stats)
{
    static const unsigned char black_white[] = {0, 255, 255, 0}, half[] = {0x80, 0, 0x80, 0};
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_data_stats st;
    tmp_dir(dir);
    make_png(make_path(dir, "train/a/1.png"),
             &(struct make_png){2, 2, PNG_COLOR_TYPE_GRAY, 8, .rows = black_white});
    make_png(make_path(dir, "train/b/1.png"),
             &(struct make_png){2, 1, PNG_COLOR_TYPE_GRAY, 16, .rows = half});
    make_gray(dir, "val/a/1.png", 4);
    struct clv_data *d = make_open(ctx, dir, NULL);
    cr_assert_eq(clv_data_stats(d, CLV_SPLIT_TRAIN, &st), CLV_OK);
    const double h = 32768.0 / 65535, mean = (2 + 2 * h) / 6;
    cr_expect_eq(st.channels, 1);
    cr_expect_float_eq(st.mean[0], mean, 1e-12);
    cr_expect_float_eq(st.std[0] * st.std[0], (2 + 2 * h * h) / 6 - mean * mean, 1e-12);
    cr_expect_eq(clv_data_stats(d, CLV_SPLIT_TEST, &st), CLV_ERR_ARG);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(folder, chest_xray_mini)
{
    const char *path = make_real("chest-xray-mini");
    struct clv_context *ctx = make_context(&lines);
    struct clv_data *d =
        make_open(ctx, path, &(struct clv_data_params){.group_by = "person[0-9]+_"});
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->count[0] == 119 && in->count[1] == 21 && in->count[2] == 60);
    cr_expect(in->ignored == 1 && in->channels == 1 && in->max_width == 224);
    cr_expect(in->leaked_groups == 0 && in->leaked_images == 0 && in->groups > 50);
    cr_expect_eq(lines.lines, 0, "%s", lines.text);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
}

Test(folder, chest_xray_is_jpeg)
{
    struct clv_context *ctx = make_context(&lines);
    make_refused(ctx, make_real("chest-xray"), NULL, CLV_ERR_DATA,
                 (const char *[]){"cannot read JPEG", NULL});
    clv_context_destroy(&ctx);
}
