/* Epochs over sources in memory and callbacks: learning, stopping, and resuming bit for bit. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "../base/tmp.h"
#include "../data/make.h"
#include "setting.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char model[] = "input 6 5 2\nconv2d 6 3 activation=relu\nflatten\ndropout 0.2\n"
                            "dense 8 activation=relu\ndense 3 activation=softmax\n";
enum { COUNT = 60, CLASSES = 3, N = 50 };

struct watch {
    int batches, epochs, cancel_at, saves;
    uint64_t steps;
    double first_loss, last_loss;
    const char *reason;
    struct clv_trainer *t;
    struct clv_fit_state state;
    char path[256];
};

static int on_event(void *priv, const struct clv_event *e)
{
    struct watch *w = priv;
    if (e->kind == CLV_EVENT_BATCH)
        w->batches++;
    if (e->kind == CLV_EVENT_EPOCH && !w->epochs++)
        w->first_loss = e->loss;
    if (e->kind == CLV_EVENT_EPOCH)
        w->last_loss = e->loss;
    if (e->kind == CLV_EVENT_END)
        w->reason = e->stop_reason;
    return w->cancel_at && w->batches >= w->cancel_at;
}

static int on_checkpoint(void *priv, const struct clv_fit_state *state, bool epoch_end, bool best)
{
    struct watch *w = priv;
    (void)epoch_end, (void)best;
    w->state = *state;
    w->saves++;
    w->steps = clv_trainer_steps(w->t);
    return *w->path ? (int)clv_trainer_save(w->t, w->path, NULL) : 0;
}

static struct setting begin_as(struct clv_trainer_params p)
{
    p.batch = 8;
    p.seed = 3;
    return setting_open(rig_open(NULL), model, N, COUNT, CLASSES, &p);
}

static struct setting begin(const char *optimizer)
{
    return begin_as((struct clv_trainer_params){.optimizer = optimizer});
}

Test(fit, learns_and_reports)
{
    struct setting s = begin("adam learning_rate=0.01");
    struct watch w = {.t = s.t};
    const struct clv_batch_source src = {.x = s.x, .labels = s.labels, .n = N};
    struct clv_metrics m;
    ok(s.r.ctx, clv_trainer_fit(s.t, &src, &src, &(struct clv_fit_params){
        .epochs = 12, .on_event = on_event, .on_checkpoint = on_checkpoint, .priv = &w}));
    cr_expect_eq(w.epochs, 12);
    cr_expect_eq(w.batches, 12 * 7);
    cr_expect_eq(w.saves, 12);
    cr_expect_eq(clv_trainer_steps(s.t), 12u * 7);
    cr_expect_str_eq(w.reason, "epochs");
    cr_expect_lt(w.last_loss, .7 * w.first_loss);
    ok(s.r.ctx, clv_trainer_evaluate(s.t, &src, -1, &m, NULL, NULL));
    cr_expect_gt(m.accuracy, .8);
    cr_expect_eq(m.count, N);
    clv_metrics_finish(&m);
    setting_close(&s);
}

/* Cancelled in the middle of an epoch and resumed by another trainer = never interrupted. */
static void resume(struct clv_trainer_params params, const char *sampler)
{
    struct setting a = begin_as(params), b = begin_as(params), c = begin_as(params);
    struct watch wa = {.t = a.t}, wb = {.t = b.t, .cancel_at = 10}, wc = {.t = c.t};
    const struct clv_batch_source src = {.x = a.x, .labels = a.labels, .n = N};
    snprintf(wb.path, sizeof wb.path, "%s/fit-resume-%d.safetensors", getenv("CLAVICLE_TEST_BUILD"), (int)getpid());
    struct clv_fit_params p = {.epochs = 4, .schedule = "cosine warmup=5", .sampler = sampler, .on_event = on_event,
                               .on_checkpoint = on_checkpoint, .priv = &wa};
    ok(a.r.ctx, clv_trainer_fit(a.t, &src, &src, &p));
    p.priv = &wb;
    ok(b.r.ctx, clv_trainer_fit(b.t, &src, &src, &p));
    cr_expect_str_eq(wb.reason, "cancelled");
    cr_expect_lt(clv_trainer_steps(b.t), clv_trainer_steps(a.t));
    ok(c.r.ctx, clv_trainer_load(c.t, wb.path));
    cr_expect_eq(clv_trainer_steps(c.t), wb.state.step);
    p.priv = &wc;
    p.resume = &wb.state;
    ok(c.r.ctx, clv_trainer_fit(c.t, &src, &src, &p));
    cr_expect(setting_same(&a, &c));
    cr_expect_eq(clv_trainer_skipped(a.t), clv_trainer_skipped(c.t));
    cr_expect_eq(clv_trainer_loss_scale(a.t), clv_trainer_loss_scale(c.t));
    cr_expect_eq(clv_trainer_skipped(a.t) > 4, params.loss_scale > 0);
    remove(wb.path);
    setting_close(&a), setting_close(&b), setting_close(&c);
}

Test(fit, resumed_is_uninterrupted_bit_for_bit)
{
    resume((struct clv_trainer_params){.optimizer = "adam"}, NULL);
}

/* With steps that are skipped before and behind the interruption, while others are in flight. */
Test(fit, resumed_with_a_loss_scale_is_uninterrupted_bit_for_bit)
{
    resume((struct clv_trainer_params){
        .optimizer = "adam", .precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 0x1p22, .loss_scale_steps = 3}, NULL);
}

/* Mixed batches, whose weights depend on nothing that is in flight; one of both a batch; samples are drawn. */
Test(fit, resumed_with_mixed_batches_is_uninterrupted_bit_for_bit)
{
    resume((struct clv_trainer_params){.optimizer = "adam", .pipeline.augment = "mixup=0.4 cutmix=1"}, "balanced");
}

struct feed { const struct setting *s; size_t at; int rewinds; };

static int next(void *priv, int batch, float *x, int32_t *labels)
{
    struct feed *f = priv;
    const size_t n = f->at + (size_t)batch > N ? N - f->at : (size_t)batch;
    memcpy(x, f->s->x + f->at * COUNT, n * COUNT * sizeof *x);
    memcpy(labels, f->s->labels + f->at, n * sizeof *labels);
    f->at += n;
    return (int)n;
}

static int rewind_feed(void *priv, uint64_t epoch)
{
    struct feed *f = priv;
    (void)epoch;
    f->at = 0;
    f->rewinds++;
    return 0;
}

static int broken(void *priv, int batch, float *x, int32_t *labels)
{
    (void)priv, (void)batch, (void)x, (void)labels;
    return CLV_ERR_IO;
}

Test(fit, batches_from_a_callback)
{
    struct setting s = begin("adam learning_rate=0.01");
    struct watch w = {.t = s.t};
    struct feed f = {.s = &s};
    const struct clv_batch_source src = {.next = next, .rewind = rewind_feed, .priv = &f},
                                  bad = {.next = broken};
    ok(s.r.ctx, clv_trainer_fit(s.t, &src, NULL, &(struct clv_fit_params){
        .epochs = 3, .on_event = on_event, .priv = &w}));
    cr_expect_eq(w.batches, 3 * 7);
    cr_expect_eq(f.rewinds, 3);
    cr_expect_eq(clv_trainer_fit(s.t, &bad, NULL, NULL), CLV_ERR_IO);
    setting_close(&s);
}

/* Plain floats are the input's memory; with records they are sampled into it. */
Test(fit, plain_floats_and_staged_ones_give_the_same_bits)
{
    struct setting a = begin("adam"), b = begin("adam");
    clv_trainer_destroy(&b.t);
    clv_graph_destroy(&b.g);
    b.g = rig_graph(&b.r, model);
    ok(b.r.ctx, clv_trainer_create(b.r.dev, b.g, &(struct clv_trainer_params){
        .batch = 8, .seed = 3, .max_image_bytes = COUNT * sizeof(float)}, &b.t));
    cr_expect_lt(clv_trainer_get_memory(a.t).io, clv_trainer_get_memory(b.t).io);
    float *weights[2], out[2][N * CLASSES];
    size_t n;
    struct setting *s[2] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        struct feed f = {.s = s[i]};
        const struct clv_batch_source memory = {.x = s[i]->x, .labels = s[i]->labels, .n = N},
                                      callback = {.next = next, .rewind = rewind_feed, .priv = &f};
        const struct clv_fit_params p = {.epochs = 1};
        ok(s[i]->r.ctx, clv_trainer_fit(s[i]->t, &memory, &callback, &p));
        ok(s[i]->r.ctx, clv_trainer_fit(s[i]->t, &callback, &memory, &p));
        ok(s[i]->r.ctx, clv_trainer_step(s[i]->t, s[i]->x + 3 * COUNT, s[i]->labels + 3, 5, NULL));
        ok(s[i]->r.ctx, clv_trainer_predict(s[i]->t, s[i]->x, N, out[i]));
        weights[i] = rig_weights(&s[i]->r, s[i]->t, false, &n);
    }
    cr_expect_arr_eq(weights[0], weights[1], n * sizeof **weights);
    cr_expect_arr_eq(out[0], out[1], sizeof out[0]);
    free(weights[0]), free(weights[1]);
    setting_close(&a), setting_close(&b);
}

/* A trainer for floats that is given a data set after all. */
Test(fit, a_data_set_after_floats)
{
    struct setting s = begin("adam learning_rate=0.01");
    char dir[64];
    struct clv_data *data = NULL;
    struct clv_metrics before, after;
    tmp_dir(dir);
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%u.png", 'a' + (int)(i % CLASSES), i);
        make_gray(dir, name, i);
    }
    ok(s.r.ctx, clv_data_open(s.r.ctx, dir, NULL, &data));
    const struct clv_batch_source floats = {.x = s.x, .labels = s.labels, .n = N},
                                  images = {.data = data, .split = CLV_SPLIT_TRAIN};
    ok(s.r.ctx, clv_trainer_evaluate(s.t, &floats, -1, &before, NULL, NULL));
    ok(s.r.ctx, clv_trainer_evaluate(s.t, &images, -1, &after, NULL, NULL));
    clv_metrics_finish(&after);
    ok(s.r.ctx, clv_trainer_evaluate(s.t, &floats, -1, &after, NULL, NULL));
    cr_expect_eq(before.loss, after.loss);
    ok(s.r.ctx, clv_trainer_fit(s.t, &images, &floats, &(struct clv_fit_params){.epochs = 1}));
    clv_metrics_finish(&before), clv_metrics_finish(&after);
    clv_data_close(&data);
    setting_close(&s);
    tmp_remove(dir);
}

Test(fit, early_stopping_and_limits)
{
    struct setting s = begin("sgd learning_rate=0");
    struct watch w = {.t = s.t};
    const struct clv_batch_source src = {.x = s.x, .labels = s.labels, .n = N};
    struct clv_fit_params p = {.epochs = 50, .patience = 2, .on_event = on_event, .priv = &w};
    ok(s.r.ctx, clv_trainer_fit(s.t, &src, &src, &p));
    cr_expect_eq(w.epochs, 3, "a frozen net improves once, then never: %d epochs", w.epochs);
    cr_expect_str_eq(w.reason, "early stopping");
    p.patience = 0;
    p.max_steps = clv_trainer_steps(s.t) + 5;
    ok(s.r.ctx, clv_trainer_fit(s.t, &src, NULL, &p));
    cr_expect_eq(clv_trainer_steps(s.t), p.max_steps);
    cr_expect_str_eq(w.reason, "max_steps");
    setting_close(&s);
}

Test(fit, a_loss_that_is_not_finite_stops_with_its_step)
{
    struct setting s = begin("sgd");
    s.x[7] = NAN;
    const struct clv_batch_source src = {.x = s.x, .labels = s.labels, .n = N};
    cr_expect_eq(clv_trainer_fit(s.t, &src, NULL, NULL), CLV_ERR_NONFINITE);
    cr_expect(strstr(clv_error_text(s.r.ctx), "step"), "%s", clv_error_text(s.r.ctx));
    setting_close(&s);
}

Test(fit, wrong_arguments_are_named)
{
    struct setting s = begin("adam");
    const struct clv_batch_source src = {.x = s.x, .labels = s.labels, .n = N}, none = {0};
    int32_t bad = 7;
    double loss;
    cr_expect_eq(clv_trainer_fit(s.t, &none, NULL, NULL), CLV_ERR_ARG);
    cr_expect_eq(clv_trainer_fit(s.t, &src, NULL, &(struct clv_fit_params){.monitor = "val_auc"}), CLV_ERR_ARG);
    cr_expect_eq(clv_trainer_fit(s.t, &src, NULL, &(struct clv_fit_params){.schedule = "cosin"}), CLV_ERR_ARG);
    cr_expect_eq(clv_trainer_fit(s.t, &src, NULL, &(struct clv_fit_params){.sampler = "balancd"}), CLV_ERR_ARG);
    struct feed f = {.s = &s};
    const struct clv_batch_source feed = {.next = next, .priv = &f};
    cr_expect_eq(clv_trainer_fit(s.t, &feed, NULL, &(struct clv_fit_params){.sampler = "balanced"}), CLV_ERR_ARG);
    cr_expect_eq(clv_trainer_step(s.t, s.x, &bad, 1, &loss), CLV_ERR_ARG);
    cr_expect_eq(clv_trainer_step(s.t, s.x, s.labels, 9, &loss), CLV_ERR_ARG);
    setting_close(&s);
}
