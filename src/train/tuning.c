/* What a trainer's plans compute their products with: measured now, measured before, recorded by a
 * run, or chosen by the schedules. Settled before the first plan is made. */
#include "train/tuning.h"

#include "base/str.h"
#include "tune/tune.h"
#include <stdlib.h>
#include <string.h>

/* ---- problems ---- */

enum clv_err clv_trainer_choices(struct clv_trainer *t, bool training, struct clv_choices *into)
{
    struct clv_plan_params params;
    struct clv_plan *dry = NULL;
    clv_trainer_plan_params(t, training, &params);
    params.dry = true;
    if (!t->plan[training])
        CLV_TRY(clv_plan_create(t->dev, t->graph, t->store, &params, &dry));
    const struct clv_choices *c = clv_plan_choices(dry ? dry : t->plan[training]);
    enum clv_err e = CLV_OK;
    for (int i = 0; i < c->n && !e; i++)
        e = clv_choices_add(into, &c->item[i].problem, &c->item[i].choice, &t->ctx->err);
    clv_plan_destroy(&dry);
    return e;
}

/* Of both plans, as they stand with the selection so far; without what was recorded. */
static enum clv_err list_problems(struct clv_trainer *t, const struct clv_selection *recorded,
                                  bool forward_only, struct clv_choices *ret)
{
    struct clv_choices all = {0};
    enum clv_err e = CLV_OK;
    if (!t->params.inference_only && !forward_only)
        e = clv_trainer_choices(t, true, &all);
    if (!e)
        e = clv_trainer_choices(t, false, &all);
    for (int i = 0; i < all.n && !e; i++) {
        char text[CLV_PROBLEM_TEXT];
        clv_problem_text(&all.item[i].problem, text);
        if (!clv_selection_find(recorded, text))
            e = clv_choices_add(ret, &all.item[i].problem, &all.item[i].choice, &t->ctx->err);
    }
    clv_choices_finish(&all);
    return e;
}

/* ---- tuning and selecting ---- */

static enum clv_err overlay(struct clv_trainer *t, const struct clv_tuning *lines)
{
    for (int i = 0; i < lines->n; i++)
        CLV_TRY(clv_selection_put(&t->selection, lines->line[i].problem, lines->line[i].choice,
                                  false, &t->ctx->err));
    return CLV_OK;
}

static enum clv_err tune(struct clv_trainer *t, const struct clv_selection *recorded,
                         struct clv_tuning *results)
{
    struct clv_choices problems = {0};
    enum clv_err e = list_problems(t, recorded, false, &problems);
    if (!e)
        e = clv_tune_problems(t->dev, &problems, t->params.tuning, false, NULL, results);
    clv_choices_finish(&problems);
    return e;
}

/* What building a set of CLBlast's kernels takes: the longest that was seen of this choice. */
static double build_seconds(const struct clv_tuning *known, const char *choice)
{
    const size_t n = strlen(CLV_TUNED_CLBLAST);
    double most = 0;
    for (int i = 0; i < known->n; i++)
        if (!strncmp(known->line[i].problem, CLV_TUNED_CLBLAST, n) &&
            !strcmp(known->line[i].choice, choice) && known->line[i].fallback > most)
            most = known->line[i].fallback;
    return most;
}

static bool is_among(const struct clv_tuning *wins, const char *choice)
{
    for (int i = 0; i < wins->n; i++)
        if (!strcmp(wins->line[i].choice, choice))
            return true;
    return false;
}

/* CLBlast's kernels are built when they are first used. They are chosen where all that they save
 * over the planned steps is more than that costs. */
static enum clv_err weigh_clblast(struct clv_trainer *t, const struct clv_tuning *known,
                                  const struct clv_choices *problems)
{
    struct clv_tuning wins = {0};
    double saved = 0, build = 0;
    enum clv_err e = CLV_OK;
    for (int i = 0; i < problems->n && !e; i++) {
        char text[CLV_PROBLEM_TEXT];
        clv_problem_text(&problems->item[i].problem, text);
        char *key = clv_strdupf(CLV_TUNED_CLBLAST "%s", text);
        const struct clv_tuning_line *ours = clv_tuning_find(known, text),
                                     *its = key ? clv_tuning_find(known, key) : NULL;
        free(key);
        if (!ours || !its || !(its->seconds < ours->seconds))
            continue;
        saved += (ours->seconds - its->seconds) * t->params.planned_steps;
        if (!is_among(&wins, its->choice))
            build += build_seconds(known, its->choice);
        e = clv_tuning_put(&wins, text, its->choice, 0, 0, &t->ctx->err);
    }
    if (!e && saved > build)
        e = overlay(t, &wins);
    clv_tuning_finish(&wins);
    return e;
}

/* Results count even where the file could not be written. */
static enum clv_err select_measured(struct clv_trainer *t, const struct clv_selection *recorded)
{
    const struct clv_trainer_params *p = &t->params;
    struct clv_choices problems = {0};
    struct clv_tuning known = {0}, results = {0};
    enum clv_err e = p->tune == CLV_TUNE_ON ? tune(t, recorded, &results) : CLV_OK;
    if (!e)
        e = clv_tuning_load(t->dev, &known);
    if (!e)
        e = clv_tuning_select(t->dev, &known, &t->selection);
    if (!e)
        e = overlay(t, &results);
    if (!e && p->gemm == CLV_GEMM_MODE_AUTO && p->planned_steps > 0 && clv_gemm_available()) {
        e = clv_trainer_choices(t, !p->inference_only, &problems);
        if (!e)
            e = weigh_clblast(t, &known, &problems);
    }
    clv_choices_finish(&problems);
    clv_tuning_finish(&known);
    clv_tuning_finish(&results);
    return e;
}

enum clv_err clv_trainer_select(struct clv_trainer *t, const struct clv_selection *recorded)
{
    enum clv_err e = t->params.tune == CLV_TUNE_OFF ? CLV_OK : select_measured(t, recorded);
    for (int i = 0; recorded && i < recorded->n && !e; i++)
        e = clv_selection_put(&t->selection, recorded->entry[i].problem, recorded->entry[i].choice,
                              false, &t->ctx->err);
    return e;
}

/* ---- the public call ---- */

enum clv_err clv_tune(struct clv_device *dev, struct clv_graph *graph,
                      const struct clv_tune_params *params)
{
    static const struct clv_tune_params defaults = {0};
    const struct clv_tune_params *p = params ? params : &defaults;
    const struct clv_trainer_params tp = {.batch = p->batch,
                                          .plan_only = true,
                                          .inference_only = p->forward_only,
                                          .precision = p->precision,
                                          .tune = CLV_TUNE_OFF};
    struct clv_trainer *t = NULL;
    struct clv_choices problems = {0};
    CLV_TRY(clv_trainer_create(dev, graph, &tp, &t));
    enum clv_err e = list_problems(t, NULL, p->forward_only, &problems);
    clv_trainer_destroy(&t);
    if (!e)
        e = clv_tune_problems(dev, &problems, p, true, NULL, NULL);
    clv_choices_finish(&problems);
    return e;
}
