/* The device as the rest of the library sees it: buffers, kernels, one in-order compute queue, uploads, marks.
 * No OpenCL type leaves this folder; status codes of OpenCL arrive as CLV_ERR_CL with the failed
 * call and its symbolic status in the text (CLV_ERR_DEVMEM where memory ran out). */
#ifndef CLV_DEVICE_DEVICE_H
#define CLV_DEVICE_DEVICE_H

#include "base/context.h"
#include "base/error.h"
#include "base/source.h"
#include <clavicle/device.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What lowering decides by; immutable after open, masks applied. */
struct clv_caps {
    uint32_t features;        /* CLV_FEAT_ */
    bool gpu_path;            /* work-groups and local memory instead of one-item groups and wide vectors */
    unsigned units;
    unsigned vector_width;    /* floats in a register: 4, 8 or 16 on CPUs */
    size_t max_work_group;
    unsigned sub_groups;      /* sizes of sub-groups that kernels may ask for, 4 + 8 + ...; 0 = none */
    uint64_t local_bytes, max_alloc, global_bytes;
    enum clv_unit unit;       /* the matrix unit to use, where precision allows one */
    unsigned unit_gain;       /* its products in a second, of float's, percent */
    size_t align;             /* bytes, CL_DEVICE_MEM_BASE_ADDR_ALIGN / 8, at least 128 */
};
const struct clv_caps *clv_device_caps(const struct clv_device *dev);
/* "-DMIN_VECTOR_WIDTH ", by which kernels keep 512-bit registers in use, where vectors have 16 floats and
 * the compiler takes the attribute; else "". */
const char *clv_caps_wide_option(const struct clv_caps *caps, int vector);
/* A unit's tile, as cl/include/unit_*.cl have it: its rows, the items of a work-group (the emulation has those of a
 * GPU's group on the GPU path), and what its operands are: brain floats, halves, or floats rounded to 11 bits. */
enum clv_operand { CLV_OPERAND_BF16, CLV_OPERAND_F16, CLV_OPERAND_TF32 };
int clv_unit_rows(enum clv_unit unit);
int clv_unit_items(enum clv_unit unit, bool gpu_path);
enum clv_operand clv_unit_operand(enum clv_unit unit);
int clv_unit_operand_bytes(enum clv_unit unit);
/* Sets caps->unit and caps->unit_gain where a matrix unit works and multiplies faster than floats, which is
 * found out once in a process of its own and remembered (probe.c); for whoever allows lower precision, before
 * anything is lowered. Later calls, and a unit that the device was opened with, change nothing. */
void clv_device_find_unit(struct clv_device *dev);
/* One unit's verdict, remembered or found out, whatever the processor says it has. */
bool clv_unit_probe(struct clv_device *dev, enum clv_unit unit, unsigned *gain);
struct clv_context *clv_device_context(const struct clv_device *dev);
struct clv_error *clv_device_error(const struct clv_device *dev); /* = &context->err */

/* ---- buffers ---- */
struct clv_buffer;
CLV_CHECK enum clv_err clv_buffer_create(struct clv_device *dev, size_t bytes, struct clv_buffer **ret);
/* A part of a buffer as a buffer of its own, for libraries that take no offset; offset a multiple of
 * caps->align. The whole must outlive it. */
CLV_CHECK enum clv_err clv_buffer_part(struct clv_buffer *whole, size_t offset, size_t bytes,
                                       struct clv_buffer **ret);
void clv_buffer_destroy(struct clv_buffer **buf);
size_t clv_buffer_bytes(const struct clv_buffer *buf);

/* ---- programs and kernels ---- */
struct clv_kernel;
/* A kernel object of its own (arguments are bound once). The program (source x options) comes from
 * memory, then the disk cache, then a build. `options`: "-DA=1 -DB" sorted by the caller's table.
 * The label names it in errors ("conv2d_1 forward"). Failed build: CLV_ERR_BUILD with kernel,
 * options and the head of the compiler's log. */
CLV_CHECK enum clv_err clv_kernel_create(struct clv_device *dev, const struct clv_source *source,
                                         const char *name, const char *options, const char *label,
                                         struct clv_kernel **ret);
void clv_kernel_destroy(struct clv_kernel **k);
/* CL_KERNEL_WORK_GROUP_SIZE after the build, masked by caps. */
size_t clv_kernel_max_work_group(const struct clv_kernel *k);
CLV_CHECK enum clv_err clv_kernel_set_buffer(struct clv_kernel *k, unsigned index,
                                             struct clv_buffer *buf);
CLV_CHECK enum clv_err clv_kernel_set_value(struct clv_kernel *k, unsigned index, size_t size,
                                            const void *value);
CLV_CHECK enum clv_err clv_kernel_set_local(struct clv_kernel *k, unsigned index, size_t bytes);

/* Progress of builds, for the command's line: called before each real build (not cache hits),
 * with "conv2d_1 forward: kernel K of cl/F.cl" or "building 5 of 19 kernels". True = do not go on: that
 * build is refused with CLV_ERR_CANCELLED. Returns who was called before, for those who hand it back. */
struct clv_on_build {
    bool (*fn)(void *priv, const char *what);
    void *priv;
};
struct clv_on_build clv_device_on_build(struct clv_device *dev, bool (*fn)(void *priv, const char *what), void *priv);
/* A kernel that is about to be made and launched. */
enum clv_build_arg_kind { CLV_BUILD_BUFFER, CLV_BUILD_VALUE, CLV_BUILD_LOCAL };
struct clv_build_arg {
    enum clv_build_arg_kind kind;
    const void *memory;               /* BUFFER: which, told apart by address alone */
    size_t bytes;                     /* of a BUFFER, the same wherever it is named; VALUE: 4 or 8; LOCAL */
    uint64_t value;                   /* VALUE: in its first bytes */
};
struct clv_build {
    const struct clv_source *source;
    const char *name, *options;       /* as for clv_kernel_create() */
    unsigned dims;
    size_t global[3], local[3];       /* as for clv_queue_kernel(); local[0] = 0: none given */
    const struct clv_build_arg *args; /* in the kernel's order */
    int n_args;
};
/* Compiles what of these the disk cache lacks, in worker processes side by side, and waits for them.
 * Nothing comes of it but a fuller cache, so nothing in here is an error: whatever no worker built is
 * built when it is asked for. Does nothing without a disk cache or without workers (pool.h).
 * Drivers that generate code at a kernel's first launch (PoCL) get a launch as well, on memory of the
 * worker's that holds zeros: kernels must do no harm there. */
void clv_device_build(struct clv_device *dev, const struct clv_build *want, size_t n);
/* Number of programs built, loaded from disk, found in memory since open. */
struct clv_program_stats { unsigned built, loaded, reused; };
struct clv_program_stats clv_device_program_stats(const struct clv_device *dev);
/* Writes programs built since open to the disk cache. It may make the driver compile (PoCL), so it is
 * for moments when nobody waits: after the first epoch; clv_device_close() does it too. Takes
 * about a second at most and leaves the rest for the next call. Failures are silent. */
void clv_device_store_programs(struct clv_device *dev);

/* ---- the compute queue: enqueue only, nothing here waits unless it says so ---- */
struct clv_mark; /* an event */
/* local may be NULL (implementation chooses). global must be a multiple of local when local given.
 * `profile_id` >= 0 records the command's times under that id when the device profiles. */
CLV_CHECK enum clv_err clv_queue_kernel(struct clv_device *dev, struct clv_kernel *k, unsigned dims,
                                        const size_t *global, const size_t *local, int profile_id);
/* 32-bit pattern over bytes (multiple of 4). */
CLV_CHECK enum clv_err clv_queue_fill(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                                      size_t bytes, uint32_t pattern, int profile_id);
/* Asynchronous transfers: src/dst must stay valid and untouched until a later mark has completed. */
CLV_CHECK enum clv_err clv_queue_write(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                                       const void *src, size_t bytes);
CLV_CHECK enum clv_err clv_queue_read(struct clv_device *dev, struct clv_buffer *src, size_t off,
                                      void *dst, size_t bytes);
/* The first bytes of one buffer to another, not before `after` (of any queue; NULL = at once). */
CLV_CHECK enum clv_err clv_queue_copy(struct clv_device *dev, struct clv_buffer *src,
                                      struct clv_buffer *dst, size_t bytes,
                                      const struct clv_mark *after);
/* Blocking versions. */
CLV_CHECK enum clv_err clv_queue_write_wait(struct clv_device *dev, struct clv_buffer *dst,
                                            size_t off, const void *src, size_t bytes);
CLV_CHECK enum clv_err clv_queue_read_wait(struct clv_device *dev, struct clv_buffer *src,
                                           size_t off, void *dst, size_t bytes);
/* The first bytes of a buffer in host memory, to be written; waits for what was enqueued before. What
 * is not written stays as it is. Devices that share the host's memory (CLV_FEAT_UNIFIED) copy nothing. */
CLV_CHECK enum clv_err clv_queue_map(struct clv_device *dev, struct clv_buffer *dst, size_t bytes,
                                     void **ret);
CLV_CHECK enum clv_err clv_queue_unmap(struct clv_device *dev, struct clv_buffer *dst, void *p);
/* Event after everything enqueued so far; flushes the queue, so that another queue may wait for it. */
CLV_CHECK enum clv_err clv_queue_mark(struct clv_device *dev, struct clv_mark **ret);
/* Waits without spinning (polls with a growing sleep up to 200 us), reports a failed command. */
CLV_CHECK enum clv_err clv_mark_wait(struct clv_device *dev, struct clv_mark *m);
void clv_mark_destroy(struct clv_mark **m);
/* Waits for everything enqueued, uploads too. After an error nothing is in flight any more either. */
CLV_CHECK enum clv_err clv_queue_finish(struct clv_device *dev);
CLV_CHECK enum clv_err clv_queue_flush(struct clv_device *dev);

/* ---- uploads: in a queue of their own on devices with memory of their own (no CLV_FEAT_UNIFIED), else
 * part of the compute queue. The two queues know nothing of each other but by marks ---- */
bool clv_upload_is_apart(const struct clv_device *dev);
/* As clv_queue_write(). Apart: not before `after`, a mark of the compute queue (NULL = at once). It must
 * be into a buffer that no command of the compute queue uses meanwhile, not even another part of it:
 * OpenCL leaves undefined what happens then. */
CLV_CHECK enum clv_err clv_upload_write(struct clv_device *dev, struct clv_buffer *dst, size_t off,
                                        const void *src, size_t bytes, const struct clv_mark *after,
                                        int profile_id);
/* Event after all uploads so far; flushes their queue. */
CLV_CHECK enum clv_err clv_upload_mark(struct clv_device *dev, struct clv_mark **ret);
/* Host memory for transfers, zeroed, NULL when out of memory: pinned where uploads are apart, for a copy
 * to or from other memory may keep the host waiting; ordinary memory where that is not to be had. To be
 * freed before the device closes, with no transfer in flight; NULL is ignored. */
void *clv_host_alloc(struct clv_device *dev, size_t bytes);
void clv_host_free(struct clv_device *dev, void *memory);

/* ---- GEMM through CLBlast ---- */
/* Row-major C[m,n] = alpha * op(A) op(B) + beta * C; offsets and leading dimensions in elements. */
struct clv_gemm {
    bool trans_a, trans_b;
    int64_t m, n, k;
    float alpha, beta;
    struct clv_buffer *a, *b, *c, *scratch;
    size_t a_off, b_off, c_off; /* elements */
    int64_t lda, ldb, ldc;
    int set; /* of CLBlast's parameters: 0..CLV_GEMM_SETS-1 */
};
/* Parameters of CLBlast's kernels, by number: 0 is what CLBlast chooses by itself, which a process cannot
 * go back to once it has used another on that OpenCL device (CLV_ERR_UNSUPPORTED). Every set costs a
 * build of its own: seconds, on CPU devices a minute. */
enum { CLV_GEMM_SETS = 7 };
/* Whether it is worth trying on such a device; the first that is, is the one to take untried. */
bool clv_gemm_set_suits(const struct clv_caps *caps, int set);
int clv_gemm_default_set(const struct clv_caps *caps);
/* Scratch elements that CLBlast may need for this problem (0 = none), wherever its matrices lie: it
 * copies matrices with an offset in cases where it takes others in place. Buffers need not be set. */
CLV_CHECK enum clv_err clv_gemm_scratch(struct clv_device *dev, const struct clv_gemm *g,
                                        size_t *elements);
CLV_CHECK enum clv_err clv_queue_gemm(struct clv_device *dev, const struct clv_gemm *g,
                                      int profile_id);
bool clv_gemm_available(void); /* built with CLBlast */

/* ---- profiling ---- */
struct clv_profile_row { uint64_t count; double seconds, min_seconds; };
/* Sum of event times by profile_id since the last reset; waits for the queue. */
CLV_CHECK enum clv_err clv_profile_collect(struct clv_device *dev, struct clv_profile_row *rows,
                                           size_t n);
void clv_profile_reset(struct clv_device *dev);

/* One command's times on the device's clock. */
struct clv_profile_time { int id; uint64_t begin_ns, end_ns; };
/* Whoever wants every command instead of the sums: from now on `take` gets the times in the order of
 * their enqueueing, and clv_profile_collect() nothing. It is called by clv_profile_poll(), and by the queue's
 * functions when too many commands wait to be read; what it returns ends that call. NULL ends it. */
typedef enum clv_err clv_profile_take_fn(void *priv, const struct clv_profile_time *t);
void clv_profile_send(struct clv_device *dev, clv_profile_take_fn *take, void *priv);
/* Reads the times of commands that are complete; waits for nothing. */
CLV_CHECK enum clv_err clv_profile_poll(struct clv_device *dev);
/* What is to be added to a time of this device to get one of clv_now(), in ns; waits for the queue.
 * As exact as a few empty round trips through the queue allow. CLV_ERR_ARG without profiling. */
CLV_CHECK enum clv_err clv_profile_clock(struct clv_device *dev, int64_t *offset_ns);

#endif
