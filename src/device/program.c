/* Programs: source x options, compiled once per device, kept in memory and on disk.
 *
 * Reading a compiled program out of a driver can make it compile once more (PoCL: 0.2 s to a second),
 * so a build never waits for it: programs are stored by clv_device_store_programs(), which the
 * trainer calls when it has time and clv_device_close() calls at the end, for about a second at most;
 * what is left over is stored by a later run. */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include "device/cachefile.h"
#include "device/poclwork.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clv_program {
    struct clv_program *next;
    struct clv_digest key;
    cl_program program;
    bool stored; /* on disk, or tried in vain */
};

static const double store_seconds = 1.0;

/* Kernels are written in OpenCL C 1.2; some drivers default to another version. */
#define STANDARD "-cl-std=CL1.2"

enum { LOG_HEAD_LINES = 8, LOG_HEAD_BYTES = 1200 };

/* The whole build log, or NULL. */
static char *read_log(struct clv_device *dev, cl_program program)
{
    size_t size = 0;
    if (clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) || !size)
        return NULL;
    char *log = malloc(size + 1);
    if (!log)
        return NULL;
    if (clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, size, log, NULL)) {
        free(log);
        return NULL;
    }
    log[size] = 0;
    return log;
}

/* The first lines on one line, since an error is one line: "a | b | c". */
static void add_log_head(struct clv_str *s, const char *log)
{
    const size_t end = s->len + LOG_HEAD_BYTES;
    int lines = 0;
    while (*log && lines < LOG_HEAD_LINES && s->len < end) {
        size_t len = strcspn(log, "\r\n");
        if (len && strspn(log, " \t") < len) {
            clv_str_add(s, lines++ ? " | " : "");
            clv_str_addf(s, "%.*s", (int)(len < LOG_HEAD_BYTES ? len : LOG_HEAD_BYTES), log);
        }
        log += len + strspn(log + len, "\r\n");
    }
    if (*log)
        clv_str_add(s, " | ...");
}

static enum clv_err fail_build(struct clv_device *dev, cl_program program, cl_int status,
                               const char *what, const char *options)
{
    struct clv_error *err = &dev->ctx->err;
    char *log = read_log(dev, program);
    struct clv_str head = {0};
    add_log_head(&head, log && *log ? log : "the compiler gave no log");
    clv_log(dev->ctx, CLV_LOG_DEBUG, "build log of %s: %s", what, log ? log : "");
    const enum clv_err e = clv_fail(
        err, CLV_ERR_BUILD, "%s failed to build on %s (%s, options \"%s\"): %s", what,
        dev->info.name, clv_cl_name(status), options, head.text && !head.failed ? head.text : "");
    err->cl = status;
    clv_str_finish(&head);
    free(log);
    return e;
}

/* Everything that the compiled code depends on. The device's version names PoCL's target processor. */
struct clv_digest clv_program_key(const struct clv_device *dev, const char *text,
                                  const char *options)
{
    const struct clv_device_info *i = &dev->info;
    char format[16];
    snprintf(format, sizeof(format), "%d", CLV_CACHE_FORMAT);
    const char *const pieces[] = {format,           text,      options,
                                  i->name,          i->driver, i->version,
                                  i->platform_name, i->vendor, i->platform_version};
    return clv_sha256_pieces(pieces, CLV_COUNT(pieces));
}

bool clv_program_from_binary(struct clv_device *dev, const void *data, size_t size,
                             const char *options, const char *kernel, cl_program *ret)
{
    cl_int status = CL_SUCCESS, binary_status = CL_SUCCESS;
    const unsigned char *binary = data;
    cl_program program = clCreateProgramWithBinary(dev->context, 1, &dev->id, &size, &binary,
                                                   &binary_status, &status);
    if (!status && !binary_status)
        status = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (!status && !binary_status) {
        /* A binary without the kernel would fail later, where nobody rebuilds. */
        cl_kernel probe = clCreateKernel(program, kernel, &status);
        if (probe)
            clReleaseKernel(probe);
    }
    if (status || binary_status) {
        clv_log(dev->ctx, CLV_LOG_DEBUG, "program cache: the driver refuses kernel %s: %s", kernel,
                clv_cl_name(status ? status : binary_status));
        if (program)
            clReleaseProgram(program);
        return false;
    }
    *ret = program;
    return true;
}

/* From the disk cache; false if it is not there or the driver does not take it. */
static bool load(struct clv_device *dev, struct clv_program *p, const char *options,
                 const char *kernel)
{
    unsigned char *data = NULL;
    size_t size = 0;
    if (!dev->cache_dir || !clv_cachefile_load(dev->ctx, dev->cache_dir, &p->key, &data, &size))
        return false;
    size_t start = 0;
    bool ok = true;
    if (clv_poclwork_is_entry(data, size)) {
        const char *shared = getenv("POCL_CACHE_DIR");
        start = shared ? clv_poclwork_unwrap(shared, data, size, NULL) : 0;
        ok = start != 0;
    }
    ok = ok && clv_program_from_binary(dev, data + start, size - start, options, kernel, &p->program);
    free(data);
    if (!ok)
        return false;
    p->stored = true;
    dev->stats.loaded++;
    return true;
}

enum clv_err clv_program_from_source(struct clv_device *dev, const char *text, const char *options,
                                     const char *what, cl_program *ret)
{
    struct clv_error *err = &dev->ctx->err;
    cl_int status = CL_SUCCESS;
    cl_program program =
        clCreateProgramWithSource(dev->context, 1, (const char *[]){text}, NULL, &status);
    CLV_TRY(CLV_CL_STATUS(err, what, "clCreateProgramWithSource", status));
    const double begin = clv_now();
    status = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (status) {
        const enum clv_err e = fail_build(dev, program, status, what, options);
        clReleaseProgram(program);
        return e;
    }
    clv_log(dev->ctx, CLV_LOG_DEBUG, "built %s in %.2f s, options \"%s\"", what, clv_now() - begin,
            options);
    dev->stats.built++;
    *ret = program;
    return CLV_OK;
}

static struct clv_program *find(const struct clv_device *dev, const struct clv_digest *key)
{
    for (struct clv_program *p = dev->programs; p; p = p->next)
        if (!memcmp(&p->key, key, sizeof(*key)))
            return p;
    return NULL;
}

static void destroy(struct clv_program *p)
{
    if (!p)
        return;
    if (p->program)
        clReleaseProgram(p->program);
    free(p);
}

bool clv_program_is_here(const struct clv_device *dev, const struct clv_digest *key)
{
    return find(dev, key) != NULL;
}

enum clv_err clv_program_adopt(struct clv_device *dev, const struct clv_digest *key,
                               cl_program program)
{
    struct clv_program *p = calloc(1, sizeof(*p));
    if (!p) {
        clReleaseProgram(program);
        return clv_fail_nomem(&dev->ctx->err, "a program");
    }
    *p = (struct clv_program){.next = dev->programs, .key = *key, .program = program, .stored = true};
    dev->programs = p;
    return CLV_OK;
}

static enum clv_err build(struct clv_device *dev, const struct clv_source *source,
                          const char *options, const char *kernel, const char *what,
                          struct clv_program *p)
{
    const struct clv_build job = {.source = source, .name = kernel, .options = options};
    CLV_TRY(clv_trial_build(dev, &p->key, &job, what));
    if (!dev->is_trusted && load(dev, p, options, kernel))
        return CLV_OK;
    if (dev->on_build && dev->on_build(dev->on_build_priv, what))
        return clv_fail(&dev->ctx->err, CLV_ERR_CANCELLED, "cancelled before it built %s", what);
    return clv_program_from_source(dev, source->text, options, what, &p->program);
}

/* Loads or builds; on success the program is in the device's list. */
static enum clv_err make(struct clv_device *dev, const struct clv_digest *key,
                         const struct clv_source *source, const char *options, const char *kernel,
                         const char *what, cl_program *ret)
{
    struct clv_program *p = calloc(1, sizeof(*p));
    if (!p)
        return clv_fail_nomem(&dev->ctx->err, "a program");
    p->key = *key;
    if (!load(dev, p, options, kernel)) {
        const enum clv_err e = build(dev, source, options, kernel, what, p);
        if (e) {
            destroy(p);
            return e;
        }
    }
    p->next = dev->programs;
    dev->programs = p;
    *ret = p->program;
    return CLV_OK;
}

char *clv_program_options(const char *options)
{
    if (!options)
        options = "";
    return clv_strdupf("%s%s", strstr(options, "-cl-std=") ? "" : STANDARD " ", options);
}

enum clv_err clv_program_get(struct clv_device *dev, const struct clv_source *source,
                             const char *options, const char *kernel, const char *label,
                             cl_program *ret)
{
    enum clv_err e = CLV_OK;
    char *all = clv_program_options(options);
    char *what = clv_strdupf("%s: kernel %s of cl/%s.cl", label, kernel, source->name);
    if (all && what) {
        const struct clv_digest key = clv_program_key(dev, source->text, all);
        struct clv_program *p = find(dev, &key);
        if (p) {
            dev->stats.reused++;
            *ret = p->program;
        } else {
            e = make(dev, &key, source, all, kernel, what, ret);
        }
    } else {
        e = clv_fail_nomem(&dev->ctx->err, "a program");
    }
    free(all);
    free(what);
    return e;
}

/* Our device's place among the devices of the program's context; -1 if it cannot be told. */
static int device_place(const struct clv_device *dev, cl_program program, cl_uint *n_devices)
{
    enum { MAX = 64 };
    cl_device_id ids[MAX];
    if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof(*n_devices), n_devices, NULL) ||
        *n_devices > MAX ||
        clGetProgramInfo(program, CL_PROGRAM_DEVICES, *n_devices * sizeof(ids[0]), ids, NULL))
        return -1;
    for (cl_uint i = 0; i < *n_devices; i++)
        if (ids[i] == dev->id)
            return (int)i;
    return -1;
}

bool clv_program_read(const struct clv_device *dev, cl_program program, unsigned char **data,
                      size_t *size)
{
    cl_uint n = 0;
    const int place = device_place(dev, program, &n);
    if (place < 0)
        return false;
    size_t *sizes = calloc(n, sizeof(*sizes));
    unsigned char **binaries = calloc(n, sizeof(*binaries)); /* NULL: not wanted */
    bool ok = false;
    if (sizes && binaries &&
        !clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, n * sizeof(*sizes), sizes, NULL) &&
        sizes[place] && (binaries[place] = malloc(sizes[place]))) {
        ok = !clGetProgramInfo(program, CL_PROGRAM_BINARIES, n * sizeof(*binaries), binaries, NULL);
        *data = ok ? binaries[place] : NULL;
        *size = sizes[place];
        if (!ok)
            free(binaries[place]);
    }
    free(binaries);
    free(sizes);
    return ok;
}

static void store(struct clv_device *dev, struct clv_program *p)
{
    unsigned char *data = NULL;
    size_t size = 0;
    p->stored = true;
    if (clv_program_read(dev, p->program, &data, &size))
        clv_cachefile_store(dev->ctx, dev->cache_dir, dev->ctx->cache_bytes, &p->key, data, size);
    free(data);
}

void clv_device_store_programs(struct clv_device *dev)
{
    const double begin = clv_now();
    if (!dev->cache_dir)
        return;
    for (struct clv_program *p = dev->programs; p; p = p->next)
        if (!p->stored && clv_now() - begin < store_seconds)
            store(dev, p);
}

void clv_programs_destroy(struct clv_device *dev)
{
    while (dev->programs) {
        struct clv_program *p = dev->programs;
        dev->programs = p->next;
        destroy(p);
    }
}
