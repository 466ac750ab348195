/* Every OpenCL call of the device room fails once, at each place where it is made: the code and the
 * text say so, nothing leaks, nothing hangs. The linker puts the functions below in the place of
 * OpenCL's (--wrap, see meson.build). */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/tmp.h"
#include "testdev.h"

static struct {
    int calls;   /* counted since the start of a run */
    int fail_at; /* the call that fails; -1 = none */
    bool stay;   /* the calls after it fail as well */
    bool queries;/* clGetDeviceInfo() counts too */
    int alive;   /* OpenCL objects not released */
} fault;

static bool fails(void)
{
    const int call = fault.calls++;
    return fault.fail_at >= 0 && (call == fault.fail_at || (fault.stay && call > fault.fail_at));
}

#define FAIL CL_OUT_OF_RESOURCES

/* A function that returns a status. */
#define STATUS(name, params, args)                                                                 \
    cl_int __real_##name params;                                                                   \
    cl_int __wrap_##name params;                                                                   \
    cl_int __wrap_##name params { return fails() ? FAIL : __real_##name args; }

/* One whose parameter `event` may bring an object into being. */
#define ENQUEUE(name, params, args)                                                                \
    cl_int __real_##name params;                                                                   \
    cl_int __wrap_##name params;                                                                   \
    cl_int __wrap_##name params                                                                    \
    {                                                                                              \
        const cl_int status = fails() ? FAIL : __real_##name args;                                 \
        fault.alive += !status && event;                                                           \
        return status;                                                                             \
    }

/* One that returns an object and a status through a pointer. */
#define CREATE(type, name, params, args)                                                           \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        if (fails()) {                                                                             \
            *status = FAIL;                                                                        \
            return NULL;                                                                           \
        }                                                                                          \
        type object = __real_##name args;                                                          \
        fault.alive += object != NULL;                                                             \
        return object;                                                                             \
    }

#define RETAIN(name, type)                                                                         \
    cl_int __real_##name(type object);                                                             \
    cl_int __wrap_##name(type object);                                                             \
    cl_int __wrap_##name(type object)                                                              \
    {                                                                                              \
        const cl_int status = fails() ? FAIL : __real_##name(object);                              \
        fault.alive += !status;                                                                    \
        return status;                                                                             \
    }

#define RELEASE(name, type)                                                                        \
    cl_int __real_##name(type object);                                                             \
    cl_int __wrap_##name(type object);                                                             \
    cl_int __wrap_##name(type object)                                                              \
    {                                                                                              \
        fault.alive--;                                                                             \
        return __real_##name(object);                                                              \
    }

#define WAIT cl_uint n_wait, const cl_event *wait, cl_event *event
#define INFO size_t size, void *value, size_t *ret

STATUS(clGetPlatformIDs, (cl_uint n, cl_platform_id *ids, cl_uint *ret), (n, ids, ret))
STATUS(clGetPlatformInfo, (cl_platform_id id, cl_platform_info what, INFO),
       (id, what, size, value, ret))
STATUS(clGetDeviceIDs,
       (cl_platform_id id, cl_device_type type, cl_uint n, cl_device_id *ids, cl_uint *ret),
       (id, type, n, ids, ret))
STATUS(clGetCommandQueueInfo, (cl_command_queue q, cl_command_queue_info what, INFO),
       (q, what, size, value, ret))
STATUS(clGetProgramInfo, (cl_program p, cl_program_info what, INFO), (p, what, size, value, ret))
STATUS(clGetEventInfo, (cl_event e, cl_event_info what, INFO), (e, what, size, value, ret))
STATUS(clGetEventProfilingInfo, (cl_event e, cl_profiling_info what, INFO),
       (e, what, size, value, ret))
STATUS(clGetKernelWorkGroupInfo,
       (cl_kernel k, cl_device_id d, cl_kernel_work_group_info what, INFO),
       (k, d, what, size, value, ret))
STATUS(clSetKernelArg, (cl_kernel k, cl_uint i, size_t n, const void *value), (k, i, n, value))
STATUS(clSetMemObjectDestructorCallback, (cl_mem m, void (*fn)(cl_mem, void *), void *data), (m, fn, data))
STATUS(clFlush, (cl_command_queue q), (q))
STATUS(clWaitForEvents, (cl_uint n, const cl_event *e), (n, e))
STATUS(clBuildProgram,
       (cl_program p, cl_uint n, const cl_device_id *d, const char *options,
        void (*fn)(cl_program, void *), void *data),
       (p, n, d, options, fn, data))

ENQUEUE(clEnqueueMarkerWithWaitList, (cl_command_queue q, WAIT), (q, n_wait, wait, event))
ENQUEUE(clEnqueueNDRangeKernel,
        (cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *offset, const size_t *global,
         const size_t *local, WAIT),
        (q, k, dims, offset, global, local, n_wait, wait, event))
ENQUEUE(clEnqueueCopyBuffer,
        (cl_command_queue q, cl_mem a, cl_mem b, size_t a_off, size_t b_off, size_t n, WAIT),
        (q, a, b, a_off, b_off, n, n_wait, wait, event))
ENQUEUE(clEnqueueFillBuffer,
        (cl_command_queue q, cl_mem m, const void *pattern, size_t pattern_n, size_t off, size_t n,
         WAIT),
        (q, m, pattern, pattern_n, off, n, n_wait, wait, event))
ENQUEUE(clEnqueueWriteBuffer,
        (cl_command_queue q, cl_mem m, cl_bool block, size_t off, size_t n, const void *p, WAIT),
        (q, m, block, off, n, p, n_wait, wait, event))
ENQUEUE(clEnqueueReadBuffer,
        (cl_command_queue q, cl_mem m, cl_bool block, size_t off, size_t n, void *p, WAIT),
        (q, m, block, off, n, p, n_wait, wait, event))
ENQUEUE(clEnqueueUnmapMemObject, (cl_command_queue q, cl_mem m, void *p, WAIT),
        (q, m, p, n_wait, wait, event))

CREATE(cl_context, clCreateContext,
       (const cl_context_properties *properties, cl_uint n, const cl_device_id *d,
        void (*fn)(const char *, const void *, size_t, void *), void *data, cl_int *status),
       (properties, n, d, fn, data, status))
CREATE(cl_command_queue, clCreateCommandQueue,
       (cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *status),
       (c, d, p, status))
CREATE(cl_mem, clCreateBuffer, (cl_context c, cl_mem_flags f, size_t n, void *p, cl_int *status),
       (c, f, n, p, status))
CREATE(cl_program, clCreateProgramWithSource,
       (cl_context c, cl_uint n, const char **text, const size_t *len, cl_int *status),
       (c, n, text, len, status))
CREATE(cl_program, clCreateProgramWithBinary,
       (cl_context c, cl_uint n, const cl_device_id *d, const size_t *len,
        const unsigned char **data, cl_int *each, cl_int *status),
       (c, n, d, len, data, each, status))
CREATE(cl_kernel, clCreateKernel, (cl_program p, const char *name, cl_int *status),
       (p, name, status))

RETAIN(clRetainContext, cl_context)
RETAIN(clRetainCommandQueue, cl_command_queue)
RELEASE(clReleaseContext, cl_context)
RELEASE(clReleaseCommandQueue, cl_command_queue)
RELEASE(clReleaseMemObject, cl_mem)
RELEASE(clReleaseProgram, cl_program)
RELEASE(clReleaseKernel, cl_kernel)
RELEASE(clReleaseEvent, cl_event)

cl_int __real_clGetDeviceInfo(cl_device_id id, cl_device_info what, INFO);
cl_int __wrap_clGetDeviceInfo(cl_device_id id, cl_device_info what, INFO);
cl_int __wrap_clGetDeviceInfo(cl_device_id id, cl_device_info what, INFO)
{
    return fault.queries && fails() ? FAIL : __real_clGetDeviceInfo(id, what, size, value, ret);
}

/* Its event counts too, but it returns a pointer. */
void *__real_clEnqueueMapBuffer(cl_command_queue q, cl_mem m, cl_bool block, cl_map_flags f,
                                size_t off, size_t n, WAIT, cl_int *status);
void *__wrap_clEnqueueMapBuffer(cl_command_queue q, cl_mem m, cl_bool block, cl_map_flags f,
                                size_t off, size_t n, WAIT, cl_int *status);
void *__wrap_clEnqueueMapBuffer(cl_command_queue q, cl_mem m, cl_bool block, cl_map_flags f,
                                size_t off, size_t n, WAIT, cl_int *status)
{
    if (fails()) {
        *status = FAIL;
        return NULL;
    }
    void *p = __real_clEnqueueMapBuffer(q, m, block, f, off, n, n_wait, wait, event, status);
    fault.alive += p && event;
    return p;
}

static const struct clv_source twice = {
    "twice", "kernel void twice(global int *x)\n{\n    x[get_global_id(0)] *= 2;\n}\n"};

/* Static, since a run that fails may leave transfers in flight. */
static int sent = 21, received;

/* From host memory by way of a to b, each waiting for the other queue. */
static enum clv_err use_uploads(struct clv_device *dev, struct clv_buffer *a, struct clv_buffer *b, void *host)
{
    struct clv_mark *before = NULL, *landed = NULL;
    enum clv_err e = clv_queue_mark(dev, &before);
    if (!e)
        e = clv_upload_write(dev, a, 0, host, sizeof(int), before, 0);
    if (!e)
        e = clv_upload_mark(dev, &landed);
    if (!e)
        e = clv_queue_copy(dev, a, b, sizeof(int), landed);
    if (!e)
        e = clv_queue_finish(dev);
    clv_mark_destroy(&before);
    clv_mark_destroy(&landed);
    return e;
}

static enum clv_err use_device(struct clv_device *dev, struct clv_buffer *a, struct clv_buffer *b,
                               struct clv_kernel *k)
{
    struct clv_profile_row row;
    const size_t one = 1;
    void *mapped = NULL;
    CLV_TRY(clv_kernel_set_buffer(k, 0, a));
    CLV_TRY(clv_queue_fill(dev, a, 0, sizeof(int), 0, 0));
    CLV_TRY(clv_queue_write_wait(dev, a, 0, &sent, sizeof(int)));
    CLV_TRY(clv_queue_kernel(dev, k, 1, &one, &one, 0));
    CLV_TRY(clv_queue_write(dev, b, 0, &sent, sizeof(int)));
    CLV_TRY(clv_queue_map(dev, b, sizeof(int), &mapped));
    CLV_TRY(clv_queue_unmap(dev, b, mapped));
    CLV_TRY(clv_queue_read_wait(dev, a, 0, &received, sizeof(int)));
    return clv_profile_collect(dev, &row, 1);
}

/* Everything once; params->profile must be set. */
static enum clv_err run(struct clv_context *ctx, const struct clv_device_params *params)
{
    struct clv_device *dev = NULL;
    struct clv_buffer *a = NULL, *b = NULL;
    struct clv_kernel *k = NULL;
    enum clv_err e = clv_device_open(ctx, params, &dev);
    if (e)
        return e;
    e = clv_buffer_create(dev, 64, &a);
    if (!e)
        e = clv_buffer_create(dev, 4 << 20, &b); /* in large pages */
    if (!e)
        e = clv_kernel_create(dev, &twice, "twice", "", "fault", &k);
    int *host = e ? NULL : clv_host_alloc(dev, sizeof(int));
    if (host) {
        *host = sent;
        e = use_uploads(dev, a, b, host);
    }
    if (!e)
        e = use_device(dev, a, b, k);
    if (e) { /* which the upload may still be in */
        const enum clv_err ignored = clv_queue_finish(dev);
        (void)ignored;
    }
    clv_host_free(dev, host);
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&a);
    clv_buffer_destroy(&b);
    clv_device_close(&dev);
    return e;
}

/* One run per call that is made in it. Returns the number of runs. */
static int try_all(const char *cache_dir, const struct clv_device_params *params, bool stay,
                   bool queries)
{
    for (int n = 0;; n++) {
        struct clv_context *ctx = test_context(cache_dir, 0);
        const int alive = fault.alive;
        fault.calls = 0;
        fault.fail_at = n;
        fault.stay = stay;
        fault.queries = queries;
        received = 0;
        const enum clv_err e = run(ctx, params);
        const bool fired = fault.calls > n;
        fault.fail_at = -1;
        cr_assert_eq(fault.alive, alive, "call %d: %d objects leaked", n, fault.alive - alive);
        cr_assert(e ? *clv_error_text(ctx) : received == 42, "call %d: %d \"%s\", received %d", n,
                  e, clv_error_text(ctx), received);
        cr_assert(fired || !e, "%s", clv_error_text(ctx));
        clv_context_destroy(&ctx);
        if (!fired)
            return n;
    }
}

static void need_device(void)
{
    struct clv_context *ctx = test_context(NULL, 0);
    fault.fail_at = -1;
    struct clv_device *dev = test_device(ctx, NULL);
    test_close(&ctx, &dev);
}

Test(fault, each_call_without_a_cache)
{
    const struct clv_device_params p = {.profile = true};
    need_device();
    cr_expect_gt(try_all(NULL, &p, false, false), 30);
    cr_expect_gt(try_all(NULL, &p, true, false), 30);
}

Test(fault, each_call_with_a_cache)
{
    const struct clv_device_params p = {.profile = true};
    char dir[64];
    need_device();
    tmp_dir(dir);
    cr_expect_gt(try_all(dir, &p, false, false), 30);
    cr_expect_gt(try_all(dir, &p, true, false), 30);
    tmp_remove(dir);
}

Test(fault, each_call_of_two_queues)
{
    const struct clv_device_params p = {.profile = true, .caps = "no-unified"};
    need_device();
    cr_expect_gt(try_all(NULL, &p, false, false), 40);
    cr_expect_gt(try_all(NULL, &p, true, false), 40);
}

Test(fault, each_query_of_a_device)
{
    const struct clv_device_params p = {.profile = true};
    need_device();
    cr_expect_gt(try_all(NULL, &p, false, true), 60);
}

Test(fault, each_call_in_a_foreign_context)
{
    struct clv_context *ctx = test_context(NULL, 0);
    fault.fail_at = -1;
    struct clv_device *own = test_device(ctx, &(struct clv_device_params){.profile = true});
    const struct clv_device_params p = {.cl_context = own->context, .cl_device = own->id,
                                        .cl_queue = own->queue, .profile = true};
    cr_expect_gt(try_all(NULL, &p, false, false), 30);
    test_close(&ctx, &own);
}
