/* What preprocessing and augmentation options do to a picture, through the reference sampler. */
#include "data/pipeline.h"
#include "base/util.h"
#include "make.h"
#include <math.h>
#include <string.h>

enum { N = 8 };

/* A gray picture of n x n: value 10 y + x + 1 */
static unsigned char picture[N * N];
static struct clv_image make_picture(void)
{
    for (int i = 0; i < N * N; i++)
        picture[i] = (unsigned char)(10 * (i / N) + i % N + 1);
    return (struct clv_image){N, N, 1, 1, 255, picture, NULL};
}

struct outcome {
    struct clv_sample_record r;
    float v[32 * 32];
};

static struct outcome see(const char *pre, const char *aug, int size, uint64_t seed, uint32_t index)
{
    static unsigned char slot[4096];
    struct outcome o;
    struct clv_pipeline p;
    struct clv_normalise norm;
    struct clv_error err = {0};
    struct clv_image im = make_picture();
    cr_assert_eq(clv_pipeline_init(&p, size, size, 1, &(struct clv_pipeline_params){pre, aug}, &err),
                 CLV_OK, "%s", err.text);
    cr_assert_eq(clv_pipeline_prepare(&p, &im, &err), CLV_OK, "%s", err.text);
    const struct clv_draw d = clv_augment_draw(&p.aug, size, size, seed, 3, index);
    clv_pipeline_record(&p, &im, aug ? &d : NULL, &o.r);
    o.r.offset = 64;
    memcpy(slot + 64, im.pixels, clv_image_bytes(&im));
    clv_pipeline_normalise(&p, &norm);
    clv_sample_reference(slot, &o.r, size, size, 1, &norm, o.v);
    clv_image_finish(&im);
    return o;
}

static void expect_map(const struct outcome *o, int (*want)(int x, int y), const char *what)
{
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++)
            cr_expect_float_eq(o->v[y * N + x] * 255, want(x, y), 1e-3, "%s (%d,%d): %f not %d", what,
                               x, y, o->v[y * N + x] * 255, want(x, y));
}

static int plain(int x, int y) { return 10 * y + x + 1; }
static int mirrored(int x, int y) { return plain(N - 1 - x, y); }
static int upside_down(int x, int y) { return plain(x, N - 1 - y); }
static int half_turn(int x, int y) { return plain(N - 1 - x, N - 1 - y); }
/* Counter-clockwise: what was on the right is on top. */
static int quarter_turn(int x, int y) { return plain(N - 1 - y, x); }
static int shifted(int x, int y) { return plain(CLV_MAX(x - 2, 0), CLV_MAX(y - 2, 0)); }

Test(pipeline, exact_moves)
{
    struct outcome o = see(NULL, NULL, N, 1, 0);
    expect_map(&o, plain, "plain");
    cr_expect(o.r.taps[0] == 1 && o.r.taps[1] == 1);
    o = see("rotate=90", NULL, N, 1, 0);
    expect_map(&o, quarter_turn, "rotate=90");
    o = see("rotate=180", NULL, N, 1, 0);
    expect_map(&o, half_turn, "rotate=180");
    o = see(NULL, "rotation=90:90", N, 1, 0);
    expect_map(&o, quarter_turn, "rotation");
    o = see(NULL, "shift=0.25:0.25", N, 1, 0);
    expect_map(&o, shifted, "shift to the right and down");
    o = see(NULL, "crop=1", N, 1, 0);
    expect_map(&o, plain, "no augmentation");
}

Test(pipeline, flips_every_second_image)
{
    int seen[4] = {0};
    for (uint32_t i = 0; i < 64; i++) {
        const struct outcome o = see(NULL, "flip=both", N, 1, i);
        const int x = o.r.m[0] < 0, y = o.r.m[4] < 0;
        expect_map(&o, x && y ? half_turn : x ? mirrored : y ? upside_down : plain, "flip");
        seen[x + 2 * y]++;
        cr_expect_gt(see(NULL, "flip=horizontal", N, 1, i).r.m[4], 0);
        cr_expect_gt(see(NULL, "flip=vertical", N, 1, i).r.m[0], 0);
    }
    for (int k = 0; k < 4; k++)
        cr_expect(seen[k] > 6 && seen[k] < 28, "%d", seen[k]);
}

Test(pipeline, resizing_averages)
{
    struct outcome o = see(NULL, NULL, 4, 1, 0); /* 8 -> 4: means of 2 x 2 */
    cr_expect(o.r.taps[0] == 2 && o.r.taps[1] == 2);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++)
            cr_expect_float_eq(o.v[y * 4 + x] * 255,
                               (plain(2 * x, 2 * y) + plain(2 * x + 1, 2 * y + 1)) / 2.0, 1e-3);
    o = see(NULL, NULL, 16, 1, 0); /* 8 -> 16: bilinear */
    cr_expect_float_eq(o.v[5 * 16 + 5] * 255, 10 * 2.25 + 2.25 + 1, 1e-3);
}

Test(pipeline, crops)
{
    struct outcome o = see("crop=1,3,4,4", NULL, 4, 1, 0);
    cr_expect(o.r.width == 4 && o.r.height == 4);
    for (int i = 0; i < 16; i++)
        cr_expect_float_eq(o.v[i] * 255, plain(1 + i % 4, 3 + i / 4), 1e-3);
    o = see("crop_center=0.5", NULL, 4, 1, 0);
    for (int i = 0; i < 16; i++)
        cr_expect_float_eq(o.v[i] * 255, plain(2 + i % 4, 2 + i / 4), 1e-3);
    /* A random window lies inside and has the wanted size. */
    bool moved = false;
    for (uint32_t i = 0; i < 32; i++) {
        o = see(NULL, "crop=0.5", N, 9, i);
        cr_expect(o.r.m[0] >= 0.5f && o.r.m[0] <= 1 && o.r.m[2] >= -1e-5f &&
                  o.r.m[2] + o.r.m[0] * N <= N + 1e-4f && o.r.m[5] >= -1e-5f);
        moved = moved || fabsf(o.r.m[2] - o.r.m[5]) > 0.1f;
    }
    cr_expect(moved);
}

/* 12 x 8 into a square: squash, crop and pad differ as documented. */
Test(pipeline, resize_modes)
{
    static const struct {
        const char *pre;
        uint32_t width;
        float m0, m2, m4, m5;
    } cases[] = {{"resize=squash", 12, 3, 0, 2, 0},
                 {"resize=crop", 8, 2, 0, 2, 0},
                 {"resize=pad", 12, 3, 0, 3, -2}};
    static const unsigned char zero[96];
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct clv_pipeline p;
        struct clv_sample_record r;
        struct clv_image im = {12, 8, 1, 1, 255, zero, NULL};
        cr_assert_eq(clv_pipeline_init(&p, 4, 4, 1, &(struct clv_pipeline_params){cases[i].pre, NULL},
                                       NULL), CLV_OK);
        p.height = p.width = 4;
        im.width = 12;
        struct clv_image size = im;
        cr_assert_eq(clv_pipeline_size(&p, &size, NULL), CLV_OK);
        /* 12 x 8 has more than four times 4 x 4 pixels: reduced to 8 on the long side. */
        cr_assert_eq(clv_pipeline_prepare(&p, &im, NULL), CLV_OK);
        cr_expect(im.width == size.width && im.height == size.height && im.height == 8);
        cr_expect_eq(im.width, 8);
        clv_image_finish(&im);
        im = (struct clv_image){cases[i].width, 8, 1, 1, 255, zero, NULL};
        clv_pipeline_record(&p, &im, NULL, &r);
        cr_expect(r.m[0] == cases[i].m0 && r.m[2] == cases[i].m2 && r.m[4] == cases[i].m4 &&
                      r.m[5] == cases[i].m5,
                  "%s: %g %g %g %g", cases[i].pre, r.m[0], r.m[2], r.m[4], r.m[5]);
    }
}

Test(pipeline, values)
{
    struct outcome o = see("mean=0.5 std=0.25", NULL, N, 1, 0);
    cr_expect_float_eq(o.v[9], (plain(1, 1) / 255.0 - 0.5) / 0.25, 1e-5);
    o = see(NULL, "brightness=0.1:0.1 contrast=-0.5:-0.5", N, 1, 0);
    cr_expect_float_eq(o.v[9], (plain(1, 1) / 255.0 - 0.5) * 0.5 + 0.5 + 0.1, 1e-5);
    struct clv_pipeline p;
    struct clv_normalise norm;
    cr_assert_eq(clv_pipeline_init(&p, 4, 4, 3, &(struct clv_pipeline_params){"mean=1,2,3 std=4", NULL},
                                   NULL), CLV_OK);
    clv_pipeline_normalise(&p, &norm);
    cr_expect(norm.mean[0] == 1 && norm.mean[2] == 3 && norm.std[0] == 4 && norm.std[2] == 4);
}

Test(pipeline, keyed_by_seed_epoch_sample)
{
    const char *aug = "rotation=20 shift=0.1 zoom=0.2 brightness=0.1 contrast=0.1 crop=0.8 flip=both";
    const struct outcome a = see(NULL, aug, N, 1, 5), b = see(NULL, aug, N, 1, 5);
    const struct outcome c = see(NULL, aug, N, 2, 5), d = see(NULL, aug, N, 1, 6);
    cr_expect_eq(memcmp(&a.r, &b.r, sizeof a.r), 0);
    cr_expect_neq(memcmp(&a.r, &c.r, sizeof a.r), 0);
    cr_expect_neq(memcmp(&a.r, &d.r, sizeof a.r), 0);
    /* An option that is added changes nothing but itself. */
    const struct outcome e = see(NULL, "rotation=20", N, 1, 5);
    const struct outcome f = see(NULL, "rotation=20 brightness=0.3", N, 1, 5);
    cr_expect_eq(memcmp(e.r.m, f.r.m, sizeof e.r.m), 0);
    cr_expect_neq(e.r.brightness, f.r.brightness);
}

Test(pipeline, refused_options)
{
    static const struct { const char *pre, *aug, *word; } bad[] = {
        {"resize=stretch", NULL, "resize"}, {"crop=1,2,3", NULL, "crop"}, {"mean=1,2", NULL, "mean"},
        {"std=0", NULL, "std"},             {"crop_center=2", NULL, "crop_center"},
        {NULL, "flips=both", "flip"},       {NULL, "zoom=-1:0", "zoom"}};
    struct clv_pipeline p;
    for (size_t i = 0; i < CLV_COUNT(bad); i++) {
        struct clv_error err = {0};
        cr_expect_eq(clv_pipeline_init(&p, 8, 8, 3,
                                       &(struct clv_pipeline_params){bad[i].pre, bad[i].aug}, &err),
                     CLV_ERR_ARG);
        cr_expect_not_null(strstr(err.text, bad[i].word), "%s", err.text);
    }
    struct clv_image im = make_picture();
    struct clv_error err = {0};
    cr_assert_eq(clv_pipeline_init(&p, 8, 8, 1, &(struct clv_pipeline_params){"crop=5,5,4,1", NULL},
                                   &err), CLV_OK);
    cr_expect_eq(clv_pipeline_size(&p, &im, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "8x8"), "%s", err.text);
    char *help = clv_pipeline_help();
    cr_expect(strstr(help, "rotation") && strstr(help, "crop_center"));
    free(help);
}
