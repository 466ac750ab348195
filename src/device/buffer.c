/* Device memory. */
#define _DEFAULT_SOURCE /* madvise() */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 }; /* of x86-64 and most of ARM */

static void CL_CALLBACK free_pages(cl_mem mem, void *pages)
{
    (void)mem;
    free(pages);
}

/* Where the device is the host's processor, memory of ours in large pages: streams through it then miss
 * fewer translations. NULL where the driver shall allocate. */
static void *large_pages(const struct clv_device *dev, size_t bytes)
{
    void *pages = NULL;
    if (dev->caps.gpu_path || !(dev->caps.features & CLV_FEAT_UNIFIED) || bytes < LARGE_PAGE ||
        posix_memalign(&pages, LARGE_PAGE, (size_t)clv_round_up((int64_t)bytes, LARGE_PAGE)))
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(pages, bytes, MADV_HUGEPAGE); /* advice: small pages are as good an answer */
#endif
    return pages;
}

/* The memory goes with the last part of the buffer, or the last command that uses it. */
static cl_mem create_memory(struct clv_device *dev, size_t bytes, cl_int *status)
{
    void *pages = large_pages(dev, bytes);
    cl_mem mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | (pages ? CL_MEM_USE_HOST_PTR : 0), bytes,
                                pages, status);
    if (pages && !mem)
        free(pages);
    else if (pages && (*status = clSetMemObjectDestructorCallback(mem, free_pages, pages))) {
        clReleaseMemObject(mem);
        free(pages);
        mem = NULL;
    }
    return mem;
}

enum clv_err clv_buffer_create(struct clv_device *dev, size_t bytes, struct clv_buffer **ret)
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
    *buf = (struct clv_buffer){.dev = dev, .bytes = bytes};
    cl_int status = CL_SUCCESS;
    buf->mem = create_memory(dev, bytes, &status);
    const enum clv_err e = CLV_CL_STATUS(err, dev->info.name, "clCreateBuffer", status);
    if (e) {
        clv_fail_prefix(err, "a buffer of %s", clv_str_bytes(want, bytes));
        clv_buffer_destroy(&buf);
        return e;
    }
    *ret = buf;
    return CLV_OK;
}

enum clv_err clv_buffer_part(struct clv_buffer *whole, size_t offset, size_t bytes,
                             struct clv_buffer **ret)
{
    struct clv_error *err = &whole->dev->ctx->err;
    const cl_buffer_region region = {.origin = offset, .size = bytes};
    cl_int status = CL_SUCCESS;
    struct clv_buffer *buf = calloc(1, sizeof(*buf));
    if (!buf)
        return clv_fail_nomem(err, "a buffer");
    *buf = (struct clv_buffer){.dev = whole->dev, .bytes = bytes};
    buf->mem = clCreateSubBuffer(whole->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                                 &status);
    const enum clv_err e = CLV_CL_STATUS(err, whole->dev->info.name, "clCreateSubBuffer", status);
    if (e)
        clv_buffer_destroy(&buf);
    else
        *ret = buf;
    return e;
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
