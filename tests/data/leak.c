/* Leaks of given splits are counted, warned about once, and refused on demand. */
#define _XOPEN_SOURCE 700
#include "base/tmp.h"
#include "make.h"
#include <string.h>

static struct make_log lines;

static void make_leaky(const char *dir)
{
    char name[64];
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "train/%c/person%u_%u.png", i % 2 ? 'A' : 'B', i, i);
        make_gray(dir, name, i);
    }
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "test/%c/person%u_%u.png", i % 2 ? 'A' : 'B', 100 + i, i);
        make_gray(dir, name, 100 + i);
    }
}

Test(leak, counted_and_refused)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_leaky(tmp_dir(dir));
    struct clv_data_params p = {.group_by = "person[0-9]+_"};
    struct clv_data *d = make_open(ctx, dir, &p);
    cr_expect_eq(clv_data_get_info(d)->leaked_images, 0);
    cr_expect_eq(clv_data_get_info(d)->duplicates, 0);
    cr_expect_eq(lines.lines, 0);
    clv_data_close(&d);

    make_copy(dir, "train/A/person1_1.png", "test/A/person200_.png");
    make_copy(dir, "train/A/person1_1.png", "test/A/person201_.png"); /* still one content */
    make_copy(dir, "train/A/person3_3.png", "train/A/person3_again.png"); /* no leak */
    make_gray(dir, "test/B/person4_other.png", 300); /* a person, not an image */
    d = make_open(ctx, dir, &p);
    cr_expect_eq(clv_data_get_info(d)->leaked_images, 1);
    cr_expect_eq(clv_data_get_info(d)->leaked_groups, 1);
    cr_expect_eq(clv_data_get_info(d)->duplicates, 5);
    cr_expect_eq(lines.lines, 1, "%s", lines.text);
    cr_expect_not_null(strstr(lines.text, "1 image and 1 person"), "%s", lines.text);
    clv_data_close(&d);

    p.refuse_leaks = true;
    make_refused(ctx, dir, &p, CLV_ERR_LEAK, (const char *[]){"1 image and 1 person", NULL});
    cr_expect_eq(lines.lines, 1);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* A set with copies that brings no split must never be refused: the split keeps them together. */
Test(leak, own_splits_do_not_leak)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_leaky(tmp_dir(dir));
    for (unsigned i = 1; i < 20; i += 2) {
        char from[64], to[64];
        snprintf(from, sizeof from, "train/A/person%u_%u.png", i, i);
        snprintf(to, sizeof to, "train/A/copy%u.png", i);
        make_copy(dir, from, to);
    }
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct clv_data *d =
            make_open(ctx, make_path(dir, "train"),
                      &(struct clv_data_params){.seed = seed, .refuse_leaks = true});
        cr_expect_eq(clv_data_get_info(d)->duplicates, 20);
        clv_data_close(&d);
        /* val taken out of a given train */
        d = make_open(ctx, dir, &(struct clv_data_params){.seed = seed, .refuse_leaks = true});
        cr_expect_eq(clv_data_get_info(d)->leaked_images, 0);
        clv_data_close(&d);
    }
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* One picture under two labels is a contradiction, whatever the splits. */
Test(leak, two_classes)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_leaky(tmp_dir(dir));
    make_copy(dir, "train/A/person1_1.png", "train/B/person1_1.png");
    struct clv_data *d = make_open(ctx, dir, NULL);
    cr_expect_not_null(strstr(lines.text, "1 image lies in more than one class"), "%s", lines.text);
    cr_expect_eq(clv_data_get_info(d)->leaked_images, 0);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(leak, pneumoniamnist)
{
    const char *path = make_real("medmnist/pneumoniamnist.npz");
    struct clv_context *ctx = make_context(&lines);
    struct clv_data *d = make_open(ctx, path, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    /* Counted independently: SHA-256 of the rows in Python. */
    cr_expect_eq(in->leaked_images, 8);
    cr_expect_eq(in->duplicates, 56);
    cr_expect_eq(lines.lines, 1);
    clv_data_close(&d);
    make_refused(ctx, path, &(struct clv_data_params){.refuse_leaks = true}, CLV_ERR_LEAK,
                 (const char *[]){"8 images", NULL});
    clv_context_destroy(&ctx);
}
