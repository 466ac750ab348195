/* Training into run folders: what is written, and resuming bit for bit. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "runs.h"
#include "train/run.h"

#include <math.h>

static const char hard[] = "rotation=10 shift=0.1 flip=horizontal brightness=0.1";

/* A training with everything in it that a resumed run could get wrong. */
static struct clv_run_params hard_params(struct clv_run_params p)
{
    p.trainer.pipeline.augment = hard;
    p.trainer.clip_norm = 1;
    p.fit.schedule = "cosine warmup=3 final=0.1";
    p.fit.monitor = "val_accuracy";
    return p;
}

static size_t lines(const struct runs *r, const char *name)
{
    struct clv_error err = {0};
    unsigned char *text = NULL;
    size_t size = 0, n = 0;
    cr_assert_eq(clv_file_read(P(r, name), &text, &size, &err), CLV_OK, "%s", err.text);
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    free(text);
    return n;
}

/* All but the columns that measure time. */
static bool same_history(const struct runs *r, const char *a, const char *b)
{
    struct clv_run_history x = {0}, y = {0};
    clv_run_history_read(&x, P(r, a), 1000);
    clv_run_history_read(&y, P(r, b), 1000);
    bool same = x.n == y.n;
    for (size_t i = 0; i < x.n && same; i++) {
        x.rows[i].seconds = y.rows[i].seconds;
        x.rows[i].images_per_second = y.rows[i].images_per_second;
        same = !memcmp(&x.rows[i], &y.rows[i], sizeof x.rows[i]);
    }
    clv_run_history_finish(&x);
    clv_run_history_finish(&y);
    return same;
}

Test(run, everything_is_recorded)
{
    struct runs r;
    struct clv_run_result result = {0};
    runs_begin(&r);
    const struct clv_run_params p = PARAMS(&r, "run");
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_eq(result.epochs, 3);
    cr_expect_str_eq(result.stop_reason, "epochs");
    cr_expect_eq(result.steps, 21);
    cr_expect(result.device[0] && result.best_epoch >= 1 && isfinite(result.best_value));
    cr_expect(r.batches == 21 && r.epochs == 3 && r.ends == 1);
    json_t *c = runs_json(&r, "run/config.json");
    json_t *data = json_object_get(c, "data"), *model = json_object_get(c, "model");
    cr_expect_str_eq(json_string_value(json_object_get(c, "clavicle")), clv_version());
    cr_expect_str_eq(json_string_value(json_object_get(model, "text")), runs_model);
    cr_expect_eq(json_integer_value(json_object_get(data, "train")), 28);
    cr_expect_eq(json_integer_value(json_object_get(data, "val")), 6);
    cr_expect_eq(json_integer_value(json_object_get(data, "seed")), 5);
    cr_expect_eq(strlen(json_string_value(json_object_get(data, "fingerprint"))), 64);
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(c, "classes"), 1)), "B");
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(c, "device"), "name")),
                     result.device);
    cr_expect(json_string_value(json_object_get(json_object_get(c, "device"), "driver")));
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(c, "training"), "loss")),
                     "categorical_crossentropy");
    cr_expect(json_array_size(json_object_get(c, "selection")) > 5);
    json_decref(c);
    json_t *m = runs_json(&r, "run/metrics.json");
    json_t *val = json_object_get(m, "validation");
    cr_expect(json_is_true(json_object_get(m, "finished")));
    cr_expect_eq(json_integer_value(json_object_get(m, "best_epoch")), result.best_epoch);
    cr_expect_eq(json_integer_value(json_object_get(val, "count")), 6);
    cr_expect(fabs(json_number_value(json_object_get(val, "loss")) - result.best_value) < 1e-12,
              "the metrics are those of the best epoch");
    json_decref(m);
    cr_expect_eq(lines(&r, "run/history.csv"), 4);
    cr_expect_eq(lines(&r, "run/split.csv"), 41);
    runs_end(&r);
}

Test(run, resumed_is_uninterrupted_bit_for_bit)
{
    struct runs r;
    runs_begin(&r);
    struct clv_run_params p = hard_params(PARAMS(&r, "whole"));
    struct clv_run_result whole = {0}, part = {0};
    ok(r.ctx, clv_run_train(r.ctx, &p, &whole));
    static const int cuts[] = {2, 7, 10};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        r.batches = r.ends = 0;
        r.cancel_at = cuts[i];
        p = hard_params(PARAMS(&r, "part"));
        p.force = i > 0;
        cr_assert_eq(clv_run_train(r.ctx, &p, &part), CLV_ERR_CANCELLED, "%s",
                     clv_error_text(r.ctx));
        cr_expect_str_eq(part.stop_reason, "cancelled");
        cr_expect(part.steps >= (uint64_t)cuts[i] && part.steps <= (uint64_t)cuts[i] + 2,
                  "stopped at step %llu", (unsigned long long)part.steps);
        cr_expect_eq(r.ends, 1);
        cr_expect_not(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"));
        r.cancel_at = 0;
        ok(r.ctx, runs_resume(&r, "part", &part));
        cr_expect_eq(part.steps, 21);
        cr_expect_eq(part.best_epoch, whole.best_epoch);
        cr_expect(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"),
                  "cut after %d batches", cuts[i]);
        cr_expect(runs_same_file(&r, "whole/best.safetensors", "part/best.safetensors"),
                  "cut after %d batches", cuts[i]);
        cr_expect(same_history(&r, "whole/history.csv", "part/history.csv"), "cut after %d", cuts[i]);
        cr_expect_eq(lines(&r, "part/history.csv"), 4);
    }
    runs_end(&r);
}

/* Killed at the worst moments: before the first checkpoint, and between the files of an epoch. */
Test(run, killed_runs_go_on)
{
    struct runs r;
    runs_begin(&r);
    struct clv_run_params p = hard_params(PARAMS(&r, "whole"));
    struct clv_run_result result = {0};
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    p = hard_params(PARAMS(&r, "part"));
    r.cancel_at = r.batches + 7;
    cr_assert_eq(clv_run_train(r.ctx, &p, &result), CLV_ERR_CANCELLED);
    r.cancel_at = 0;
    runs_text(&r, "part/last.safetensors.tmp1.0", "half a checkpoint");
    unlink(P(&r, "part/last.safetensors"));
    ok(r.ctx, runs_resume(&r, "part", &result));
    cr_expect_eq(r.epochs, 3, "nothing was saved, so it begins anew");
    cr_expect_not(clv_file_exists(P(&r, "part/last.safetensors.tmp1.0")), "and is tidied up");
    cr_expect(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"));
    cr_expect_eq(lines(&r, "part/history.csv"), 4);
    ok(r.ctx, runs_resume(&r, "part", &result));
    cr_expect_eq(r.batches, 0, "a finished run has nothing to do");
    cr_expect(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"));
    runs_end(&r);
}

/* More epochs than the run had; images that were added meanwhile change nothing. */
Test(run, resumed_for_more_epochs)
{
    struct runs r;
    char path[256];
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "whole");
    struct clv_run_result result = {0};
    p.fit.epochs = 4;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    p = PARAMS(&r, "part");
    p.fit.epochs = 2;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    runs_image(&r, "data/A/another.png", 0, 99);
    runs_image(&r, "data/C/new-class.png", 0, 98);
    p = (struct clv_run_params){
        .resume = runs_path(&r, "part", path), .fit.epochs = 4, .device = runs_device()};
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_eq(result.epochs, 4);
    cr_expect(runs_same_file(&r, "whole/last.safetensors", "part/last.safetensors"));
    json_t *c = runs_json(&r, "part/config.json");
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(c, "training"), "epochs")), 4);
    json_decref(c);
    runs_end(&r);
}

Test(run, stops_early_and_by_steps)
{
    struct runs r;
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "early");
    struct clv_run_result result = {0};
    p.fit.epochs = 20;
    p.fit.patience = 2;
    p.fit.min_delta = 1e9;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_str_eq(result.stop_reason, "early stopping");
    cr_expect_eq(result.epochs, 3);
    cr_expect_eq(result.best_epoch, 1);
    json_t *m = runs_json(&r, "early/metrics.json");
    const json_t *loss = json_object_get(json_object_get(m, "validation"), "loss");
    cr_expect(json_number_value(loss) == result.best_value, "measured with the best weights");
    json_decref(m);
    ok(r.ctx, runs_resume(&r, "early", &result));
    cr_expect_str_eq(result.stop_reason, "early stopping");
    cr_expect_eq(r.batches, 0);
    p = PARAMS(&r, "steps");
    p.fit.max_steps = 3;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_str_eq(result.stop_reason, "max_steps");
    cr_expect_eq(result.steps, 3);
    cr_expect(clv_file_exists(P(&r, "steps/best.safetensors")), "there is always one to use");
    p = PARAMS(&r, "epoch");
    p.fit.max_steps = 7;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_eq(result.best_epoch, 1, "an epoch that is complete is judged");
    runs_end(&r);
}

/* ---- a folder that can no longer be written (tests/cli/disk.py fills real disks) ---- */

static void lose_folder(struct runs *r, const struct clv_event *e)
{
    struct clv_error err = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (e->epoch != 1)
        return;
    cr_assert_eq(clv_file_read(P(r, "lost/last.safetensors"), &bytes, &n, &err), CLV_OK);
    cr_assert_eq(clv_file_write(P(r, "kept"), bytes, n, &err), CLV_OK);
    free(bytes);
    cr_assert_eq(rename(P(r, "lost"), P(r, "away")), 0);
}

Test(run, a_lost_folder_leaves_the_old_checkpoint)
{
    struct runs r;
    runs_begin(&r);
    struct clv_run_params p = hard_params(PARAMS(&r, "whole"));
    struct clv_run_result result = {0};
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    r.at_epoch = lose_folder;
    p = hard_params(PARAMS(&r, "lost"));
    const enum clv_err e = clv_run_train(r.ctx, &p, &result);
    r.at_epoch = NULL;
    cr_assert_eq(e, CLV_ERR_WRITE, "%s", clv_error_text(r.ctx));
    cr_expect(strstr(clv_error_text(r.ctx), "/lost/"), "%s", clv_error_text(r.ctx));
    cr_assert_eq(rename(P(&r, "away"), P(&r, "lost")), 0);
    cr_expect(runs_same_file(&r, "kept", "lost/last.safetensors"));
    ok(r.ctx, runs_resume(&r, "lost", &result));
    cr_expect(runs_same_file(&r, "whole/last.safetensors", "lost/last.safetensors"));
    runs_end(&r);
}

/* ---- kinds of networks and images ---- */

Test(run, one_sigmoid_output_for_two_classes)
{
    struct runs r;
    runs_begin(&r);
    runs_text(&r, "net.model", "input 16 16 3\nflatten\ndense 1 activation=sigmoid\n");
    struct clv_run_params p = PARAMS(&r, "run");
    struct clv_run_result result = {0};
    struct clv_run *run = NULL;
    struct clv_metrics m = {0};
    p.fit.epochs = 8;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    ok(r.ctx, clv_run_open(r.ctx, P(&r, "run"),
                           &(struct clv_run_open_params){.device = runs_device()}, &run));
    ok(r.ctx, clv_run_eval(run, &(struct clv_eval_params){.split = CLV_SPLIT_TRAIN}, &m, NULL));
    cr_expect_eq(m.n_classes, 2);
    cr_expect(m.auc > .9, "auc %g", m.auc);
    clv_metrics_finish(&m);
    clv_run_close(&run);
    runs_end(&r);
}
