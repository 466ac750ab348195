/* Device memory, and host memory that the device can reach. */
#include "device/internal.h"
#include "base/str.h"
#include <stdlib.h>

enum clv_err clv_buffer_create(struct clv_device *dev, enum clv_buffer_kind kind, size_t bytes,
                               struct clv_buffer **ret)
{
    struct clv_error *err = &dev->ctx->err;
    char have[32], want[32];
    if (!bytes)
        return clv_fail(err, CLV_ERR_ARG, "a buffer needs at least one byte");
    if (bytes > dev->caps.max_alloc)
        return clv_fail(err, CLV_ERR_DEVMEM,
                        "a buffer of %s is larger than the %s that %s allocates at once",
                        clv_str_bytes(want, bytes), clv_str_bytes(have, dev->caps.max_alloc),
                        dev->info.name);
    struct clv_buffer *buf = calloc(1, sizeof(*buf));
    if (!buf)
        return clv_fail_nomem(err, "a buffer");
    *buf = (struct clv_buffer){.dev = dev, .bytes = bytes, .kind = kind};
    const cl_mem_flags flags =
        CL_MEM_READ_WRITE | (kind == CLV_BUFFER_HOST ? CL_MEM_ALLOC_HOST_PTR : 0);
    cl_int status = CL_SUCCESS;
    buf->mem = clCreateBuffer(dev->context, flags, bytes, NULL, &status);
    const enum clv_err e = CLV_CL_STATUS(err, dev->info.name, "clCreateBuffer", status);
    if (e) {
        clv_fail_prefix(err, "a buffer of %s", clv_str_bytes(want, bytes));
        clv_buffer_destroy(&buf);
        return e;
    }
    *ret = buf;
    return CLV_OK;
}

void clv_buffer_destroy(struct clv_buffer **buf)
{
    if (!*buf)
        return;
    if ((*buf)->mem)
        clReleaseMemObject((*buf)->mem);
    free(*buf);
    *buf = NULL;
}

size_t clv_buffer_bytes(const struct clv_buffer *buf)
{
    return buf->bytes;
}

/* Mapping must not wait for the steps in flight on the compute queue, so it has a queue of its own;
 * that nothing in flight uses the buffer is the caller's to know (a mark). */
static enum clv_err need_transfer_queue(struct clv_device *dev)
{
    if (dev->transfer)
        return CLV_OK;
    cl_int status = CL_SUCCESS;
    dev->transfer = clCreateCommandQueue(dev->context, dev->id, 0, &status);
    return CLV_CL_STATUS(&dev->ctx->err, dev->info.name, "clCreateCommandQueue", status);
}

enum clv_err clv_buffer_map(struct clv_device *dev, struct clv_buffer *buf, void **ptr)
{
    struct clv_error *err = &dev->ctx->err;
    cl_int status = CL_SUCCESS;
    cl_event event = NULL;
    CLV_TRY(need_transfer_queue(dev));
    void *p = clEnqueueMapBuffer(dev->transfer, buf->mem, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                 buf->bytes, 0, NULL, &event, &status);
    CLV_TRY(CLV_CL_STATUS(err, dev->info.name, "clEnqueueMapBuffer", status));
    enum clv_err e = CLV_CL(err, dev->info.name, clFlush(dev->transfer));
    if (!e)
        e = clv_event_wait(dev, event, "mapping a buffer");
    clReleaseEvent(event);
    if (!e)
        *ptr = p;
    return e;
}

enum clv_err clv_buffer_unmap(struct clv_device *dev, struct clv_buffer *buf, void *ptr)
{
    /* On the compute queue: what is enqueued later sees what the host wrote. */
    return CLV_CL(&dev->ctx->err, dev->info.name,
                  clEnqueueUnmapMemObject(dev->queue, buf->mem, ptr, 0, NULL, NULL));
}
