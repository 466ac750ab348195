/* Whole models: the time of a step, and of each step of its plan. */
#include "bench/bench.h"

#include "base/util.h"
#include "plan/profile.h"
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>

/* A step takes a second, not a millisecond. */
static const double default_limit = 10;
enum { STEP_SAMPLES = 7 };

static enum clv_err run(void *priv, int count)
{
    for (int i = 0; i < count; i++)
        CLV_TRY(clv_bench_subject_step(priv));
    return CLV_OK;
}

static enum clv_err add_line(struct clv_bench_subject *s, const struct clv_measured *m,
                             struct clv_timing *row, struct clv_bench_report *report,
                             const struct clv_bench_model_result *r)
{
    char what[256];
    snprintf(what, sizeof what, "%.200s %s", s->what->model, s->what->forward ? "inference" : "training step");
    row->what = what;
    row->group = s->what->model;
    row->pass = s->what->forward ? "forward" : "train";
    row->batch = s->batch;
    row->runs = m->runs;
    row->total = m->total;
    row->seconds = m->seconds;
    row->flops = r->flops;
    row->max_error = isnan(r->max_rel_error) ? -1 : r->max_rel_error / r->error_bound;
    const enum clv_err e = clv_bench_report_add(report, row); /* which copies the text */
    row->what = NULL;
    return e;
}

static enum clv_err time_steps(struct clv_bench_subject *s, const struct clv_bench_params *params,
                               struct clv_bench_report *report, struct clv_bench_model_result *ret)
{
    const struct clv_measure m = {.repeat = params ? params->repeat : 0,
                                  .limit = params && params->seconds > 0 ? params->seconds : default_limit,
                                  .single = true, .run = run, .priv = s};
    struct clv_measured got;
    struct clv_timing row = {0};
    clv_bench_progress(params, "%s, %s", s->what->model, s->what->forward ? "inference" : "training");
    CLV_TRY(run(s, 1)); /* clv_measure() adds a second one that does not count */
    CLV_TRY(clv_measure(&m, &got, clv_device_error(s->dev)));
    CLV_TRY(clv_bench_subject_cost(s, &ret->flops, &row.read, &row.written));
    ret->seconds = got.seconds;
    ret->batch = s->batch;
    ret->images_per_second = s->batch / got.seconds.median;
    ret->gflops = ret->flops / got.seconds.median * 1e-9;
    row.in_place = row.written;
    ret->memory_bytes = clv_trainer_get_memory(s->trainer).peak;
    return add_line(s, &got, &row, report, ret);
}

/* Events by step of the plan, step by step, so that each has a median. */
static enum clv_err profile(struct clv_bench_subject *s, const struct clv_bench_params *params,
                            struct clv_profile_table *table)
{
    const double limit = params && params->seconds > 0 ? params->seconds : default_limit;
    const int repeat = params && params->repeat > 0 ? params->repeat : STEP_SAMPLES;
    const double begin = clv_now();
    clv_profile_reset(s->dev);
    for (int i = 0; i < repeat && (i == 0 || clv_now() - begin < limit); i++) {
        CLV_TRY(clv_bench_subject_step(s));
        CLV_TRY(clv_profile_table_collect(table, s->dev));
    }
    return CLV_OK;
}

static enum clv_err add_steps(struct clv_bench_subject *s, const struct clv_bench_params *params,
                              struct clv_bench_report *report)
{
    struct clv_plan *plan = NULL;
    struct clv_profile_table *table = NULL;
    CLV_TRY(clv_trainer_plan(s->trainer, !s->what->forward, &plan));
    CLV_TRY(clv_profile_table_create(clv_plan_steps(plan), s->batch, clv_device_error(s->dev), &table));
    clv_bench_progress(params, "%s, step by step", s->what->model);
    enum clv_err e = profile(s, params, table);
    int n = 0;
    const struct clv_timing *row = clv_profile_table_rows(table, &n);
    for (int i = 0; i < n && !e; i++)
        if (row[i].runs) /* what is prepared once did not run again */
            e = clv_bench_report_add(report, &row[i]);
    clv_profile_table_destroy(&table);
    return e;
}

/* With the model's memory given back: ceilings need some of their own. */
static enum clv_err compare_ceilings(struct clv_device *dev, const struct clv_ceilings *ceilings,
                                     const struct clv_bench_params *params, struct clv_bench_report *report,
                                     size_t line, struct clv_bench_model_result *ret)
{
    CLV_TRY(clv_bench_memory(dev, ceilings, params, ret->memory_bytes, report));
    ret->ceiling_fraction = clv_timing_floor(&report->row[line], ceilings, NULL) / ret->seconds.median;
    return CLV_OK;
}

enum clv_err clv_bench_model(struct clv_device *dev, const struct clv_bench_model *what,
                             const struct clv_ceilings *ceilings, const struct clv_bench_params *params,
                             struct clv_bench_report *report, struct clv_bench_model_result *ret)
{
    struct clv_bench_subject s;
    *ret = (struct clv_bench_model_result){.max_rel_error = NAN, .worst = ""};
    if (!what->no_check && what->precision < CLV_PRECISION_MIXED)
        CLV_TRY(clv_bench_agree(dev, what, params, report, ret));
    const uint64_t before = clv_resident_bytes();
    const size_t line = report->n;
    clv_bench_progress(params, "%s, building", what->model);
    CLV_TRY(clv_bench_subject_open(&s, dev, what, NULL, false));
    enum clv_err e = time_steps(&s, params, report, ret);
    const uint64_t after = clv_resident_bytes();
    ret->rss_growth_bytes = after > before ? after - before : 0;
    if (!e && what->steps)
        e = add_steps(&s, params, report);
    clv_bench_subject_close(&s);
    ret->ceiling_fraction = NAN;
    if (!e && ceilings)
        e = compare_ceilings(dev, ceilings, params, report, line, ret);
    return e;
}
