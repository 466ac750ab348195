/* What the files of this room share and nobody outside sees: the only header with OpenCL types. */
#ifndef CLV_DEVICE_INTERNAL_H
#define CLV_DEVICE_INTERNAL_H

#include "base/arena.h"
#include "base/hash.h"
#include "device/clerr.h"
#include "device/device.h"
#include <CL/cl.h>

/* ---- enumerate.c ---- */
struct clv_device_id {
    cl_platform_id platform;
    cl_device_id device; /* NULL in the line of a platform without devices */
};
/* Every device with its description; one allocation plus an arena for the strings. */
struct clv_device_table {
    struct clv_arena arena;
    struct clv_device_id *ids; /* parallel to info */
    size_t n;
    struct clv_device_info info[];
};
CLV_CHECK enum clv_err clv_device_table_create(struct clv_context *ctx,
                                               struct clv_device_table **ret);
void clv_device_table_destroy(struct clv_device_table **t);
/* Describes one device; strings go into the arena. Whatever cannot be queried stays zero or "". */
CLV_CHECK enum clv_err clv_device_describe(struct clv_arena *arena, cl_platform_id platform,
                                           cl_device_id device, struct clv_device_info *info,
                                           struct clv_error *err);

/* ---- select.c: pure, works on any list ---- */
/* Index of the device that `select` means (NULL and "" are "best"), else CLV_ERR_NODEV with the
 * candidates in the text. */
CLV_CHECK enum clv_err clv_device_select(const struct clv_device_info *list, size_t n,
                                         const char *select, size_t *index, struct clv_error *err);

/* ---- caps.c ---- */
struct clv_caps_mask {
    uint32_t without;         /* CLV_FEAT_ taken away */
    bool gpu_path;
    bool has_unit;            /* then `unit` is forced */
    enum clv_unit unit;
    unsigned vector_width;    /* 0 = as the device says */
    size_t max_work_group;    /* 0 = not limited */
    uint64_t max_alloc;       /* 0 = not limited */
    uint64_t local_bytes;     /* UINT64_MAX = not limited */
};
CLV_CHECK enum clv_err clv_caps_parse(const char *text, struct clv_caps_mask *mask,
                                      struct clv_error *err);
/* Limits info in place and derives the caps from it; align is the caller's to set. */
void clv_caps_apply(const struct clv_caps_mask *mask, struct clv_device_info *info,
                    struct clv_caps *caps);

/* ---- the device ---- */
struct clv_program;
struct clv_profile_entry;
struct clv_profile {
    struct clv_profile_entry *pending; /* commands whose times have not been read */
    size_t n_pending, cap_pending;
    struct clv_profile_row *rows; /* by profile_id */
    size_t n_rows;
    clv_profile_take_fn *take;    /* gets every time instead of rows; may be NULL */
    void *take_priv;
};

struct clv_pinned;
struct clv_device {
    struct clv_context *ctx;
    struct clv_arena arena;      /* the strings of info */
    struct clv_device_info info; /* masks applied */
    struct clv_caps caps;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;    /* in order, all compute */
    cl_command_queue uploads;  /* in order, beside it; NULL = the device shares the host's memory */
    struct clv_pinned *pinned; /* host memory that it reads and writes by itself */
    bool profiling;
    bool is_trusted;           /* its compiler builds in this process without a trial (trial.c) */
    bool is_pocl;              /* its cache is ours to guard */
    char *cache_dir;           /* <cache>/programs, NULL = no disk cache */
    struct clv_program *programs;
    struct clv_program_stats stats;
    struct clv_profile profile;
    bool gemm_overridden;      /* CLBlast's own parameters are gone */
    bool (*on_build)(void *priv, const char *what);
    void *on_build_priv;
    bool unit_is_known;        /* caps.unit is forced, or was looked for */
    int probe_defect;          /* tests: the probe's kernel is wrong (1), never ends (2), or kills (3) */
    double worker_seconds;     /* for one program of a worker process; tests shorten it */
};

struct clv_buffer {
    struct clv_device *dev;
    cl_mem mem;
    size_t bytes;
};

struct clv_kernel {
    struct clv_device *dev;
    cl_kernel kernel;
    char *label; /* "conv2d_1 forward: kernel conv2d_fwd" */
    size_t max_work_group;
};

/* ---- program.c ---- */
/* The built program, borrowed from the device's cache; `label` and `kernel` name the wish in
 * messages. */
CLV_CHECK enum clv_err clv_program_get(struct clv_device *dev, const struct clv_source *source,
                                       const char *options, const char *kernel, const char *label,
                                       cl_program *ret);
void clv_programs_destroy(struct clv_device *dev);
/* The parts of it, for builds outside of this process. `options` here are complete:
 * clv_program_options() adds the language's version; malloc'ed, NULL when out of memory. */
char *clv_program_options(const char *options);
struct clv_digest clv_program_key(const struct clv_device *dev, const char *text,
                                  const char *options);
bool clv_program_is_here(const struct clv_device *dev, const struct clv_digest *key);
CLV_CHECK enum clv_err clv_program_from_source(struct clv_device *dev, const char *text,
                                               const char *options, const char *what,
                                               cl_program *ret);
/* False when the driver does not take the binary, or it lacks the kernel. */
bool clv_program_from_binary(struct clv_device *dev, const void *data, size_t size,
                             const char *options, const char *kernel, cl_program *ret);
/* The binary that clGetProgramInfo() gives; malloc'ed. It may make the driver compile. */
bool clv_program_read(const struct clv_device *dev, cl_program program, unsigned char **data,
                      size_t *size);
/* Takes the program over, whatever comes of it; clv_program_get() finds it from now on. */
CLV_CHECK enum clv_err clv_program_adopt(struct clv_device *dev, const struct clv_digest *key,
                                         cl_program program);

/* ---- trial.c ---- */
/* Whether the driver is one whose compiler neither hangs nor crashes, as far as was seen. */
bool clv_trial_is_needless(const struct clv_device_info *info);
/* Before a program that no cache holds is built in this process: lets a worker build it, where the driver
 * is none of those. CLV_ERR_BUILD when that hung or crashed, now or earlier; `what` begins the text. */
CLV_CHECK enum clv_err clv_trial_build(struct clv_device *dev, const struct clv_digest *key,
                                       const struct clv_build *build, const char *what);
/* A worker has built the program, or was lost over it; to be remembered. */
void clv_trial_end(const struct clv_device *dev, const struct clv_digest *key, bool lost);

/* ---- build.c ---- */
struct clv_str;
/* The first message to a worker: which device to open. pocl_dir may be NULL. */
void clv_build_hello(const struct clv_device *dev, const char *pocl_dir, struct clv_str *s);

/* ---- upload.c ---- */
/* Makes the queue for uploads, where the masked features say that the device has memory of its own. */
CLV_CHECK enum clv_err clv_upload_open(struct clv_device *dev);

/* ---- mark.c ---- */
struct clv_mark {
    cl_event event;
};
/* Event after everything in this queue; flushes it. */
CLV_CHECK enum clv_err clv_mark_create(struct clv_device *dev, cl_command_queue queue,
                                       struct clv_mark **ret);
/* Waits for one event without using up a processor; `who` names it in the error. */
CLV_CHECK enum clv_err clv_event_wait(struct clv_device *dev, cl_event event, const char *who);

/* ---- profile.c ---- */
/* Where an enqueue call shall put its event: NULL when this command is not timed. */
cl_event *clv_profile_slot(const struct clv_device *dev, int profile_id, cl_event *slot);
/* Takes over the event(s) of an enqueued command. `begin` may be NULL: then the command's own start
 * counts, otherwise the end of `begin`. NULL `event` is ignored. */
CLV_CHECK enum clv_err clv_profile_add(struct clv_device *dev, int profile_id, cl_event begin,
                                       cl_event event);
void clv_profile_finish(struct clv_device *dev);

#endif
