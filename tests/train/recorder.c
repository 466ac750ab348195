/* A profiled training: the same results, a line per step, and a trace that a viewer can read. */
#include "base/file.h"
#include "base/json.h"
#include "plan/plan.h"
#include "setting.h"
#include "train/recorder.h"
#include "train/trace.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char model[] = "input 6 5 2\nconv2d 6 3 activation=relu\nflatten\ndropout 0.2\n"
                            "dense 8 activation=relu\ndense 3 activation=softmax\n";
enum { COUNT = 60, CLASSES = 3, N = 50, BATCH = 8, BATCHES = 7 };

static struct setting begin(bool profile)
{
    return setting_open(rig_open_as(NULL, profile), model, N, COUNT, CLASSES,
                        &(struct clv_trainer_params){.batch = BATCH, .seed = 3});
}

static enum clv_err fit(struct setting *s, struct clv_fit_params *p)
{
    const struct clv_batch_source src = {.x = s->x, .labels = s->labels, .n = N};
    return clv_trainer_fit(s->t, &src, &src, p);
}

struct seen { struct clv_trainer *t; int profiles; enum clv_event_kind last; uint64_t runs; };

static int on_event(void *priv, const struct clv_event *e)
{
    struct seen *seen = priv;
    seen->last = e->kind;
    if (e->kind != CLV_EVENT_PROFILE)
        return 0;
    const struct clv_fit_profile *p = e->profile;
    const struct clv_steps *steps = clv_plan_steps(seen->t->plan[1]);
    seen->profiles++;
    cr_assert_eq(p->n_steps, (size_t)steps->n);
    cr_expect_eq(p->runs, seen->runs);
    for (size_t i = 0; i < p->n_steps; i++) {
        cr_expect_str_eq(p->steps[i].what, steps->step[i].label);
        cr_expect_eq(p->steps[i].runs, seen->runs, "%s: %llu runs", p->steps[i].what,
                     (unsigned long long)p->steps[i].runs);
        cr_expect_gt(p->steps[i].seconds.median, 0, "%s", p->steps[i].what);
    }
    cr_expect(p->seconds > 0 && p->device_seconds > 0 && p->device_seconds < p->seconds,
              "%g s on the device of %g", p->device_seconds, p->seconds);
    cr_expect(p->host_cpu_seconds > 0 && p->host_cpu_seconds < p->seconds, "%g s of processor time",
              p->host_cpu_seconds);
    return 0;
}

static char *trace_path(const char *name)
{
    static const char form[] = "%s/%s-%d.json";
    const char *build = getenv("CLAVICLE_TEST_BUILD");
    char *path = malloc(strlen(build) + strlen(name) + sizeof form + 16);
    cr_assert(path);
    sprintf(path, form, build, name, (int)getpid());
    return path;
}

/* Counts the events of each row and sees that none begins before the one ahead of it has ended. */
static json_t *read_trace(const char *path, int rows[CLV_TRACE_ROWS])
{
    struct clv_error err = {0};
    json_t *o = NULL;
    const json_t *e;
    size_t i;
    double ended[CLV_TRACE_ROWS] = {0};
    cr_assert_eq(clv_json_load(path, &o, &err), CLV_OK, "%s", err.text);
    json_array_foreach(json_object_get(o, "traceEvents"), i, e) {
        const char *ph = json_string_value(json_object_get(e, "ph"));
        const json_int_t row = json_integer_value(json_object_get(e, "tid"));
        cr_assert(json_is_string(json_object_get(e, "name")) && ph && row >= 0 && row < CLV_TRACE_ROWS);
        if (*ph != 'X')
            continue;
        const double ts = json_number_value(json_object_get(e, "ts"));
        rows[row]++;
        cr_expect_eq(json_integer_value(json_object_get(e, "pid")), row >= 2);
        cr_expect_geq(ts, ended[row] - .002, "row %d, event %zu overlaps", (int)row, i);
        ended[row] = ts + json_number_value(json_object_get(e, "dur"));
    }
    cr_expect_lt(fabs(ended[0] - ended[1]), 60e6, "host and device are minutes apart");
    return o;
}

static json_int_t fact(const json_t *trace, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(trace, "otherData"), key));
}

Test(recorder, times_every_step_and_changes_nothing)
{
    struct setting plain = begin(false), timed = begin(true);
    struct seen seen = {.t = timed.t, .runs = 3 * BATCHES};
    char *path = trace_path("recorder");
    int rows[CLV_TRACE_ROWS] = {0};
    ok(plain.r.ctx, fit(&plain, &(struct clv_fit_params){.epochs = 3}));
    ok(timed.r.ctx, fit(&timed, &(struct clv_fit_params){.epochs = 3, .profile = true, .trace = path,
                                                         .on_event = on_event, .priv = &seen}));
    cr_expect_eq(seen.profiles, 1);
    cr_expect_eq(seen.last, CLV_EVENT_END);
    size_t n;
    float *x = rig_weights(&plain.r, plain.t, false, &n), *y = rig_weights(&timed.r, timed.t, false, &n);
    cr_expect_arr_eq(x, y, n * sizeof *x);

    json_t *trace = read_trace(path, rows);
    const int training = clv_plan_steps(timed.t->plan[1])->n, evaluation = clv_plan_steps(timed.t->plan[0])->n;
    cr_expect_eq(rows[0], 6, "three epochs and their validations");
    cr_expect_eq(rows[1], 3 * 3 * BATCHES, "%d: batch, submit and wait of each step", rows[1]);
    cr_expect_eq(rows[2], 3 * BATCHES * training);
    cr_expect(rows[3] > 0 && rows[3] <= 3 * BATCHES * evaluation, "%d evaluation steps", rows[3]);
    cr_expect(rows[4] > 3 * BATCHES && rows[4] <= 2 * 3 * BATCHES, "%d uploads of both plans", rows[4]);
    cr_expect_eq(fact(trace, "steps"), 3 * BATCHES);
    cr_expect_eq(fact(trace, "steps_kept"), 3 * BATCHES);
    json_decref(trace);
    remove(path);
    free(path), free(x), free(y);
    setting_close(&plain), setting_close(&timed);
}

/* The first steps stay, epochs go on. */
Test(recorder, a_long_training_keeps_its_first_steps)
{
    struct setting s = begin(true);
    char *path = trace_path("recorder-long");
    int rows[CLV_TRACE_ROWS] = {0}, epochs = CLV_RECORDER_STEPS / BATCHES + 3;
    ok(s.r.ctx, fit(&s, &(struct clv_fit_params){.epochs = epochs, .trace = path}));
    json_t *trace = read_trace(path, rows);
    cr_expect_eq(rows[0], 2 * epochs);
    cr_expect_eq(rows[1], 3 * CLV_RECORDER_STEPS);
    cr_expect_eq(rows[2], CLV_RECORDER_STEPS * clv_plan_steps(s.t->plan[1])->n);
    cr_expect_eq(fact(trace, "steps"), epochs * BATCHES);
    cr_expect_eq(fact(trace, "steps_kept"), CLV_RECORDER_STEPS);
    json_decref(trace);
    remove(path);
    free(path);
    setting_close(&s);
}

/* The device is as before when the recorder is gone, also after a failure. */
Test(recorder, refuses_what_cannot_be_timed_or_written)
{
    struct setting plain = begin(false), timed = begin(true);
    cr_expect_eq(fit(&plain, &(struct clv_fit_params){.epochs = 1, .profile = true}), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(plain.r.ctx), "profiling"), "%s", clv_error_text(plain.r.ctx));
    cr_expect_eq(fit(&timed, &(struct clv_fit_params){.epochs = 1, .trace = "/nowhere/at/all.json"}), CLV_ERR_WRITE);
    ok(plain.r.ctx, fit(&plain, &(struct clv_fit_params){.epochs = 1}));
    ok(timed.r.ctx, fit(&timed, &(struct clv_fit_params){.epochs = 1}));
    setting_close(&plain), setting_close(&timed);
}
