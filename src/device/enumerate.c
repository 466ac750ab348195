/* Lists every device of every platform. What cannot be used is listed with a reason: a broken driver
 * must never hide a working one, so no OpenCL failure in here is an error. */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <CL/cl_ext.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* CL_DEVICE_MAX_NUM_SUB_GROUPS, from OpenCL 2.1 on; the headers are used at level 1.2. */
enum { DEVICE_MAX_NUM_SUB_GROUPS = 0x105C };
/* CL_DEVICE_SUB_GROUP_SIZES_INTEL, of cl_intel_required_subgroup_size. */
enum { DEVICE_SUB_GROUP_SIZES = 0x4108 };

static const char *const interesting_extensions[] = {
    "cl_khr_fp16",
    "cl_khr_fp64",
    "cl_khr_subgroups",
    "cl_intel_subgroups",
    "cl_intel_required_subgroup_size",
    "cl_intel_subgroup_matrix_multiply_accumulate",
    "cl_khr_integer_dot_product",
    "cl_khr_il_program",
    "cl_khr_pci_bus_info",
    "cl_nv_device_attribute_query",
    "cl_amd_device_attribute_query",
    "cl_ext_float_atomics",
};

/* Blanks at both ends off, control characters to blanks: vendors pad their names. */
static char *trim(char *s)
{
    for (char *p = s; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    while (*s == ' ')
        s++;
    size_t len = strlen(s);
    while (len && s[len - 1] == ' ')
        s[--len] = 0;
    return s;
}

/* The string in the arena, "" if the query fails, NULL only when out of memory. */
static const char *device_string(struct clv_arena *arena, cl_device_id id, cl_device_info what)
{
    size_t size = 0;
    if (clGetDeviceInfo(id, what, 0, NULL, &size) != CL_SUCCESS || !size)
        return "";
    char *s = clv_arena_alloc(arena, size + 1);
    if (!s)
        return NULL;
    if (clGetDeviceInfo(id, what, size, s, NULL) != CL_SUCCESS)
        return "";
    return trim(s);
}

static const char *platform_string(struct clv_arena *arena, cl_platform_id id,
                                   cl_platform_info what)
{
    size_t size = 0;
    if (clGetPlatformInfo(id, what, 0, NULL, &size) != CL_SUCCESS || !size)
        return "";
    char *s = clv_arena_alloc(arena, size + 1);
    if (!s)
        return NULL;
    if (clGetPlatformInfo(id, what, size, s, NULL) != CL_SUCCESS)
        return "";
    return trim(s);
}

static cl_uint device_uint(cl_device_id id, cl_device_info what)
{
    cl_uint v = 0;
    return clGetDeviceInfo(id, what, sizeof(v), &v, NULL) == CL_SUCCESS ? v : 0;
}

static cl_ulong device_ulong(cl_device_id id, cl_device_info what)
{
    cl_ulong v = 0;
    return clGetDeviceInfo(id, what, sizeof(v), &v, NULL) == CL_SUCCESS ? v : 0;
}

static size_t device_size(cl_device_id id, cl_device_info what)
{
    size_t v = 0;
    return clGetDeviceInfo(id, what, sizeof(v), &v, NULL) == CL_SUCCESS ? v : 0;
}

static bool has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += len)
        if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
            return true;
    return false;
}

/* Those of the device's extensions that matter, blank-separated. */
static const char *filter_extensions(struct clv_arena *arena, const char *all)
{
    char *s = clv_arena_alloc(arena, strlen(all) + 1);
    if (!s)
        return NULL;
    for (size_t i = 0; i < CLV_COUNT(interesting_extensions); i++) {
        if (!has_word(all, interesting_extensions[i]))
            continue;
        if (*s)
            strcat(s, " "); /* fits: the words are a subset of `all` */
        strcat(s, interesting_extensions[i]);
    }
    return s;
}

/* Interpreters and rasterisers say CPU or GPU of themselves; only the names give them away. */
static bool is_software(const struct clv_device_info *info)
{
    static const char *const names[] = {"llvmpipe", "softpipe", "swrast", "SwiftShader", "Oclgrind",
                                        "FPGA Emulation"};
    for (size_t i = 0; i < CLV_COUNT(names); i++)
        if (strstr(info->name, names[i]) || strstr(info->platform_name, names[i]))
            return true;
    return false;
}

static enum clv_device_type device_type(cl_device_id id, const struct clv_device_info *info)
{
    const cl_ulong type = device_ulong(id, CL_DEVICE_TYPE); /* a cl_bitfield, 64 bits */
    if (is_software(info))
        return CLV_DEVICE_SOFTWARE;
    if (type & CL_DEVICE_TYPE_GPU)
        return CLV_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_CPU)
        return CLV_DEVICE_CPU;
    return CLV_DEVICE_ACCELERATOR;
}

/* Whether the compiler is a Clang that knows min_vector_width (7 or later, so every PoCL and Intel CPU
 * runtime in use). For others it would take a test build, which enumeration must not risk: a driver's
 * compiler may crash. A compiler that does not know the attribute ignores it with a warning. */
static bool is_clang(const char *platform_name)
{
    return !strcmp(platform_name, "Portable Computing Language") ||
           !strcmp(platform_name, "Intel(R) OpenCL");
}

static uint32_t device_features(cl_device_id id, const struct clv_device_info *info)
{
    const char *ext = info->extensions;
    const bool is_cl3 = !strncmp(info->version, "OpenCL 3", 8);
    uint32_t f = 0;
    if (has_word(ext, "cl_khr_fp16"))
        f |= CLV_FEAT_FP16;
    if (has_word(ext, "cl_khr_fp64"))
        f |= CLV_FEAT_FP64;
    if (has_word(ext, "cl_khr_subgroups") || has_word(ext, "cl_intel_subgroups") ||
        (is_cl3 && device_uint(id, DEVICE_MAX_NUM_SUB_GROUPS)))
        f |= CLV_FEAT_SUBGROUPS;
    if (device_uint(id, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL)
        f |= CLV_FEAT_LOCAL;
    if (info->type == CLV_DEVICE_CPU || device_uint(id, CL_DEVICE_HOST_UNIFIED_MEMORY))
        f |= CLV_FEAT_UNIFIED;
    if (info->type == CLV_DEVICE_CPU && is_clang(info->platform_name))
        f |= CLV_FEAT_MIN_VECTOR_WIDTH;
    return f;
}

/* Sizes are powers of two: their sum says which. Asking for one takes both extensions. */
static unsigned sub_group_sizes(cl_device_id id, const struct clv_device_info *info)
{
    size_t size[16], bytes = 0;
    unsigned sizes = 0;
    if (!has_word(info->extensions, "cl_intel_subgroups") ||
        !has_word(info->extensions, "cl_intel_required_subgroup_size") ||
        clGetDeviceInfo(id, DEVICE_SUB_GROUP_SIZES, sizeof(size), size, &bytes) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < bytes / sizeof(*size); i++)
        sizes |= size[i] && !(size[i] & (size[i] - 1)) && size[i] <= 128 ? (unsigned)size[i] : 0;
    return sizes;
}

/* Mesa 22's rusticl says 1024 of the device, and of every kernel the width of a sub-group, which is 32 on
 * llvmpipe: plans need what kernels may have. */
static size_t group_limit(cl_device_id id, const struct clv_device_info *info)
{
    const size_t most = device_size(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    const bool is_mesa22 = !strcmp(info->platform_name, "rusticl") && !strncmp(info->driver, "22.", 3);
    return is_mesa22 ? CLV_MIN(most, 32) : most;
}

static const char *why_unusable(cl_device_id id, const struct clv_device_info *info)
{
    const char *v = info->version; /* "OpenCL <major>.<minor> <vendor's words>" */
    if (strncmp(v, "OpenCL ", 7))
        return "the driver does not say which OpenCL version it has";
    if (v[7] == '1' && v[8] == '.' && v[9] < '2')
        return "its OpenCL is older than 1.2; update the driver";
    if (!device_uint(id, CL_DEVICE_AVAILABLE))
        return "the driver reports it as not available";
    if (!device_uint(id, CL_DEVICE_COMPILER_AVAILABLE))
        return "the driver has no OpenCL C compiler";
    if (!device_uint(id, CL_DEVICE_ENDIAN_LITTLE))
        return "big-endian devices are not supported";
    if (device_ulong(id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CUSTOM)
        return "it is a fixed-function device that runs no kernels";
    if (!info->units || !info->max_alloc || !info->max_work_group)
        return "the driver does not answer questions about it";
    return NULL;
}

enum clv_err clv_device_describe(struct clv_arena *arena, cl_platform_id platform,
                                 cl_device_id id, struct clv_device_info *info,
                                 struct clv_error *err)
{
    info->platform_name = platform_string(arena, platform, CL_PLATFORM_NAME);
    info->platform_version = platform_string(arena, platform, CL_PLATFORM_VERSION);
    const char *ext = device_string(arena, id, CL_DEVICE_EXTENSIONS);
    info->extensions = ext ? filter_extensions(arena, ext) : NULL;
    info->name = device_string(arena, id, CL_DEVICE_NAME);
    info->vendor = device_string(arena, id, CL_DEVICE_VENDOR);
    info->driver = device_string(arena, id, CL_DRIVER_VERSION);
    info->version = device_string(arena, id, CL_DEVICE_VERSION);
    info->c_version = device_string(arena, id, CL_DEVICE_OPENCL_C_VERSION);
    if (!info->platform_name || !info->platform_version || !info->extensions || !info->name ||
        !info->vendor || !info->driver || !info->version || !info->c_version)
        return clv_fail_nomem(err, "the device list");
    if (has_word(info->extensions, "cl_amd_device_attribute_query")) {
        /* AMD's CL_DEVICE_NAME is a code name such as "gfx1030". */
        const char *board = device_string(arena, id, CL_DEVICE_BOARD_NAME_AMD);
        if (!board)
            return clv_fail_nomem(err, "the device list");
        if (*board)
            info->name = board;
    }
    info->type = device_type(id, info);
    info->features = device_features(id, info);
    info->sub_groups = sub_group_sizes(id, info);
    info->units = device_uint(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = device_uint(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->global_bytes = device_ulong(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->local_bytes = device_ulong(id, CL_DEVICE_LOCAL_MEM_SIZE);
    info->max_alloc = device_ulong(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->cache_bytes = device_ulong(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    info->max_work_group = group_limit(id, info);
    info->vector_width = device_uint(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    info->unusable = why_unusable(id, info);
    return CLV_OK;
}

/* The line of a platform that offers nothing. */
static enum clv_err describe_empty(struct clv_arena *arena, cl_platform_id platform, cl_int status,
                                   struct clv_device_info *info, struct clv_error *err)
{
    info->device = -1;
    info->platform_name = platform_string(arena, platform, CL_PLATFORM_NAME);
    info->platform_version = platform_string(arena, platform, CL_PLATFORM_VERSION);
    info->vendor = platform_string(arena, platform, CL_PLATFORM_VENDOR);
    info->name = info->driver = info->version = info->c_version = info->extensions = "";
    info->type = CLV_DEVICE_SOFTWARE;
    if (status == CL_SUCCESS || status == CL_DEVICE_NOT_FOUND)
        info->unusable = "the platform has no device";
    else
        info->unusable = clv_arena_printf(arena, "asking the platform for devices failed: %s (%d)",
                                          clv_cl_name(status), status);
    if (!info->platform_name || !info->platform_version || !info->vendor || !info->unusable)
        return clv_fail_nomem(err, "the device list");
    return CLV_OK;
}

/* Number of devices, 0 when the platform has none or fails; *status says which. */
static cl_uint count_devices(cl_platform_id platform, cl_int *status)
{
    cl_uint n = 0;
    *status = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n);
    return *status == CL_SUCCESS ? n : 0;
}

static enum clv_err add_platform(struct clv_device_table *t, cl_platform_id platform, int number,
                                 size_t room, struct clv_error *err)
{
    cl_int status;
    cl_uint n = count_devices(platform, &status);
    cl_device_id *devices = clv_arena_alloc(&t->arena, (n + 1) * sizeof(*devices));
    if (!devices)
        return clv_fail_nomem(err, "the device list");
    if (n > room)
        n = (cl_uint)room; /* a device appeared since they were counted */
    if (n) {
        status = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, n, devices, NULL);
        if (status != CL_SUCCESS)
            n = 0;
    }
    if (!n) {
        t->info[t->n].platform = number;
        t->ids[t->n].platform = platform;
        CLV_TRY(describe_empty(&t->arena, platform, status, &t->info[t->n], err));
        t->n++;
    }
    for (cl_uint i = 0; i < n; i++) {
        struct clv_device_info *info = &t->info[t->n];
        info->platform = number;
        info->device = (int)i;
        t->ids[t->n] = (struct clv_device_id){platform, devices[i]};
        CLV_TRY(clv_device_describe(&t->arena, platform, devices[i], info, err));
        t->n++;
    }
    return CLV_OK;
}

enum clv_err clv_device_table_create(struct clv_context *ctx, struct clv_device_table **ret)
{
    struct clv_error *err = &ctx->err;
    struct clv_device_table *t = NULL;
    cl_platform_id *platforms = NULL;
    cl_uint n = 0;
    enum clv_err e = CLV_OK;
    /* The loader answers CL_PLATFORM_NOT_FOUND_KHR on a machine without drivers. */
    if (clGetPlatformIDs(0, NULL, &n) != CL_SUCCESS)
        n = 0;
    platforms = calloc(n + 1, sizeof(cl_platform_id));
    if (!platforms)
        return clv_fail_nomem(err, "the platform list");
    if (n && clGetPlatformIDs(n, platforms, NULL) != CL_SUCCESS)
        n = 0;
    size_t lines = 0;
    for (cl_uint i = 0; i < n; i++) {
        cl_int status;
        lines += CLV_MAX(count_devices(platforms[i], &status), 1);
    }
    t = calloc(1, sizeof(*t) + (lines + 1) * sizeof(t->info[0]));
    if (!t) {
        e = clv_fail_nomem(err, "the device list");
        goto fail;
    }
    t->ids = clv_arena_alloc(&t->arena, (lines + 1) * sizeof(*t->ids));
    if (!t->ids) {
        e = clv_fail_nomem(err, "the device list");
        goto fail;
    }
    for (cl_uint i = 0; i < n && t->n < lines; i++) {
        /* The platforms still to come need a line each. */
        const size_t room = lines - t->n - CLV_MIN(lines - t->n - 1, (size_t)(n - 1 - i));
        e = add_platform(t, platforms[i], (int)i, room, err);
        if (e)
            goto fail;
    }
    free(platforms);
    *ret = t;
    return CLV_OK;
fail:
    free(platforms);
    clv_device_table_destroy(&t);
    return e;
}

void clv_device_table_destroy(struct clv_device_table **t)
{
    if (!*t)
        return;
    clv_arena_finish(&(*t)->arena);
    free(*t);
    *t = NULL;
}

enum clv_err clv_device_list(struct clv_context *ctx, struct clv_device_info **list, size_t *n)
{
    struct clv_device_table *t = NULL;
    CLV_TRY(clv_device_table_create(ctx, &t));
    *list = t->info;
    *n = t->n;
    return CLV_OK;
}

void clv_device_list_free(struct clv_device_info **list)
{
    if (!*list)
        return;
    struct clv_device_table *t =
        (void *)((char *)*list - offsetof(struct clv_device_table, info));
    clv_device_table_destroy(&t);
    *list = NULL;
}

const char *clv_device_install_hint(void)
{
    return "install an OpenCL driver: the GPU vendor's, or PoCL for the CPU "
           "(Debian: apt install pocl-opencl-icd)";
}
