#include "progress.h"

#include "cli.h"

#include <stdio.h>
#include <unistd.h>

struct progress progress_init(bool json, bool quiet)
{
    return (struct progress){.json = json, .quiet = quiet, .terminal = isatty(2) != 0};
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
    fprintf(stderr, "  |  rate %.3g  %.1f images/s  %s, %s left%s\n", e->learning_rate,
            e->images_per_second, spent, left, e->best ? "  *best" : "");
}

static json_t *event_json(const struct clv_event *e)
{
    static const char *const kind[] = {"start", "batch", "epoch", "end"};
    json_t *o = json_pack("{s:s, s:i, s:i, s:o, s:o}", "event", kind[e->kind], "epoch", e->epoch,
                          "epochs", e->epochs, "learning_rate", cli_real(e->learning_rate), "seconds",
                          cli_real(e->seconds));
    if (e->kind == CLV_EVENT_START || e->kind == CLV_EVENT_BATCH)
        json_object_set_new(o, "batches", json_integer((json_int_t)e->batches));
    if (e->kind == CLV_EVENT_BATCH)
        json_object_set_new(o, "batch", json_integer((json_int_t)e->batch));
    if (e->kind != CLV_EVENT_START) {
        json_object_set_new(o, "loss", cli_real(e->loss));
        json_object_set_new(o, "accuracy", cli_real(e->accuracy));
        json_object_set_new(o, "images_per_second", cli_real(e->images_per_second));
        json_object_set_new(o, "wait_seconds", cli_real(e->wait_seconds));
    }
    if (e->has_validation) {
        json_object_set_new(o, "val_loss", cli_real(e->val_loss));
        json_object_set_new(o, "val_accuracy", cli_real(e->val_accuracy));
        json_object_set_new(o, "val_auc", cli_real(e->val_auc));
        json_object_set_new(o, "val_f1", cli_real(e->val_f1));
    }
    if (e->kind == CLV_EVENT_EPOCH)
        json_object_set_new(o, "best", json_boolean(e->best));
    if (e->kind == CLV_EVENT_END)
        json_object_set_new(o, "stop_reason", json_string(e->stop_reason));
    return o;
}

void progress_event(struct progress *p, const struct clv_event *e)
{
    if (p->json)
        cli_json_line(event_json(e));
    if (p->quiet || (p->json && !p->terminal))
        return;
    /* Ten redraws a second are enough for eyes, a line every ten seconds for logs. */
    const double pause = p->terminal ? .1 : 10;
    if (e->kind == CLV_EVENT_BATCH && (e->seconds - p->last >= pause || (e->epoch == 1 && e->batch == 1)))
        draw_batch(p, e);
    else if (e->kind == CLV_EVENT_EPOCH)
        draw_epoch(p, e);
}
