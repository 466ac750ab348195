/* NPZ and IDX: made-up files, real files, truncated and foreign ones. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/tmp.h"
#include "base/util.h"
#include "make.h"
#include <string.h>

static struct make_log lines;
static unsigned char pixels[6][5 * 4 * 4 * 3];
static const unsigned char labels[5] = {0, 2, 1, 0, 2};

static void fill_pixels(void)
{
    for (unsigned k = 0; k < 6; k++)
        for (unsigned i = 0; i < sizeof pixels[0]; i++)
            pixels[k][i] = (unsigned char)(i * 7 + k * 31 + i / 48 * 5);
}

/* The six arrays with 5, 3 and 4 samples of 4x4 gray. */
static void usual(struct make_npy a[6])
{
    static const struct make_npy six[] = {
        {"train_images", "|u1", "(5, 4, 4)", pixels[0], 80}, {"train_labels", "|u1", "(5, 1)", labels, 5},
        {"val_images", "|u1", "(3, 4, 4)", pixels[1], 48},   {"val_labels", "|u1", "(3, 1)", labels, 3},
        {"test_images", "|u1", "(4, 4, 4)", pixels[2], 64},  {"test_labels", "|u1", "(4, 1)", labels, 4}};
    memcpy(a, six, sizeof six);
    fill_pixels();
}

static void expect_pixels(struct clv_data *d, enum clv_split split, size_t i,
                          const unsigned char *want, size_t n)
{
    struct clv_image im = {0};
    cr_assert_eq(d->format->read(d, clv_data_item_at(d, split, i), &im, NULL), CLV_OK);
    cr_assert_eq(clv_image_bytes(&im), n);
    cr_expect_eq(memcmp(im.pixels, want, n), 0, "%s/%zu", clv_split_name(split), i);
    clv_image_finish(&im);
}

Test(npz, gray)
{
    char dir[64];
    struct make_npy a[6];
    struct clv_sample_info s;
    struct clv_context *ctx = make_context(&lines);
    usual(a);
    const char *path = make_path(tmp_dir(dir), "set.npz");
    make_npz(path, a, 6);
    struct clv_data *d = make_open(ctx, path, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect_str_eq(in->format, "npz");
    cr_expect(in->count[0] == 5 && in->count[1] == 3 && in->count[2] == 4 && in->given_split);
    cr_expect(in->n_classes == 3 && !strcmp(in->classes[2], "2"));
    cr_expect(in->channels == 1 && in->bits == 8 && in->max_width == 4);
    for (size_t i = 0; i < 5; i++)
        expect_pixels(d, CLV_SPLIT_TRAIN, i, pixels[0] + 16 * i, 16);
    for (size_t i = 0; i < 4; i++)
        expect_pixels(d, CLV_SPLIT_TEST, i, pixels[2] + 16 * i, 16);
    cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TEST, 2, &s), CLV_OK);
    cr_expect_str_eq(s.path, "test/2");
    cr_expect_eq(s.label, 1);
    const struct clv_digest want = clv_sha256(pixels[2] + 32, 16);
    char hex[65];
    clv_digest_hex(&want, hex);
    cr_expect_str_eq(s.sha256, hex);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(npz, colour_wide_labels_and_no_val)
{
    char dir[64], big[40] = {0};
    struct make_npy a[6];
    struct clv_context *ctx = make_context(&lines);
    usual(a);
    big[3 * 8] = 11; /* '<i8', so twelve classes */
    a[0] = (struct make_npy){"train_images", "|u1", "(5, 4, 4, 3)", pixels[0], 240};
    a[1] = (struct make_npy){"train_labels", "<i8", "(5,)", big, 40};
    a[2] = (struct make_npy){"test_images", "|u1", "(4, 4, 4, 3)", pixels[2], 192};
    a[3] = a[5];
    const char *path = make_path(tmp_dir(dir), "set.npz");
    make_npz(path, a, 4);
    struct clv_data *d = make_open(ctx, path, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->channels == 3 && in->n_classes == 12);
    cr_expect_str_eq(in->classes[2], "02");
    cr_expect_str_eq(in->classes[11], "11");
    cr_expect(in->count[0] + in->count[1] == 5 && in->count[1] == 1 && in->count[2] == 4);
    expect_pixels(d, CLV_SPLIT_TEST, 1, pixels[2] + 48, 48);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(npz, refused_with_a_reason)
{
    static const struct {
        int at;
        struct make_npy with;
        const char *words[3];
    } cases[] = {
        {0, {"train_images", "<f4", "(5, 4, 1)", pixels[0], 80}, {"train_images", "integers"}},
        {0, {"train_images", "<u2", "(5, 4, 2)", pixels[0], 80}, {"train_images", "uint8"}},
        {0, {"train_images", "|u1", "(5, 4, 4, 4)", pixels[0], 320}, {"train_images", "three-dim"}},
        {0, {"train_images", "|u1", "(5, 16)", pixels[0], 80}, {"train_images", "shape"}},
        {0, {"train_images", "|u1", "(5, 4, 5)", pixels[0], 80}, {"train_images", "ends early"}},
        {0, {"train_images", "|u1", "(5, 4, 3)", pixels[0], 80}, {"train_images", "extra"}},
        {0, {"train_images", "|u1", "(5, 4294967295, 4294967295)", pixels[0], 80}, {"train_images"}},
        {0, {"train_images", "|u1", "oops", pixels[0], 80}, {"train_images", "understood"}},
        {1, {"train_labels", "|u1", "(5, 14)", pixels[0], 70}, {"train_labels", "14 labels"}},
        {1, {"train_labels", "|u1", "(4, 1)", labels, 4}, {"train_labels", "4 labels for 5"}},
        {1, {"train_labels", "|i1", "(5, 1)", "\xff\1\1\1\1", 5}, {"train_labels", "label 0"}},
        {1, {"labels", "|u1", "(5, 1)", labels, 5}, {"no train_labels"}},
    };
    char dir[64];
    struct make_npy a[6];
    struct clv_context *ctx = make_context(&lines);
    const char *path = make_path(tmp_dir(dir), "set.npz");
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        usual(a);
        a[cases[i].at] = cases[i].with;
        make_npz(path, a, 6);
        make_refused(ctx, path, NULL, CLV_ERR_DATA, cases[i].words);
        cr_expect_not_null(strstr(clv_error_text(ctx), "set.npz"));
    }
    make_npz(path, a + 1, 1);
    make_refused(ctx, path, NULL, CLV_ERR_DATA, (const char *[]){"MedMNIST", NULL});
    make_file(dir, "junk.npz", "this is no zip file", 19);
    make_refused(ctx, make_path(dir, "junk.npz"), NULL, CLV_ERR_DATA, (const char *[]){"junk", NULL});
    make_file(dir, "empty.npz", "", 0);
    make_refused(ctx, make_path(dir, "empty.npz"), NULL, CLV_ERR_DATA, NULL);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Cut anywhere or with any byte changed: an error or the right pixels, never a crash. */
Test(npz, truncated_and_changed)
{
    char dir[64];
    struct make_npy a[6];
    unsigned char *file;
    size_t n, refused = 0;
    struct clv_context *ctx = make_context(&lines);
    usual(a);
    make_npz(make_path(tmp_dir(dir), "set.npz"), a, 6);
    cr_assert_eq(clv_file_read(make_path(dir, "set.npz"), &file, &n, NULL), CLV_OK);
    for (size_t k = 0; k < n; k += 7) {
        struct clv_data *d = NULL;
        make_file(dir, "cut.npz", file, k);
        make_refused(ctx, make_path(dir, "cut.npz"), NULL, CLV_ERR_DATA, NULL);
        file[k] ^= 0x41;
        make_file(dir, "bad.npz", file, n);
        refused += clv_data_open(ctx, make_path(dir, "bad.npz"), NULL, &d) != CLV_OK;
        clv_data_close(&d);
        file[k] ^= 0x41;
    }
    cr_expect_gt(refused, n / 7 / 2);
    free(file);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(npz, medmnist)
{
    struct clv_context *ctx = make_context(&lines);
    struct clv_data_stats st;
    struct clv_data *d = make_open(ctx, make_real("medmnist/pneumoniamnist.npz"), NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->count[0] == 4708 && in->count[1] == 524 && in->count[2] == 624);
    cr_expect(in->class_count[0][0] == 1214 && in->class_count[2][1] == 390);
    cr_assert_eq(clv_data_stats(d, CLV_SPLIT_TRAIN, &st), CLV_OK);
    cr_expect_float_eq(st.mean[0], 0.5719, 1e-4); /* as published with MedMNIST */
    cr_expect_float_eq(st.std[0], 0.1684, 1e-4);
    clv_data_close(&d);
    d = make_open(ctx, make_real("medmnist/breastmnist.npz"), NULL);
    in = clv_data_get_info(d);
    cr_expect(in->count[0] == 546 && in->count[1] == 78 && in->count[2] == 156);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
}

static const uint32_t dims[] = {5, 4, 4};

Test(idx, folder_plain_and_gzipped)
{
    static const char *const forms[] = {"-ubyte", "-ubyte.gz"};
    fill_pixels();
    for (int k = 0; k < 2; k++) {
        char dir[64], name[64];
        struct clv_sample_info s;
        struct clv_context *ctx = make_context(&lines);
        tmp_dir(dir);
        for (unsigned p = 0; p < 2; p++) {
            snprintf(name, sizeof name, "%s-images-idx3%s", p ? "t10k" : "train", forms[k]);
            make_idx(make_path(dir, name), 3, dims, pixels[p], 80);
            snprintf(name, sizeof name, "%s-labels-idx1%s", p ? "t10k" : "train", forms[k]);
            make_idx(make_path(dir, name), 1, dims, labels, 5);
        }
        struct clv_data *d = make_open(ctx, dir, NULL);
        const struct clv_data_info *in = clv_data_get_info(d);
        cr_expect_str_eq(in->format, "idx");
        cr_expect(in->given_split && in->count[0] + in->count[1] == 5 && in->count[2] == 5);
        cr_expect(in->n_classes == 3 && !strcmp(in->classes[0], "0"));
        for (size_t i = 0; i < 5; i++)
            expect_pixels(d, CLV_SPLIT_TEST, i, pixels[1] + 16 * i, 16);
        cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TEST, 4, &s), CLV_OK);
        cr_expect_str_eq(s.path, "test/4");
        cr_expect_eq(s.label, 2);
        clv_data_close(&d);

        snprintf(name, sizeof name, "train-images-idx3%s", forms[k]);
        d = make_open(ctx, make_path(dir, name), &(struct clv_data_params){.split = "60/20/20"});
        in = clv_data_get_info(d);
        cr_expect(!in->given_split && in->count[0] == 3 && in->count[1] == 1 && in->count[2] == 1);
        clv_data_close(&d);
        clv_context_destroy(&ctx);
        tmp_remove(dir);
    }
}

Test(idx, refused_with_a_reason)
{
    char dir[64];
    unsigned char *file;
    size_t n;
    struct clv_context *ctx = make_context(&lines);
    fill_pixels();
    const char *images = make_path(tmp_dir(dir), "train-images-idx3-ubyte.gz");
    make_idx(images, 3, dims, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_IO, (const char *[]){"train-labels-idx1-ubyte", NULL});
    make_idx(make_path(dir, "train-labels-idx1-ubyte"), 1, (const uint32_t[]){4}, labels, 4);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"4 labels for 5", NULL});
    make_idx(make_path(dir, "train-labels-idx1-ubyte"), 3, dims, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"train-labels", "1 dimension", NULL});
    make_idx(make_path(dir, "train-labels-idx1-ubyte"), 1, dims, labels, 5);
    struct clv_data *d = make_open(ctx, dir, NULL);
    clv_data_close(&d);
    make_idx(images, 3, (const uint32_t[]){5, 4, 5}, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"train-images", "cut short", NULL});
    make_idx(images, 3, (const uint32_t[]){5, 4, 3}, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"extra", NULL});
    make_idx(images, 3, (const uint32_t[]){5, 0xffffffff, 0xffffffff}, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"impossible", NULL});
    make_idx(images, 3, (const uint32_t[]){5, 0, 4}, pixels[0], 80);
    make_refused(ctx, dir, NULL, CLV_ERR_DATA, NULL);

    make_idx(images, 3, dims, pixels[0], 80);
    cr_assert_eq(clv_file_read(images, &file, &n, NULL), CLV_OK);
    for (size_t k = 0; k < n; k++) {
        make_file(dir, "train-images-idx3-ubyte.gz", file, k);
        make_refused(ctx, dir, NULL, CLV_ERR_DATA, (const char *[]){"train-images", NULL});
    }
    free(file);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(idx, fashion_mnist)
{
    static const char *const places[] = {"/usr/share/datasets/fashion-mnist",
                                         "/usr/share/dataset/fashion-mnist"};
    const char *root = getenv("CLAVICLE_TEST_DATA"), *path = NULL;
    char buf[512];
    snprintf(buf, sizeof buf, "%s/fashion-mnist", root ? root : "");
    if (clv_dir_exists(buf))
        path = buf;
    for (int i = 0; i < 2 && !path; i++)
        if (clv_dir_exists(places[i]))
            path = places[i];
    if (!path)
        cr_skip_test("SKIPPED: no Fashion-MNIST (package dataset-fashion-mnist)");
    struct clv_context *ctx = make_context(&lines);
    struct clv_data *d = make_open(ctx, path, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->count[0] == 51000 && in->count[1] == 9000 && in->count[2] == 10000);
    cr_expect(in->n_classes == 10 && in->class_count[2][7] == 1000 && in->max_width == 28);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
}
