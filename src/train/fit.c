/* Epochs: keeps CLV_PLAN_RING steps in flight, judges epochs, and stops. */
#include "train/fit.h"

#include "base/util.h"
#include <math.h>
#include <string.h>

/* ---- events and checkpoints ---- */

static double elapsed(const struct clv_fit *f) { return clv_now() - f->begin; }

static double share(const struct clv_fit *f, uint64_t batch)
{
    if (!f->batches)
        return (double)f->state.epoch / f->epochs;
    return ((double)f->state.epoch + (double)batch / (double)f->batches) / f->epochs;
}

static double share_done(const struct clv_fit *f) { return share(f, f->state.batch); }

/* Batches of the epoch before the one that is submitted next. What depends on it must not see what happens to be in
 * flight: a resumed run starts with nothing there. */
static uint64_t batches_submitted(const struct clv_fit *f)
{
    uint64_t batch = f->state.batch;
    for (int i = 0; i < CLV_PLAN_RING; i++)
        batch += f->flight[i].n > 0;
    return batch;
}

static struct clv_event event(const struct clv_fit *f, enum clv_event_kind kind)
{
    const double done = share_done(f) - f->share_at_begin;
    return (struct clv_event){
        .kind = kind, .epoch = f->state.epoch + 1, .epochs = f->epochs,
        .batch = (size_t)f->state.batch, .batches = f->batches, .learning_rate = f->t->rate,
        .loss = NAN, .accuracy = NAN, .seconds = elapsed(f),
        .seconds_left = done > 0 ? elapsed(f) / done * (1 - share_done(f)) : -1,
        .wait_seconds = clv_batches_wait_seconds(f->source), .skipped = clv_trainer_skipped(f->t),
        .loss_scale = clv_trainer_loss_scale(f->t)};
}

static void send(struct clv_fit *f, const struct clv_event *e)
{
    if (f->params.on_event && f->params.on_event(f->params.priv, e))
        f->cancelled = true;
}

static enum clv_err checkpoint(struct clv_fit *f, bool epoch_end, bool best)
{
    f->last_checkpoint = clv_now();
    if (!f->params.on_checkpoint)
        return CLV_OK;
    const double begin = clv_now();
    const int err = f->params.on_checkpoint(f->params.priv, &f->state, epoch_end, best);
    clv_recorder_span(f->recorder, CLV_SPAN_CHECKPOINT, f->state.step, begin);
    return err < 0 ? (enum clv_err)err : CLV_OK;
}

/* ---- one batch ---- */

static void count_correct(struct clv_fit *f, const struct clv_flight *b, const float *output,
                          int *correct)
{
    *correct = 0;
    for (int i = 0; i < b->n; i++)
        *correct += clv_trainer_argmax(f->t, output + (size_t)i * (size_t)f->t->outputs) == b->labels[i];
}

/* Takes the results of the oldest batch in flight. */
static enum clv_err land(struct clv_fit *f, struct clv_flight *b)
{
    const float *output, *loss;
    int correct;
    double sum = 0;
    const double begin = clv_now();
    CLV_TRY(clv_plan_wait(f->plan, b->slot, &output, &loss));
    clv_recorder_span(f->recorder, CLV_SPAN_WAIT, f->state.step + 1, begin);
    CLV_TRY(clv_recorder_poll(f->recorder, true));
    for (int i = 0; i < b->n; i++)
        sum += loss[i];
    count_correct(f, b, output, &correct);
    const int n = b->n;
    bool skipped;
    b->n = 0;
    f->state.step++;
    f->state.batch++;
    f->landed += (uint64_t)n;
    CLV_TRY(clv_plan_check(f->plan, b->slot, f->state.step));
    CLV_TRY(clv_trainer_land(f->t, b->slot, f->state.step, &skipped));
    if (isfinite(sum)) { /* a skipped step whose loss is none is left out of the epoch's means */
        f->state.loss_sum += sum;
        f->state.correct += correct;
        f->state.samples += (uint64_t)n;
    } else if (!skipped) {
        return clv_fail(&f->t->ctx->err, CLV_ERR_NONFINITE,
                        "the loss of step %llu (epoch %d, batch %llu) is not finite: lower the learning "
                        "rate or clip the gradients; the last checkpoint is kept",
                        (unsigned long long)f->state.step, f->state.epoch + 1,
                        (unsigned long long)f->state.batch);
    }
    struct clv_event e = event(f, CLV_EVENT_BATCH);
    e.loss = sum / n;
    e.accuracy = (double)correct / n;
    e.learning_rate = b->rate;
    e.images_per_second = (double)f->landed / (clv_now() - f->epoch_begin);
    send(f, &e);
    return CLV_OK;
}

static enum clv_err drain(struct clv_fit *f)
{
    for (int i = 0; i < CLV_PLAN_RING; i++) {
        struct clv_flight *b = &f->flight[(f->slot + i) % CLV_PLAN_RING];
        if (b->n)
            CLV_TRY(land(f, b));
    }
    return CLV_OK;
}

/* For the step after `step`, which begins when `done` of the training is done. */
static void set_rate(struct clv_fit *f, uint64_t step, double done)
{
    const double factor = clv_lr_schedule_factor(&f->schedule, step, f->state.epoch, done,
                                                 f->state.plateau_factor);
    f->t->rate = CLV_MAX(f->base_rate * factor, f->schedule.kind == CLV_LR_PLATEAU
                                                    ? CLV_MIN(f->schedule.min_rate, f->base_rate) : 0);
}

static bool stop_now(const struct clv_fit *f)
{
    return f->cancelled || (f->params.max_steps && f->t->step >= f->params.max_steps);
}

static enum clv_err checkpoint_within_epoch(struct clv_fit *f)
{
    CLV_TRY(drain(f));
    clv_recorder_stop(f->recorder);
    CLV_TRY(checkpoint(f, false, false));
    clv_recorder_begin(f->recorder);
    return CLV_OK;
}

/* Soft targets of a mixed batch; its accuracy counts the class that has the larger share. */
static struct clv_mix mix_targets(struct clv_fit *f, int32_t *labels, int n)
{
    struct clv_trainer *t = f->t;
    const struct clv_mix mix = clv_trainer_mix(t, (uint64_t)f->state.epoch, batches_submitted(f), n, t->targets);
    for (int i = 0; i < n / 2 && clv_mix_share(&mix, t->input.h, t->input.w) < 0.5; i++) {
        const int32_t label = labels[i];
        labels[i] = labels[n - 1 - i];
        labels[n - 1 - i] = label;
    }
    return mix;
}

/* The next batch into the slot b, whose last one has landed; *n = 0 at the end of the epoch. */
static enum clv_err submit(struct clv_fit *f, struct clv_flight *b, int *n)
{
    struct clv_trainer *t = f->t;
    double begin = clv_now();
    size_t used;
    void *memory;
    CLV_TRY(clv_plan_slot(f->plan, f->slot, &memory));
    CLV_TRY(clv_batches_next(f->source, memory, &used, n, t->index, b->labels));
    if (!*n)
        return CLV_OK;
    clv_recorder_span(f->recorder, CLV_SPAN_BATCH, t->step + 1, begin);
    begin = clv_now();
    set_rate(f, t->step, share(f, batches_submitted(f)));
    CLV_TRY(clv_trainer_one_hot(t, b->labels, *n, t->targets));
    const struct clv_mix mix = mix_targets(f, b->labels, *n);
    CLV_TRY(clv_trainer_submit(t, true, f->slot, &(struct clv_upload){.bytes = used}, *n, t->index, t->targets, &mix));
    clv_recorder_span(f->recorder, CLV_SPAN_SUBMIT, t->step, begin);
    b->n = *n;
    b->slot = f->slot;
    b->rate = t->rate;
    f->slot = (f->slot + 1) % CLV_PLAN_RING;
    return CLV_OK;
}

/* Submits until the epoch's source ends; every slot lands before it is filled again. */
static enum clv_err run_batches(struct clv_fit *f)
{
    while (!stop_now(f)) {
        struct clv_flight *b = &f->flight[f->slot];
        int n;
        if (b->n)
            CLV_TRY(land(f, b));
        if (f->params.checkpoint_seconds > 0 &&
            clv_now() - f->last_checkpoint > f->params.checkpoint_seconds)
            CLV_TRY(checkpoint_within_epoch(f));
        if (stop_now(f))
            break;
        CLV_TRY(submit(f, b, &n));
        if (!n)
            break;
    }
    return drain(f);
}

static enum clv_err train_epoch(struct clv_fit *f)
{
    f->epoch_begin = clv_now();
    f->landed = 0;
    CLV_TRY(clv_batches_start(f->source, (uint64_t)f->state.epoch, (size_t)f->state.batch));
    clv_recorder_begin(f->recorder);
    CLV_TRY(run_batches(f));
    clv_recorder_stop(f->recorder);
    clv_recorder_span(f->recorder, CLV_SPAN_TRAINING, (uint64_t)f->state.epoch + 1, f->epoch_begin);
    return CLV_OK;
}

/* ---- judging an epoch ---- */

static enum clv_err validate(struct clv_fit *f, struct clv_event *e)
{
    struct clv_metrics m = {0};
    if (!f->val)
        return CLV_OK;
    const double begin = clv_now();
    CLV_TRY(clv_recorder_poll(f->recorder, false)); /* what comes now are other steps */
    CLV_TRY(clv_trainer_evaluate(f->t, f->val, -1, &m, NULL, NULL));
    clv_recorder_span(f->recorder, CLV_SPAN_VALIDATION, (uint64_t)f->state.epoch + 1, begin);
    const enum clv_err polled = clv_recorder_poll(f->recorder, false);
    e->has_validation = true;
    e->val_loss = m.loss;
    e->val_accuracy = m.accuracy;
    e->val_auc = m.auc;
    e->val_f1 = m.f1_macro;
    clv_metrics_finish(&m);
    return polled;
}

static enum clv_err finish_epoch(struct clv_fit *f)
{
    struct clv_event e = event(f, CLV_EVENT_EPOCH);
    e.loss = f->state.loss_sum / (double)CLV_MAX(f->state.samples, 1);
    e.accuracy = f->state.correct / (double)CLV_MAX(f->state.samples, 1);
    e.images_per_second = (double)f->landed / (clv_now() - f->epoch_begin);
    CLV_TRY(validate(f, &e));
    const double value = clv_monitor_value(f->monitor, &e);
    e.best = clv_monitor_judge(f, value);
    f->state.epoch++;
    f->state.batch = 0;
    f->state.loss_sum = f->state.correct = 0;
    f->state.samples = 0;
    e.seconds = elapsed(f);
    f->last_event = e;
    if (f->params.on_epoch)
        f->params.on_epoch(f->params.priv, &e);
    CLV_TRY(checkpoint(f, true, e.best));
    send(f, &e);
    return CLV_OK;
}

/* The conditions stand before the epoch, so that a run that had ended stays so when it is resumed. */
static enum clv_err run_epochs(struct clv_fit *f, const char **reason)
{
    for (;;) {
        if (f->params.patience && f->state.bad_epochs >= f->params.patience) {
            *reason = "early stopping";
            return CLV_OK;
        }
        if (f->state.epoch >= f->epochs) {
            *reason = "epochs";
            return CLV_OK;
        }
        if (f->params.pause && f->state.epoch >= f->params.pause) {
            *reason = "paused";
            return CLV_OK;
        }
        CLV_TRY(train_epoch(f));
        const bool complete = f->batches && f->state.batch >= f->batches;
        if (f->cancelled || (stop_now(f) && !complete)) {
            *reason = f->cancelled ? "cancelled" : "max_steps";
            return checkpoint(f, false, false);
        }
        CLV_TRY(finish_epoch(f));
        if (stop_now(f)) {
            *reason = f->cancelled ? "cancelled" : "max_steps";
            return CLV_OK;
        }
    }
}

/* ---- the whole ---- */

static enum clv_err prepare(struct clv_fit *f, const struct clv_batch_source *train)
{
    struct clv_trainer *t = f->t;
    clv_trainer_expect(t, true, train);
    CLV_TRY(clv_trainer_plan(t, true, &f->plan));
    const struct clv_batches_params params = {
        .source = train, .batch = t->params.batch, .height = t->input.h, .width = t->input.w,
        .channels = t->input.c, .training = true, .sampler = f->params.sampler, .seed = t->params.seed,
        .pipeline = t->params.pipeline, .slot_bytes = t->slot_bytes,
        .floats = clv_plan_takes_floats(f->plan)};
    CLV_TRY(clv_lr_schedule_parse(f->params.schedule, &f->schedule, &t->ctx->err));
    CLV_TRY(clv_monitor_parse(f->params.monitor, f->val != NULL, &f->monitor, &t->ctx->err));
    CLV_TRY(clv_batches_create(t->ctx, &params, &f->source));
    f->batches = clv_batches_count(f->source);
    for (int i = 0; i < CLV_PLAN_RING; i++) {
        f->flight[i].labels = calloc((size_t)t->params.batch, sizeof *f->flight[i].labels);
        if (!f->flight[i].labels)
            return clv_fail_nomem(&t->ctx->err, "labels");
    }
    /* An epoch whose steps were all done before still reports the rate of its last one. */
    if (f->state.batch)
        set_rate(f, t->step - 1, share(f, f->state.batch - 1));
    f->share_at_begin = share_done(f);
    if (f->params.profile || f->params.trace)
        CLV_TRY(clv_recorder_create(t, f->params.trace, &f->recorder));
    f->begin = f->last_checkpoint = clv_now();
    return CLV_OK;
}

static enum clv_err report(struct clv_fit *f)
{
    if (!f->recorder)
        return CLV_OK;
    const struct clv_fit_profile profile = clv_recorder_report(f->recorder);
    struct clv_event e = event(f, CLV_EVENT_PROFILE);
    e.epoch = f->state.epoch;
    e.profile = &profile;
    send(f, &e);
    return clv_recorder_write(f->recorder);
}

enum clv_err clv_trainer_fit(struct clv_trainer *t, const struct clv_batch_source *train,
                             const struct clv_batch_source *val, const struct clv_fit_params *params)
{
    static const struct clv_fit_params defaults;
    struct clv_fit f = {.t = t, .val = val, .params = params ? *params : defaults};
    const char *reason = "failed";
    f.epochs = f.params.epochs ? f.params.epochs : 10;
    f.base_rate = clv_optim_learning_rate(t->optim, t->optim_params);
    f.state = (struct clv_fit_state){.step = t->step, .best = NAN, .plateau_factor = 1,
                                     .plateau_best = NAN};
    if (f.params.resume)
        f.state = *f.params.resume;
    enum clv_err err = prepare(&f, train);
    if (!err) {
        const struct clv_event start = event(&f, CLV_EVENT_START);
        send(&f, &start);
        err = run_epochs(&f, &reason);
        if (err)
            clv_plan_drain(f.plan);
        else
            err = report(&f);
    }
    if (!err) {
        struct clv_event end = f.last_event;
        end.kind = CLV_EVENT_END;
        end.epoch = f.state.epoch;
        end.epochs = f.epochs;
        end.seconds = elapsed(&f);
        end.seconds_left = 0;
        end.stop_reason = reason;
        end.skipped = clv_trainer_skipped(t);
        end.loss_scale = clv_trainer_loss_scale(t);
        if (f.params.on_event)
            (void)f.params.on_event(f.params.priv, &end);
    }
    clv_recorder_destroy(&f.recorder);
    clv_batches_destroy(&f.source);
    for (int i = 0; i < CLV_PLAN_RING; i++)
        free(f.flight[i].labels);
    return err;
}
