/* Evaluating and predicting with a run. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "../data/make.h"
#include "runs.h"

#include <math.h>

/* A trained run, opened; the folder may be another than where it was trained. */
static struct clv_run *trained(struct runs *r, int epochs)
{
    struct clv_run_result result = {0};
    struct clv_run *run = NULL;
    struct clv_run_params p = PARAMS(r, "run");
    p.fit.epochs = epochs;
    ok(r->ctx, clv_run_train(r->ctx, &p, &result));
    ok(r->ctx, clv_run_open(r->ctx, P(r, "run"),
                            &(struct clv_run_open_params){.device = runs_device()}, &run));
    return run;
}

struct seen {
    size_t n, done, total;
    char path[64][128];
    float prob[64][2];
    int label[64];
};

static void on_prediction(void *priv, const struct clv_prediction *p)
{
    struct seen *s = priv;
    cr_assert(s->n < 64);
    snprintf(s->path[s->n], sizeof s->path[0], "%s", p->path);
    memcpy(s->prob[s->n], p->prob, sizeof s->prob[0]);
    cr_expect_eq(p->predicted, p->prob[1] > p->prob[0]);
    s->label[s->n++] = p->label;
}

static void on_progress(void *priv, size_t done, size_t total)
{
    struct seen *s = priv;
    cr_expect(done > s->done);
    s->done = done;
    s->total = total;
}

Test(run_use, eval_goes_by_the_runs_list)
{
    struct runs r;
    struct seen s = {0};
    struct clv_metrics m = {0}, more = {0};
    size_t unknown = 77;
    runs_begin(&r);
    struct clv_run *run = trained(&r, 8);
    const struct clv_run_info *info = clv_run_get_info(run);
    cr_expect(info->n_classes == 2 && info->height == 16 && info->channels == 1);
    cr_expect(info->epoch >= 1 && !info->device, "no device before it is needed");
    struct clv_eval_params p = {.split = CLV_SPLIT_TEST,
                                .on_prediction = on_prediction,
                                .on_progress = on_progress,
                                .priv = &s};
    ok(r.ctx, clv_run_eval(run, &p, &m, &unknown));
    cr_expect_eq(unknown, 0);
    cr_expect(info->device && info->device[0]);
    cr_expect(m.count == 6 && s.n == 6 && s.done == 6 && s.total == 6);
    cr_expect(m.accuracy > .8, "accuracy %g", m.accuracy);
    cr_expect_eq(m.positive, 1);
    for (size_t i = 0; i < s.n; i++)
        cr_expect_eq(s.label[i], s.path[i][0] == 'B', "%s", s.path[i]);
    /* Images that come later, one of them a copy of a training image under another name. */
    runs_image(&r, "data/A/later.png", 0, 4711);
    runs_image(&r, "data/B/later.png", 1, 4712);
    p = (struct clv_eval_params){.split = CLV_SPLIT_TEST, .positive = "A"};
    ok(r.ctx, clv_run_eval(run, &p, &more, &unknown));
    cr_expect_eq(unknown, 2);
    cr_expect(more.count == m.count && more.accuracy == m.accuracy && more.loss == m.loss);
    cr_expect(strstr(r.log, "later.png"), "unknown files are named");
    cr_expect_eq(more.positive, 0);
    clv_metrics_finish(&more);
    p.positive = "C";
    cr_expect_eq(clv_run_eval(run, &p, &more, &unknown), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(r.ctx), "A, B"), "%s", clv_error_text(r.ctx));
    clv_metrics_finish(&m);
    clv_run_close(&run);
    cr_expect_null(run);
    clv_run_close(&run);
    runs_end(&r);
}

Test(run_use, eval_on_another_data_set)
{
    struct runs r;
    struct clv_metrics m = {0};
    size_t unknown = 77;
    char path[256];
    runs_begin(&r);
    struct clv_run *run = trained(&r, 8);
    for (int i = 0; i < 10; i++) { /* only the second class: its label there is 0 */
        char name[64];
        snprintf(name, sizeof name, "other/test/B/%d.png", i);
        runs_image(&r, name, 1, 7000 + (uint64_t)i);
        snprintf(name, sizeof name, "other/train/B/%d.png", i);
        runs_image(&r, name, 1, 8000 + (uint64_t)i);
        snprintf(name, sizeof name, "strange/test/C/%d.png", i);
        runs_image(&r, name, 1, 9000 + (uint64_t)i);
    }
    struct clv_eval_params p = {.data = runs_path(&r, "other", path), .split = CLV_SPLIT_TEST};
    ok(r.ctx, clv_run_eval(run, &p, &m, &unknown));
    cr_expect_eq(unknown, 0);
    cr_expect_eq(m.count, 10);
    cr_expect_eq(m.per_class[1].support, 10, "labels are matched by name");
    cr_expect(m.accuracy > .8, "accuracy %g", m.accuracy);
    cr_expect(isnan(m.auc));
    clv_metrics_finish(&m);
    p.data = runs_path(&r, "strange", path);
    cr_expect_eq(clv_run_eval(run, &p, &m, &unknown), CLV_ERR_DATA);
    cr_expect(strstr(clv_error_text(r.ctx), "class C"), "%s", clv_error_text(r.ctx));
    p = (struct clv_eval_params){.data = runs_path(&r, "other", path), .split = CLV_SPLIT_VAL};
    clv_run_close(&run);
    runs_end(&r);
}

struct answers {
    int n;
    char file[16][128];
    float prob[16][2];
    char error[16][256];
};

static void on_result(void *priv, const char *file, const float *prob, const char *error)
{
    struct answers *a = priv;
    cr_assert(a->n < 16);
    cr_expect((prob == NULL) == (error != NULL));
    snprintf(a->file[a->n], sizeof a->file[0], "%s", file);
    snprintf(a->error[a->n], sizeof a->error[0], "%s", error ? error : "");
    if (prob)
        memcpy(a->prob[a->n], prob, sizeof a->prob[0]);
    a->n++;
}

Test(run_use, predict_goes_on_past_bad_files)
{
    struct runs r;
    struct seen s = {0};
    struct answers a = {0};
    struct clv_metrics m = {0};
    runs_begin(&r);
    struct clv_run *run = trained(&r, 3);
    struct clv_eval_params p = {
        .split = CLV_SPLIT_TEST, .on_prediction = on_prediction, .priv = &s};
    ok(r.ctx, clv_run_eval(run, &p, &m, NULL));
    runs_text(&r, "bad.png", "no image");
    char name[8][256];
    const char *files[8];
    for (int i = 0; i < 8; i++) {
        char rel[160];
        if (i == 2)
            snprintf(rel, sizeof rel, "bad.png");
        else if (i == 5)
            snprintf(rel, sizeof rel, "missing.png");
        else
            snprintf(rel, sizeof rel, "data/%s", s.path[i - (i > 2) - (i > 5)]);
        files[i] = runs_path(&r, rel, name[i]);
    }
    cr_expect_eq(clv_run_predict(run, files, 8, on_result, &a), CLV_ERR_DATA);
    cr_expect(strstr(clv_error_text(r.ctx), "2 of 8"), "%s", clv_error_text(r.ctx));
    cr_assert_eq(a.n, 8);
    for (int i = 0; i < 8; i++) {
        cr_expect_str_eq(a.file[i], files[i]);
        if (i == 2 || i == 5) {
            cr_expect(strstr(a.error[i], i == 2 ? "bad.png" : "missing.png"), "%s", a.error[i]);
            continue;
        }
        cr_expect_str_eq(a.error[i], "");
        cr_expect_arr_eq(a.prob[i], s.prob[i - (i > 2) - (i > 5)], sizeof a.prob[0],
                         "%s: as in eval", files[i]);
        cr_expect(fabsf(a.prob[i][0] + a.prob[i][1] - 1) < 1e-6f);
    }
    a.n = 0;
    ok(r.ctx, clv_run_predict(run, files, 2, on_result, &a));
    ok(r.ctx, clv_run_predict(run, files, 0, on_result, &a));
    cr_expect_eq(a.n, 2);
    clv_metrics_finish(&m);
    clv_run_close(&run);
    runs_end(&r);
}

/* 16 bits, colour, of many sizes: staging has room for them in training and in use. */
Test(run_use, large_and_deep_images)
{
    struct runs r;
    struct answers a = {0};
    char path[256];
    runs_begin(&r);
    for (unsigned i = 0; i < 24; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s/deep/%c/%u.png", r.dir, "AB"[i % 2], i);
        make_png(name, &(struct make_png){.width = 20 + (int)i,
                                          .height = 60 - (int)i,
                                          .color_type = 2,
                                          .depth = 16,
                                          .seed = i});
    }
    runs_text(&r, "net.model",
              "input 16 16 3\nconv2d 4 3 activation=relu\nflatten\n"
              "dense 2 activation=softmax\n");
    struct clv_run_params p = PARAMS(&r, "run");
    struct clv_run_result result = {0};
    struct clv_run *run = NULL;
    p.data = runs_path(&r, "deep", path);
    p.trainer.pipeline.preprocess = "mean=0.5 std=0.25";
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    snprintf(path, sizeof path, "%s/huge.png", r.dir);
    make_png(path, &(struct make_png){.width = 300, .height = 200, .color_type = 2, .depth = 16});
    ok(r.ctx,
       clv_run_open(r.ctx, P(&r, "run"),
                    &(struct clv_run_open_params){.device = runs_device(), .batch = 2}, &run));
    ok(r.ctx, clv_run_predict(run, (const char *const[]){path}, 1, on_result, &a));
    clv_run_close(&run);
    runs_end(&r);
}
