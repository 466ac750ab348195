/* Enqueues on the compute queue (upload.c: on the other one). Nothing in here waits, except where its name says so. */
#include "device/internal.h"
#include <assert.h>

enum { WIDE_WORDS = 16 };

enum clv_err clv_queue_kernel(struct clv_device *dev, struct clv_kernel *k, unsigned dims,
                              const size_t *global, const size_t *local, int profile_id)
{
    cl_event event = NULL;
    CLV_TRY(CLV_CL(&dev->ctx->err, k->label,
                   clEnqueueNDRangeKernel(dev->queue, k->kernel, dims, NULL, global, local, 0, NULL,
                                          clv_profile_slot(dev, profile_id, &event))));
    return clv_profile_add(dev, profile_id, NULL, event);
}

enum clv_err clv_queue_fill(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                            size_t bytes, uint32_t pattern, int profile_id)
{
    /* PoCL stores one pattern after the other: with 4 bytes at a time it writes 2 GB/s. */
    uint32_t wide[WIDE_WORDS];
    cl_event event = NULL;
    assert(bytes % sizeof(pattern) == 0 && off % sizeof(pattern) == 0);
    const size_t size = bytes % sizeof(wide) || off % sizeof(wide) ? sizeof(pattern) : sizeof(wide);
    for (int i = 0; i < WIDE_WORDS; i++)
        wide[i] = pattern;
    CLV_TRY(CLV_CL(&dev->ctx->err, "filling a buffer",
                   clEnqueueFillBuffer(dev->queue, dst->mem, wide, size, off, bytes, 0, NULL,
                                       clv_profile_slot(dev, profile_id, &event))));
    return clv_profile_add(dev, profile_id, NULL, event);
}

enum clv_err clv_queue_copy(struct clv_device *dev, struct clv_buffer *src, struct clv_buffer *dst,
                            size_t bytes, const struct clv_mark *after)
{
    return CLV_CL(&dev->ctx->err, "copying a buffer",
                  clEnqueueCopyBuffer(dev->queue, src->mem, dst->mem, 0, 0, bytes, after != NULL,
                                      after ? &after->event : NULL, NULL));
}

enum clv_err clv_queue_write(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                             const void *src, size_t bytes)
{
    return CLV_CL(&dev->ctx->err, "writing to a buffer",
                  clEnqueueWriteBuffer(dev->queue, dst->mem, CL_FALSE, off, bytes, src, 0, NULL,
                                       NULL));
}

enum clv_err clv_queue_read(struct clv_device *dev, struct clv_buffer *src, size_t off, void *dst,
                            size_t bytes)
{
    return CLV_CL(&dev->ctx->err, "reading a buffer",
                  clEnqueueReadBuffer(dev->queue, src->mem, CL_FALSE, off, bytes, dst, 0, NULL,
                                      NULL));
}

enum clv_err clv_queue_map(struct clv_device *dev, struct clv_buffer *dst, size_t bytes, void **ret)
{
    cl_int status = CL_SUCCESS;
    void *p = clEnqueueMapBuffer(dev->queue, dst->mem, CL_FALSE, CL_MAP_WRITE, 0, bytes, 0, NULL,
                                 NULL, &status);
    CLV_TRY(CLV_CL_STATUS(&dev->ctx->err, "mapping a buffer", "clEnqueueMapBuffer", status));
    const enum clv_err e = clv_queue_finish(dev);
    if (e)
        (void)clEnqueueUnmapMemObject(dev->queue, dst->mem, p, 0, NULL, NULL);
    else
        *ret = p;
    return e;
}

enum clv_err clv_queue_unmap(struct clv_device *dev, struct clv_buffer *dst, void *p)
{
    return CLV_CL(&dev->ctx->err, "unmapping a buffer",
                  clEnqueueUnmapMemObject(dev->queue, dst->mem, p, 0, NULL, NULL));
}

/* Not the blocking calls of OpenCL: those spin on some drivers. */
enum clv_err clv_queue_write_wait(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                                  const void *src, size_t bytes)
{
    CLV_TRY(clv_queue_write(dev, dst, off, src, bytes));
    return clv_queue_finish(dev);
}

enum clv_err clv_queue_read_wait(struct clv_device *dev, struct clv_buffer *src, size_t off,
                                 void *dst, size_t bytes)
{
    CLV_TRY(clv_queue_read(dev, src, off, dst, bytes));
    return clv_queue_finish(dev);
}
