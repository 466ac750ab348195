/* What augmentation draws: random erasing and CutMix as torchvision draws them (tests/golden/augment.json, made by
 * augment.py there), mixup's weights, and what keys them. */
#include "data/augment.h"
#include "base/json.h"
#include "base/util.h"
#include "data/pipeline.h"
#include "golden.h"
#include <criterion/criterion.h>
#include <math.h>

static struct clv_augment parse(const char *text)
{
    struct clv_augment a;
    struct clv_error err = {0};
    cr_assert_eq(clv_opt_parse(clv_augment_opts, &a, "augment", text, &err), CLV_OK, "%s", err.text);
    return a;
}

static json_t *golden(const char *key, json_t **owner)
{
    struct clv_error err = {0};
    char *path = golden_source_path("tests/golden/augment.json");
    cr_assert_eq(clv_json_load(path, owner, &err), CLV_OK, "%s", err.text);
    free(path);
    json_t *list = json_object_get(*owner, key);
    cr_assert(json_array_size(list));
    return list;
}

static double number(const json_t *list, size_t i) { return json_number_value(json_array_get(list, i)); }

/* Means over as many draws lie within four standard errors of torchvision's. */
static void erases_as_torchvision(const json_t *want)
{
    enum { DRAWS = 40000 };
    const int h = (int)json_integer_value(json_object_get(want, "height"));
    const int w = (int)json_integer_value(json_object_get(want, "width"));
    const json_t *scale = json_object_get(want, "scale"), *ratio = json_object_get(want, "ratio");
    char text[200];
    snprintf(text, sizeof text, "erase_p=1 erase_scale=%g:%g erase_ratio=%g:%g", number(scale, 0), number(scale, 1),
             number(ratio, 0), number(ratio, 1));
    const struct clv_augment a = parse(text);
    double sum[4] = {0};
    int none = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct clv_draw d = clv_augment_draw(&a, h, w, 7, 2, i);
        const double x0 = d.erase[0], y0 = d.erase[1], x1 = d.erase[2], y1 = d.erase[3];
        cr_assert(x1 <= w && y1 <= h && x0 <= x1 && y0 <= y1);
        none += x1 == x0;
        if (x1 == x0)
            continue;
        const double row[] = {(x1 - x0) * (y1 - y0) / (h * w), log((y1 - y0) / (x1 - x0)), (x0 + x1) / 2 / w,
                              (y0 + y1) / 2 / h};
        for (int k = 0; k < 4; k++)
            sum[k] += row[k];
    }
    const double p = json_number_value(json_object_get(want, "none"));
    cr_expect(fabs((double)none / DRAWS - p) <= 4 * sqrt(2 * p * (1 - p) / DRAWS), "%d of %d, %g", none, DRAWS, p);
    for (size_t k = 0; k < 4; k++) {
        const double mean = number(json_object_get(want, "mean"), k), std = number(json_object_get(want, "std"), k);
        const double got = sum[k] / (DRAWS - none);
        cr_expect(fabs(got - mean) <= 4 * std * sqrt(2.0 / DRAWS), "%dx%d, mean %zu: %g instead of %g", h, w, k, got,
                  mean);
    }
}

Test(augment, erasing_is_torchvisions)
{
    json_t *owner = NULL, *list = golden("erasing", &owner);
    for (size_t i = 0; i < json_array_size(list); i++)
        erases_as_torchvision(json_array_get(list, i));
    json_decref(owner);
}

Test(augment, cutmix_boxes_are_torchvisions)
{
    json_t *owner = NULL, *list = golden("cutmix", &owner);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const int h = (int)number(c, 0), w = (int)number(c, 1);
        const struct clv_mix m = clv_augment_box(h, w, number(c, 2), (int)number(c, 3), (int)number(c, 4));
        for (size_t k = 0; k < 4; k++)
            cr_expect_eq(m.box[k], (uint32_t)number(c, 5 + k), "case %zu, side %zu: %u", i, k, m.box[k]);
        cr_expect_float_eq(clv_mix_share(&m, h, w), number(c, 9), 1e-12);
        cr_expect_eq(m.keep, 0);
    }
    json_decref(owner);
}

Test(augment, erasing_takes_its_share_and_nothing_else)
{
    const struct clv_augment a = parse("rotation=20 zoom=0.1 brightness=0.2"),
                             b = parse("rotation=20 zoom=0.1 brightness=0.2 erase_p=0.3");
    int erased = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        struct clv_draw x = clv_augment_draw(&a, 28, 28, 1, 0, i), y = clv_augment_draw(&b, 28, 28, 1, 0, i);
        erased += y.erase[2] > y.erase[0];
        cr_assert_eq(x.erase[2], 0);
        cr_assert(x.rotation == y.rotation && x.zoom == y.zoom && x.brightness == y.brightness);
    }
    cr_expect(abs(erased - 3000) < 4 * 46, "%d", erased);
    const struct clv_draw x = clv_augment_draw(&b, 28, 28, 1, 0, 0), y = clv_augment_draw(&b, 28, 28, 1, 1, 0);
    cr_expect(x.noise[0] != y.noise[0] && x.noise[1] != y.noise[1]);
}

Test(augment, erased_values_reach_the_record)
{
    static const unsigned char pixels[12];
    const struct clv_image im = {2, 2, 3, 1, 255, pixels, NULL};
    struct clv_pipeline p;
    struct clv_sample_record r;
    cr_assert_eq(clv_pipeline_init(&p, 8, 8, 3, &(struct clv_pipeline_params){
        NULL, "erase_p=1 erase_scale=0.2:0.2 erase_value=1,-2,0.5"}, NULL), CLV_OK);
    const struct clv_draw d = clv_augment_draw(&p.aug, 8, 8, 1, 0, 3);
    clv_pipeline_record(&p, &im, &d, &r);
    cr_expect(r.erase[2] > r.erase[0] && r.erase_value[1] == -2 && r.erase_value[2] == 0.5f && !r.erase_random);
    clv_pipeline_record(&p, &im, NULL, &r);
    cr_expect_eq(r.erase[2], 0, "validation erases nothing");
    cr_assert_eq(clv_pipeline_init(&p, 8, 8, 3, &(struct clv_pipeline_params){NULL, "erase_p=1 erase_value=random"},
                                   NULL), CLV_OK);
    clv_pipeline_record(&p, &im, &d, &r);
    cr_expect(r.erase_random && r.noise[0] == d.noise[0] && r.noise[1] == d.noise[1]);
}

/* Of mixed batches: mean and variance of keep; how many of them were cut. */
static void mixes(const char *text, int batches, double variance, int want_mixed, int want_cut)
{
    const struct clv_augment a = parse(text);
    double sum = 0, squares = 0;
    int n = 0, cut = 0, whole = 0;
    for (uint64_t i = 0; i < (uint64_t)batches; i++) {
        const struct clv_mix m = clv_augment_mix(&a, 32, 32, 11, i % 5, i / 5);
        const bool all = m.box[2] == 32 && m.box[3] == 32 && !m.box[0] && !m.box[1];
        cr_assert(m.box[2] <= 32 && m.box[3] <= 32 && m.box[0] <= m.box[2] && m.box[1] <= m.box[3]);
        if (!memcmp(&m, &clv_mix_none, sizeof m))
            continue;
        n++;
        whole += all && m.keep > 0;
        cut += m.keep == 0;
        if (m.keep > 0) {
            sum += (double)m.keep;
            squares += (double)m.keep * (double)m.keep;
        }
    }
    cr_expect(abs(n - want_mixed) <= 4 * sqrt(batches) / 2, "%s: %d mixed", text, n);
    cr_expect(abs(cut - want_cut) <= 4 * sqrt(batches) / 2, "%s: %d cut", text, cut);
    cr_expect_eq(whole + cut, n);
    if (whole) {
        const double mean = sum / whole, error = 4 * sqrt(variance / whole);
        cr_expect_float_eq(mean, 0.5, error, "%s: mean %g", text, mean);
        cr_expect_float_eq(squares / whole - mean * mean, variance, error, "%s: variance %g", text,
                           squares / whole - mean * mean);
    }
}

/* The variance of Beta(a, a) is 1 / (4 (2 a + 1)). */
Test(augment, batches_are_mixed)
{
    mixes("mixup=0.2", 5000, 1 / 5.6, 5000, 0);
    mixes("mixup=1", 5000, 1 / 12.0, 5000, 0);
    mixes("mixup=0.4 mix_p=0.25", 5000, 1 / 7.2, 1250, 0);
    mixes("cutmix=1", 2000, 0, 2000, 2000);
    mixes("mixup=1 cutmix=1", 5000, 1 / 12.0, 5000, 2500);
    mixes("mixup=1 mix_p=0", 100, 1, 0, 0);
    mixes("flip=both", 100, 1, 0, 0);
}

Test(augment, mixing_is_keyed_by_seed_epoch_batch)
{
    const struct clv_augment a = parse("mixup=0.3");
    const struct clv_mix m = clv_augment_mix(&a, 8, 8, 1, 2, 3), same = clv_augment_mix(&a, 8, 8, 1, 2, 3);
    cr_expect_eq(m.keep, same.keep);
    cr_expect_neq(m.keep, clv_augment_mix(&a, 8, 8, 2, 2, 3).keep);
    cr_expect_neq(m.keep, clv_augment_mix(&a, 8, 8, 1, 3, 3).keep);
    cr_expect_neq(m.keep, clv_augment_mix(&a, 8, 8, 1, 2, 4).keep);
}

Test(augment, refused_options)
{
    static const struct { const char *text, *says; } bad[] = {
        {"erase_p=1.5", "erase_p"}, {"erase_scale=0.2", "out of range"}, {"erase_ratio=0:1", "erase_ratio"},
        {"erase_value=1,2", "erase_value has 2 numbers, the input 3 channels"}, {"erase_value=noise", "random"},
        {"mixup=-1", "mixup"}, {"cutmix=often", "cutmix"}, {"mix_p=2", "mix_p"}, {"erase=1", "erase_p"}};
    struct clv_pipeline p;
    for (size_t i = 0; i < CLV_COUNT(bad); i++) {
        struct clv_error err = {0};
        cr_expect_eq(clv_pipeline_init(&p, 8, 8, 3, &(struct clv_pipeline_params){NULL, bad[i].text}, &err),
                     CLV_ERR_ARG, "%s", bad[i].text);
        cr_expect_not_null(strstr(err.text, bad[i].says), "%s", err.text);
        cr_expect_null(strchr(err.text, '\n'));
    }
}
