/* Preloaded before the OpenCL loader: makes calls fail. $CLV_CLI_FAULT lists names, "clBuildProgram"
 * from the first call on, "clEnqueueNDRangeKernel:3" from the third on. $CLV_CLI_IDLE names a kernel that
 * computes nothing: its launches, or "KERNEL:3" from the third on, are dropped with success. $CLV_CLI_CRASH and
 * $CLV_CLI_HANG name kernels likewise, whose launches end the process or never return. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <CL/cl.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int must_fail(const char *name, int *calls)
{
    const char *list = getenv("CLV_CLI_FAULT");
    const size_t n = strlen(name);
    ++*calls;
    for (const char *at = list; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (!strncmp(at, name, n) && strchr(": ", at[n]))
            return *calls >= (at[n] == ':' ? atoi(at + n + 1) : 1);
    return 0;
}

#define FAULT(name, code, parameters, arguments)                                                   \
    cl_int name parameters                                                                         \
    {                                                                                              \
        static int calls;                                                                          \
        cl_int(*real) parameters = NULL;                                                           \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof real);                                                       \
        return must_fail(#name, &calls) ? (code) : real arguments;                                 \
    }

FAULT(clBuildProgram, CL_BUILD_PROGRAM_FAILURE,
      (cl_program p, cl_uint n, const cl_device_id *d, const char *o,
       void(CL_CALLBACK *f)(cl_program, void *), void *u), (p, n, d, o, f, u))
FAULT(clGetDeviceIDs, CL_DEVICE_NOT_FOUND,
      (cl_platform_id p, cl_device_type t, cl_uint n, cl_device_id *d, cl_uint *r), (p, t, n, d, r))
FAULT(clGetPlatformIDs, CL_OUT_OF_HOST_MEMORY, (cl_uint n, cl_platform_id *p, cl_uint *r), (n, p, r))

static int is_named(cl_kernel k, const char *variable, int *launches)
{
    const char *idle = getenv(variable);
    char name[128] = "";
    if (!idle || clGetKernelInfo(k, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL))
        return 0;
    const size_t n = strcspn(idle, ":");
    if (strlen(name) != n || strncmp(name, idle, n) != 0)
        return 0;
    return ++*launches >= (idle[n] == ':' ? atoi(idle + n + 1) : 1);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint n, const cl_event *wait,
                              cl_event *event)
{
    static int calls, idle, crash, hang;
    cl_int (*real)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *, cl_uint,
                   const cl_event *, cl_event *);
    void *symbol = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    memcpy(&real, &symbol, sizeof real);
    if (must_fail("clEnqueueNDRangeKernel", &calls))
        return CL_OUT_OF_RESOURCES;
    if (is_named(k, "CLV_CLI_CRASH", &crash))
        raise(SIGKILL);
    while (is_named(k, "CLV_CLI_HANG", &hang))
        sleep(1);
    if (is_named(k, "CLV_CLI_IDLE", &idle))
        return event ? clEnqueueMarkerWithWaitList(q, n, wait, event) : CL_SUCCESS;
    return real(q, k, dims, offset, global, local, n, wait, event);
}

cl_context clCreateContext(const cl_context_properties *p, cl_uint n, const cl_device_id *d,
                           void(CL_CALLBACK *f)(const char *, const void *, size_t, void *), void *u,
                           cl_int *err)
{
    static int calls;
    cl_context (*real)(const cl_context_properties *, cl_uint, const cl_device_id *,
                       void(CL_CALLBACK *)(const char *, const void *, size_t, void *), void *, cl_int *);
    void *symbol = dlsym(RTLD_NEXT, "clCreateContext");
    memcpy(&real, &symbol, sizeof real);
    if (!must_fail("clCreateContext", &calls))
        return real(p, n, d, f, u, err);
    if (err)
        *err = CL_OUT_OF_RESOURCES;
    return NULL;
}
