/* One race after the other, with a line in the database after each. */
#include "tune/tune.h"

#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

struct job {
    struct clv_device *dev;
    struct clv_error *err;
    const struct clv_tune_params *params;
    const struct clv_race_params *hooks;
    struct clv_tuning known;
    struct clv_tuning *results;
    bool must_save, cannot_save;
    int problem, problems;
    char what[CLV_PROBLEM_TEXT];
    double begin;
    double clblast_build[CLV_GEMM_SETS]; /* longest first launch of each set */
    double work_done, work, work_here; /* candidates: of problems done, of all, of this one begun */
};

/* ---- telling ---- */

static bool should_stop(void *priv)
{
    const struct job *j = priv;
    return j->params->should_stop && j->params->should_stop(j->params->priv);
}

static void on_choice(void *priv, const struct clv_choice *c)
{
    struct job *j = priv;
    char trying[CLV_CHOICE_TEXT];
    const double seconds = clv_now() - j->begin, done = j->work_done + j->work_here;
    j->work_here++;
    if (!j->params->on_event)
        return;
    clv_choice_text(c, trying);
    const struct clv_tune_event e = {
        .problem = j->problem,
        .problems = j->problems,
        .what = j->what,
        .trying = trying,
        .seconds = seconds,
        .seconds_left = done > 0 ? seconds / done * CLV_MAX(j->work - done, 0) : -1,
    };
    j->params->on_event(j->params->priv, &e);
}

static void tell(const struct job *j, const struct clv_problem *p, const struct clv_raced *r)
{
    char choice[CLV_CHOICE_TEXT], fallback[CLV_CHOICE_TEXT];
    if (!j->params->on_result)
        return;
    clv_choice_text(&r->choice, choice);
    clv_choice_text(&r->fallback, fallback);
    const struct clv_tune_result result = {
        .problem = j->problem,
        .problems = j->problems,
        .what = j->what,
        .choice = choice,
        .fallback = fallback,
        .seconds = r->seconds.median,
        .fallback_seconds = r->fallback_seconds.median,
        .flops = clv_contract_flops(&p->conv) * p->batch,
        .tried = r->tried,
        .wrong = r->wrong,
        .clblast_seconds = r->clblast ? r->clblast_seconds.median : 0,
        .clblast_build = r->clblast ? j->clblast_build[r->clblast_choice.param[0]] : 0,
    };
    j->params->on_result(j->params->priv, &result);
}

static void tell_known(const struct job *j, const struct clv_problem *p,
                       const struct clv_tuning_line *l)
{
    if (!j->params->on_result)
        return;
    const struct clv_tune_result result = {
        .problem = j->problem,
        .problems = j->problems,
        .what = j->what,
        .choice = l->choice,
        .fallback = "",
        .seconds = l->seconds,
        .fallback_seconds = l->fallback,
        .flops = clv_contract_flops(&p->conv) * p->batch,
        .known = true,
    };
    j->params->on_result(j->params->priv, &result);
}

/* ---- keeping ---- */

static enum clv_err save(struct job *j, const struct clv_tuning *t)
{
    if (j->cannot_save)
        return CLV_OK;
    const enum clv_err e = clv_tuning_save(j->dev, t);
    if (!e || e == CLV_ERR_NOMEM || j->must_save)
        return e;
    j->cannot_save = true;
    clv_log(clv_device_context(j->dev), CLV_LOG_WARN, "what is tuned serves this run only: %s",
            j->err->text);
    return CLV_OK;
}

static enum clv_err keep(struct job *j, const struct clv_raced *r)
{
    char choice[CLV_CHOICE_TEXT];
    struct clv_tuning t = {0};
    clv_choice_text(&r->choice, choice);
    enum clv_err e =
        clv_tuning_put(&t, j->what, choice, r->seconds.median, r->fallback_seconds.median, j->err);
    if (!e && r->clblast) {
        char *problem = clv_strdupf(CLV_TUNED_CLBLAST "%s", j->what);
        clv_choice_text(&r->clblast_choice, choice);
        e = problem ? clv_tuning_put(&t, problem, choice, r->clblast_seconds.median,
                                     j->clblast_build[r->clblast_choice.param[0]], j->err)
                    : clv_fail_nomem(j->err, "tuning results");
        free(problem);
    }
    for (int i = 0; i < t.n && !e && j->results; i++)
        e = clv_tuning_put(j->results, t.line[i].problem, t.line[i].choice, t.line[i].seconds,
                           t.line[i].fallback, j->err);
    if (!e)
        e = save(j, &t);
    clv_tuning_finish(&t);
    return e;
}

/* ---- racing ---- */

static bool wants_clblast(const struct job *j, const struct clv_problem *p)
{
    return j->params->clblast && !p->pool &&
           clv_schedule_takes(&clv_schedule_clblast, clv_device_caps(j->dev), p);
}

/* The line that makes a race unnecessary. */
static const struct clv_tuning_line *known_line(const struct job *j, const struct clv_problem *p)
{
    char what[CLV_PROBLEM_TEXT];
    if (j->params->again)
        return NULL;
    clv_problem_text(p, what);
    const struct clv_tuning_line *l = clv_tuning_find(&j->known, what);
    if (!l || !wants_clblast(j, p))
        return l;
    char *clblast = clv_strdupf(CLV_TUNED_CLBLAST "%s", what);
    const bool both = clblast && clv_tuning_find(&j->known, clblast);
    free(clblast);
    return both ? l : NULL;
}

static double work_of(const struct job *j, const struct clv_problem *p)
{
    struct clv_choice found[CLV_RACE_MAX];
    const struct clv_emit e = {
        .caps = clv_device_caps(j->dev), .batch = p->batch, .activation = p->dtype, .matrix_parts = p->parts};
    if (known_line(j, p))
        return 0;
    /* A first look at each, then a few rounds over the best. */
    return 10 + clv_contract_candidates(&e, p, wants_clblast(j, p), found, CLV_RACE_MAX);
}

static enum clv_err race(struct job *j, const struct clv_problem *p)
{
    struct clv_raced r;
    const struct clv_race_params params = {.clblast = wants_clblast(j, p),
                                           .should_stop = should_stop,
                                           .on_choice = on_choice,
                                           .priv = j,
                                           .spoil = j->hooks ? j->hooks->spoil : NULL,
                                           .seconds = j->hooks ? j->hooks->seconds : NULL,
                                           .hook = j->hooks ? j->hooks->hook : NULL};
    const enum clv_err e = clv_race(j->dev, p, &params, &r);
    if (e == CLV_ERR_UNSUPPORTED || e == CLV_ERR_DEVMEM) {
        clv_log(clv_device_context(j->dev), CLV_LOG_WARN, "tune: %s: %s", j->what, j->err->text);
        return CLV_OK; /* the others may do better */
    }
    CLV_TRY(e);
    for (int i = 0; i < CLV_GEMM_SETS; i++)
        j->clblast_build[i] = CLV_MAX(j->clblast_build[i], r.clblast_first[i]);
    CLV_TRY(keep(j, &r));
    tell(j, p, &r);
    return CLV_OK;
}

static enum clv_err run(struct job *j, const struct clv_choices *list)
{
    const struct clv_tuning none = {0};
    CLV_TRY(clv_tuning_load(j->dev, &j->known));
    CLV_TRY(save(j, &none)); /* whether it can be, before hours of work */
    for (int i = 0; i < list->n; i++)
        j->work += work_of(j, &list->item[i].problem);
    j->problems = list->n;
    for (int i = 0; i < list->n; i++) {
        const struct clv_problem *p = &list->item[i].problem;
        const struct clv_tuning_line *l = known_line(j, p);
        j->problem = i + 1;
        clv_problem_text(p, j->what);
        if (l) {
            tell_known(j, p, l);
            continue;
        }
        j->work_here = 0;
        CLV_TRY(race(j, p));
        j->work_done += work_of(j, p);
    }
    return CLV_OK;
}

enum clv_err clv_tune_problems(struct clv_device *dev, const struct clv_choices *problems,
                               const struct clv_tune_params *params, bool must_save,
                               const struct clv_race_params *hooks, struct clv_tuning *results)
{
    static const struct clv_tune_params defaults = {0};
    struct job j = {.dev = dev,
                    .err = clv_device_error(dev),
                    .params = params ? params : &defaults,
                    .hooks = hooks,
                    .results = results,
                    .must_save = must_save,
                    .begin = clv_now()};
    const enum clv_err e = run(&j, problems);
    clv_tuning_finish(&j.known);
    return e;
}

/* ---- the file ---- */

char *clv_tune_path(struct clv_context *ctx)
{
    char *path = NULL;
    return clv_tuning_path(ctx, &path) ? NULL : path;
}

char *clv_tune_export(struct clv_device *dev)
{
    struct clv_tuning t = {0};
    struct clv_str s = {0};
    if (clv_tuning_load(dev, &t)) {
        clv_tuning_finish(&t);
        return NULL;
    }
    for (int i = 0; i < t.n; i++)
        if (strncmp(t.line[i].problem, CLV_TUNED_CLBLAST, strlen(CLV_TUNED_CLBLAST)) != 0)
            clv_tuning_print(&s, &t.line[i]);
    clv_tuning_finish(&t);
    if (!s.len)
        clv_str_add(&s, "");
    char *text = clv_str_take(&s);
    if (!text)
        (void)clv_fail_nomem(clv_device_error(dev), "tuning results");
    return text;
}
