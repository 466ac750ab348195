/* Uploads that run beside the compute queue, and the host memory they come from. */
#include "device/internal.h"
#include <stdlib.h>
#include <string.h>

enum clv_err clv_upload_open(struct clv_device *dev)
{
    cl_int status = CL_SUCCESS;
    if (dev->caps.features & CLV_FEAT_UNIFIED)
        return CLV_OK;
    dev->uploads = clCreateCommandQueue(dev->context, dev->id,
                                        dev->profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &status);
    return CLV_CL_STATUS(&dev->ctx->err, dev->info.name, "clCreateCommandQueue", status);
}

bool clv_upload_is_apart(const struct clv_device *dev)
{
    return dev->uploads != NULL;
}

enum clv_err clv_upload_write(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                              const void *src, size_t bytes, const struct clv_mark *after,
                              int profile_id)
{
    cl_event event = NULL;
    const bool waits = dev->uploads && after; /* in one queue the order is that of the calls */
    CLV_TRY(CLV_CL(&dev->ctx->err, "uploading",
                   clEnqueueWriteBuffer(dev->uploads ? dev->uploads : dev->queue, dst->mem, CL_FALSE,
                                        off, bytes, src, waits, waits ? &after->event : NULL,
                                        clv_profile_slot(dev, profile_id, &event))));
    return clv_profile_add(dev, profile_id, NULL, event);
}

enum clv_err clv_upload_mark(struct clv_device *dev, struct clv_mark **ret)
{
    return clv_mark_create(dev, dev->uploads ? dev->uploads : dev->queue, ret);
}

/* ---- pinned memory: OpenCL has it as a buffer that its driver allocates on the host, mapped for good ---- */

struct clv_pinned {
    struct clv_pinned *next;
    cl_mem mem;
    void *memory;
};

/* NULL where the driver gives none: its pages are few on some machines. */
static struct clv_pinned *pin(struct clv_device *dev, size_t bytes)
{
    cl_int status = CL_SUCCESS;
    struct clv_pinned *p = bytes <= dev->caps.max_alloc ? calloc(1, sizeof(*p)) : NULL;
    if (!p)
        return NULL;
    p->mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL,
                            &status);
    if (p->mem)
        p->memory = clEnqueueMapBuffer(dev->uploads, p->mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                       bytes, 0, NULL, NULL, &status);
    if (p->memory)
        return p;
    if (p->mem)
        clReleaseMemObject(p->mem);
    free(p);
    return NULL;
}

void *clv_host_alloc(struct clv_device *dev, size_t bytes)
{
    struct clv_pinned *p = dev->uploads ? pin(dev, bytes) : NULL;
    if (!p)
        return calloc(1, bytes);
    p->next = dev->pinned;
    dev->pinned = p;
    return memset(p->memory, 0, bytes);
}

void clv_host_free(struct clv_device *dev, void *memory)
{
    struct clv_pinned **at = &dev->pinned;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    struct clv_pinned *p = *at;
    if (!p || !memory) {
        free(memory);
        return;
    }
    *at = p->next;
    (void)clEnqueueUnmapMemObject(dev->uploads, p->mem, p->memory, 0, NULL, NULL);
    (void)clFinish(dev->uploads);
    clReleaseMemObject(p->mem);
    free(p);
}
