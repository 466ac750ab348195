/* Folds and trials: the same training several times, in folders of their own, and their numbers together.
 *
 * Order of writing: split.csv and config.json of the whole; each member's own files; results.json after each
 * measurement on the test split, so that none is made twice. */
#include "sweep/set.h"

#include "base/file.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct repeat {
    struct clv_context *ctx;
    const struct clv_repeat_params *params;
    struct clv_run_params shared; /* of the whole */
    struct clv_run_result *result;
    struct clv_run_job job; /* of the whole: its choices, its lock */
    int folds, trials, n;
    json_t *members;        /* results, in order */
};

/* ---- names ---- */

static enum clv_err describe(const struct repeat *r, int i, enum clv_member_stage stage, char name[CLV_MEMBER_NAME],
                             struct clv_member *ret)
{
    const int fold = r->folds ? 1 + i % r->folds : 0, trial = 1 + (r->folds ? i / r->folds : i);
    if (r->folds && r->trials > 1)
        snprintf(name, CLV_MEMBER_NAME, "fold-%d-trial-%d", fold, trial);
    else
        snprintf(name, CLV_MEMBER_NAME, "%s-%d", fold ? "fold" : "trial", fold ? fold : trial);
    char *path = clv_path_join(r->job.paths.dir, name);
    if (!path)
        return clv_fail_nomem(&r->ctx->err, name);
    *ret = (struct clv_member){.name = name, .path = path, .number = i + 1, .members = r->n, .fold = fold,
                               .trial = trial, .seed = r->job.config.trainer.seed + (uint64_t)(trial - 1), .stage = stage};
    return CLV_OK;
}

static enum clv_err tell(const struct repeat *r, const struct clv_member *m)
{
    if (!r->params->on_member || !r->params->on_member(r->params->priv, m))
        return CLV_OK;
    return clv_fail(&r->ctx->err, CLV_ERR_CANCELLED, "cancelled before %s; %s can be resumed", m->name, r->job.paths.dir);
}

bool clv_repeat_is(const char *run)
{
    struct clv_error ignored = {0};
    json_t *json = NULL;
    char *path = clv_path_join(run, "config.json");
    bool is = false;
    if (path && clv_file_exists(path) && !clv_json_load(path, &json, &ignored))
        is = json_integer_value(json_object_get(json, "trials")) > 0;
    json_decref(json);
    free(path);
    return is;
}

/* ---- the whole ---- */

static enum clv_err check_numbers(struct repeat *r)
{
    const struct clv_run_config *c = &r->job.config;
    struct clv_error *err = &r->ctx->err;
    if (c->json && !c->trials)
        return clv_fail(err, CLV_ERR_ARG, "%s: holds a single run, no folds or trials", r->job.paths.dir);
    r->folds = c->json ? c->folds : r->params->folds;
    r->trials = c->json ? c->trials : CLV_MAX(r->params->trials, 1);
    if (r->folds < 0 || r->folds == 1 || r->folds > CLV_MAX_FOLDS || r->trials > CLV_MAX_TRIALS || r->params->trials < 0)
        return clv_fail(err, CLV_ERR_ARG, "%d folds, %d trials: expected 2 to %d folds and up to %d trials", r->folds,
                        r->trials, CLV_MAX_FOLDS, CLV_MAX_TRIALS);
    r->n = CLV_MAX(r->folds, 1) * r->trials;
    return CLV_OK;
}

/* Everything that members share is checked and recorded before the first of them begins. */
static enum clv_err begin(struct repeat *r)
{
    struct clv_run_job *j = &r->job;
    r->shared = r->params->run;
    r->shared.split.folds = r->params->folds;
    r->shared.split.fold = r->params->folds ? 1 : 0;
    *j = clv_run_job_init(r->ctx, &r->shared);
    j->set = true;
    if (!r->shared.resume)
        CLV_TRY(check_numbers(r));
    CLV_TRY(clv_run_check(j));
    CLV_TRY(check_numbers(r));
    j->config.folds = r->folds;
    j->config.trials = r->trials;
    CLV_TRY(clv_run_write_first(j));
    clv_graph_destroy(&j->graph);
    clv_data_close(&j->data);
    return CLV_OK;
}

/* A device that cannot be opened, say: nothing was trained, and nothing is left. */
static void leave(const struct repeat *r)
{
    const struct clv_run_paths *p = &r->job.paths;
    struct clv_error ignored = {0};
    char **names = NULL;
    size_t n = 0;
    if (r->shared.resume || !p->dir || !r->job.config.trials || clv_dir_list(p->dir, &names, &n, &ignored))
        return;
    bool others = false;
    for (size_t i = 0; i < n; i++)
        others = others || (strcmp(names[i], "config.json") != 0 && strcmp(names[i], "split.csv") != 0);
    clv_list_free(names, n);
    if (others)
        return;
    (void)unlink(p->config);
    (void)unlink(p->split);
    if (r->job.made_dir)
        (void)rmdir(p->dir);
}

/* ---- training ---- */

static struct clv_run_params member_params(const struct repeat *r, const struct clv_member *m)
{
    const struct clv_run_params *given = &r->params->run;
    const struct clv_run_config *c = &r->job.config;
    struct clv_run_params p = {.data = c->data_path, .out = m->path, .device = c->device, .split = c->split,
                               .trainer = c->trainer, .fit = c->fit, .threads = c->threads, .cache_bytes = c->cache_bytes,
                               .checkpoint_seconds = c->checkpoint_seconds};
    p.split.fold = m->fold;
    p.trainer.seed = m->seed;
    p.trainer.tune = given->trainer.tune;
    p.trainer.tuning = given->trainer.tuning;
    p.trainer.self_test = given->trainer.self_test;
    p.trainer.check_finite = given->trainer.check_finite;
    p.fit.trace = NULL;
    p.fit.on_event = given->fit.on_event;
    p.fit.priv = given->fit.priv;
    return p;
}

static enum clv_err train_member(struct repeat *r, struct clv_member *m)
{
    struct clv_run_paths paths;
    struct clv_run_params p = member_params(r, m);
    const struct clv_run_config *c = &r->job.config;
    const struct clv_run_origin origin = {c->model_name, c->model_text, r->job.paths.split};
    CLV_TRY(clv_run_paths_init(&paths, m->path, &r->ctx->err));
    const bool begun = clv_file_exists(paths.config);
    m->stage = clv_member_finished(&paths, &c->fit) ? CLV_MEMBER_KEPT : CLV_MEMBER_TRAIN;
    clv_run_paths_finish(&paths);
    if (begun) {
        p.resume = p.out;
        p.data = p.out = NULL;
    }
    CLV_TRY(tell(r, m));
    return m->stage == CLV_MEMBER_KEPT ? CLV_OK : clv_run_train_from(r->ctx, &p, &origin, r->result);
}

static enum clv_err train_all(struct repeat *r)
{
    for (int i = 0; i < r->n; i++) {
        char name[CLV_MEMBER_NAME];
        struct clv_member m;
        CLV_TRY(describe(r, i, CLV_MEMBER_TRAIN, name, &m));
        const enum clv_err e = train_member(r, &m);
        if (e && e != CLV_ERR_CANCELLED)
            clv_fail_prefix(&r->ctx->err, "%s", name);
        free((char *)m.path);
        CLV_TRY(e);
    }
    return CLV_OK;
}

/* ---- results ---- */

static enum clv_err add_result(struct repeat *r, const struct clv_member *m)
{
    static const char *const kept[] = {"epochs", "steps", "stop_reason", "monitor", "best_epoch", "best_value", "validation"};
    json_t *metrics = NULL, *o = json_object();
    enum clv_err e = clv_member_metrics(r->ctx, m->path, &metrics);
    bool ok = clv_json_set(o, "name", json_string(m->name));
    ok = clv_json_set(o, "fold", m->fold ? json_integer(m->fold) : json_null()) && ok;
    ok = clv_json_set(o, "trial", json_integer(m->trial)) && ok;
    ok = clv_json_set_u64(o, "seed", m->seed) && ok;
    for (size_t i = 0; i < CLV_COUNT(kept) && !e; i++) {
        json_t *value = json_object_get(metrics, kept[i]);
        ok = clv_json_set(o, kept[i], value ? json_incref(value) : json_null()) && ok;
    }
    ok = clv_json_set(o, "test", json_null()) && ok;
    json_decref(metrics);
    if (!e && (!ok || json_array_append(r->members, o)))
        e = clv_fail_nomem(&r->ctx->err, "the results");
    json_decref(o);
    return e;
}

/* What an earlier process measured, if it was the same weights. */
static void take_measured(const struct repeat *r)
{
    struct clv_error ignored = {0};
    json_t *old = NULL;
    char *path = clv_path_join(r->job.paths.dir, "results.json");
    if (path && clv_file_exists(path) && !clv_json_load(path, &old, &ignored)) {
        const json_t *members = json_object_get(old, "members");
        for (size_t i = 0; i < json_array_size(members) && i < json_array_size(r->members); i++) {
            const json_t *was = json_array_get(members, i);
            json_t *is = json_array_get(r->members, i), *test = json_object_get(was, "test");
            if (json_equal(json_object_get(was, "steps"), json_object_get(is, "steps")) &&
                json_equal(json_object_get(was, "best_epoch"), json_object_get(is, "best_epoch")) && test)
                (void)json_object_set(is, "test", test);
        }
    }
    json_decref(old);
    free(path);
}

static enum clv_err write_results(const struct repeat *r, bool finished, struct clv_report *report)
{
    struct clv_str text = {0};
    json_t *o = json_object(), *summary = json_object();
    bool ok = clv_json_set(o, "folds", r->folds ? json_integer(r->folds) : json_null());
    ok = clv_json_set(o, "trials", json_integer(r->trials)) && ok;
    ok = clv_json_set(o, "finished", json_boolean(finished)) && ok;
    ok = clv_json_set(o, "members", json_incref(r->members)) && ok;
    ok = clv_json_set(summary, "validation", clv_members_summary(r->members, "validation")) && ok;
    ok = clv_json_set(summary, "test", clv_members_summary(r->members, "test")) && ok;
    ok = clv_json_set(o, "summary", summary) && ok;
    if (ok)
        clv_repeat_print(o, &text);
    const enum clv_err e = ok ? clv_results_write(r->ctx, r->job.paths.dir, o, &text, report)
                              : clv_fail_nomem(&r->ctx->err, "the results");
    clv_str_finish(&text);
    json_decref(o);
    return e;
}

static enum clv_err test_member(struct repeat *r, int i, struct clv_member *m)
{
    json_t *o = json_array_get(r->members, (size_t)i), *test = NULL;
    m->stage = CLV_MEMBER_TEST;
    if (!json_is_null(json_object_get(o, "test")))
        return CLV_OK;
    CLV_TRY(tell(r, m));
    CLV_TRY(clv_member_test(r->ctx, m->path, &r->shared, &test));
    if (!clv_json_set(o, "test", test))
        return clv_fail_nomem(&r->ctx->err, "the results");
    return write_results(r, false, NULL);
}

static enum clv_err measure_all(struct repeat *r, struct clv_report *report)
{
    const bool test = r->job.config.count[CLV_SPLIT_TEST] > 0;
    r->members = json_array();
    for (int pass = 0; pass < 1 + test; pass++) {
        for (int i = 0; i < r->n; i++) {
            char name[CLV_MEMBER_NAME];
            struct clv_member m;
            CLV_TRY(describe(r, i, CLV_MEMBER_TEST, name, &m));
            const enum clv_err e = pass ? test_member(r, i, &m) : add_result(r, &m);
            free((char *)m.path);
            CLV_TRY(e);
        }
        if (!pass)
            take_measured(r);
    }
    return write_results(r, true, report);
}

enum clv_err clv_repeat_train(struct clv_context *ctx, const struct clv_repeat_params *params, struct clv_run_result *result,
                              struct clv_report *report)
{
    struct repeat r = {.ctx = ctx, .params = params, .result = result};
    r.job = clv_run_job_init(ctx, &r.shared);
    enum clv_err e = begin(&r);
    if (!e)
        e = train_all(&r);
    if (!e)
        e = measure_all(&r, report);
    if (e)
        leave(&r);
    json_decref(r.members);
    clv_run_job_finish(&r.job);
    return e;
}
