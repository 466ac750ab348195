/* Device memory. */
#define _DEFAULT_SOURCE /* madvise() */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <sys/mman.h>

/* ---- large pages ---- */

enum { LARGE_PAGE = 2 << 20 }; /* of x86-64 and most of ARM */

struct pages {
    void *at; /* aligned, in the mapping */
    void *mapping;
    size_t size;
};

static void free_pages(struct pages *p)
{
    if (p)
        munmap(p->mapping, p->size);
    free(p);
}

static void CL_CALLBACK on_destroy(cl_mem mem, void *pages)
{
    (void)mem;
    free_pages(pages);
}

/* Where the device is the host's processor, memory of ours in large pages: streams through it then miss
 * fewer translations. NULL where the driver shall allocate. */
static struct pages *map_pages(const struct clv_device *dev, size_t bytes)
{
    if (dev->info.type != CLV_DEVICE_CPU || dev->caps.gpu_path ||
        !(dev->caps.features & CLV_FEAT_UNIFIED) || bytes < LARGE_PAGE)
        return NULL;
    struct pages *p = malloc(sizeof *p);
    if (!p)
        return NULL;
    p->size = bytes + LARGE_PAGE; /* what is not touched takes no memory */
    p->mapping = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p->mapping == MAP_FAILED) {
        free(p);
        return NULL;
    }
    p->at = (void *)(uintptr_t)clv_round_up((int64_t)(uintptr_t)p->mapping, LARGE_PAGE);
#ifdef MADV_HUGEPAGE
    (void)madvise(p->at, bytes, MADV_HUGEPAGE); /* advice: small pages are as good an answer */
#endif
    return p;
}

/* The memory goes with the last part of the buffer, or the last command that uses it. */
static enum clv_err create_memory(struct clv_buffer *buf, struct clv_error *err)
{
    struct clv_device *dev = buf->dev;
    struct pages *p = map_pages(dev, buf->bytes);
    cl_int status = CL_SUCCESS;
    buf->mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | (p ? CL_MEM_USE_HOST_PTR : 0), buf->bytes,
                              p ? p->at : NULL, &status);
    enum clv_err e = CLV_CL_STATUS(err, dev->info.name, "clCreateBuffer", status);
    if (e || !p) {
        free_pages(p);
        return e;
    }
    e = CLV_CL(err, dev->info.name, clSetMemObjectDestructorCallback(buf->mem, on_destroy, p));
    if (!e)
        return CLV_OK;
    clReleaseMemObject(buf->mem);
    buf->mem = NULL;
    free_pages(p);
    return e;
}

/* ---- buffers ---- */

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
    const enum clv_err e = create_memory(buf, err);
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
