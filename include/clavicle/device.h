/* Devices: list what the machine has, choose one, open it.
 *
 * A device string, as in the command's --device and in $CLAVICLE_DEVICE:
 *   best                      GPU over CPU, then more compute units x clock (the default)
 *   gpu, cpu                  the best of that type
 *   nvidia, amd, intel, pocl  the best of that vendor's platform
 *   P:D                       platform and device index as `clavicle devices` prints them
 *   anything else             part of a device's name, any case; must match exactly one
 * Interpreters and software rasterisers (Oclgrind, llvmpipe) rank last and are never "gpu". */
#ifndef CLAVICLE_DEVICE_H
#define CLAVICLE_DEVICE_H

#include <clavicle/context.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clv_device_type { CLV_DEVICE_CPU, CLV_DEVICE_GPU, CLV_DEVICE_ACCELERATOR, CLV_DEVICE_SOFTWARE };

/* Optional features, probed or read from the extension string; bits of clv_device_info.features. */
enum {
    CLV_FEAT_FP16 = 1u << 0,          /* cl_khr_fp16 */
    CLV_FEAT_FP64 = 1u << 1,          /* cl_khr_fp64 */
    CLV_FEAT_SUBGROUPS = 1u << 2,     /* cl_khr_subgroups or OpenCL 3.0 sub-groups */
    CLV_FEAT_LOCAL = 1u << 3,         /* CL_LOCAL: real local memory, not emulated in global */
    CLV_FEAT_UNIFIED = 1u << 4,       /* host and device share memory: buffers are mapped */
    CLV_FEAT_MIN_VECTOR_WIDTH = 1u << 5, /* compiler takes __attribute__((min_vector_width(512))) */
};

/* What is rounded (docs/precision.md). Weights, their gradients, the optimizer and losses are float in all of them.
 * SPLIT: products on a matrix unit, of operands split into two brain floats, error at most 3 * 2^-16 of the sum of
 * the products' absolute values; where the device has no unit that is faster so, the same as FP32, to the bit.
 * MIXED: layers' outputs and the gradients of these are stored as brain floats (8 significant bits), and
 * computed with in float. MIXED_FP16: stored as 16-bit floats (11 significant bits, 6e-8 to 65504), with a loss scale. Both skip
 * training steps whose gradients are not finite. */
enum clv_precision { CLV_PRECISION_FP32, CLV_PRECISION_SPLIT, CLV_PRECISION_MIXED, CLV_PRECISION_MIXED_FP16 };

/* Units that multiply small matrices of brain floats (or halves, F16, or floats of 11 significant bits, TF32)
 * with float sums, of which a device uses one at most. What is known of each in general: docs/matrix-units.md. */
enum clv_unit {
    CLV_UNIT_NONE,
    CLV_UNIT_EMULATED,    /* the same arithmetic in plain OpenCL C, on any device: for tests */
    CLV_UNIT_EMULATED_F16, CLV_UNIT_EMULATED_TF32,
    CLV_UNIT_AVX512_BF16, /* CPUs: vdpbf16ps */
    CLV_UNIT_AMX,         /* CPUs: tdpbf16ps on tiles */
    CLV_UNIT_MMA,         /* NVIDIA: mma.m16n8k16 */
    CLV_UNIT_MMA_F16,     /* the same of halves: for activations that are stored so */
    CLV_UNIT_MMA_TF32,    /* NVIDIA: mma.m16n8k8 */
    CLV_UNIT_DPAS,        /* Intel GPUs: cl_intel_subgroup_matrix_multiply_accumulate */
    CLV_UNITS
};
/* What is known of a unit on a device. */
enum clv_unit_state {
    CLV_UNIT_NOT_HERE,   /* the device does not have it */
    CLV_UNIT_UNKNOWN,    /* it may; nobody has asked for it yet */
    CLV_UNIT_WORKS, CLV_UNIT_FAILS, /* a probe found out */
    CLV_UNIT_NEVER_SEEN, /* no run of the project's has seen it: not probed, used only by caps "unit=NAME" */
};
struct clv_unit_report {
    enum clv_unit_state state;
    unsigned gain;       /* WORKS: its products in a second, of float's, percent */
};
/* "avx512-bf16", as in the caps "unit=avx512-bf16". Static. */
CLV_API const char *clv_unit_name(enum clv_unit unit);

/* One line of `clavicle devices`. Strings live as long as the list. */
struct clv_device_info {
    int platform, device;         /* index as in "P:D"; device -1: the platform has none usable */
    const char *platform_name, *platform_version;
    const char *name;             /* board name where the vendor gives one */
    const char *vendor, *driver, *version, *c_version;
    const char *extensions;       /* those that matter here, blank-separated */
    enum clv_device_type type;
    uint32_t features;
    unsigned units;               /* compute units */
    unsigned clock_mhz;
    uint64_t global_bytes, local_bytes, max_alloc;
    uint64_t cache_bytes;         /* last-level cache, 0 = not known */
    size_t max_work_group;
    unsigned vector_width;        /* preferred floats per vector (native) */
    unsigned sub_groups;          /* sizes of sub-groups that kernels may ask for, 4 + 8 + ...; 0 = none */
    const char *unusable;         /* why it cannot be used, NULL = it can */
};

/* Lists every platform and device of the machine, usable or not, in platform order. Never fails for
 * want of devices: *n is 0 then. *list is freed with clv_device_list_free(). */
CLV_API CLV_CHECK enum clv_err clv_device_list(struct clv_context *ctx,
                                               struct clv_device_info **list, size_t *n);
/* What earlier runs have found out about a unit of one of them, from the context's cache: nothing is probed. */
CLV_API struct clv_unit_report clv_device_unit(struct clv_context *ctx, const struct clv_device_info *device,
                                               enum clv_unit unit);
CLV_API void clv_device_list_free(struct clv_device_info **list);

/* One line of advice for a machine on which nothing usable was found: what to install. Static. */
CLV_API const char *clv_device_install_hint(void);

/* Lets drivers that keep compiled code of their own use the context's cache folder: sets
 * POCL_CACHE_DIR to <cache folder>/pocl unless it is set. What lies there is the driver's; the
 * context's cache_bytes bounds only <cache folder>/programs. What is damaged in there is removed, since
 * PoCL would abort on it. Does nothing without a cache folder.
 * It changes the environment of the process (setenv), so the library never calls it by itself: a
 * program does, once, while it has one thread and before its first OpenCL call. */
CLV_API void clv_device_share_cache(const struct clv_context *ctx);

struct clv_device;

struct clv_device_params {
    const char *select;  /* device string; NULL = $CLAVICLE_DEVICE, else "best" */
    /* Masks, so that fallbacks run anywhere: comma-separated of "no-FEATURE" (fp16, fp64, subgroups,
     * local, unified, min-vector-width), "none" (all of these), "local=BYTES", "wg=ITEMS",
     * "alloc=BYTES" (K, M, G suffixes; they only lower a limit), "vector=FLOATS" (1, 2, 4, 8 or 16:
     * take the device's registers for that wide), "gpu" (take the kernels' GPU path on a CPU
     * device), "unit=NAME" (take this matrix unit for one that works, unprobed: none, emulated,
     * avx512-bf16, amx, mma or dpas) and "profile=NAME", a list of these that plays another kind of
     * device: wave64 (256 items, 64 KiB), lanes8 (no local memory), wg224 (224 items), local16 (16 KiB),
     * alloc256 (256 MiB in one allocation), all on the GPU path. NULL or "" = nothing masked. */
    const char *caps;
    bool profile;        /* queue with event timestamps */
    /* An existing cl_context, cl_device_id and in-order cl_command_queue of the caller, all three or
     * none (then NULL). They are retained while the device is open. */
    void *cl_context, *cl_device, *cl_queue;
};

/* Opens a device; params may be NULL. Errors: CLV_ERR_NODEV (unknown, ambiguous or unusable; the
 * text lists the candidates), CLV_ERR_ARG (bad caps), CLV_ERR_CL. Never another device than asked. */
CLV_API CLV_CHECK enum clv_err clv_device_open(struct clv_context *ctx,
                                               const struct clv_device_params *params,
                                               struct clv_device **ret);
/* Waits for its queue and frees; sets *dev to NULL; accepts &NULL. */
CLV_API void clv_device_close(struct clv_device **dev);
/* What the device can do, after masks. Borrowed. */
CLV_API const struct clv_device_info *clv_device_get_info(const struct clv_device *dev);

#ifdef __cplusplus
}
#endif
#endif
