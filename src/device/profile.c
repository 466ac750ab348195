/* Times of commands by profile_id, from event timestamps. Events exist only while profiling: they
 * slow queues down. */
#include "device/internal.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

struct clv_profile_entry {
    cl_event begin, event; /* begin may be NULL */
    int id;
};

/* Events held before those that are complete get read, so that a long run does not pile them up. */
enum { PENDING_MAX = 4096, CLOCK_TRIES = 8 };

cl_event *clv_profile_slot(const struct clv_device *dev, int profile_id, cl_event *slot)
{
    return dev->profiling && profile_id >= 0 ? slot : NULL;
}

static void release(struct clv_profile_entry *entry)
{
    if (entry->begin)
        clReleaseEvent(entry->begin);
    if (entry->event)
        clReleaseEvent(entry->event);
    *entry = (struct clv_profile_entry){0};
}

static bool is_complete(cl_event event)
{
    cl_int status = CL_QUEUED;
    return !clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status,
                           NULL) &&
           status <= CL_COMPLETE;
}

static enum clv_err need_row(struct clv_device *dev, size_t id)
{
    struct clv_profile *p = &dev->profile;
    if (id < p->n_rows)
        return CLV_OK;
    const size_t n = CLV_MAX(id + 1, p->n_rows * 2);
    struct clv_profile_row *rows = realloc(p->rows, n * sizeof(*rows));
    if (!rows)
        return clv_fail_nomem(&dev->ctx->err, "profiling");
    memset(rows + p->n_rows, 0, (n - p->n_rows) * sizeof(*rows));
    p->rows = rows;
    p->n_rows = n;
    return CLV_OK;
}

static void add_time(struct clv_profile_row *row, double seconds)
{
    row->min_seconds = row->count ? CLV_MIN(row->min_seconds, seconds) : seconds;
    row->seconds += seconds;
    row->count++;
}

static enum clv_err read_time(struct clv_device *dev, cl_event event, cl_profiling_info what,
                              cl_ulong *ret)
{
    return CLV_CL(&dev->ctx->err, "profiling",
                  clGetEventProfilingInfo(event, what, sizeof(*ret), ret, NULL));
}

static enum clv_err read_entry(struct clv_device *dev, const struct clv_profile_entry *entry)
{
    const struct clv_profile *p = &dev->profile;
    cl_ulong start = 0, end = 0;
    CLV_TRY(entry->begin
                ? read_time(dev, entry->begin, CL_PROFILING_COMMAND_END, &start)
                : read_time(dev, entry->event, CL_PROFILING_COMMAND_START, &start));
    CLV_TRY(read_time(dev, entry->event, CL_PROFILING_COMMAND_END, &end));
    if (p->take) {
        const struct clv_profile_time t = {entry->id, start, CLV_MAX(start, end)};
        return p->take(p->take_priv, &t);
    }
    CLV_TRY(need_row(dev, (size_t)entry->id));
    add_time(&dev->profile.rows[entry->id], end > start ? (double)(end - start) * 1e-9 : 0.0);
    return CLV_OK;
}

/* Reads the commands that are complete, in order; the first failure ends it. */
static enum clv_err drain(struct clv_device *dev)
{
    struct clv_profile *p = &dev->profile;
    enum clv_err e = CLV_OK;
    size_t done = 0;
    while (done < p->n_pending && !e && is_complete(p->pending[done].event)) {
        e = read_entry(dev, &p->pending[done]);
        release(&p->pending[done++]);
    }
    p->n_pending -= done;
    memmove(p->pending, p->pending + done, p->n_pending * sizeof(*p->pending));
    return e;
}

enum clv_err clv_profile_add(struct clv_device *dev, int profile_id, cl_event begin,
                             cl_event event)
{
    struct clv_profile *p = &dev->profile;
    struct clv_profile_entry entry = {.begin = begin, .event = event, .id = profile_id};
    if (!event) {
        release(&entry);
        return CLV_OK;
    }
    if (p->n_pending == p->cap_pending) {
        enum clv_err e = p->n_pending >= PENDING_MAX ? drain(dev) : CLV_OK;
        if (!e && p->n_pending == p->cap_pending) {
            const size_t cap = p->cap_pending ? 2 * p->cap_pending : 256;
            struct clv_profile_entry *pending = realloc(p->pending, cap * sizeof(*pending));
            if (pending) {
                p->pending = pending;
                p->cap_pending = cap;
            } else {
                e = clv_fail_nomem(&dev->ctx->err, "profiling");
            }
        }
        if (e) {
            release(&entry);
            return e;
        }
    }
    p->pending[p->n_pending++] = entry;
    return CLV_OK;
}

enum clv_err clv_profile_collect(struct clv_device *dev, struct clv_profile_row *rows, size_t n)
{
    struct clv_profile *p = &dev->profile;
    CLV_TRY(clv_queue_finish(dev));
    CLV_TRY(drain(dev));
    for (size_t i = 0; i < n; i++)
        rows[i] = i < p->n_rows ? p->rows[i] : (struct clv_profile_row){0};
    return CLV_OK;
}

void clv_profile_reset(struct clv_device *dev)
{
    struct clv_profile *p = &dev->profile;
    for (size_t i = 0; i < p->n_pending; i++)
        release(&p->pending[i]);
    p->n_pending = 0;
    for (size_t i = 0; i < p->n_rows; i++)
        p->rows[i] = (struct clv_profile_row){0};
}

void clv_profile_send(struct clv_device *dev, clv_profile_take_fn *take, void *priv)
{
    dev->profile.take = take;
    dev->profile.take_priv = priv;
}

enum clv_err clv_profile_poll(struct clv_device *dev) { return drain(dev); }

/* An empty command's end lies between the call and the host's knowing of it. */
static enum clv_err read_clock(struct clv_device *dev, uint64_t *device, double *before, double *after)
{
    cl_event event = NULL;
    cl_ulong end = 0;
    *before = clv_now();
    CLV_TRY(CLV_CL(&dev->ctx->err, "profiling",
                   clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &event)));
    enum clv_err e = clv_queue_flush(dev);
    if (!e)
        e = clv_event_wait(dev, event, "profiling");
    *after = clv_now();
    if (!e)
        e = read_time(dev, event, CL_PROFILING_COMMAND_END, &end);
    clReleaseEvent(event);
    *device = end;
    return e;
}

enum clv_err clv_profile_clock(struct clv_device *dev, int64_t *offset_ns)
{
    double narrowest = 0;
    if (!dev->profiling)
        return clv_fail(&dev->ctx->err, CLV_ERR_ARG, "%s was opened without profiling", dev->info.name);
    CLV_TRY(clv_queue_finish(dev));
    for (int i = 0; i < CLOCK_TRIES; i++) {
        uint64_t device;
        double before, after;
        CLV_TRY(read_clock(dev, &device, &before, &after));
        if (!i || after - before < narrowest) {
            narrowest = after - before;
            *offset_ns = (int64_t)((before + after) / 2 * 1e9) - (int64_t)device;
        }
    }
    return CLV_OK;
}

void clv_profile_finish(struct clv_device *dev)
{
    clv_profile_reset(dev);
    free(dev->profile.pending);
    free(dev->profile.rows);
    dev->profile = (struct clv_profile){0};
}
