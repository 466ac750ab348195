/* Uploads beside the steps, as devices with memory of their own have them; no-unified makes one of any. What
 * is held back here shows what waits for what: a command gets an event of the test's to wait for. And what
 * fails here shows where that arrives. The linker puts the functions below in the place of OpenCL's
 * (--wrap, see meson.build). */
#include "base/util.h"
#include "device/internal.h"
#include "plan/internal.h"
#include "rig.h"
#include "train/trainer.h"

#include <time.h>

static const char model[] = "input 6 5 2\nconv2d 6 3 activation=relu\nflatten\ndropout 0.2\n"
                            "dense 8 activation=relu\ndense 3 activation=softmax\n";
enum { COUNT = 60, CLASSES = 3, BATCH = 8, N = 50, STEPS = 4, BAD = CL_OUT_OF_RESOURCES };

/* ---- in OpenCL's place ---- */

enum command { NONE, KERNEL, UPLOAD, COPY };
static struct {
    enum command held, fails;   /* the next one of that kind */
    cl_event hold;              /* what the held one waits for */
    cl_event broken;            /* reports a failure */
    cl_command_queue uploads;   /* whose writes are uploads */
    cl_event unflushed;         /* the last mark, until its queue is flushed */
    cl_command_queue marked;    /* its queue */
    int waits;                  /* commands that waited for a mark */
} fake;

/* The wait list with the hold behind it; true when the command is to fail. */
static bool meddle(enum command what, cl_uint *n, const cl_event **wait, cl_event room[2])
{
    for (cl_uint i = 0; i < *n; i++)
        cr_expect_neq((*wait)[i], fake.unflushed, "its queue was not flushed: this may wait for ever");
    fake.waits += *n > 0;
    if (fake.fails == what) {
        fake.fails = NONE;
        return true;
    }
    if (fake.held != what)
        return false;
    fake.held = NONE;
    cr_assert_leq(*n, 1);
    if (*n)
        room[0] = **wait;
    room[(*n)++] = fake.hold;
    *wait = room;
    return false;
}

#define WAIT cl_uint n, const cl_event *wait, cl_event *event
#define MEDDLED(name, what, params, args)                                                          \
    cl_int __real_##name params;                                                                   \
    cl_int __wrap_##name params;                                                                   \
    cl_int __wrap_##name params                                                                    \
    {                                                                                              \
        cl_event room[2];                                                                          \
        return (what) != NONE && meddle((what), &n, &wait, room) ? BAD : __real_##name args;       \
    }
MEDDLED(clEnqueueNDRangeKernel, KERNEL,
        (cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *offset, const size_t *global,
         const size_t *local, WAIT),
        (q, k, dims, offset, global, local, n, wait, event))
MEDDLED(clEnqueueWriteBuffer, q == fake.uploads ? UPLOAD : NONE,
        (cl_command_queue q, cl_mem m, cl_bool block, size_t off, size_t size, const void *p, WAIT),
        (q, m, block, off, size, p, n, wait, event))
MEDDLED(clEnqueueCopyBuffer, COPY,
        (cl_command_queue q, cl_mem a, cl_mem b, size_t a_off, size_t b_off, size_t size, WAIT),
        (q, a, b, a_off, b_off, size, n, wait, event))

cl_int __real_clEnqueueMarkerWithWaitList(cl_command_queue q, WAIT);
cl_int __wrap_clEnqueueMarkerWithWaitList(cl_command_queue q, WAIT);
cl_int __wrap_clEnqueueMarkerWithWaitList(cl_command_queue q, WAIT)
{
    const cl_int status = __real_clEnqueueMarkerWithWaitList(q, n, wait, event);
    fake.unflushed = *event;
    fake.marked = q;
    return status;
}

cl_int __real_clFlush(cl_command_queue q);
cl_int __wrap_clFlush(cl_command_queue q);
cl_int __wrap_clFlush(cl_command_queue q)
{
    if (q == fake.marked)
        fake.unflushed = NULL;
    return __real_clFlush(q);
}

#define PARAMS (cl_event e, cl_event_info what, size_t size, void *value, size_t *ret)
cl_int __real_clGetEventInfo PARAMS;
cl_int __wrap_clGetEventInfo PARAMS;
cl_int __wrap_clGetEventInfo PARAMS
{
    const cl_int status = __real_clGetEventInfo(e, what, size, value, ret);
    if (fake.broken == e && what == CL_EVENT_COMMAND_EXECUTION_STATUS && *(cl_int *)value == CL_COMPLETE)
        *(cl_int *)value = BAD;
    return status;
}

/* ---- a training by hand: two steps may be in flight ---- */

struct setting {
    struct rig r;
    struct clv_graph *g;
    struct clv_trainer *t;
    struct clv_plan *plan;
    float *x;
    int32_t labels[N];
    float loss[STEPS][BATCH];
};

static struct setting begin(const char *caps, const char *preprocess)
{
    struct setting s = {.r = rig_open(caps)};
    s.g = rig_graph(&s.r, model);
    s.x = rig_samples(N, COUNT, CLASSES, 1, s.labels);
    ok(s.r.ctx, clv_trainer_create(s.r.dev, s.g, &(struct clv_trainer_params){
        .batch = BATCH, .seed = 3, .pipeline.preprocess = preprocess}, &s.t));
    s.plan = s.t->plan[1];
    cr_assert_eq(clv_plan_takes_floats(s.plan), !preprocess);
    cr_assert_eq(s.plan->landing != NULL, clv_upload_is_apart(s.r.dev));
    fake.uploads = s.r.dev->uploads;
    return s;
}

static void end(struct setting *s)
{
    free(s->x);
    clv_trainer_destroy(&s->t);
    clv_graph_destroy(&s->g);
    rig_close(&s->r);
}

/* Step `step` (0..) from the slot's own memory, in the ring entry that is its turn. */
static enum clv_err submit(struct setting *s, int step)
{
    float targets[BATCH * CLASSES];
    void *memory;
    const int slot = step % CLV_PLAN_RING;
    CLV_TRY(clv_plan_slot(s->plan, slot, &memory));
    memcpy(memory, s->x + (size_t)step * BATCH * COUNT, sizeof(float) * BATCH * COUNT);
    CLV_TRY(clv_trainer_one_hot(s->t, s->labels + step * BATCH, BATCH, targets));
    return clv_trainer_submit(s->t, true, slot, &(struct clv_upload){.bytes = sizeof(float) * BATCH * COUNT},
                              BATCH, NULL, targets, NULL);
}

static enum clv_err land(struct setting *s, int step)
{
    const float *output, *loss;
    CLV_TRY(clv_plan_wait(s->plan, step % CLV_PLAN_RING, &output, &loss));
    memcpy(s->loss[step], loss, sizeof s->loss[step]);
    return CLV_OK;
}

/* Two in flight, as the training loop has them. */
static void run(struct setting *s, int first, int last)
{
    for (int i = first; i < last; i++) {
        ok(s->r.ctx, submit(s, i));
        if (i > first)
            ok(s->r.ctx, land(s, i - 1));
    }
    ok(s->r.ctx, land(s, last - 1));
}

static void expect_same(struct setting *a, struct setting *b, const char *what)
{
    size_t n, m;
    float *w = rig_weights(&a->r, a->t, false, &n), *v = rig_weights(&b->r, b->t, false, &m);
    cr_assert_eq(n, m);
    cr_expect_arr_eq(a->loss, b->loss, sizeof a->loss, "%s: other losses", what);
    cr_expect_arr_eq(w, v, n * sizeof *w, "%s: other weights", what);
    free(w), free(v);
}

static bool is_done(const struct clv_mark *mark)
{
    cl_int status = CL_QUEUED;
    cr_assert_eq(clGetEventInfo(mark->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL), 0);
    return status == CL_COMPLETE;
}

/* Within `ms`. */
static bool gets_done(const struct clv_mark *mark, int ms)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (; ms > 0 && !is_done(mark); ms--)
        nanosleep(&pause, NULL);
    return is_done(mark);
}

enum { SOON = 20000, SHORT = 50 };

static void hold(const struct setting *s, enum command what)
{
    cl_int status;
    fake.hold = clCreateUserEvent(s->r.dev->context, &status);
    cr_assert_eq(status, CL_SUCCESS);
    fake.held = what;
}

static void release(void)
{
    cr_assert_eq(fake.held, NONE, "nothing was held");
    cr_assert_eq(clSetUserEventStatus(fake.hold, CL_COMPLETE), CL_SUCCESS);
    clReleaseEvent(fake.hold);
}

/* ---- what must hold ---- */

Test(upload, beside_the_steps_changes_no_bit)
{
    static const struct { const char *shared, *apart; } caps[] = {{"", "no-unified"}, {"gpu", "gpu,no-unified"}};
    static const char *const preprocess[] = {NULL, "mean=0.4 std=0.3"};
    for (size_t i = 0; i < CLV_COUNT(caps) * CLV_COUNT(preprocess); i++) {
        struct setting a = begin(caps[i / 2].shared, preprocess[i % 2]), b = begin(caps[i / 2].apart, preprocess[i % 2]);
        const struct clv_batch_source src = {.x = a.x, .labels = a.labels, .n = N};
        const struct clv_fit_params params = {.epochs = 2};
        float out[2][N * CLASSES];
        cr_assert(!a.plan->landing && b.plan->landing);
        ok(a.r.ctx, clv_trainer_fit(a.t, &src, &src, &params));
        ok(b.r.ctx, clv_trainer_fit(b.t, &src, &src, &params));
        ok(a.r.ctx, clv_trainer_predict(a.t, a.x, N, out[0]));
        ok(b.r.ctx, clv_trainer_predict(b.t, a.x, N, out[1]));
        cr_expect_arr_eq(out[0], out[1], sizeof out[0], "other predictions");
        expect_same(&a, &b, b.plan->takes_floats ? "floats" : "samples");
        end(&a), end(&b);
    }
}

Test(upload, the_next_samples_land_while_a_step_runs)
{
    struct setting a = begin("", NULL), b = begin("no-unified", NULL);
    run(&a, 0, STEPS);
    run(&b, 0, 2);
    hold(&b, KERNEL);
    ok(b.r.ctx, submit(&b, 2));
    ok(b.r.ctx, submit(&b, 3));
    cr_expect(gets_done(b.plan->ring[1].uploaded, SOON), "the upload waits for the steps");
    cr_expect(!is_done(b.plan->ring[0].mark) && !is_done(b.plan->ring[1].mark), "nothing was held");
    release();
    ok(b.r.ctx, land(&b, 2));
    ok(b.r.ctx, land(&b, 3));
    expect_same(&a, &b, "a step was held");
    cr_expect_eq(fake.waits, 2 * STEPS - 1, "%d waits: each upload but the first, and each copy", fake.waits);
    end(&a), end(&b);
}

Test(upload, steps_wait_for_their_samples)
{
    struct setting a = begin("", NULL), b = begin("no-unified", NULL);
    run(&a, 0, STEPS);
    run(&b, 0, 2);
    hold(&b, UPLOAD);
    ok(b.r.ctx, submit(&b, 2));
    ok(b.r.ctx, submit(&b, 3));
    cr_expect(!gets_done(b.plan->ring[0].mark, SHORT), "the steps ran without their samples");
    release();
    ok(b.r.ctx, land(&b, 2));
    ok(b.r.ctx, land(&b, 3));
    expect_same(&a, &b, "an upload was held");
    end(&a), end(&b);
}

Test(upload, samples_stay_until_they_were_taken)
{
    struct setting a = begin("", NULL), b = begin("no-unified", NULL);
    run(&a, 0, STEPS);
    run(&b, 0, 2);
    hold(&b, COPY);
    ok(b.r.ctx, submit(&b, 2));
    ok(b.r.ctx, submit(&b, 3));
    cr_expect(gets_done(b.plan->ring[0].uploaded, SOON));
    cr_expect(!gets_done(b.plan->ring[1].uploaded, SHORT), "the next upload did not wait for the copy");
    release();
    ok(b.r.ctx, land(&b, 2));
    ok(b.r.ctx, land(&b, 3));
    expect_same(&a, &b, "a copy was held");
    end(&a), end(&b);
}

/* A submission that fails has left both queues, and the plan goes on as if it had not been. */
Test(upload, a_submission_that_fails_leaves_nothing)
{
    static const struct { enum command fails; const char *text; } faults[] = {
        {UPLOAD, "uploading: clEnqueueWriteBuffer failed: CL_OUT_OF_RESOURCES"},
        {COPY, "copying a buffer: clEnqueueCopyBuffer failed: CL_OUT_OF_RESOURCES"}};
    struct setting a = begin("", NULL);
    run(&a, 0, STEPS);
    for (size_t i = 0; i < CLV_COUNT(faults); i++) {
        struct setting b = begin("no-unified", NULL);
        const float *output, *loss;
        run(&b, 0, 2);
        ok(b.r.ctx, submit(&b, 2));
        fake.fails = faults[i].fails;
        cr_expect_eq(submit(&b, 3), CLV_ERR_CL);
        cr_expect(strstr(clv_error_text(b.r.ctx), faults[i].text), "%s", clv_error_text(b.r.ctx));
        cr_expect(is_done(b.plan->ring[0].mark), "something is in flight");
        cr_expect(!b.plan->ring[1].mark && !b.plan->ring[1].uploaded && !b.plan->taken);
        ok(b.r.ctx, land(&b, 2));
        cr_expect_eq(clv_plan_wait(b.plan, 1, &output, &loss), CLV_ERR_ARG, "results of what failed");
        run(&b, 3, STEPS);
        expect_same(&a, &b, faults[i].text);
        end(&b);
    }
    end(&a);
}

/* The steps of a failed upload may have run on the wrong samples: no result comes of them. */
Test(upload, one_that_fails_on_the_way_is_reported)
{
    struct setting s = begin("no-unified", NULL);
    run(&s, 0, 2);
    ok(s.r.ctx, submit(&s, 2));
    fake.broken = s.plan->ring[0].uploaded->event;
    ok(s.r.ctx, submit(&s, 3));
    cr_expect_eq(land(&s, 2), CLV_ERR_CL);
    cr_expect(strstr(clv_error_text(s.r.ctx), "CL_OUT_OF_RESOURCES"), "%s", clv_error_text(s.r.ctx));
    fake.broken = NULL;
    clv_plan_drain(s.plan);
    cr_expect(strstr(clv_error_text(s.r.ctx), "CL_OUT_OF_RESOURCES"), "the way out lost the text");
    cr_expect(!s.plan->ring[1].mark && !s.plan->ring[1].uploaded && !s.plan->taken);
    run(&s, 2, STEPS);
    end(&s);
}

/* Whoever cancels destroys the plan with two steps in flight. */
Test(upload, may_be_in_flight_at_the_end)
{
    struct setting s = begin("no-unified", NULL);
    ok(s.r.ctx, submit(&s, 0));
    ok(s.r.ctx, submit(&s, 1));
    end(&s);
}
