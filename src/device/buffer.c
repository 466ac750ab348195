/* Device memory. */
#include "device/internal.h"
#include "base/str.h"
#include <stdlib.h>

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
    buf->mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, &status);
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
