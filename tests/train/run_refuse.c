/* What a training refuses, and that it does so before it touches anything. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/lock.h"
#include "runs.h"

static void refused(struct runs *r, const struct clv_run_params *p, enum clv_err code,
                    const char *say)
{
    struct clv_run_result result = {0};
    const enum clv_err e = clv_run_train(r->ctx, p, &result);
    cr_expect_eq(e, code, "%s instead of %s: %s", clv_strerror(e), clv_strerror(code),
                 clv_error_text(r->ctx));
    cr_expect(strstr(clv_error_text(r->ctx), say), "no '%s' in: %s", say, clv_error_text(r->ctx));
}

/* A device that does not exist: whatever is said instead was said before a device was opened. */
static struct clv_run_params no_device(struct clv_run_params p)
{
    p.device.select = "no such device";
    return p;
}

Test(run_refuse, arguments_model_and_data_come_before_the_device)
{
    struct runs r;
    runs_begin(&r);
    struct clv_run_params p = no_device(PARAMS(&r, "run"));
    refused(&r, &p, CLV_ERR_NODEV, "no such device");
    cr_expect_not(clv_dir_exists(P(&r, "run")), "nothing is left behind");
    p.data = "/nonexistent";
    refused(&r, &p, CLV_ERR_IO, "/nonexistent");
    p.model = "tutorial-cmn";
    refused(&r, &p, CLV_ERR_MODEL, "tutorial-cnn");
    p.trainer.optimizer = "adam rate=1";
    refused(&r, &p, CLV_ERR_ARG, "rate");
    struct {
        struct clv_run_params p;
        const char *say;
    } bad[] = {
        {no_device(PARAMS(&r, "run")), "unknown schedule"},
        {no_device(PARAMS(&r, "run")), "unknown monitor"},
        {no_device(PARAMS(&r, "run")), "unknown loss"},
        {no_device(PARAMS(&r, "run")), "batch -1"},
        {no_device(PARAMS(&r, "run")), "augment"},
        {no_device(PARAMS(&r, "run")), "no data set"},
        {no_device(PARAMS(&r, "run")), "no folder"},
        {no_device(PARAMS(&r, "run")), "clip_norm"},
    };
    bad[0].p.fit.schedule = "linear";
    bad[1].p.fit.monitor = "val_recall";
    bad[2].p.trainer.loss = "hinge";
    bad[3].p.trainer.batch = -1;
    bad[4].p.trainer.pipeline.augment = "spin=3";
    bad[5].p.data = NULL;
    bad[6].p.out = NULL;
    bad[7].p.trainer.clip_norm = -1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&r, &bad[i].p, CLV_ERR_ARG, bad[i].say);
    cr_expect_not(clv_dir_exists(P(&r, "run")));
    runs_end(&r);
}

Test(run_refuse, output_and_classes_must_agree)
{
    struct runs r;
    runs_begin(&r);
    runs_text(&r, "net.model", "input 16 16 1\nflatten\ndense 3 activation=softmax\n");
    struct clv_run_params p = no_device(PARAMS(&r, "run"));
    refused(&r, &p, CLV_ERR_SHAPE, "3 numbers");
    cr_expect(strstr(clv_error_text(r.ctx), "2 classes"), "%s", clv_error_text(r.ctx));
    runs_end(&r);
}

Test(run_refuse, existing_runs)
{
    struct runs r;
    struct clv_run_result result = {0};
    struct clv_error err = {0};
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "run");
    p.fit.epochs = 1;
    cr_assert_eq(clv_mkdirs(p.out, &err), CLV_OK);
    runs_text(&r, "run/split.csv", "killed before there was");
    runs_text(&r, "run/config.json.tmp7.0", "more than this");
    ok(r.ctx, clv_run_train(r.ctx, &p, &result)); /* a folder without a run is fine */
    refused(&r, &p, CLV_ERR_EXISTS, "already holds a run");
    runs_text(&r, "run/notes.txt", "mine");
    p.force = true;
    p.fit.epochs = 2;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    cr_expect_eq(result.epochs, 2);
    cr_expect(clv_file_exists(P(&r, "run/notes.txt")), "only the run's own files are replaced");
    char path[256];
    p.out = runs_path(&r, "data", path);
    refused(&r, &p, CLV_ERR_EXISTS, "no run");
    cr_expect(clv_dir_exists(P(&r, "data/A")));
    p.out = runs_path(&r, "net.model", path);
    refused(&r, &p, CLV_ERR_EXISTS, "is a file");
    p.out = runs_path(&r, "net.model/run", path);
    refused(&r, &p, CLV_ERR_WRITE, "net.model");
    p = (struct clv_run_params){.resume = runs_path(&r, "nothing", path)};
    refused(&r, &p, CLV_ERR_IO, "no run");
    runs_end(&r);
}

/* Sets one member of config.json. */
static void edit(struct runs *r, const char *section, const char *key, const char *value)
{
    struct clv_error err = {0};
    json_t *c = runs_json(r, "run/config.json");
    json_t *o = section ? json_object_get(c, section) : c;
    cr_assert(json_object_get(o, key), "%s", key);
    cr_assert_eq(json_object_set_new(o, key, json_string(value)), 0);
    cr_assert_eq(clv_json_write(P(r, "run/config.json"), c, &err), CLV_OK);
    json_decref(c);
}

Test(run_refuse, resuming_on_something_else)
{
    struct runs r;
    struct clv_run_result result = {0};
    char path[256];
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "run");
    r.cancel_at = 10;
    cr_assert_eq(clv_run_train(r.ctx, &p, &result), CLV_ERR_CANCELLED);
    r.cancel_at = 0;
    p = (struct clv_run_params){.resume = runs_path(&r, "run", path), .device = runs_device()};
    json_t *config = runs_json(&r, "run/config.json");
    struct clv_error err = {0};
    static const struct {
        const char *section, *key, *say;
    } cases[] = {{"device", "driver", "driver"},
                 {"device", "name", "device"},
                 {"device", "platform", "platform"},
                 {NULL, "clavicle", "version"},
                 {"data", "fingerprint", "data"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit(&r, cases[i].section, cases[i].key, "0.0.0-other");
        refused(&r, &p, CLV_ERR_MISMATCH, cases[i].say);
        cr_expect(strstr(clv_error_text(r.ctx), "0.0.0-other"), "%s", clv_error_text(r.ctx));
        cr_assert_eq(clv_json_write(P(&r, "run/config.json"), config, &err), CLV_OK);
    }
    json_array_set_new(json_object_get(config, "selection"), 2, json_string("another kernel"));
    cr_assert_eq(clv_json_write(P(&r, "run/config.json"), config, &err), CLV_OK);
    refused(&r, &p, CLV_ERR_MISMATCH, "another kernel");
    json_decref(config);
    unlink(P(&r, "data/A/000.png"));
    refused(&r, &p, CLV_ERR_MISMATCH, "data have changed");
    runs_end(&r);
}

Test(run_refuse, a_folder_that_another_training_holds)
{
    struct runs r;
    struct clv_run_result result = {0};
    struct clv_lock lock;
    char path[256];
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "run");
    r.cancel_at = 10;
    cr_assert_eq(clv_run_train(r.ctx, &p, &result), CLV_ERR_CANCELLED);
    r.cancel_at = 0;
    cr_assert_eq(clv_lock_dir(&lock, P(&r, "run"), r.ctx), CLV_OK, "%s",
                 clv_error_text(r.ctx));
    const struct clv_run_params resume = {.resume = runs_path(&r, "run", path),
                                          .device = runs_device()};
    refused(&r, &resume, CLV_ERR_WRITE, "another process");
    p.force = true;
    refused(&r, &p, CLV_ERR_WRITE, "another process");
    clv_lock_release(&lock);
    ok(r.ctx, clv_run_train(r.ctx, &resume, &result));
    runs_end(&r);
}

Test(run_refuse, damaged_files_are_named)
{
    struct runs r;
    struct clv_run_result result = {0};
    struct clv_run *run = NULL;
    char path[256];
    runs_begin(&r);
    struct clv_run_params p = PARAMS(&r, "run");
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    p = (struct clv_run_params){.resume = runs_path(&r, "run", path)};
    cr_assert_eq(truncate(P(&r, "run/last.safetensors"), 1000), 0);
    refused(&r, &p, CLV_ERR_DATA, "run/last.safetensors");
    cr_assert_eq(truncate(P(&r, "run/best.safetensors"), 1000), 0);
    cr_expect_eq(clv_run_open(r.ctx, P(&r, "run"), NULL, &run), CLV_ERR_DATA);
    cr_expect(strstr(clv_error_text(r.ctx), "run/best.safetensors"), "%s", clv_error_text(r.ctx));
    unlink(P(&r, "run/best.safetensors"));
    cr_expect_eq(clv_run_open(r.ctx, P(&r, "run"), NULL, &run), CLV_ERR_IO);
    cr_expect(strstr(clv_error_text(r.ctx), "last"), "%s", clv_error_text(r.ctx));
    runs_text(&r, "run/config.json", "{\"clavicle\": 3}");
    refused(&r, &p, CLV_ERR_DATA, "run/config.json");
    runs_text(&r, "run/config.json", "{");
    refused(&r, &p, CLV_ERR_DATA, "run/config.json");
    cr_expect_eq(clv_run_open(r.ctx, P(&r, "run"), NULL, &run), CLV_ERR_DATA);
    runs_end(&r);
}

/* A given split with one image in train and test. */
Test(run_refuse, leaks_are_recorded_or_refused)
{
    struct runs r;
    struct clv_run_result result = {0};
    char path[256];
    runs_begin(&r);
    runs_set(&r, "given/train", 10, 1);
    runs_set(&r, "given/test", 4, 2);
    runs_image(&r, "given/test/A/copy.png", 0, 1000);
    struct clv_run_params p = PARAMS(&r, "run");
    p.data = runs_path(&r, "given", path);
    p.fit.epochs = 1;
    p.split.refuse_leaks = true;
    refused(&r, &p, CLV_ERR_LEAK, "");
    p.split.refuse_leaks = false;
    ok(r.ctx, clv_run_train(r.ctx, &p, &result));
    json_t *c = runs_json(&r, "run/config.json");
    json_t *data = json_object_get(c, "data");
    cr_expect_eq(json_integer_value(json_object_get(data, "leaked_images")), 1);
    cr_expect_eq(json_integer_value(json_object_get(data, "val")), 3);
    json_decref(c);
    runs_end(&r);
}
