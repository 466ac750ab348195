/* Enqueues on the compute queue. Nothing in here waits, except where its name says so. */
#include "device/internal.h"
#include <assert.h>

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
    cl_event event = NULL;
    assert(bytes % sizeof(pattern) == 0 && off % sizeof(pattern) == 0);
    CLV_TRY(CLV_CL(&dev->ctx->err, "filling a buffer",
                   clEnqueueFillBuffer(dev->queue, dst->mem, &pattern, sizeof(pattern), off, bytes,
                                       0, NULL, clv_profile_slot(dev, profile_id, &event))));
    return clv_profile_add(dev, profile_id, NULL, event);
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
