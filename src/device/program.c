/* Programs: source x options, compiled once per device. */
#include "device/internal.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

struct clv_program {
    struct clv_program *next;
    struct clv_digest key; /* of source and options */
    cl_program program;
};

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

static enum clv_err build(struct clv_device *dev, const struct clv_source *source,
                          const char *options, const char *what, cl_program *ret)
{
    struct clv_error *err = &dev->ctx->err;
    cl_int status = CL_SUCCESS;
    if (dev->on_build)
        dev->on_build(dev->on_build_priv, what);
    cl_program program = clCreateProgramWithSource(dev->context, 1, (const char *[]){source->text},
                                                   NULL, &status);
    CLV_TRY(CLV_CL_STATUS(err, what, "clCreateProgramWithSource", status));
    status = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (status) {
        const enum clv_err e = fail_build(dev, program, status, what, options);
        clReleaseProgram(program);
        return e;
    }
    dev->stats.built++;
    *ret = program;
    return CLV_OK;
}

static struct clv_program *find(struct clv_device *dev, const struct clv_digest *key)
{
    for (struct clv_program *p = dev->programs; p; p = p->next)
        if (!memcmp(&p->key, key, sizeof(*key)))
            return p;
    return NULL;
}

enum clv_err clv_program_get(struct clv_device *dev, const struct clv_source *source,
                             const char *options, const char *kernel, const char *label,
                             cl_program *ret)
{
    struct clv_error *err = &dev->ctx->err;
    enum clv_err e = CLV_OK;
    struct clv_program *p = NULL;
    const bool has_standard = options && strstr(options, "-cl-std=");
    char *all = clv_strdupf("%s%s%s", has_standard ? "" : STANDARD " ", options ? options : "", "");
    char *what = clv_strdupf("%s: kernel %s of cl/%s.cl", label, kernel, source->name);
    if (!all || !what) {
        e = clv_fail_nomem(err, "a program");
        goto out;
    }
    const struct clv_digest key = clv_sha256_pieces((const char *[]){source->text, all}, 2);
    p = find(dev, &key);
    if (p) {
        dev->stats.reused++;
        *ret = p->program;
        goto out;
    }
    p = calloc(1, sizeof(*p));
    if (!p) {
        e = clv_fail_nomem(err, "a program");
        goto out;
    }
    e = build(dev, source, all, what, &p->program);
    if (e) {
        free(p);
        goto out;
    }
    p->key = key;
    p->next = dev->programs;
    dev->programs = p;
    *ret = p->program;
out:
    free(all);
    free(what);
    return e;
}

void clv_programs_destroy(struct clv_device *dev)
{
    while (dev->programs) {
        struct clv_program *p = dev->programs;
        dev->programs = p->next;
        clReleaseProgram(p->program);
        free(p);
    }
}
