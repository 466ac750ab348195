#include "device/worker.h"
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "clv_config.h"
#include "device/cachefile.h"
#include "device/internal.h"
#include "device/poclcache.h"
#include "device/poclwork.h"
#include "device/probe.h"
#include "device/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger memory is not filled: it comes fresh from the system, and nothing in there decides where
 * a kernel reads or writes (records of samples and counts are small). */
enum { FILL_MOST = 8 << 20 };

struct worker {
    struct clv_context *ctx;
    struct clv_device *dev;
    char *pocl_shared;         /* where PoCL's code goes; NULL: no launches */
    const char *pocl_own;      /* where PoCL leaves it; borrowed from the environment */
    struct clv_buffer **buffer; /* by number */
    size_t n_buffers;
};

/* ---- opening ---- */

static bool open_device(struct worker *w, struct clv_wire *in)
{
    char select[32];
    if (strcmp(clv_wire_text(in), CLV_VERSION) != 0)
        return false;
    const uint32_t platform = clv_wire_u32(in), device = clv_wire_u32(in);
    const struct clv_context_params params = {.cache_dir = clv_wire_text(in),
                                              .cache_bytes = clv_wire_u64(in)};
    const char *shared = clv_wire_text(in);
    if (in->failed)
        return false;
    snprintf(select, sizeof(select), "%u:%u", platform, device);
    w->ctx = clv_context_create(&params);
    if (*shared) {
        w->pocl_shared = clv_strdupf("%s", shared);
        w->pocl_own = getenv("POCL_CACHE_DIR");
        if (!w->pocl_shared || !w->pocl_own)
            return false;
    }
    return w->ctx && !clv_device_open(w->ctx, &(struct clv_device_params){.select = select}, &w->dev);
}

/* ---- launches ---- */

static enum clv_err get_buffer(struct worker *w, size_t number, size_t bytes,
                               struct clv_buffer **ret)
{
    if (number >= w->n_buffers) {
        struct clv_buffer **more = realloc(w->buffer, (number + 1) * sizeof(*more));
        if (!more)
            return clv_fail_nomem(&w->ctx->err, "a buffer");
        memset(more + w->n_buffers, 0, (number + 1 - w->n_buffers) * sizeof(*more));
        w->buffer = more;
        w->n_buffers = number + 1;
    }
    struct clv_buffer **b = &w->buffer[number];
    if (*b && (*b)->bytes != bytes)
        return clv_fail(&w->ctx->err, CLV_ERR_ARG, "buffer %zu has two sizes", number);
    if (!*b) {
        CLV_TRY(clv_buffer_create(w->dev, bytes, b));
        if (bytes <= FILL_MOST && bytes % 4 == 0)
            CLV_TRY(clv_queue_fill(w->dev, *b, 0, bytes, 0, -1));
    }
    *ret = *b;
    return CLV_OK;
}

static enum clv_err set_arg(struct worker *w, struct clv_kernel *k, unsigned index,
                            struct clv_wire *in)
{
    const uint32_t kind = clv_wire_u32(in);
    const size_t bytes = (size_t)clv_wire_u64(in);
    const uint64_t value = clv_wire_u64(in);
    if (kind == CLV_BUILD_BUFFER && value < 1 << 16) {
        struct clv_buffer *buffer = NULL;
        CLV_TRY(get_buffer(w, (size_t)value, bytes, &buffer));
        return clv_kernel_set_buffer(k, index, buffer);
    }
    if (kind == CLV_BUILD_LOCAL)
        return clv_kernel_set_local(k, index, bytes);
    if (kind == CLV_BUILD_VALUE && bytes <= sizeof(value))
        return clv_kernel_set_value(k, index, bytes, &value);
    return clv_fail(&w->ctx->err, CLV_ERR_ARG, "argument %u cannot be read", index);
}

struct program {
    struct clv_digest key;
    struct clv_source source;
    const char *options, *kernel; /* some kernel of it */
    unsigned char *binary;        /* what it can be made of next time; NULL = nothing new */
    size_t binary_size;
    char *own, *shared;           /* PoCL: "XX/PROGRAM" in the two folders; NULL = not known */
};

static enum clv_err launch(struct worker *w, const struct program *p, struct clv_wire *in)
{
    struct clv_kernel *k = NULL;
    const char *name = clv_wire_text(in);
    const uint32_t dims = clv_wire_u32(in);
    size_t global[3] = {0}, local[3] = {0};
    if (in->failed || dims < 1 || dims > 3)
        return clv_fail(&w->ctx->err, CLV_ERR_ARG, "a launch cannot be read");
    for (uint32_t i = 0; i < dims; i++) {
        global[i] = (size_t)clv_wire_u64(in);
        local[i] = (size_t)clv_wire_u64(in);
    }
    const uint32_t n_args = clv_wire_u32(in);
    CLV_TRY(clv_kernel_create(w->dev, &p->source, name, p->options, "worker", &k));
    enum clv_err e = CLV_OK;
    for (uint32_t i = 0; i < n_args && !e; i++)
        e = set_arg(w, k, i, in);
    if (!e)
        e = clv_queue_kernel(w->dev, k, dims, global, local[0] ? local : NULL, -1);
    if (!e)
        e = clv_queue_finish(w->dev);
    clv_kernel_destroy(&k);
    return e;
}

static void mark(const struct worker *w, const struct clv_digest *key)
{
    clv_cachefile_store(w->ctx, w->dev->cache_dir, w->ctx->cache_bytes, key, "launched", 8);
}

/* All launches of a program, then their marks. */
static enum clv_err launch_all(struct worker *w, const struct program *p, struct clv_wire *in)
{
    const uint32_t n = clv_wire_u32(in);
    struct clv_digest *marks = n < 1 << 16 ? calloc((size_t)n + 1, sizeof(*marks)) : NULL;
    enum clv_err e = marks ? CLV_OK : clv_fail_nomem(&w->ctx->err, "launches");
    for (uint32_t i = 0; i < n && !e; i++) {
        clv_wire_bytes(in, &marks[i], sizeof(marks[i]));
        e = launch(w, p, in);
    }
    if (p->own && !e)
        clv_poclwork_publish(w->pocl_own, p->own, w->pocl_shared, p->shared);
    for (uint32_t i = 0; i < n && !e; i++)
        mark(w, &marks[i]);
    free(marks);
    return e;
}

/* ---- programs ---- */

/* How PoCL names the program when it is made of its bitcode: by making it. */
static char *name_of_bitcode(struct worker *w, const struct program *p, const void *bitcode,
                             size_t size)
{
    cl_program again = NULL;
    char *name = NULL;
    if (clv_program_from_binary(w->dev, bitcode, size, p->options, p->kernel, &again))
        name = clv_poclwork_program(w->pocl_own, p->own);
    /* The program itself is of no use: see poclwork.h. */
    if (again)
        clReleaseProgram(again);
    return name;
}

/* Finds out where PoCL put a program, and under which name the others shall find its code. */
static void find_names(struct worker *w, struct program *p)
{
    unsigned char *data = NULL;
    size_t size = 0;
    p->own = clv_poclwork_program(w->pocl_own, NULL);
    if (!p->own)
        return;
    /* An entry that is there is what the others use. */
    if (clv_cachefile_load(w->ctx, w->dev->cache_dir, &p->key, &data, &size))
        (void)clv_poclwork_unwrap(w->pocl_shared, data, size, &p->shared);
    free(data);
    data = NULL;
    if (!p->shared && clv_poclwork_bitcode(w->pocl_own, p->own, &data, &size)) {
        p->shared = name_of_bitcode(w, p, data, size);
        if (p->shared)
            (void)clv_poclwork_wrap(p->shared, data, size, &p->binary, &p->binary_size);
        free(data);
    }
    if (!p->shared) /* as PoCL finds it from source */
        p->shared = clv_strdupf("%s", p->own);
}

/* Drivers may leave part of the compiling for when a kernel is made. */
static enum clv_err make_kernels(struct worker *w, cl_program program)
{
    cl_kernel kernel[32];
    cl_uint n = 0;
    CLV_TRY(CLV_CL(&w->ctx->err, "worker", clCreateKernelsInProgram(program, CLV_COUNT(kernel), kernel, &n)));
    for (cl_uint i = 0; i < n; i++)
        clReleaseKernel(kernel[i]);
    return CLV_OK;
}

static enum clv_err build(struct worker *w, struct program *p)
{
    cl_program program = NULL;
    if (w->pocl_own) {
        /* Whatever an earlier job left there. */
        clv_poclcache_remove(w->pocl_own);
        CLV_TRY(clv_mkdirs(w->pocl_own, &w->ctx->err));
    }
    CLV_TRY(clv_program_from_source(w->dev, p->source.text, p->options, p->source.name, &program));
    if (w->pocl_shared)
        find_names(w, p);
    else
        (void)clv_program_read(w->dev, program, &p->binary, &p->binary_size);
    CLV_TRY(clv_program_adopt(w->dev, &p->key, program));
    return w->dev->is_trusted ? CLV_OK : make_kernels(w, program);
}

static enum clv_err work_on(struct worker *w, struct program *p, struct clv_wire *in)
{
    CLV_TRY(build(w, p));
    CLV_TRY(launch_all(w, p, in));
    /* After the launches: who finds the program finds its code. */
    if (p->binary)
        clv_cachefile_store(w->ctx, w->dev->cache_dir, w->ctx->cache_bytes, &p->key, p->binary,
                            p->binary_size);
    return CLV_OK;
}

static enum clv_err work(struct worker *w, struct clv_wire *in)
{
    struct program p = {0};
    clv_wire_bytes(in, &p.key, sizeof(p.key));
    p.source.name = clv_wire_text(in);
    p.source.text = clv_wire_text(in);
    p.options = clv_wire_text(in);
    p.kernel = clv_wire_text(in);
    const struct clv_digest key = clv_program_key(w->dev, p.source.text, p.options);
    if (in->failed || memcmp(&key, &p.key, sizeof(key)) != 0)
        return clv_fail(&w->ctx->err, CLV_ERR_ARG, "the job is for another device");
    const enum clv_err e = work_on(w, &p, in);
    free(p.own);
    free(p.shared);
    free(p.binary);
    return e;
}

/* ---- probes ---- */

static enum clv_err probe(struct worker *w, struct clv_wire *in)
{
    struct clv_digest key;
    struct clv_probe_verdict verdict = {0};
    clv_wire_bytes(in, &key, sizeof(key));
    const enum clv_unit unit = (enum clv_unit)clv_wire_u32(in);
    w->dev->probe_defect = (int)clv_wire_u32(in);
    if (in->failed || unit <= CLV_UNIT_NONE || unit >= CLV_UNITS)
        return clv_fail(&w->ctx->err, CLV_ERR_ARG, "a probe cannot be read");
    const enum clv_err e = clv_probe_run(w->dev, unit, &verdict);
    clv_probe_store(w->dev, &key, &verdict);
    return e;
}

static bool serve_one(struct worker *w, int fd)
{
    unsigned char *data = NULL;
    size_t size = 0;
    struct clv_str answer = {0};
    if (!clv_wire_receive(fd, &data, &size))
        return false;
    struct clv_wire in = {data, size, false};
    const uint32_t verb = clv_wire_u32(&in);
    bool ok = false;
    if (!w->dev) {
        ok = verb == CLV_WIRE_OPEN && open_device(w, &in);
    } else if (verb == CLV_WIRE_BUILD || verb == CLV_WIRE_PROBE) {
        const enum clv_err e = verb == CLV_WIRE_BUILD ? work(w, &in) : probe(w, &in);
        clv_wire_add_u32(&answer, e == CLV_OK);
        clv_wire_add_text(&answer, e ? w->ctx->err.text : "");
        ok = clv_wire_send(fd, &answer);
    }
    clv_str_finish(&answer);
    free(data);
    return ok;
}

int clv_worker_serve(int fd)
{
    struct worker w = {0};
    (void)clv_amx_request(); /* what it launches may use the tiles */
    while (serve_one(&w, fd))
        ;
    const int status = w.dev ? 0 : 1;
    for (size_t i = 0; i < w.n_buffers; i++)
        clv_buffer_destroy(&w.buffer[i]);
    free(w.buffer);
    clv_device_close(&w.dev);
    clv_context_destroy(&w.ctx);
    free(w.pocl_shared);
    return status;
}
