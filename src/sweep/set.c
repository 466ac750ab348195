#include "sweep/set.h"

#include "base/file.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MEMBERS = CLV_MAX_FOLDS * CLV_MAX_TRIALS };

void clv_report_finish(struct clv_report *r)
{
    free(r->text);
    free(r->json);
    *r = (struct clv_report){0};
}

/* ---- members ---- */

bool clv_member_finished(const struct clv_run_paths *p, const struct clv_fit_params *fit)
{
    struct clv_error ignored = {0};
    struct clv_run_config c = {0};
    json_t *metrics = NULL;
    bool finished = false;
    if (!clv_file_exists(p->config) || !clv_file_exists(p->best) || clv_run_config_read(p->config, &c, &ignored))
        return false;
    const bool same = c.fit.epochs == fit->epochs && c.fit.patience == fit->patience && c.fit.max_steps == fit->max_steps;
    if (same && clv_file_exists(p->metrics) && !clv_json_load(p->metrics, &metrics, &ignored))
        finished = json_is_true(json_object_get(metrics, "finished"));
    json_decref(metrics);
    clv_run_config_finish(&c);
    return finished;
}

enum clv_err clv_member_metrics(struct clv_context *ctx, const char *run, json_t **ret)
{
    char *path = clv_path_join(run, "metrics.json");
    const enum clv_err e = path ? clv_json_load(path, ret, &ctx->err) : clv_fail_nomem(&ctx->err, run);
    free(path);
    return e;
}

enum clv_err clv_member_test(struct clv_context *ctx, const char *dir, const struct clv_run_params *params, json_t **ret)
{
    struct clv_run *run = NULL;
    struct clv_metrics m = {0};
    const struct clv_run_open_params open = {
        .device = params->device, .self_test = params->trainer.self_test, .tune = CLV_TUNE_OFF};
    CLV_TRY(clv_run_open(ctx, dir, &open, &run));
    const struct clv_eval_params eval = {.split = CLV_SPLIT_TEST, .skip_bad = run->config.split.skip_bad};
    enum clv_err e = CLV_OK;
    if (!run->config.count[CLV_SPLIT_TEST]) {
        *ret = json_null();
    } else {
        e = clv_run_eval(run, &eval, &m, NULL);
        if (!e && !(*ret = clv_run_metrics_json(&m, run->config.classes)))
            e = clv_fail_nomem(&ctx->err, "test metrics");
        clv_metrics_finish(&m);
    }
    clv_run_close(&run);
    return e;
}

/* ---- what they say together ---- */

static json_t *summary_json(const struct clv_summary *s)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o}", "n", s->n, "mean", clv_json_double(s->mean), "std",
                     clv_json_double(s->std), "low", clv_json_double(s->low), "high", clv_json_double(s->high));
}

json_t *clv_members_summary(const json_t *members, const char *section)
{
    const size_t n = json_array_size(members);
    const json_t *first = json_object_get(json_array_get(members, 0), section);
    const char *key;
    const json_t *value;
    json_t *o = json_object();
    double *x = malloc(CLV_MAX(n, 1) * sizeof *x);
    bool ok = o && x && n <= MAX_MEMBERS;
    for (void *it = json_object_iter((json_t *)first); ok && it; it = json_object_iter_next((json_t *)first, it)) {
        key = json_object_iter_key(it);
        value = json_object_iter_value(it);
        if ((!json_is_real(value) && !json_is_null(value)))
            continue; /* counts are the same everywhere, and names are none */
        for (size_t i = 0; i < n; i++) {
            const json_t *v = json_object_get(json_object_get(json_array_get(members, i), section), key);
            x[i] = json_is_number(v) ? json_number_value(v) : NAN;
        }
        const struct clv_summary s = clv_summarise(x, n);
        ok = clv_json_set(o, key, summary_json(&s));
    }
    free(x);
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

/* ---- files ---- */

static enum clv_err write_text(const char *dir, const char *name, const struct clv_str *text, struct clv_error *err)
{
    char *path = clv_path_join(dir, name);
    const enum clv_err e = path && !text->failed ? clv_file_write(path, text->text, text->len, err)
                                                 : clv_fail_nomem(err, "the results");
    free(path);
    return e;
}

enum clv_err clv_results_write(struct clv_context *ctx, const char *dir, const json_t *json, struct clv_str *text,
                               struct clv_report *report)
{
    char *path = clv_path_join(dir, "results.json");
    enum clv_err e = path ? clv_json_write(path, json, &ctx->err) : clv_fail_nomem(&ctx->err, "the results");
    free(path);
    if (!e)
        e = write_text(dir, "results.txt", text, &ctx->err);
    if (e || !report)
        return e;
    *report = (struct clv_report){.text = clv_strdupf("%s", text->text), .json = clv_json_dump(json)};
    if (report->text && report->json)
        return CLV_OK;
    clv_report_finish(report);
    return clv_fail_nomem(&ctx->err, "the results");
}

/* ---- tables ---- */

void clv_table_number(struct clv_str *out, int width, const json_t *value)
{
    if (json_is_integer(value))
        clv_str_addf(out, "%*lld", width, (long long)json_integer_value(value));
    else if (json_is_real(value))
        clv_str_addf(out, "%*.4f", width, json_real_value(value));
    else
        clv_str_addf(out, "%*s", width, "-");
}

static const struct { const char *title, *section, *key; } columns[] = {
    {"val loss", "validation", "loss"}, {"val accuracy", "validation", "accuracy"}, {"val AUC", "validation", "auc"},
    {"test loss", "test", "loss"},      {"test accuracy", "test", "accuracy"},      {"test AUC", "test", "auc"},
    {"test F1", "test", "f1_macro"},
};
enum { NAME_WIDTH = 18, SEED_WIDTH = 6, EPOCH_WIDTH = 11, WIDTH = 14 };

static void print_summary(const json_t *summary, const char *title, const char *key, struct clv_str *out)
{
    clv_str_addf(out, "%-*s%*s%*s", NAME_WIDTH, title, SEED_WIDTH, "", EPOCH_WIDTH, "");
    for (size_t c = 0; c < CLV_COUNT(columns); c++) {
        const json_t *numbers = json_object_get(json_object_get(summary, columns[c].section), columns[c].key);
        clv_table_number(out, WIDTH, json_object_get(numbers, key));
    }
    clv_str_add(out, "\n");
}

void clv_repeat_print(const json_t *results, struct clv_str *out)
{
    const json_t *members = json_object_get(results, "members"), *summary = json_object_get(results, "summary");
    clv_str_addf(out, "%-*s%*s%*s", NAME_WIDTH, "member", SEED_WIDTH, "seed", EPOCH_WIDTH, "best epoch");
    for (size_t c = 0; c < CLV_COUNT(columns); c++)
        clv_str_addf(out, "%*s", WIDTH, columns[c].title);
    clv_str_add(out, "\n");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *m = json_array_get(members, i);
        clv_str_addf(out, "%-*s", NAME_WIDTH, json_string_value(json_object_get(m, "name")));
        clv_table_number(out, SEED_WIDTH, json_object_get(m, "seed"));
        clv_table_number(out, EPOCH_WIDTH, json_object_get(m, "best_epoch"));
        for (size_t c = 0; c < CLV_COUNT(columns); c++)
            clv_table_number(out, WIDTH, json_object_get(json_object_get(m, columns[c].section), columns[c].key));
        clv_str_add(out, "\n");
    }
    print_summary(summary, "mean", "mean", out);
    print_summary(summary, "standard deviation", "std", out);
    print_summary(summary, "95 % from", "low", out);
    print_summary(summary, "95 % to", "high", out);
}
