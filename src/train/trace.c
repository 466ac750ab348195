#include "train/trace.h"

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

/* 48 bytes each here, some 130 in the file. */
static const size_t EVENTS_MAX = 100000;

void clv_trace_add(struct clv_trace *t, const struct clv_trace_event *event)
{
    if (t->n == t->cap && t->cap < EVENTS_MAX) {
        const size_t cap = CLV_MIN(t->cap ? 2 * t->cap : 1024, EVENTS_MAX);
        struct clv_trace_event *grown = realloc(t->event, cap * sizeof *grown);
        if (grown) {
            t->event = grown;
            t->cap = cap;
        }
    }
    if (t->n < t->cap)
        t->event[t->n++] = *event;
    else
        t->incomplete = true;
}

void clv_trace_finish(struct clv_trace *t)
{
    free(t->event);
    *t = (struct clv_trace){0};
}

/* The processes of the picture are the host and the device. */
static int process_of(enum clv_trace_row row) { return row >= CLV_TRACE_TRAINING; }

static void add_text(struct clv_str *out, const char *text)
{
    json_t *s = json_string(text);
    char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;
    clv_str_add(out, quoted ? quoted : "\"?\""); /* "?": not UTF-8 */
    free(quoted);
    json_decref(s);
}

static void add_name(struct clv_str *out, const char *kind, int process, int row, const char *name)
{
    clv_str_addf(out, "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":", kind,
                 process, row);
    add_text(out, name);
    clv_str_add(out, "}},\n");
}

static void add_head(struct clv_str *out, const struct clv_trace *t, const struct clv_trace_facts *facts)
{
    static const char *const rows[CLV_TRACE_ROWS] = {"epochs", "loop", "training steps",
                                                     "evaluation steps", "uploads"};
    clv_str_add(out, "{\"displayTimeUnit\":\"ms\",\n\"otherData\":{\"program\":\"clavicle\",\"version\":");
    add_text(out, clv_version());
    const struct {
        const char *key, *value;
    } text[] = {{"device", facts->device}, {"driver", facts->driver}};
    for (size_t i = 0; i < CLV_COUNT(text); i++) {
        clv_str_addf(out, ",\"%s\":", text[i].key);
        add_text(out, text[i].value);
    }
    clv_str_addf(out, ",\"first_step\":%llu,\"steps_kept\":%llu,\"steps\":%llu,\"incomplete\":%s},\n",
                 (unsigned long long)facts->first_step, (unsigned long long)facts->steps_kept,
                 (unsigned long long)facts->steps, t->incomplete ? "true" : "false");
    clv_str_add(out, "\"traceEvents\":[\n");
    add_name(out, "process_name", 0, 0, "host");
    add_name(out, "process_name", 1, 0, facts->device);
    for (int row = 0; row < CLV_TRACE_ROWS; row++)
        add_name(out, "thread_name", process_of((enum clv_trace_row)row), row, rows[row]);
}

static void add_event(struct clv_str *out, const struct clv_trace *t,
                      const struct clv_trace_facts *facts, const struct clv_trace_event *e, bool last)
{
    const double begin = CLV_MAX(e->begin - t->origin, 0), end = CLV_MAX(e->end - t->origin, begin);
    clv_str_add(out, "{\"name\":");
    add_text(out, facts->name(facts->priv, e->row, e->what));
    clv_str_addf(out, ",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d,"
                      "\"args\":{\"%s\":%llu}}%s\n", begin * 1e6, (end - begin) * 1e6, process_of(e->row), (int)e->row,
                 e->row == CLV_TRACE_EPOCHS ? "epoch" : "step", (unsigned long long)e->number,
                 last ? "" : ",");
}

/* Writes what has been put together and begins anew: the whole text would be some megabytes. A write
 * that fails shows in the commit. */
static enum clv_err flush(struct clv_str *s, const struct clv_out *o, struct clv_error *err)
{
    if (s->failed)
        return clv_fail_nomem(err, o->path);
    if (s->len)
        (void)fwrite(s->text, 1, s->len, o->f);
    s->len = 0;
    return CLV_OK;
}

static enum clv_err write_all(const struct clv_trace *t, const struct clv_trace_facts *facts,
                              struct clv_str *s, struct clv_out *o, struct clv_error *err)
{
    add_head(s, t, facts);
    for (size_t i = 0; i < t->n; i++) {
        add_event(s, t, facts, &t->event[i], i + 1 == t->n);
        CLV_TRY(flush(s, o, err));
    }
    clv_str_add(s, "]}\n");
    CLV_TRY(flush(s, o, err));
    return clv_out_commit(o, err);
}

enum clv_err clv_trace_write(const struct clv_trace *t, const struct clv_trace_facts *facts,
                             const char *path, struct clv_error *err)
{
    struct clv_str s = {0};
    struct clv_out o = {0};
    CLV_TRY(clv_out_open(&o, path, err));
    const enum clv_err e = write_all(t, facts, &s, &o, err);
    clv_out_abort(&o);
    clv_str_finish(&s);
    return e;
}
