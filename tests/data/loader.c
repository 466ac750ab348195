/* The loader: same bytes whatever the threads, the cache and the way it got there. */
#define _XOPEN_SOURCE 700
#include "data/loader.h"
#include "base/file.h"
#include "base/tmp.h"
#include "make.h"
#include <math.h>
#include <png.h>
#include <string.h>

static struct make_log lines;
enum { BATCH = 4, SIDE = 16, EPOCHS = 3 };

/* Everything that an epoch delivers, batch after batch; malloc'ed. */
struct stream {
    unsigned char *bytes;
    size_t n, batch_bytes;
};

static struct clv_loader_params usual(struct clv_data *d)
{
    return (struct clv_loader_params){
        .data = d, .batch = BATCH, .height = SIDE, .width = SIDE, .channels = 3, .training = true,
        .seed = 11, .threads = 1, .pipeline.augment = "rotation=10 shift=0.1 flip=both"};
}

static struct clv_loader *create(struct clv_context *ctx, const struct clv_loader_params *p)
{
    struct clv_loader *l = NULL;
    cr_assert_eq(clv_loader_create(ctx, p, &l), CLV_OK, "%s", clv_error_text(ctx));
    return l;
}

/* Batches first.. of an epoch: slot, sample indices and labels of each. */
static struct stream collect(struct clv_context *ctx, struct clv_loader *l, uint64_t epoch,
                             size_t first)
{
    const size_t slot = clv_loader_slot_bytes(l), each = slot + BATCH * 8 + 8;
    struct stream s = {.batch_bytes = each};
    s.bytes = calloc(clv_loader_batches(l) - first + 1, each);
    cr_assert_eq(clv_loader_start(l, epoch, first), CLV_OK);
    for (;;) {
        unsigned char *at = s.bytes + s.n;
        uint32_t index[BATCH] = {0};
        int32_t label[BATCH] = {0};
        int n;
        cr_assert_eq(clv_loader_next(l, at, &n, index, label), CLV_OK, "%s", clv_error_text(ctx));
        if (n == 0)
            break;
        memcpy(at + slot, index, sizeof index);
        memcpy(at + slot + sizeof index, label, sizeof label);
        at[slot + 2 * sizeof index] = (unsigned char)n;
        s.n += each;
    }
    return s;
}

/* 22 + 8 pictures of several sizes, depths and colours. */
static void make_set(const char *dir)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    char name[64];
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "%s/%c/%u.png", i < 22 ? "train" : "val", i % 2 ? 'a' : 'b', i);
        make_png(make_path(dir, name),
                 &(struct make_png){.width = 5 + (int)(i * 7 % 40), .height = 9 + (int)(i * 5 % 30),
                                    .color_type = types[i % 3], .depth = i % 4 ? 8 : 16, .seed = i});
    }
}

Test(loader, threads_and_cache_change_nothing)
{
    static const struct { int threads, ahead; size_t cache; } ways[] = {
        {1, 1, 0}, {1, 2, 0}, {4, 2, 0}, {8, 5, 1 << 20}, {3, 1, 4000}, {0, 0, 1 << 20}};
    char dir[64];
    struct stream want[EPOCHS];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        struct clv_loader_params p = usual(d);
        p.threads = ways[w].threads;
        p.ahead = ways[w].ahead;
        p.cache_bytes = ways[w].cache;
        struct clv_loader *l = create(ctx, &p);
        cr_assert_eq(clv_loader_batches(l), 6);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            struct stream s = collect(ctx, l, e, 0);
            cr_assert_eq(s.n, 6 * s.batch_bytes);
            if (w == 0) {
                want[e] = s;
                continue;
            }
            cr_expect_eq(memcmp(s.bytes, want[e].bytes, s.n), 0, "way %zu, epoch %d", w, (int)e);
            free(s.bytes);
        }
        clv_loader_destroy(&l);
        cr_expect_null(l);
    }
    cr_expect_neq(memcmp(want[0].bytes, want[1].bytes, want[0].n), 0, "epochs must differ");
    for (int e = 0; e < EPOCHS; e++)
        free(want[e].bytes);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(loader, resumes_at_any_batch)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.threads = 3;
    struct clv_loader *l = create(ctx, &p);
    struct stream whole = collect(ctx, l, 7, 0);
    for (size_t first = 0; first <= 6; first++) {
        /* Something else is in preparation when the epoch is started again. */
        cr_assert_eq(clv_loader_start(l, 8, 1), CLV_OK);
        struct stream rest = collect(ctx, l, 7, first);
        cr_assert_eq(rest.n, whole.n - first * whole.batch_bytes);
        cr_expect_eq(memcmp(rest.bytes, whole.bytes + first * whole.batch_bytes, rest.n), 0,
                     "from batch %zu", first);
        free(rest.bytes);
    }
    cr_expect_eq(clv_loader_start(l, 0, 7), CLV_ERR_ARG);
    cr_assert_eq(clv_loader_start(l, 9, 0), CLV_OK); /* destroyed while busy */
    free(whole.bytes);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(loader, every_sample_once_and_shuffled)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    for (int training = 0; training < 2; training++) {
        struct clv_loader_params p = usual(d);
        p.training = training;
        struct clv_loader *l = create(ctx, &p);
        unsigned char *slot = malloc(clv_loader_slot_bytes(l));
        uint32_t index[BATCH];
        int32_t label[BATCH];
        int n, total = 0, in_order = 0, seen[22] = {0};
        cr_assert_eq(clv_loader_start(l, 0, 0), CLV_OK);
        while (clv_loader_next(l, slot, &n, index, label) == CLV_OK && n)
            for (int i = 0; i < n; i++, total++) {
                struct clv_sample_info s;
                cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TRAIN, index[i], &s), CLV_OK);
                cr_expect_eq(s.label, label[i]);
                seen[index[i]]++;
                in_order += (int)index[i] == total;
            }
        cr_expect_eq(total, 22);
        for (int i = 0; i < 22; i++)
            cr_expect_eq(seen[i], 1);
        cr_expect_eq(in_order == 22, !training);
        cr_assert_eq(clv_loader_next(l, slot, &n, index, label), CLV_OK);
        cr_expect_eq(n, 0);
        free(slot);
        clv_loader_destroy(&l);
    }
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Records and pixels of the validation split against images decoded here. */
Test(loader, records_and_pixels)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    for (int channels = 1; channels <= 3; channels += 2) {
        struct clv_loader_params p = usual(d);
        p.split = CLV_SPLIT_VAL;
        p.training = false;
        p.height = p.width = 64; /* larger than every picture: nothing is reduced */
        p.channels = channels;
        struct clv_loader *l = create(ctx, &p);
        unsigned char *slot = malloc(clv_loader_slot_bytes(l));
        uint32_t index[BATCH];
        int32_t label[BATCH];
        int n, total = 0;
        cr_assert_eq(clv_loader_start(l, 0, 0), CLV_OK);
        while (clv_loader_next(l, slot, &n, index, label) == CLV_OK && n)
            for (int i = 0; i < n; i++, total++) {
                struct clv_sample_record r;
                struct clv_image im = {0};
                struct clv_sample_info s;
                memcpy(&r, slot + (size_t)i * sizeof r, sizeof r);
                cr_assert_eq(clv_data_sample(d, CLV_SPLIT_VAL, index[i], &s), CLV_OK);
                cr_assert_eq(clv_image_read(make_path(dir, s.path), &im, NULL), CLV_OK);
                const int stored = channels == 1 ? 1 : im.channels;
                if (channels == 1)
                    cr_assert_eq(clv_image_to_gray(&im, NULL), CLV_OK);
                cr_expect(r.width == im.width && r.height == im.height && r.max == im.max);
                cr_expect_eq((int)r.channels, stored);
                cr_expect_eq((int)r.value_bytes, im.value_bytes);
                cr_expect_eq(r.offset % 16, 0);
                cr_expect_leq(r.offset + clv_image_bytes(&im), clv_loader_slot_bytes(l));
                cr_expect_eq(memcmp(slot + r.offset, im.pixels, clv_image_bytes(&im)), 0, "%s", s.path);
                clv_image_finish(&im);
            }
        cr_expect_eq(total, 8);
        free(slot);
        clv_loader_destroy(&l);
    }
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* A picture far larger than the input: the slot stays small and the network sees its average. */
Test(loader, large_images_are_reduced)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    unsigned char *rows = malloc(640 * 480);
    for (unsigned i = 0; i < 640 * 480; i++)
        rows[i] = (unsigned char)((i % 640) / 4 + ((i / 640 + i) % 2 ? 40 : 0));
    make_png(make_path(dir, "train/a/1.png"),
             &(struct make_png){640, 480, PNG_COLOR_TYPE_GRAY, 8, .rows = rows});
    make_gray(dir, "train/b/1.png", 1);
    make_gray(dir, "val/b/1.png", 2);
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.training = false;
    struct clv_loader *l = create(ctx, &p);
    cr_expect_eq(clv_loader_slot_bytes(l), BATCH * (sizeof(struct clv_sample_record) + 4 * SIDE * SIDE));
    unsigned char *slot = malloc(clv_loader_slot_bytes(l));
    uint32_t index[BATCH];
    int32_t label[BATCH];
    int n;
    float out[SIDE * SIDE * 3];
    struct clv_sample_record r;
    struct clv_normalise norm;
    cr_assert_eq(clv_loader_start(l, 0, 0), CLV_OK);
    cr_assert_eq(clv_loader_next(l, slot, &n, index, label), CLV_OK);
    memcpy(&r, slot, sizeof r);
    cr_expect(r.width == 2 * SIDE && r.height == 2 * SIDE && r.channels == 1);
    clv_loader_normalise(l, &norm);
    clv_sample_reference(slot, &r, SIDE, SIDE, 3, &norm, out);
    for (int x = 0; x < SIDE; x++) {
        double mean = 0; /* of the 40 columns below this pixel, and the pattern's 20 */
        for (int i = 0; i < 40; i++)
            mean += (40 * x + i) / 4 / 40.0;
        cr_expect(fabs(out[(5 * SIDE + x) * 3 + 1] * 255 - mean - 20) < 1, "column %d: %f not %f", x,
                  out[(5 * SIDE + x) * 3 + 1] * 255, mean + 20);
    }
    free(rows);
    free(slot);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(loader, errors_reach_the_consumer)
{
    char dir[64], path[128] = "";
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.threads = 4;
    p.training = false;
    struct clv_loader *l = create(ctx, &p);
    struct clv_sample_info s;
    cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TRAIN, 13, &s), CLV_OK);
    snprintf(path, sizeof path, "%s", s.path);
    unsigned char *slot = malloc(clv_loader_slot_bytes(l));
    uint32_t index[BATCH];
    int32_t label[BATCH];
    for (int kind = 0; kind < 3; kind++) {
        if (kind == 0)
            make_file(dir, path, "\x89PNG\r\n\x1a\n", 8);
        else if (kind == 1)
            cr_assert_eq(remove(make_path(dir, path)), 0);
        else
            make_gray(dir, path, 4); /* another size than the header said */
        int n, batches = 0;
        enum clv_err e;
        cr_assert_eq(clv_loader_start(l, (uint64_t)kind, 0), CLV_OK);
        while ((e = clv_loader_next(l, slot, &n, index, label)) == CLV_OK && n)
            batches++;
        cr_expect_eq(e, kind == 1 ? CLV_ERR_IO : CLV_ERR_DATA);
        cr_expect_eq(batches, 13 / BATCH);
        cr_expect_not_null(strstr(clv_error_text(ctx), path), "%s", clv_error_text(ctx));
    }
    free(slot);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(loader, refused)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_loader *l = NULL;
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.channels = 2; /* colour pictures have no place in it */
    cr_expect_eq(clv_loader_create(ctx, &p, &l), CLV_ERR_DATA);
    p = usual(d);
    p.batch = 0;
    cr_expect_eq(clv_loader_create(ctx, &p, &l), CLV_ERR_ARG);
    p = usual(d);
    p.pipeline.preprocess = "crop=0,0,30,30";
    cr_expect_eq(clv_loader_create(ctx, &p, &l), CLV_ERR_DATA);
    cr_expect_not_null(strstr(clv_error_text(ctx), ".png"), "%s", clv_error_text(ctx));
    cr_expect_null(l);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* predict: single files, with no data set at all, look like the same file in a set. */
Test(loader, single_files)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_error err = {0};
    make_set(tmp_dir(dir));
    make_file(dir, "bad.png", "no", 2);
    struct clv_data *d = make_open(ctx, make_path(dir, "train"), NULL);
    struct clv_loader_params p = usual(d);
    p.training = false;
    struct clv_loader *set = create(ctx, &p);
    p.data = NULL;
    struct clv_loader *l = create(ctx, &p);
    cr_expect_eq(clv_loader_batches(l), 0);
    unsigned char *a = malloc(clv_loader_slot_bytes(set)), *b = malloc(clv_loader_slot_bytes(l));
    uint32_t index[BATCH];
    int32_t label[BATCH];
    int n;
    cr_assert_eq(clv_loader_start(set, 0, 0), CLV_OK);
    cr_assert_eq(clv_loader_next(set, a, &n, index, label), CLV_OK);
    for (int i = 0; i < n; i++) {
        struct clv_sample_info s;
        struct clv_sample_record x, y;
        cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TRAIN, index[i], &s), CLV_OK);
        char path[256];
        snprintf(path, sizeof path, "%s/train/%s", dir, s.path);
        cr_assert_eq(clv_loader_file(l, path, b, i, &err), CLV_OK, "%s", err.text);
        memcpy(&x, a + (size_t)i * sizeof x, sizeof x);
        memcpy(&y, b + (size_t)i * sizeof y, sizeof y);
        cr_expect_eq(memcmp(a + x.offset, b + y.offset,
                            (size_t)x.width * x.height * x.channels * x.value_bytes), 0);
        y.offset = x.offset;
        cr_expect_eq(memcmp(&x, &y, sizeof x), 0);
    }
    cr_expect_eq(clv_loader_file(l, make_path(dir, "bad.png"), b, 0, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "bad.png"));
    cr_expect_eq(clv_loader_file(l, make_path(dir, "x.jpg"), b, 0, &err), CLV_ERR_DATA);
    cr_expect_not_null(strstr(err.text, "JPEG"));
    cr_expect_eq(clv_loader_file(l, make_path(dir, "bad.png"), b, BATCH, &err), CLV_ERR_ARG);
    free(a), free(b);
    clv_loader_destroy(&l);
    clv_loader_destroy(&set);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Drawn with replacement: the same whatever the threads and wherever it begins; a sample that comes twice is augmented
 * twice. */
Test(loader, draws_are_the_same_whatever_the_threads)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.sampler = "balanced";
    struct clv_loader *l = create(ctx, &p);
    struct stream whole = collect(ctx, l, 3, 0);
    clv_loader_destroy(&l);
    p.threads = 4;
    p.cache_bytes = 1 << 20;
    l = create(ctx, &p);
    struct stream rest = collect(ctx, l, 3, 2);
    cr_assert_eq(rest.n, whole.n - 2 * whole.batch_bytes);
    cr_expect_eq(memcmp(rest.bytes, whole.bytes + 2 * whole.batch_bytes, rest.n), 0);
    const size_t slot = clv_loader_slot_bytes(l);
    int twice = 0;
    for (size_t i = 0; i < 22; i++)
        for (size_t k = 0; k < i; k++) {
            const unsigned char *a = whole.bytes + i / BATCH * whole.batch_bytes, *b = whole.bytes + k / BATCH * whole.batch_bytes;
            struct clv_sample_record x, y;
            if (memcmp(a + slot + i % BATCH * 4, b + slot + k % BATCH * 4, 4))
                continue;
            memcpy(&x, a + i % BATCH * sizeof x, sizeof x);
            memcpy(&y, b + k % BATCH * sizeof y, sizeof y);
            cr_expect_neq(memcmp(x.m, y.m, sizeof x.m), 0);
            twice++;
        }
    cr_expect_gt(twice, 0);
    free(whole.bytes), free(rest.bytes);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Every batch once for each view, with the same pixels. */
Test(loader, batches_come_in_every_view)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_draw draws[2] = {clv_draw_nothing, clv_draw_nothing};
    const struct clv_views views = {.n = 2, .draw = draws};
    draws[1].flip_x = true;
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, NULL);
    struct clv_loader_params p = usual(d);
    p.training = false;
    struct clv_loader *l = create(ctx, &p);
    struct stream once = collect(ctx, l, 0, 0);
    clv_loader_destroy(&l);
    p.views = &views;
    l = create(ctx, &p);
    const size_t slot = clv_loader_slot_bytes(l);
    unsigned char *got = calloc(1, slot);
    uint32_t index[BATCH];
    int32_t label[BATCH];
    int n = 1, batches = 0;
    cr_assert_eq(clv_loader_start(l, 0, 0), CLV_OK);
    for (; clv_loader_next(l, got, &n, index, label) == CLV_OK && n; batches++) {
        const unsigned char *want = once.bytes + (size_t)(batches / 2) * once.batch_bytes;
        cr_expect_eq(n, want[slot + 2 * sizeof index]);
        for (int i = 0; i < n; i++) {
            struct clv_sample_record x, y;
            memcpy(&x, got + (size_t)i * sizeof x, sizeof x);
            memcpy(&y, want + (size_t)i * sizeof y, sizeof y);
            cr_expect_eq(memcmp(got + x.offset, want + y.offset, (size_t)x.width * x.height * x.channels * x.value_bytes), 0);
            cr_expect_eq(x.m[0], batches % 2 ? -y.m[0] : y.m[0]);
            cr_expect_eq(x.m[4], y.m[4]);
        }
    }
    cr_expect_eq(batches, 12);
    free(got), free(once.bytes);
    clv_loader_destroy(&l);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}
