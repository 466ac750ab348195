/* Points in a queue that the host can wait for. Waiting never spins: NVIDIA's and Intel's
 * clFinish() keep a processor busy, which the decoder threads need. */
#include "device/internal.h"
#include "base/util.h"
#include <stdlib.h>
#include <time.h>

enum { SLEEP_FIRST_NS = 5000, SLEEP_MAX_NS = 200000 };

static enum clv_err event_failed(struct clv_device *dev, const char *who, cl_int status)
{
    const enum clv_err e =
        clv_fail(&dev->ctx->err, status == CL_OUT_OF_HOST_MEMORY ? CLV_ERR_NOMEM : CLV_ERR_CL,
                 "%s: a command on %s failed: %s (%d)", who, dev->info.name, clv_cl_name(status),
                 status);
    dev->ctx->err.cl = status;
    return e;
}

static enum clv_err poll_event(struct clv_device *dev, cl_event event, const char *who)
{
    struct timespec pause = {.tv_nsec = SLEEP_FIRST_NS};
    for (;;) {
        cl_int status = CL_COMPLETE;
        CLV_TRY(CLV_CL(&dev->ctx->err, who, clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                                           sizeof(status), &status, NULL)));
        if (status < 0)
            return event_failed(dev, who, status);
        if (status == CL_COMPLETE)
            return CLV_OK;
        nanosleep(&pause, NULL);
        pause.tv_nsec = CLV_MIN(pause.tv_nsec + pause.tv_nsec / 2, SLEEP_MAX_NS);
    }
}

enum clv_err clv_event_wait(struct clv_device *dev, cl_event event, const char *who)
{
    /* PoCL sleeps by itself and wakes up at once. Intel's runtime for CPUs keeps one of its threads for
     * whoever waits: unless that is in here, one processor does nothing. The status decides either
     * way. */
    if (dev->info.type == CLV_DEVICE_CPU)
        (void)clWaitForEvents(1, &event);
    return poll_event(dev, event, who);
}

enum clv_err clv_mark_create(struct clv_device *dev, cl_command_queue queue, struct clv_mark **ret)
{
    struct clv_error *err = &dev->ctx->err;
    struct clv_mark *m = calloc(1, sizeof(*m));
    if (!m)
        return clv_fail_nomem(err, "a mark");
    enum clv_err e = CLV_CL(err, dev->info.name,
                            clEnqueueMarkerWithWaitList(queue, 0, NULL, &m->event));
    /* Whoever waits, the host or another queue, would wait for ever for what was never sent off. */
    if (!e)
        e = CLV_CL(err, dev->info.name, clFlush(queue));
    if (e) {
        clv_mark_destroy(&m);
        return e;
    }
    *ret = m;
    return CLV_OK;
}

enum clv_err clv_queue_mark(struct clv_device *dev, struct clv_mark **ret)
{
    return clv_mark_create(dev, dev->queue, ret);
}

enum clv_err clv_mark_wait(struct clv_device *dev, struct clv_mark *m)
{
    return clv_event_wait(dev, m->event, "waiting for the device");
}

void clv_mark_destroy(struct clv_mark **m)
{
    if (!*m)
        return;
    if ((*m)->event)
        clReleaseEvent((*m)->event);
    free(*m);
    *m = NULL;
}

enum clv_err clv_queue_flush(struct clv_device *dev)
{
    return CLV_CL(&dev->ctx->err, dev->info.name, clFlush(dev->queue));
}

static enum clv_err finish(struct clv_device *dev, cl_command_queue queue)
{
    struct clv_mark *m = NULL;
    enum clv_err e = clv_mark_create(dev, queue, &m);
    if (!e)
        e = clv_mark_wait(dev, m);
    clv_mark_destroy(&m);
    return e;
}

enum clv_err clv_queue_finish(struct clv_device *dev)
{
    enum clv_err e = dev->uploads ? finish(dev, dev->uploads) : CLV_OK;
    if (!e)
        e = finish(dev, dev->queue);
    /* Callers free what the device may still use: after a failure nothing but the real thing will do. */
    if (e && dev->uploads)
        (void)clFinish(dev->uploads);
    if (e)
        (void)clFinish(dev->queue);
    return e;
}
