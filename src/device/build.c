/* Which kernels the disk cache lacks, and the workers that build them (worker.c is their side). */
#include "device/internal.h"
#include "base/parallel.h"
#include "base/util.h"
#include "clv_config.h"
#include "device/cachefile.h"
#include "device/pool.h"
#include "device/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PoCL's code depends on the local size, on whether the offset is zero (always) and on whether every
 * dimension has fewer items than this (CL/devices/common.c: grid_width_specialization_limit). */
enum { SMALL_GRID = 65535 };

/* One program with the launches that a worker shall make. */
struct job {
    struct clv_digest key;
    const struct clv_build *first;
    char *options; /* complete */
    bool cached;   /* the program is; launches may be missing */
    uint32_t kernels;
    struct clv_str launches;
    size_t weight; /* how long it may take, in no unit */
};

struct builder {
    struct clv_device *dev;
    const struct clv_build *want;
    size_t n;
    const char *pocl_dir; /* where PoCL's code is shared; NULL: no launches */
    struct job *job;
    size_t n_jobs;
    const void **memory; /* by number in the messages */
    size_t n_memory;
    struct clv_digest *marks; /* of the launches listed so far */
    size_t n_marks;
    unsigned kernels, begun;  /* for the progress line */
};

/* ---- what is missing ---- */

/* The name under which the cache remembers that PoCL has the code of a launch. */
static struct clv_digest launch_mark(const struct builder *b, const struct job *j,
                                     const struct clv_build *k)
{
    char program[65], sizes[200];
    const size_t *l = k->local, *g = k->global;
    const bool given = l[0] != 0;
    clv_digest_hex(&j->key, program);
    /* Without a local size PoCL derives one from the global size. */
    snprintf(sizes, sizeof(sizes), "%u: %zu %zu %zu", k->dims, given ? l[0] : g[0],
             k->dims < 2 ? 1 : given ? l[1] : g[1], k->dims < 3 ? 1 : given ? l[2] : g[2]);
    const char *const pieces[] = {"launch", program, k->name, given ? "local" : "global", sizes,
                                  b->pocl_dir};
    return clv_sha256_pieces(pieces, CLV_COUNT(pieces));
}

static bool is_listed(const struct builder *b, const struct clv_digest *mark)
{
    for (size_t i = 0; i < b->n_marks; i++)
        if (!memcmp(&b->marks[i], mark, sizeof(*mark)))
            return true;
    return false;
}

static bool wants_launch(const struct builder *b, const struct clv_build *k)
{
    for (unsigned i = 0; i < k->dims; i++)
        if (k->global[i] >= SMALL_GRID)
            return false;
    return b->pocl_dir != NULL;
}

static uint32_t memory_number(struct builder *b, const void *memory)
{
    for (size_t i = 0; i < b->n_memory; i++)
        if (b->memory[i] == memory)
            return (uint32_t)i;
    b->memory[b->n_memory] = memory;
    return (uint32_t)b->n_memory++;
}

static void add_launch(struct builder *b, struct job *j, const struct clv_build *k,
                       const struct clv_digest *mark)
{
    struct clv_str *s = &j->launches;
    clv_str_add_bytes(s, mark, sizeof(*mark));
    clv_wire_add_text(s, k->name);
    clv_wire_add_u32(s, k->dims);
    for (unsigned i = 0; i < k->dims; i++) {
        /* One group does; without a local size all, since PoCL's choice depends on it. */
        clv_wire_add_u64(s, k->local[0] ? k->local[i] : k->global[i]);
        clv_wire_add_u64(s, k->local[0] ? k->local[i] : 0);
    }
    clv_wire_add_u32(s, (uint32_t)k->n_args);
    for (int i = 0; i < k->n_args; i++) {
        const struct clv_build_arg *a = &k->args[i];
        const bool is_buffer = a->kind == CLV_BUILD_BUFFER;
        clv_wire_add_u32(s, a->kind);
        clv_wire_add_u64(s, a->bytes);
        clv_wire_add_u64(s, is_buffer ? memory_number(b, a->memory) : a->value);
    }
    j->kernels++;
    j->weight += strlen(j->first->source->text);
}

/* The job of a kernel's program, made on first sight; NULL when out of memory. */
static struct job *job_of(struct builder *b, const struct clv_build *k)
{
    char *options = clv_program_options(k->options);
    if (!options)
        return NULL;
    for (size_t i = 0; i < b->n_jobs; i++)
        if (b->job[i].first->source == k->source && !strcmp(b->job[i].options, options)) {
            free(options);
            return &b->job[i];
        }
    struct job *j = &b->job[b->n_jobs++];
    *j = (struct job){.first = k, .options = options};
    j->key = clv_program_key(b->dev, k->source->text, options);
    j->cached = clv_program_is_here(b->dev, &j->key) ||
                clv_cachefile_exists(b->dev->cache_dir, &j->key);
    j->weight = strlen(k->source->text);
    return j;
}

static bool list_jobs(struct builder *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct clv_build *k = &b->want[i];
        struct job *j = job_of(b, k);
        if (!j)
            return false;
        if (!wants_launch(b, k))
            continue;
        const struct clv_digest mark = launch_mark(b, j, k);
        if (is_listed(b, &mark))
            continue;
        b->marks[b->n_marks++] = mark;
        if (!clv_cachefile_exists(b->dev->cache_dir, &mark))
            add_launch(b, j, k, &mark);
    }
    return true;
}

static bool is_missing(const struct job *j)
{
    return !j->cached || j->kernels;
}

/* The longest first: what is left for the end is short. What is there goes last. */
static int by_weight(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    if (is_missing(x) != is_missing(y))
        return is_missing(x) ? -1 : 1;
    return (x->weight < y->weight) - (x->weight > y->weight);
}

/* ---- the messages ---- */

void clv_build_hello(const struct clv_device *dev, const char *pocl_dir, struct clv_str *s)
{
    clv_wire_add_u32(s, CLV_WIRE_OPEN);
    clv_wire_add_text(s, CLV_VERSION);
    clv_wire_add_u32(s, (uint32_t)dev->info.platform);
    clv_wire_add_u32(s, (uint32_t)dev->info.device);
    clv_wire_add_text(s, dev->ctx->cache_dir);
    clv_wire_add_u64(s, dev->ctx->cache_bytes);
    clv_wire_add_text(s, pocl_dir);
}

static void add_job(struct clv_str *s, const struct job *j)
{
    clv_wire_add_u32(s, CLV_WIRE_BUILD);
    clv_str_add_bytes(s, &j->key, sizeof(j->key));
    clv_wire_add_text(s, j->first->source->name);
    clv_wire_add_text(s, j->first->source->text);
    clv_wire_add_text(s, j->options);
    clv_wire_add_text(s, j->first->name);
    clv_wire_add_u32(s, j->kernels);
    clv_str_add_bytes(s, j->launches.text ? j->launches.text : "", j->launches.len);
    if (j->launches.failed)
        s->failed = true;
}

static unsigned kernels_of(const struct job *j)
{
    return CLV_MAX(j->kernels, 1);
}

static bool on_job(void *priv, size_t job, enum clv_pool_event event)
{
    struct builder *b = priv;
    const struct job *j = &b->job[job];
    if (event == CLV_POOL_BEGUN) {
        char text[80];
        b->begun += kernels_of(j);
        snprintf(text, sizeof(text), "building %u of %u kernels", b->begun, b->kernels);
        return !b->dev->on_build || !b->dev->on_build(b->dev->on_build_priv, text);
    }
    if (event != CLV_POOL_FAILED)
        clv_trial_end(b->dev, &j->key, event == CLV_POOL_LOST || event == CLV_POOL_LATE);
    clv_log(b->dev->ctx, CLV_LOG_DEBUG, "%s cl/%s.cl and %u launches, options \"%s\"",
            event == CLV_POOL_DONE ? "a worker built" : "no worker built", j->first->source->name,
            j->kernels, j->options);
    return true;
}

static void run(struct builder *b, const char *program)
{
    size_t n = 0;
    struct clv_str hello = {0};
    struct clv_str *messages = calloc(b->n_jobs, sizeof(*messages));
    qsort(b->job, b->n_jobs, sizeof(*b->job), by_weight);
    for (; messages && n < b->n_jobs && is_missing(&b->job[n]); n++) {
        add_job(&messages[n], &b->job[n]);
        b->kernels += kernels_of(&b->job[n]);
    }
    clv_build_hello(b->dev, b->pocl_dir, &hello);
    const struct clv_pool pool = {.ctx = b->dev->ctx,
                                  .program = program,
                                  .hello = &hello,
                                  .pocl_dir = b->pocl_dir,
                                  .workers = clv_processors(),
                                  .seconds = b->dev->worker_seconds,
                                  .on = on_job,
                                  .priv = b};
    /* Workers hand over through the cache: where it takes nothing they would build in vain. */
    if (n && clv_cachefile_can_store(b->dev->cache_dir))
        clv_pool_run(&pool, messages, n);
    for (size_t i = 0; i < n; i++)
        clv_str_finish(&messages[i]);
    clv_str_finish(&hello);
    free(messages);
}

static bool allocate(struct builder *b)
{
    size_t args = 0;
    for (size_t i = 0; i < b->n; i++)
        args += (size_t)b->want[i].n_args;
    b->job = calloc(b->n, sizeof(*b->job));
    b->marks = calloc(b->n, sizeof(*b->marks));
    b->memory = calloc(args + 1, sizeof(*b->memory));
    return b->job && b->marks && b->memory;
}

void clv_device_build(struct clv_device *dev, const struct clv_build *want, size_t n)
{
    struct builder b = {.dev = dev, .want = want, .n = n};
    if (!dev->cache_dir || !n)
        return;
    /* Without this variable nobody knows where PoCL keeps its code, and ours is no use without it. */
    if (dev->is_pocl && !(b.pocl_dir = getenv("POCL_CACHE_DIR")))
        return;
    if (allocate(&b) && list_jobs(&b)) {
        char *program = clv_pool_find();
        if (program)
            run(&b, program);
        free(program);
    }
    for (size_t i = 0; i < b.n_jobs; i++) {
        free(b.job[i].options);
        clv_str_finish(&b.job[i].launches);
    }
    free(b.job);
    free(b.marks);
    free(b.memory);
}
