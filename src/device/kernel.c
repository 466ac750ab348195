/* Kernel objects: one per step, so that arguments are bound once. */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>

enum clv_err clv_kernel_create(struct clv_device *dev, const struct clv_source *source,
                               const char *name, const char *options, const char *label,
                               struct clv_kernel **ret)
{
    struct clv_error *err = &dev->ctx->err;
    cl_program program = NULL;
    cl_int status = CL_SUCCESS;
    CLV_TRY(clv_program_get(dev, source, options, name, label, &program));
    struct clv_kernel *k = calloc(1, sizeof(*k));
    if (!k)
        return clv_fail_nomem(err, "a kernel");
    enum clv_err e = CLV_OK;
    k->dev = dev;
    k->label = clv_strdupf("%s: kernel %s", label, name);
    if (!k->label) {
        e = clv_fail_nomem(err, "a kernel");
        goto fail;
    }
    k->kernel = clCreateKernel(program, name, &status);
    e = CLV_CL_STATUS(err, k->label, "clCreateKernel", status);
    if (e)
        goto fail;
    e = CLV_CL(err, k->label, clGetKernelWorkGroupInfo(
                                  k->kernel, dev->id, CL_KERNEL_WORK_GROUP_SIZE,
                                  sizeof(k->max_work_group), &k->max_work_group, NULL));
    if (e)
        goto fail;
    k->max_work_group = CLV_MIN(k->max_work_group, dev->caps.max_work_group);
    *ret = k;
    return CLV_OK;
fail:
    clv_kernel_destroy(&k);
    return e;
}

void clv_kernel_destroy(struct clv_kernel **k)
{
    if (!*k)
        return;
    if ((*k)->kernel)
        clReleaseKernel((*k)->kernel);
    free((*k)->label);
    free(*k);
    *k = NULL;
}

size_t clv_kernel_max_work_group(const struct clv_kernel *k)
{
    return k->max_work_group;
}

static enum clv_err set_arg(struct clv_kernel *k, unsigned index, size_t size, const void *value)
{
    struct clv_error *err = &k->dev->ctx->err;
    const enum clv_err e =
        CLV_CL(err, k->label, clSetKernelArg(k->kernel, index, size, value));
    if (e)
        clv_fail_prefix(err, "argument %u (%zu bytes)", index, size);
    return e;
}

enum clv_err clv_kernel_set_buffer(struct clv_kernel *k, unsigned index, struct clv_buffer *buf)
{
    return set_arg(k, index, sizeof(buf->mem), &buf->mem);
}

enum clv_err clv_kernel_set_value(struct clv_kernel *k, unsigned index, size_t size,
                                  const void *value)
{
    return set_arg(k, index, size, value);
}

enum clv_err clv_kernel_set_local(struct clv_kernel *k, unsigned index, size_t bytes)
{
    return set_arg(k, index, bytes, NULL);
}
