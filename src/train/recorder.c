#include "train/recorder.h"

#include "base/util.h"
#include "plan/profile.h"
#include "train/trace.h"
#include <limits.h>
#include <stdlib.h>

static const char *const span_names[] = {"training", "validation", "batch", "submit", "wait", "checkpoint"};

struct clv_recorder {
    struct clv_trainer *t;
    const char *path;                /* of the trace; NULL = none */
    struct clv_profile_table *table; /* of the training plan */
    struct clv_trace trace;
    int64_t clock_ns;                /* added to the device's times */
    uint64_t first_step;             /* optimizer steps before fit */
    bool training;                   /* plan whose times come in */
    int last_id;                     /* of a submission; the next one begins where ids fall */
    uint64_t submissions;            /* of the training plan that were seen */
    bool warm;                       /* the first step has ended */
    double device_seconds, upload_seconds, seconds, cpu_seconds;
    double loop_begin, cpu_begin;    /* while the loop runs */
};

static bool keeps(const struct clv_recorder *r, uint64_t step)
{
    return r->path && step - r->first_step <= CLV_RECORDER_STEPS;
}

/* ---- the device ---- */

/* Uploads come before the steps that read them, and perhaps among those of the submission before. */
static void take_upload(struct clv_recorder *r, double begin, double seconds)
{
    const uint64_t step = r->training ? r->first_step + r->submissions + 1 : r->t->step;
    if (r->training)
        r->upload_seconds += seconds;
    if (keeps(r, step))
        clv_trace_add(&r->trace, &(struct clv_trace_event){
            .row = CLV_TRACE_UPLOADS, .number = step, .begin = begin, .end = begin + seconds});
}

static enum clv_err take(void *priv, const struct clv_profile_time *time)
{
    struct clv_recorder *r = priv;
    const double seconds = (double)(time->end_ns - time->begin_ns) * 1e-9;
    const double begin = (double)((int64_t)time->begin_ns + r->clock_ns) * 1e-9;
    uint64_t step = r->t->step;
    if (time->id == clv_plan_upload_id(r->t->plan[r->training])) {
        take_upload(r, begin, seconds);
        return CLV_OK;
    }
    if (r->training) {
        r->submissions += time->id <= r->last_id;
        r->last_id = time->id;
        r->device_seconds += seconds;
        step = r->first_step + r->submissions;
        CLV_TRY(clv_profile_table_add(r->table, time->id, seconds, &r->t->ctx->err));
    }
    if (keeps(r, step))
        clv_trace_add(&r->trace, &(struct clv_trace_event){
            .row = r->training ? CLV_TRACE_TRAINING : CLV_TRACE_EVALUATION, .what = time->id,
            .number = step, .begin = begin, .end = begin + seconds});
    return CLV_OK;
}

enum clv_err clv_recorder_poll(struct clv_recorder *r, bool training)
{
    if (!r)
        return CLV_OK;
    r->training = training;
    CLV_TRY(clv_profile_poll(r->t->dev));
    if (!r->warm && r->submissions) { /* some drivers compile at the first launch */
        r->warm = true;
        r->device_seconds = r->upload_seconds = r->seconds = r->cpu_seconds = 0;
        clv_recorder_begin(r);
    }
    return CLV_OK;
}

/* ---- the host ---- */

void clv_recorder_begin(struct clv_recorder *r)
{
    if (!r)
        return;
    r->loop_begin = clv_now();
    r->cpu_begin = clv_thread_seconds();
}

void clv_recorder_stop(struct clv_recorder *r)
{
    if (!r)
        return;
    r->seconds += clv_now() - r->loop_begin;
    r->cpu_seconds += clv_thread_seconds() - r->cpu_begin;
}

void clv_recorder_span(struct clv_recorder *r, enum clv_span what, uint64_t number, double begin)
{
    const bool of_epoch = what == CLV_SPAN_TRAINING || what == CLV_SPAN_VALIDATION;
    /* Epochs and checkpoints are few; what happens every step ends with the steps that are kept. */
    if (!r || !r->path || (!of_epoch && what != CLV_SPAN_CHECKPOINT && !keeps(r, number)))
        return;
    clv_trace_add(&r->trace, &(struct clv_trace_event){
        .row = of_epoch ? CLV_TRACE_EPOCHS : CLV_TRACE_LOOP, .what = (int)what,
        .number = number, .begin = begin, .end = clv_now()});
}

/* ---- results ---- */

struct clv_fit_profile clv_recorder_report(struct clv_recorder *r)
{
    int n = 0;
    clv_profile_send(r->t->dev, NULL, NULL);
    const struct clv_timing *rows = clv_profile_table_rows(r->table, &n);
    return (struct clv_fit_profile){.steps = rows, .n_steps = (size_t)n, .runs = r->submissions,
                                    .seconds = r->seconds, .device_seconds = r->device_seconds,
                                    .upload_seconds = r->upload_seconds,
                                    .host_cpu_seconds = r->cpu_seconds, .device = r->t->dev};
}

static const char *name(const void *priv, enum clv_trace_row row, int what)
{
    const struct clv_recorder *r = priv;
    if (row == CLV_TRACE_EPOCHS || row == CLV_TRACE_LOOP)
        return span_names[what];
    if (row == CLV_TRACE_UPLOADS)
        return "samples";
    return clv_plan_steps(r->t->plan[row == CLV_TRACE_TRAINING])->step[what].label;
}

enum clv_err clv_recorder_write(const struct clv_recorder *r)
{
    if (!r || !r->path)
        return CLV_OK;
    const struct clv_device_info *info = clv_device_get_info(r->t->dev);
    const struct clv_trace_facts facts = {
        .device = info->name, .driver = info->driver, .first_step = r->first_step + 1,
        .steps_kept = CLV_MIN(r->submissions, CLV_RECORDER_STEPS), .steps = r->submissions,
        .name = name, .priv = r};
    return clv_trace_write(&r->trace, &facts, r->path, &r->t->ctx->err);
}

/* ---- the whole ---- */

enum clv_err clv_recorder_create(struct clv_trainer *t, const char *trace, struct clv_recorder **ret)
{
    struct clv_recorder *r = calloc(1, sizeof *r);
    if (!r)
        return clv_fail_nomem(&t->ctx->err, "a profile");
    *r = (struct clv_recorder){.t = t, .path = trace, .first_step = t->step, .last_id = INT_MAX};
    enum clv_err e = clv_profile_table_create(clv_plan_steps(t->plan[1]), t->params.batch,
                                              &t->ctx->err, &r->table);
    if (!e)
        e = clv_profile_clock(t->dev, &r->clock_ns);
    if (e) {
        clv_recorder_destroy(&r);
        return e;
    }
    clv_profile_reset(t->dev);
    clv_profile_send(t->dev, take, r);
    r->trace.origin = clv_now();
    *ret = r;
    return CLV_OK;
}

void clv_recorder_destroy(struct clv_recorder **recorder)
{
    struct clv_recorder *r = *recorder;
    if (!r)
        return;
    clv_profile_send(r->t->dev, NULL, NULL);
    clv_profile_reset(r->t->dev);
    clv_profile_table_destroy(&r->table);
    clv_trace_finish(&r->trace);
    free(r);
    *recorder = NULL;
}
