/* A search: members drawn from ranges, trained rung by rung, chosen by what they reach on validation images.
 *
 * sweep.json is written after each training, and says nothing that a member's own folder does not: a member that was trained on
 * and not yet recorded when the process died is resumed, has nothing left to do, and gives the same value again. */
#include "sweep/sweep.h"

#include "base/file.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- making and opening ---- */

static enum clv_err set_names(struct clv_sweep *s, const char *dir)
{
    if (!dir || !*dir)
        return clv_fail(&s->ctx->err, CLV_ERR_ARG, "no folder for the search was given");
    s->dir = clv_strdupf("%s", dir);
    s->file = clv_path_join(dir, "sweep.json");
    s->split = clv_path_join(dir, "split.csv");
    return s->dir && s->file && s->split ? CLV_OK : clv_fail_nomem(&s->ctx->err, dir);
}

static enum clv_err draw_members(struct clv_sweep *s)
{
    struct clv_error *err = &s->ctx->err;
    CLV_TRY(clv_space_parse(s->space_text, s->space_name, &s->arena, &s->space, err));
    const size_t k = (size_t)s->space.n;
    struct clv_setting *settings = clv_arena_alloc(&s->arena, (size_t)s->n * k * sizeof *settings);
    if (!s->entry)
        s->entry = calloc((size_t)s->n, sizeof *s->entry);
    if (!s->entry || !settings)
        return clv_fail_nomem(err, "the members");
    CLV_TRY(clv_space_draw(&s->space, s->seed, s->n, &s->arena, settings, err));
    for (int i = 0; i < s->n; i++) {
        snprintf(s->entry[i].name, sizeof s->entry[i].name, "trial-%d", i + 1);
        s->entry[i].settings = settings + (size_t)i * k;
    }
    return CLV_OK;
}

static enum clv_err create_steps(struct clv_sweep *s, const struct clv_sweep_params *p)
{
    struct clv_error *err = &s->ctx->err;
    s->force = p->force;
    s->method = p->method;
    s->n = p->trials ? p->trials : 20;
    s->eta = p->eta ? p->eta : 3;
    s->seed = p->seed;
    if (s->n < 1 || s->n > CLV_MAX_SWEEP || s->eta < 2 || s->eta > 100)
        return clv_fail(err, CLV_ERR_ARG, "%d trials, eta %d: expected 1 to %d trials, an eta of 2 to 100", s->n, s->eta, CLV_MAX_SWEEP);
    CLV_TRY(set_names(s, p->out));
    s->space_text = clv_strdupf("%s", p->space ? p->space : "");
    s->space_name = clv_strdupf("%s", p->space_name ? p->space_name : "ranges");
    s->arguments = calloc(p->n_arguments + 1, sizeof *s->arguments);
    if (!s->space_text || !s->space_name || !s->arguments)
        return clv_fail_nomem(err, "a search");
    for (; s->n_arguments < p->n_arguments; s->n_arguments++)
        if (!(s->arguments[s->n_arguments] = clv_strdupf("%s", p->arguments[s->n_arguments])))
            return clv_fail_nomem(err, "a search");
    return draw_members(s);
}

static enum clv_err open_steps(struct clv_sweep *s, const char *dir)
{
    CLV_TRY(set_names(s, dir));
    if (clv_dir_exists(dir))
        CLV_TRY(clv_lock_dir(&s->lock, dir, s->ctx));
    CLV_TRY(clv_sweep_read(s));
    s->begun = true;
    return draw_members(s);
}

static enum clv_err make(struct clv_context *ctx, const struct clv_sweep_params *params, const char *dir, struct clv_sweep **ret)
{
    struct clv_sweep *s = calloc(1, sizeof *s);
    if (!s)
        return clv_fail_nomem(&ctx->err, "a search");
    s->ctx = ctx;
    s->lock.fd = -1;
    s->winner = -1;
    const enum clv_err e = params ? create_steps(s, params) : open_steps(s, dir);
    if (e)
        clv_sweep_close(&s);
    else
        *ret = s;
    return e;
}

enum clv_err clv_sweep_create(struct clv_context *ctx, const struct clv_sweep_params *params, struct clv_sweep **ret)
{
    return make(ctx, params, NULL, ret);
}

enum clv_err clv_sweep_open(struct clv_context *ctx, const char *dir, struct clv_sweep **ret)
{
    return make(ctx, NULL, dir, ret);
}

void clv_sweep_close(struct clv_sweep **sweep)
{
    struct clv_sweep *s = sweep ? *sweep : NULL;
    if (!s)
        return;
    for (int i = 0; s->entry && i < s->n; i++)
        free(s->entry[i].failure);
    for (size_t i = 0; i < s->n_arguments; i++)
        free(s->arguments[i]);
    free((void *)s->arguments);
    free(s->entry);
    free(s->space_text);
    free(s->space_name);
    free(s->dir);
    free(s->file);
    free(s->split);
    json_decref(s->test);
    clv_lock_release(&s->lock);
    clv_arena_finish(&s->arena);
    free(s);
    *sweep = NULL;
}

const char *const *clv_sweep_arguments(const struct clv_sweep *sweep, size_t *n)
{
    *n = sweep->n_arguments;
    return (const char *const *)sweep->arguments;
}

/* ---- members ---- */

static enum clv_err describe(struct clv_sweep *s, int i, int rung, struct clv_sweep_member *ret)
{
    const struct clv_sweep_entry *m = &s->entry[i];
    const char *path = clv_arena_printf(&s->arena, "%s/%s", s->dir, m->name);
    const bool last = rung == s->n_rungs - 1;
    *ret = (struct clv_sweep_member){.name = m->name, .path = path, .number = i + 1, .members = s->n, .settings = m->settings,
                                     .n_settings = (size_t)s->space.n, .rung = rung + 1, .rungs = s->n_rungs,
                                     .epochs = last ? 0 : s->rung[rung].epochs};
    return path ? CLV_OK : clv_fail_nomem(&s->ctx->err, m->name);
}

bool clv_sweep_winner(const struct clv_sweep *sweep, struct clv_sweep_member *ret)
{
    struct clv_sweep *s = (struct clv_sweep *)sweep; /* its arena grows */
    return s->winner >= 0 && !describe(s, s->winner, s->n_rungs - 1, ret);
}

static enum clv_err configure(const struct clv_sweep *s, const struct clv_sweep_run_params *p, const struct clv_sweep_member *m,
                              struct clv_run_params *ret)
{
    *ret = (struct clv_run_params){0};
    CLV_TRY(p->configure(p->priv, m->settings, (size_t)s->space.n, ret));
    ret->out = m->path;
    ret->resume = NULL;
    ret->force = false;
    ret->fit.pause = m->epochs;
    ret->split.split_list = NULL;
    return CLV_OK;
}

/* ---- before the first training ---- */

/* Settings that make no training at all are the caller's mistake, and said before hours have passed. */
static enum clv_err check_member(struct clv_sweep *s, const struct clv_sweep_run_params *p, int i, int *epochs)
{
    struct clv_sweep_member m;
    struct clv_run_params run;
    CLV_TRY(describe(s, i, 0, &m));
    CLV_TRY(configure(s, p, &m, &run));
    run.out = s->dir;
    run.force = true; /* the folder is looked at later */
    struct clv_run_job j = clv_run_job_init(s->ctx, &run);
    j.config_name = "sweep.json";
    enum clv_err e = clv_run_check_request(&j);
    *epochs = j.config.fit.epochs;
    clv_run_job_finish(&j);
    if (e)
        clv_fail_prefix(&s->ctx->err, "%s", m.name);
    return e;
}

static enum clv_err set_rungs(struct clv_sweep *s)
{
    enum clv_monitor monitor;
    CLV_TRY(clv_monitor_parse(s->monitor, true, &monitor, &s->ctx->err));
    if (!clv_monitor_validates(monitor))
        return clv_fail(&s->ctx->err, CLV_ERR_ARG,
                        "a search chooses by validation images: monitor val_loss, val_accuracy, val_auc or val_f1, not %s", s->monitor);
    s->rises = clv_monitor_rises(monitor);
    s->rung[0] = (struct clv_rung){s->n, s->epochs};
    s->n_rungs = s->method == CLV_SWEEP_HALVING ? clv_halving_rungs(s->n, s->epochs, s->eta, s->rung) : 1;
    return CLV_OK;
}

/* The first member's run is checked as if its folder were SWEEP: data, model against data, that the folder is free. */
static enum clv_err begin_new(struct clv_sweep *s, const struct clv_sweep_run_params *p)
{
    struct clv_sweep_member m;
    struct clv_run_params run;
    CLV_TRY(describe(s, 0, 0, &m));
    CLV_TRY(configure(s, p, &m, &run));
    run.out = s->dir;
    run.force = s->force;
    struct clv_run_job j = clv_run_job_init(s->ctx, &run);
    j.config_name = "sweep.json";
    enum clv_err e = clv_run_check(&j);
    if (!e) {
        snprintf(s->monitor, sizeof s->monitor, "%s", j.config.fit.monitor);
        snprintf(s->fingerprint, sizeof s->fingerprint, "%s", clv_data_get_info(j.data)->fingerprint);
        s->test_images = j.config.count[CLV_SPLIT_TEST];
        s->lock = j.lock;
        j.lock.fd = -1;
        e = set_rungs(s);
    }
    if (!e) {
        clv_run_remove_leftovers(&j.paths);
        clv_run_remove_members(s->dir);
        e = clv_data_write_split(j.data, s->split);
    }
    if (!e)
        e = clv_sweep_write(s);
    s->begun = !e;
    if (e && j.made_dir)
        (void)rmdir(s->dir); /* only if nothing was written */
    clv_run_job_finish(&j);
    return e;
}

/* The images are still those of the list. */
static enum clv_err go_on(struct clv_sweep *s, const struct clv_sweep_run_params *p)
{
    struct clv_sweep_member m;
    struct clv_run_params run;
    struct clv_data *d = NULL;
    CLV_TRY(set_rungs(s));
    CLV_TRY(describe(s, 0, 0, &m));
    CLV_TRY(configure(s, p, &m, &run));
    if (!run.data)
        return clv_fail(&s->ctx->err, CLV_ERR_ARG, "no data set was given");
    struct clv_data_params dp = run.split;
    dp.split_list = s->split;
    CLV_TRY(clv_data_open(s->ctx, run.data, &dp, &d));
    enum clv_err e = CLV_OK;
    if (strcmp(clv_data_get_info(d)->fingerprint, s->fingerprint) != 0)
        e = clv_fail(&s->ctx->err, CLV_ERR_MISMATCH, "%s: the data have changed since %s was begun", run.data, s->dir);
    clv_data_close(&d);
    return e;
}

static enum clv_err begin(struct clv_sweep *s, const struct clv_sweep_run_params *p)
{
    int epochs = 0;
    for (int i = s->n - 1; i >= 0 && !s->begun; i--) { /* the first last, whose epochs are kept */
        int other = epochs;
        CLV_TRY(check_member(s, p, i, &other));
        if (i < s->n - 1 && s->method == CLV_SWEEP_HALVING && other != epochs)
            return clv_fail(&s->ctx->err, CLV_ERR_ARG, "epochs are what halving deals out: all members have the same");
        epochs = other;
    }
    if (!s->begun)
        s->epochs = epochs;
    return s->begun ? go_on(s, p) : begin_new(s, p);
}

/* ---- training ---- */

/* What settings may be blamed for; anything else would befall the next member, too. */
static bool is_failure(enum clv_err e)
{
    return e == CLV_ERR_NONFINITE || e == CLV_ERR_DEVMEM || e == CLV_ERR_SHAPE || e == CLV_ERR_BUILD || e == CLV_ERR_UNSUPPORTED;
}

static enum clv_err run_member(struct clv_sweep *s, const struct clv_sweep_run_params *p, const struct clv_sweep_member *m,
                               struct clv_run_result *result)
{
    struct clv_run_params run;
    const struct clv_run_origin origin = {.split_list = s->split};
    CLV_TRY(configure(s, p, m, &run));
    char *config = clv_path_join(m->path, "config.json");
    if (!config)
        return clv_fail_nomem(&s->ctx->err, m->name);
    if (clv_file_exists(config)) { /* everything but these comes from there */
        const struct clv_run_params resumed = {
            .resume = m->path, .device = run.device, .threads = run.threads, .cache_bytes = run.cache_bytes,
            .trainer = {.self_test = run.trainer.self_test, .tuning = run.trainer.tuning},
            .fit = {.on_event = run.fit.on_event, .priv = run.fit.priv, .pause = m->epochs}};
        run = resumed;
    }
    free(config);
    return clv_run_train_from(s->ctx, &run, &origin, result);
}

static enum clv_err train_member(struct clv_sweep *s, const struct clv_sweep_run_params *p, int i, int rung,
                                 struct clv_run_result *result)
{
    struct clv_sweep_entry *e = &s->entry[i];
    struct clv_sweep_member m;
    if (e->rungs > rung || e->failed)
        return CLV_OK;
    CLV_TRY(describe(s, i, rung, &m));
    if (p->on_member && p->on_member(p->priv, &m))
        return clv_fail(&s->ctx->err, CLV_ERR_CANCELLED, "cancelled before %s; %s can be resumed", m.name, s->dir);
    const enum clv_err err = run_member(s, p, &m, result);
    if (err && !is_failure(err)) {
        if (err != CLV_ERR_CANCELLED)
            clv_fail_prefix(&s->ctx->err, "%s", m.name);
        return err;
    }
    e->epochs = result->epochs;
    e->best_epoch = result->best_epoch;
    if (err) {
        e->failed = err;
        e->failure = clv_strdupf("%s", clv_error_text(s->ctx));
        if (!e->failure)
            return clv_fail_nomem(&s->ctx->err, "a failure");
        clv_log(s->ctx, CLV_LOG_WARN, "%s failed and is ranked last: %s", e->name, e->failure);
    } else {
        e->value[e->rungs++] = result->best_value;
    }
    return clv_sweep_write(s);
}

static enum clv_err train_rung(struct clv_sweep *s, const struct clv_sweep_run_params *p, int rung, int *place,
                               struct clv_run_result *result)
{
    int n = s->n;
    for (int i = 0; i < n; i++)
        place[i] = i;
    if (rung > 0)
        n = clv_sweep_best(s, rung - 1, s->rung[rung].members, place);
    for (int i = 0; i < n; i++)
        CLV_TRY(train_member(s, p, place[i], rung, result));
    return CLV_OK;
}

/* ---- the end ---- */

static enum clv_err test_winner(struct clv_sweep *s, const struct clv_sweep_run_params *p)
{
    struct clv_sweep_member m;
    struct clv_run_params run;
    if (!p->test || s->test || !s->test_images)
        return CLV_OK;
    CLV_TRY(describe(s, s->winner, s->n_rungs - 1, &m));
    CLV_TRY(configure(s, p, &m, &run));
    CLV_TRY(clv_member_test(s->ctx, m.path, &run, &s->test));
    return clv_sweep_write(s);
}

static enum clv_err conclude(struct clv_sweep *s, const struct clv_sweep_run_params *p, int *place, struct clv_report *report)
{
    struct clv_str text = {0};
    clv_sweep_rank(s, place);
    const struct clv_sweep_entry *first = &s->entry[place[0]];
    if (!first->failed) {
        s->winner = place[0];
        CLV_TRY(test_winner(s, p));
    }
    json_t *o = clv_sweep_results(s, place);
    clv_sweep_print(s, place, &text);
    enum clv_err e = o ? clv_results_write(s->ctx, s->dir, o, &text, first->failed ? NULL : report)
                       : clv_fail_nomem(&s->ctx->err, "the results");
    if (!e && first->failed)
        e = clv_fail(&s->ctx->err, first->failed, "every member failed; %s: %s", first->name, first->failure);
    clv_str_finish(&text);
    json_decref(o);
    return e;
}

enum clv_err clv_sweep_run(struct clv_sweep *sweep, const struct clv_sweep_run_params *params, struct clv_run_result *result,
                           struct clv_report *report)
{
    struct clv_run_result own;
    enum clv_err e = begin(sweep, params);
    int *place = e ? NULL : malloc((size_t)sweep->n * sizeof *place);
    if (!e && !place)
        e = clv_fail_nomem(&sweep->ctx->err, "the ranking");
    for (int k = 0; !e && k < sweep->n_rungs; k++)
        e = train_rung(sweep, params, k, place, result ? result : &own);
    if (!e)
        e = conclude(sweep, params, place, report);
    free(place);
    return e;
}
