/* Recipes in whole runs: weights that balance, draws, erased and mixed images, and the views of evaluation. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "golden.h"
#include "runs.h"
#include <math.h>

/* 20 of A and 50 of B, so that classes differ. */
static void begin(struct runs *r)
{
    runs_begin(r);
    for (int i = 0; i < 30; i++) {
        char file[64];
        snprintf(file, sizeof file, "data/B/more%03d.png", i);
        runs_image(r, file, 1, 5000 + (uint64_t)i);
    }
}

static struct clv_run_params recipe(struct clv_run_params p)
{
    p.trainer.batch = 8;
    p.trainer.loss = "categorical_crossentropy label_smoothing=0.1 class_weight=balanced";
    p.trainer.pipeline.augment = "rotation=5 erase_p=0.5 erase_value=random mixup=0.4 cutmix=1";
    p.fit.sampler = "balanced";
    p.fit.epochs = 2;
    return p;
}

static const char *text_of(const json_t *config, const char *section, const char *key)
{
    return json_string_value(json_object_get(json_object_get(config, section), key));
}

/* All of them at once, stopped within an epoch, with other threads. */
Test(recipes, resumed_is_uninterrupted_bit_for_bit)
{
    struct runs r;
    begin(&r);
    struct clv_run_params p = recipe(PARAMS(&r, "whole"));
    struct clv_run_result whole = {0}, part = {0};
    ok(r.ctx, clv_run_train(r.ctx, &p, &whole));
    p = recipe(PARAMS(&r, "part"));
    p.threads = 1;
    r.cancel_at = r.batches + 9;
    cr_assert_eq(clv_run_train(r.ctx, &p, &part), CLV_ERR_CANCELLED);
    cr_expect(part.steps % (whole.steps / 2), "stopped within an epoch: %d of %d", (int)part.steps, (int)whole.steps);
    r.cancel_at = 0;
    ok(r.ctx, runs_resume(&r, "part", &part));
    cr_expect_eq(part.steps, whole.steps);
    cr_expect(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"));

    /* 70 % of 70 images are for training, stratified: 14 and 35. */
    cr_assert_eq(whole.n_class_weights, 2);
    cr_expect_eq(whole.class_weight[0], 49 / (2 * 14.0));
    cr_expect_eq(whole.class_weight[1], 49 / (2 * 35.0));
    cr_expect_eq(part.class_weight[0], whole.class_weight[0], "a resumed run has the numbers from its config");
    cr_expect_str_eq(whole.sampler, "balanced");
    json_t *c = runs_json(&r, "part/config.json");
    cr_expect_str_eq(text_of(c, "training", "loss"),
                     "categorical_crossentropy label_smoothing=0.1 class_weight=1.75,0.7");
    cr_expect_str_eq(text_of(c, "training", "sampler"), "balanced");
    json_decref(c);
    runs_end(&r);
}

static void refused(struct runs *r, struct clv_run_params p, const char *says)
{
    p.fit.epochs = 1;
    const enum clv_err e = clv_run_train(r->ctx, &p, NULL);
    cr_expect(e == CLV_ERR_ARG || e == CLV_ERR_SHAPE, "%s: %d", says, (int)e);
    cr_expect(strstr(clv_error_text(r->ctx), says), "%s", clv_error_text(r->ctx));
    cr_expect_not(clv_file_exists(P(r, "no/config.json")));
}

Test(recipes, what_is_refused)
{
    struct runs r;
    begin(&r);
    struct clv_run_params p = PARAMS(&r, "no");
    p.fit.sampler = "even";
    refused(&r, p, "unknown sampler 'even'");
    p = PARAMS(&r, "no");
    p.trainer.loss = "categorical_crossentropy class_weight=balance";
    refused(&r, p, "balanced");
    p.trainer.loss = "categorical_crossentropy class_weight=1,2,3";
    refused(&r, p, "3 values for 2 classes");
    p = PARAMS(&r, "no");
    p.trainer.pipeline.augment = "erase_p=2";
    refused(&r, p, "erase_p");
    runs_end(&r);
}

struct answers {
    int n;
    float prob[4][2];
};

static void on_result(void *priv, const char *file, const float *prob, const char *error)
{
    struct answers *a = priv;
    cr_assert(prob && a->n < 4, "%s: %s", file, error ? error : "");
    memcpy(a->prob[a->n++], prob, sizeof a->prob[0]);
}

struct seen { double prob[64]; int n; };
static void on_prediction(void *priv, const struct clv_prediction *p)
{
    struct seen *s = priv;
    cr_assert(s->n < 64);
    s->prob[s->n++] = (double)p->prob[1];
}

/* Measures the run with the views; returns what it has. */
static struct clv_run *measure(struct runs *r, const char *tta, struct seen *s)
{
    struct clv_run *run = NULL;
    struct clv_metrics m = {0};
    const struct clv_eval_params ep = {.split = CLV_SPLIT_TEST, .on_prediction = on_prediction, .priv = s};
    ok(r->ctx, clv_run_open(r->ctx, P(r, "run"), &(struct clv_run_open_params){
        .device = runs_device(), .batch = 4, .tta = tta}, &run));
    s->n = 0;
    ok(r->ctx, clv_run_eval(run, &ep, &m, NULL));
    clv_metrics_finish(&m);
    return run;
}

/* A picture and its mirror image, file by file: the mean of the two is what flip=horizontal says of either. */
Test(recipes, views_are_averaged)
{
    struct runs r;
    struct answers one = {0}, both = {0};
    struct seen plain, views, again;
    struct clv_error err = {0};
    unsigned char a[12 * 14], b[12 * 14];
    begin(&r);
    struct clv_rng rng = clv_rng_init(3, 3);
    for (int i = 0; i < 12 * 14; i++)
        a[i] = (unsigned char)clv_rng_u32(&rng);
    for (int i = 0; i < 12 * 14; i++)
        b[i] = a[i / 14 * 14 + 13 - i % 14];
    cr_assert_eq(clv_png_write(P(&r, "a.png"), &(struct clv_png){a, 14, 12, 1}, &err), CLV_OK, "%s", err.text);
    cr_assert_eq(clv_png_write(P(&r, "b.png"), &(struct clv_png){b, 14, 12, 1}, &err), CLV_OK, "%s", err.text);
    struct clv_run_params p = PARAMS(&r, "run");
    p.trainer.pipeline.augment = "rotation=20";
    p.fit.epochs = 2;
    ok(r.ctx, clv_run_train(r.ctx, &p, NULL));
    char pa[256], pb[256];
    const char *const files[] = {runs_path(&r, "a.png", pa), runs_path(&r, "b.png", pb)};
    struct clv_run *run = measure(&r, NULL, &plain);
    ok(r.ctx, clv_run_predict(run, files, 2, on_result, &one));
    cr_expect_eq(clv_run_get_info(run)->n_views, 1);
    clv_run_close(&run);
    run = measure(&r, "flip=horizontal", &views);
    ok(r.ctx, clv_run_predict(run, files, 2, on_result, &both));
    cr_assert_eq(clv_run_get_info(run)->n_views, 2);
    cr_expect_str_eq(clv_run_get_info(run)->views[1], "flip=horizontal");
    clv_run_close(&run);
    cr_expect_gt(fabsf(one.prob[0][1] - one.prob[1][1]), 1e-4f, "else this shows nothing");
    for (int i = 0; i < 2; i++)
        cr_expect_float_eq(both.prob[i][1], (one.prob[0][1] + one.prob[1][1]) / 2, 2e-6f);

    cr_assert_eq(views.n, plain.n);
    double change = 0;
    for (int i = 0; i < plain.n; i++)
        change += fabs(views.prob[i] - plain.prob[i]);
    cr_expect_gt(change, 1e-3);
    run = measure(&r, "3", &again);
    clv_run_close(&run);
    run = measure(&r, "3", &views);
    cr_expect_eq(memcmp(again.prob, views.prob, (size_t)views.n * sizeof *views.prob), 0);
    cr_expect(strstr(clv_run_get_info(run)->views[2], "rotation="), "%s", clv_run_get_info(run)->views[2]);
    clv_run_close(&run);
    cr_expect_eq(clv_run_open(r.ctx, P(&r, "run"), &(struct clv_run_open_params){.tta = "flip=up"}, &run), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(r.ctx), "tta: flip=up"), "%s", clv_error_text(r.ctx));
    runs_end(&r);
}

/* ---- soft targets ---- */

static void read_rows(const json_t *list, float *to)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < json_array_size(json_array_get(list, i)); k++)
            *to++ = (float)json_number_value(json_array_get(json_array_get(list, i), k));
}

/* One step of a network that only copies its input to the logits. */
static double loss_of(const json_t *c, int n, int classes, const json_t *weights)
{
    struct rig rig = rig_open(NULL);
    struct clv_trainer *t = NULL;
    struct clv_str text = {0};
    char model[128];
    float x[16], targets[16], kernel[16] = {0};
    double loss = 0;
    read_rows(json_object_get(c, "logits"), x);
    read_rows(json_object_get(c, "targets"), targets);
    for (int i = 0; i < classes; i++)
        kernel[i * (classes + 1)] = 1;
    clv_str_addf(&text, "%s label_smoothing=%g", classes > 1 ? "categorical_crossentropy" : "binary_crossentropy",
                 json_number_value(json_object_get(c, "smoothing")));
    for (size_t i = 0; i < json_array_size(weights); i++)
        clv_str_addf(&text, "%s%g", i ? "," : " class_weight=", json_number_value(json_array_get(weights, i)));
    snprintf(model, sizeof model, "input 1 1 %d\nflatten\ndense %d activation=%s\n", classes, classes,
             classes > 1 ? "softmax" : "sigmoid");
    struct clv_graph *g = rig_graph(&rig, model);
    ok(rig.ctx, clv_trainer_create(rig.dev, g, &(struct clv_trainer_params){.batch = n, .loss = text.text}, &t));
    ok(rig.ctx, clv_trainer_set_weight(t, 0, kernel));
    ok(rig.ctx, clv_trainer_step_targets(t, x, targets, n, &loss));
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    clv_str_finish(&text);
    rig_close(&rig);
    return loss;
}

/* Losses of mixed labels are PyTorch's, with class weights and label smoothing: tests/golden/augment.json. */
Test(recipes, losses_of_soft_targets_are_pytorchs)
{
    struct clv_error err = {0};
    json_t *owner = NULL, *c;
    size_t i;
    char *path = golden_source_path("tests/golden/augment.json");
    cr_assert_eq(clv_json_load(path, &owner, &err), CLV_OK, "%s", err.text);
    free(path);
    json_array_foreach(json_object_get(owner, "loss"), i, c)
    {
        const json_t *logits = json_object_get(c, "logits"), *want = json_object_get(c, "loss");
        const int n = (int)json_array_size(logits), classes = (int)json_array_size(json_array_get(logits, 0));
        double mean = 0;
        for (int k = 0; k < n; k++)
            mean += json_number_value(json_array_get(want, (size_t)k)) / n;
        const double got = loss_of(c, n, classes, json_object_get(c, "weights"));
        cr_expect_float_eq(got, mean, 2e-6, "case %zu: %.9g instead of %.9g", i, got, mean);
    }
    json_decref(owner);
}
