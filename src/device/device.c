/* Opens and closes a device: one context, one in-order compute queue, and one for uploads where they can
 * run beside it. */
#include "device/internal.h"
#include "base/file.h"
#include "base/util.h"
#include "device/poclcache.h"
#include "device/probe.h"
#include <stdlib.h>
#include <string.h>

const struct clv_caps *clv_device_caps(const struct clv_device *dev)
{
    return &dev->caps;
}

struct clv_context *clv_device_context(const struct clv_device *dev)
{
    return dev->ctx;
}

struct clv_error *clv_device_error(const struct clv_device *dev)
{
    return &dev->ctx->err;
}

const struct clv_device_info *clv_device_get_info(const struct clv_device *dev)
{
    return &dev->info;
}

struct clv_on_build clv_device_on_build(struct clv_device *dev, bool (*fn)(void *priv, const char *what), void *priv)
{
    const struct clv_on_build before = {dev->on_build, dev->on_build_priv};
    dev->on_build = fn;
    dev->on_build_priv = priv;
    return before;
}

struct clv_program_stats clv_device_program_stats(const struct clv_device *dev)
{
    return dev->stats;
}

void clv_device_share_cache(const struct clv_context *ctx)
{
    struct clv_error err = {0};
    char *path = ctx->cache_dir ? clv_path_join(ctx->cache_dir, "pocl") : NULL;
    /* PoCL gives up on a folder that it cannot make, so that must work first. Setting this variable
     * is what the function is for; its header says who may call it and when. */
    if (path && !clv_mkdirs(path, &err))
        (void)setenv("POCL_CACHE_DIR", path, 0); /* check: allow */
    if (path && !err.code)
        clv_poclcache_check(ctx, ctx->cache_dir);
    if (err.code)
        clv_log(ctx, CLV_LOG_DEBUG, "program cache: %s", err.text);
    free(path);
}

static enum clv_err copy_strings(struct clv_device *dev)
{
    struct clv_device_info *i = &dev->info;
    const char **const strings[] = {&i->platform_name, &i->platform_version, &i->name,
                                    &i->vendor,        &i->driver,           &i->version,
                                    &i->c_version,     &i->extensions};
    for (size_t k = 0; k < CLV_COUNT(strings); k++) {
        *strings[k] = clv_arena_strdup(&dev->arena, *strings[k]);
        if (!*strings[k])
            return clv_fail_nomem(&dev->ctx->err, "the device");
    }
    return CLV_OK;
}

/* Finds the device that `select` means and makes a context and a queue on it. */
static enum clv_err open_selected(struct clv_device *dev, const char *select, bool profile)
{
    struct clv_error *err = &dev->ctx->err;
    struct clv_device_table *t = NULL;
    size_t index = 0;
    cl_int status = CL_SUCCESS;
    if (!select || !*select)
        select = getenv("CLAVICLE_DEVICE");
    CLV_TRY(clv_device_table_create(dev->ctx, &t));
    enum clv_err e = clv_device_select(t->info, t->n, select, &index, err);
    if (e)
        goto out;
    dev->id = t->ids[index].device;
    dev->info = t->info[index];
    e = copy_strings(dev);
    if (e)
        goto out;
    const cl_context_properties properties[] = {
        CL_CONTEXT_PLATFORM, (cl_context_properties)t->ids[index].platform, 0};
    dev->context = clCreateContext(properties, 1, &dev->id, NULL, NULL, &status);
    e = CLV_CL_STATUS(err, dev->info.name, "clCreateContext", status);
    if (e)
        goto out;
    dev->queue = clCreateCommandQueue(dev->context, dev->id,
                                      profile ? CL_QUEUE_PROFILING_ENABLE : 0, &status);
    e = CLV_CL_STATUS(err, dev->info.name, "clCreateCommandQueue", status);
out:
    clv_device_table_destroy(&t);
    return e;
}

/* Index of a device among those of the machine, for messages and the record. A sub-device is in no
 * list and keeps 0:0. */
static enum clv_err find_index(struct clv_device *dev)
{
    struct clv_device_table *t = NULL;
    CLV_TRY(clv_device_table_create(dev->ctx, &t));
    for (size_t i = 0; i < t->n; i++) {
        if (t->ids[i].device != dev->id)
            continue;
        dev->info.platform = t->info[i].platform;
        dev->info.device = t->info[i].device;
    }
    clv_device_table_destroy(&t);
    return CLV_OK;
}

static enum clv_err check_queue(struct clv_device *dev, cl_context context, cl_device_id id,
                                cl_command_queue queue, bool profile)
{
    struct clv_error *err = &dev->ctx->err;
    cl_command_queue_properties properties = 0;
    cl_context queue_context = NULL;
    cl_device_id queue_device = NULL;
    CLV_TRY(CLV_CL(err, "cl_queue", clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT,
                                                          sizeof(queue_context), &queue_context,
                                                          NULL)));
    CLV_TRY(CLV_CL(err, "cl_queue", clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE,
                                                          sizeof(queue_device), &queue_device,
                                                          NULL)));
    CLV_TRY(CLV_CL(err, "cl_queue", clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES,
                                                          sizeof(properties), &properties, NULL)));
    if (queue_context != context || queue_device != id)
        return clv_fail(err, CLV_ERR_ARG, "cl_queue belongs to another context or device");
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)
        return clv_fail(err, CLV_ERR_ARG, "cl_queue executes out of order; hand in one that "
                                          "executes in order");
    if (profile && !(properties & CL_QUEUE_PROFILING_ENABLE))
        return clv_fail(err, CLV_ERR_ARG, "profiling was asked for, but cl_queue was made without "
                                          "CL_QUEUE_PROFILING_ENABLE");
    return CLV_OK;
}

/* Takes part in the caller's own context and queue. */
static enum clv_err open_existing(struct clv_device *dev, const struct clv_device_params *p)
{
    struct clv_error *err = &dev->ctx->err;
    cl_platform_id platform = NULL;
    if (!p->cl_context || !p->cl_device || !p->cl_queue)
        return clv_fail(err, CLV_ERR_ARG,
                        "cl_context, cl_device and cl_queue must be given all three or not at all");
    CLV_TRY(check_queue(dev, p->cl_context, p->cl_device, p->cl_queue, p->profile));
    dev->id = p->cl_device;
    CLV_TRY(CLV_CL(err, "cl_context", clRetainContext(p->cl_context)));
    dev->context = p->cl_context;
    CLV_TRY(CLV_CL(err, "cl_queue", clRetainCommandQueue(p->cl_queue)));
    dev->queue = p->cl_queue;
    CLV_TRY(CLV_CL(err, "cl_device", clGetDeviceInfo(dev->id, CL_DEVICE_PLATFORM,
                                                     sizeof(platform), &platform, NULL)));
    CLV_TRY(clv_device_describe(&dev->arena, platform, dev->id, &dev->info, err));
    if (dev->info.unusable)
        return clv_fail(err, CLV_ERR_NODEV, "device %s cannot be used: %s", dev->info.name,
                        dev->info.unusable);
    return find_index(dev);
}

static size_t base_align(cl_device_id id)
{
    cl_uint bits = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(bits), &bits, NULL))
        bits = 0;
    return CLV_MAX((size_t)bits / 8, 128);
}

enum clv_err clv_device_open(struct clv_context *ctx, const struct clv_device_params *params,
                             struct clv_device **ret)
{
    static const struct clv_device_params defaults = {0};
    const struct clv_device_params *p = params ? params : &defaults;
    struct clv_caps_mask mask;
    CLV_TRY(clv_caps_parse(p->caps, &mask, &ctx->err));
    struct clv_device *dev = calloc(1, sizeof(*dev));
    if (!dev)
        return clv_fail_nomem(&ctx->err, "the device");
    dev->ctx = ctx;
    enum clv_err e = p->cl_context || p->cl_device || p->cl_queue
                         ? open_existing(dev, p)
                         : open_selected(dev, p->select, p->profile);
    if (e)
        goto fail;
    clv_caps_apply(&mask, &dev->info, &dev->caps);
    dev->unit_is_known = mask.has_unit;
    if (mask.unit == CLV_UNIT_AMX)
        (void)clv_amx_request();
    dev->caps.align = base_align(dev->id);
    dev->profiling = p->profile;
    e = clv_upload_open(dev);
    if (e)
        goto fail;
    dev->worker_seconds = 120;
    dev->is_trusted = clv_trial_is_needless(&dev->info);
    dev->is_pocl = !strcmp(dev->info.platform_name, "Portable Computing Language");
    if (ctx->cache_dir && !(dev->cache_dir = clv_path_join(ctx->cache_dir, "programs"))) {
        e = clv_fail_nomem(&ctx->err, "the device");
        goto fail;
    }
    *ret = dev;
    return CLV_OK;
fail:
    clv_device_close(&dev);
    return e;
}

void clv_device_close(struct clv_device **dev)
{
    struct clv_device *d = *dev;
    if (!d)
        return;
    if (d->queue) {
        /* Nothing can be reported here any more; the text of an earlier failure must survive. */
        const struct clv_error saved = d->ctx->err;
        if (clv_queue_finish(d))
            d->ctx->err = saved;
        clv_device_store_programs(d);
        if (d->is_pocl && d->ctx->cache_dir)
            clv_poclcache_seal(d->ctx, d->ctx->cache_dir);
    }
    clv_profile_finish(d);
    clv_programs_destroy(d);
    if (d->uploads)
        clReleaseCommandQueue(d->uploads);
    if (d->queue)
        clReleaseCommandQueue(d->queue);
    if (d->context)
        clReleaseContext(d->context);
    free(d->cache_dir);
    clv_arena_finish(&d->arena);
    free(d);
    *dev = NULL;
}
