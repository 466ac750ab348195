#include "progress.h"

#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct progress progress_init(bool json, bool quiet, const struct clv_run_result *facts, const char *run)
{
    const bool terminal = isatty(2) != 0;
    /* JSON lines on the same terminal, or a log that nobody asked for beside them. */
    const bool beside = json && (!terminal || isatty(1));
    return (struct progress){.json = json, .quiet = quiet || beside, .terminal = terminal,
                             .facts = facts, .run = run};
}

void progress_break(struct progress *p)
{
    if (p->line_open)
        fputc('\n', stderr);
    p->line_open = false;
}

static void clock_text(char out[32], double seconds)
{
    const long s = (long)(seconds + .5);
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

static void draw_start(const struct progress *p, const struct clv_event *e)
{
    const struct clv_run_result *r = p->facts;
    fprintf(stderr, "%s: %llu weights, %d classes, %zu train and %zu val images, on %s\n", r->model,
            (unsigned long long)r->parameters, r->n_classes, r->count[CLV_SPLIT_TRAIN],
            r->count[CLV_SPLIT_VAL], r->device);
    for (int i = 0; i < r->n_class_weights; i++)
        fprintf(stderr, "%s%.4g%s", i ? ", " : "class weights ", r->class_weight[i], i + 1 < r->n_class_weights ? "" : "\n");
    if (strcmp(r->sampler, "shuffle"))
        fprintf(stderr, "sampler %s: an epoch is %zu draws with replacement\n", r->sampler, r->count[CLV_SPLIT_TRAIN]);
    if (r->bad || r->ignored)
        fprintf(stderr, "left out: %zu damaged, %zu that are no images\n", r->bad, r->ignored);
    if (e->epoch > 1 || e->batch)
        fprintf(stderr, "%s goes on after epoch %d, batch %zu\n", p->run, e->epoch - 1, e->batch);
}

/* What the compiler takes on a first start; on a terminal the line is overwritten by what follows. */
static void draw_build(struct progress *p, const struct clv_event *e)
{
    if (p->terminal)
        fprintf(stderr, "\r%s\033[K", e->what);
    else if (!p->building)
        fprintf(stderr, "compiling kernels for this device; later starts find them in the cache\n");
    p->line_open = p->terminal;
    p->building = true;
}

static void draw_batch(struct progress *p, const struct clv_event *e)
{
    char left[32] = "?", batches[32] = "?";
    if (e->seconds_left >= 0)
        clock_text(left, e->seconds_left);
    if (e->batches)
        snprintf(batches, sizeof batches, "%zu", e->batches);
    fprintf(stderr, "%sepoch %d/%d  batch %zu/%s  %.1f images/s  loss %.4f  accuracy %.3f  %s left%s",
            p->terminal ? "\r" : "", e->epoch, e->epochs, e->batch, batches, e->images_per_second,
            e->loss, e->accuracy, left, p->terminal ? "\033[K" : "\n");
    p->line_open = p->terminal;
    p->last = e->seconds;
}

static void draw_epoch(struct progress *p, const struct clv_event *e)
{
    char spent[32], left[32];
    clock_text(spent, e->seconds);
    clock_text(left, e->seconds_left > 0 ? e->seconds_left : 0);
    if (p->line_open)
        fputs("\r\033[K", stderr);
    p->line_open = false;
    fprintf(stderr, "epoch %d/%d  loss %.4f  accuracy %.4f", e->epoch, e->epochs, e->loss, e->accuracy);
    if (e->has_validation)
        fprintf(stderr, "  |  val loss %.4f  accuracy %.4f  AUC %.4f", e->val_loss, e->val_accuracy,
                e->val_auc);
    if (e->skipped)
        fprintf(stderr, "  |  %llu steps skipped, loss scale %g", (unsigned long long)e->skipped, e->loss_scale);
    fprintf(stderr, "  |  rate %.3g  %.1f images/s  %s, %s left%s\n", e->learning_rate,
            e->images_per_second, spent, left, e->best ? "  *best" : "");
}

static void set(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

static void start_json(json_t *o, const struct progress *p)
{
    const struct clv_run_result *r = p->facts;
    set(o, "run", cli_string(p->run));
    set(o, "model", cli_string(r->model));
    set(o, "parameters", json_integer((json_int_t)r->parameters));
    set(o, "device", cli_string(r->device));
    set(o, "driver", cli_string(r->driver));
    set(o, "class_count", json_integer(r->n_classes));
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        set(o, clv_split_name((enum clv_split)s), json_integer((json_int_t)r->count[s]));
    set(o, "ignored", json_integer((json_int_t)r->ignored));
    set(o, "bad", json_integer((json_int_t)r->bad));
    set(o, "leaked_images", json_integer((json_int_t)r->leaked_images));
    set(o, "leaked_persons", json_integer((json_int_t)r->leaked_groups));
    set(o, "monitor", json_string(r->monitor));
    set(o, "sampler", cli_string(r->sampler));
    json_t *weights = r->n_class_weights ? json_array() : json_null();
    for (int i = 0; i < r->n_class_weights; i++)
        json_array_append_new(weights, cli_real(r->class_weight[i]));
    set(o, "class_weight", weights);
}

static void end_json(json_t *o, const struct progress *p, const struct clv_event *e)
{
    const struct clv_run_result *r = p->facts;
    set(o, "stop_reason", json_string(e->stop_reason));
    set(o, "run", cli_string(p->run));
    set(o, "steps", json_integer((json_int_t)r->steps));
    set(o, "monitor", json_string(r->monitor));
    set(o, "best_epoch", r->best_epoch ? json_integer(r->best_epoch) : json_null());
    set(o, "best_value", cli_real(r->best_value));
    set(o, "ignored", json_integer((json_int_t)r->ignored));
    set(o, "bad", json_integer((json_int_t)r->bad));
}

static double share(double part, double all) { return all > 0 ? part / all : NAN; }

/* In the same minutes as the training: NULL where that fails, or nobody waits for it any more. */
static const struct clv_ceilings *measure_ceilings(const struct clv_fit_profile *p, struct clv_ceilings *c)
{
    return cli_interrupted() || clv_bench_ceilings(p->device, NULL, c) ? NULL : c;
}

static void profile_json(json_t *o, const struct clv_fit_profile *p)
{
    struct clv_ceilings ceilings;
    char *steps = clv_timings_json(p->steps, p->n_steps, measure_ceilings(p, &ceilings));
    json_t *list = steps ? json_loads(steps, 0, NULL) : NULL;
    set(o, "runs", json_integer((json_int_t)p->runs));
    set(o, "training_seconds", cli_real(p->seconds));
    set(o, "device_seconds", cli_real(p->device_seconds));
    set(o, "device_share", cli_real(share(p->device_seconds, p->seconds)));
    set(o, "upload_seconds", cli_real(p->upload_seconds));
    set(o, "host_cpu_seconds", cli_real(p->host_cpu_seconds));
    set(o, "host_cpu_share", cli_real(share(p->host_cpu_seconds, p->seconds)));
    set(o, "steps", list ? list : json_null());
    free(steps);
}

static void print_profile(const struct clv_fit_profile *p)
{
    struct clv_ceilings ceilings;
    char *steps = clv_timings_text(p->steps, p->n_steps, measure_ceilings(p, &ceilings));
    printf("%s\n", steps ? steps : "");
    if (p->runs > 1)
        printf("%.2f ms a step after the first: the device worked %.1f %% of the time, uploads took %.1f %%, "
               "the host thread %.2f %% of one core\n", 1e3 * p->seconds / (double)(p->runs - 1),
               100 * share(p->device_seconds, p->seconds), 100 * share(p->upload_seconds, p->seconds),
               100 * share(p->host_cpu_seconds, p->seconds));
    free(steps);
}

static json_t *event_json(const struct progress *p, const struct clv_event *e)
{
    static const char *const kind[] = {"start", "batch", "epoch", "end", "profile"};
    json_t *o = json_pack("{s:s, s:i, s:i, s:o, s:o}", "event", kind[e->kind], "epoch", e->epoch,
                          "epochs", e->epochs, "learning_rate", cli_real(e->learning_rate), "seconds",
                          cli_real(e->seconds));
    if (e->kind == CLV_EVENT_START || e->kind == CLV_EVENT_BATCH)
        set(o, "batches", json_integer((json_int_t)e->batches));
    if (e->kind == CLV_EVENT_BATCH)
        set(o, "batch", json_integer((json_int_t)e->batch));
    if (e->kind == CLV_EVENT_PROFILE)
        profile_json(o, e->profile);
    else if (e->kind != CLV_EVENT_START) {
        set(o, "loss", cli_real(e->loss));
        set(o, "accuracy", cli_real(e->accuracy));
        set(o, "images_per_second", cli_real(e->images_per_second));
        set(o, "wait_seconds", cli_real(e->wait_seconds));
        set(o, "skipped_steps", json_integer((json_int_t)e->skipped));
        set(o, "loss_scale", cli_real(e->loss_scale));
    }
    if (e->has_validation) {
        set(o, "val_loss", cli_real(e->val_loss));
        set(o, "val_accuracy", cli_real(e->val_accuracy));
        set(o, "val_auc", cli_real(e->val_auc));
        set(o, "val_f1", cli_real(e->val_f1));
    }
    if (e->kind == CLV_EVENT_EPOCH)
        set(o, "best", json_boolean(e->best));
    if (e->kind == CLV_EVENT_START)
        start_json(o, p);
    if (e->kind == CLV_EVENT_END)
        end_json(o, p, e);
    return o;
}

void progress_event(struct progress *p, const struct clv_event *e)
{
    if (e->kind == CLV_EVENT_PROFILE && !p->profile)
        return; /* only a trace was asked for */
    if (e->kind == CLV_EVENT_BUILD) {
        if (!p->quiet)
            draw_build(p, e);
        return;
    }
    if (p->json)
        cli_json_line(event_json(p, e));
    else if (e->kind == CLV_EVENT_PROFILE) {
        progress_break(p);
        print_profile(e->profile);
    }
    if (p->quiet)
        return;
    if (p->building && p->line_open) { /* before START the line stands where that will begin */
        fputs("\r\033[K", stderr);
        p->line_open = false;
    }
    p->building = false;
    /* Ten redraws a second are enough for eyes, a line every ten seconds for logs. */
    const double pause = p->terminal ? .1 : 10;
    if (e->kind == CLV_EVENT_START)
        draw_start(p, e);
    else if (e->kind == CLV_EVENT_BATCH && (e->seconds - p->last >= pause || (e->epoch == 1 && e->batch == 1)))
        draw_batch(p, e);
    else if (e->kind == CLV_EVENT_EPOCH)
        draw_epoch(p, e);
}
