/* The ceilings of a device: simple kernels that do one thing only, timed like everything else. */
#include "bench/bench.h"

#include "base/spread.h"
#include "base/util.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CLV_SOURCE(ceiling);

enum {
    ACCUMULATORS = 12,          /* hides the latency of two units; fits 16 registers with its operands */
    GROUP = 256, GROUPS = 32,   /* GPUs: work-items in a group, groups per compute unit */
    STRIPS = 8,                 /* CPU devices: work-items per compute unit, so that a late one costs little */
    LAUNCHES = 200,
    TURN = 64,                  /* vectors of a kind that a work-item moves before the next kind has its turn */
};
#define MIX_SECONDS .3          /* for a line's bytes */
#define MIX_BYTES (4 << 20)     /* fewer take no longer than their launch */

static const uint64_t mib = 1 << 20;

/* A kernel with its place in memory, on its way through clv_measure(). */
struct probe {
    struct clv_device *dev;
    const struct clv_caps *caps;
    const struct clv_bench_params *params;
    char options[96];
    size_t global, local;
    struct clv_buffer *memory, *out;
    struct clv_kernel *kernel;
    int rounds;                 /* multiply-adds of each accumulator in a run */
    void *host;                 /* transfers: ordinary memory */
    size_t bytes;
    bool down;
    uint64_t first, moved, around; /* of a mix, in vectors: where it begins, its own, all others */
};

static unsigned vector_of(const struct clv_caps *caps)
{
    return caps->gpu_path ? 1 : CLV_MAX(caps->vector_width, 1);
}

static enum clv_err launch(void *priv, int count)
{
    struct probe *p = priv;
    for (int i = 0; i < count; i++)
        CLV_TRY(clv_queue_kernel(p->dev, p->kernel, 1, &p->global, &p->local, -1));
    return clv_queue_finish(p->dev);
}

/* Each waited for. */
static enum clv_err launch_alone(void *priv, int count)
{
    for (int i = 0; i < count; i++)
        CLV_TRY(launch(priv, 1));
    return CLV_OK;
}

/* Always the same vectors; or with others around, which a run comes to before it is back: then no cache
 * knows more of them than a step of a plan finds there. */
static enum clv_err launch_mix(void *priv, int count)
{
    struct probe *p = priv;
    for (int i = 0; i < count; i++) {
        CLV_TRY(clv_kernel_set_value(p->kernel, 7, sizeof p->first, &p->first));
        CLV_TRY(clv_queue_kernel(p->dev, p->kernel, 1, &p->global, &p->local, -1));
        p->first = p->first == p->around ? 0 : CLV_MIN(p->first + p->moved, p->around);
    }
    return clv_queue_finish(p->dev);
}

static enum clv_err transfer(void *priv, int count)
{
    struct probe *p = priv;
    for (int i = 0; i < count; i++)
        CLV_TRY(p->down ? clv_queue_read_wait(p->dev, p->memory, 0, p->host, p->bytes)
                        : clv_queue_write_wait(p->dev, p->memory, 0, p->host, p->bytes));
    return CLV_OK;
}

static enum clv_err measure(struct probe *p, enum clv_err (*run)(void *, int), bool single,
                            struct clv_spread *seconds)
{
    const struct clv_measure m = {
        .repeat = single ? LAUNCHES : p->params ? p->params->repeat : 0,
        .limit = p->params && p->params->seconds > 0 ? CLV_MIN(p->params->seconds, 1) : 1,
        .single = single, .run = run, .priv = p};
    struct clv_measured got;
    CLV_TRY(clv_measure(&m, &got, clv_device_error(p->dev)));
    *seconds = got.seconds;
    return CLV_OK;
}

/* ---- kernels ---- */

static enum clv_err open_kernel(struct probe *p, const char *name)
{
    clv_kernel_destroy(&p->kernel);
    clv_bench_progress(p->params, "%s", name);
    CLV_TRY(clv_kernel_create(p->dev, &clv_cl_ceiling, name, p->options, "benchmark", &p->kernel));
    return p->local <= clv_kernel_max_work_group(p->kernel)
               ? CLV_OK
               : clv_fail(clv_device_error(p->dev), CLV_ERR_UNSUPPORTED,
                          "%s takes at most %zu work-items in a group on this device; limit them with "
                          "--caps wg=%zu",
                          name, clv_kernel_max_work_group(p->kernel), clv_kernel_max_work_group(p->kernel));
}

static enum clv_err measure_flops(struct probe *p, struct clv_spread *flops)
{
    const float a = .999f, b = 1e-3f;
    CLV_TRY(open_kernel(p, "ceiling_fma"));
    CLV_TRY(clv_kernel_set_buffer(p->kernel, 0, p->out));
    CLV_TRY(clv_kernel_set_value(p->kernel, 2, sizeof a, &a));
    CLV_TRY(clv_kernel_set_value(p->kernel, 3, sizeof b, &b));
    struct clv_spread s = {0};
    /* Launches of at least a few milliseconds: then their own cost is nothing. */
    for (p->rounds = 1 << 10; p->rounds < 1 << 26; p->rounds *= 4) {
        const int32_t rounds = p->rounds;
        CLV_TRY(clv_kernel_set_value(p->kernel, 1, sizeof rounds, &rounds));
        CLV_TRY(launch(p, 1));
        const double begin = clv_now();
        CLV_TRY(launch(p, 1));
        if (clv_now() - begin > 5e-3)
            break;
    }
    CLV_TRY(measure(p, launch, false, &s));
    *flops = clv_spread_rate(&s, 2.0 * ACCUMULATORS * vector_of(p->caps) * p->rounds * (double)p->global);
    return CLV_OK;
}

static enum clv_err measure_launch(struct probe *p, struct clv_spread *seconds)
{
    CLV_TRY(open_kernel(p, "ceiling_nothing"));
    CLV_TRY(clv_kernel_set_buffer(p->kernel, 0, p->out));
    return measure(p, launch_alone, true, seconds);
}

/* Vectors in the working set; a copy reads one half of it and writes the other. */
static enum clv_err measure_stream(struct probe *p, const char *name, uint64_t bytes,
                                   struct clv_spread *rate)
{
    const bool reads = !strcmp(name, "ceiling_read"), copies = !strcmp(name, "ceiling_copy");
    const uint64_t count = bytes / sizeof(float) / vector_of(p->caps) / (copies ? 2 : 1);
    const float value = 1;
    struct clv_spread s = {0};
    unsigned arg = 0;
    CLV_TRY(open_kernel(p, name));
    CLV_TRY(clv_kernel_set_buffer(p->kernel, arg++, p->memory));
    if (reads)
        CLV_TRY(clv_kernel_set_buffer(p->kernel, arg++, p->out));
    else if (!copies)
        CLV_TRY(clv_kernel_set_value(p->kernel, arg++, sizeof value, &value));
    CLV_TRY(clv_kernel_set_value(p->kernel, arg, sizeof count, &count));
    CLV_TRY(measure(p, launch, false, &s));
    *rate = clv_spread_rate(&s, (double)bytes);
    return CLV_OK;
}

static enum clv_err measure_memory(struct probe *p, struct clv_bandwidth *b)
{
    if (!b->bytes)
        return CLV_OK;
    /* Writing comes first: memory that was never written may be all one page. */
    CLV_TRY(measure_stream(p, "ceiling_write", b->bytes, &b->write));
    CLV_TRY(measure_stream(p, "ceiling_read", b->bytes, &b->read));
    return measure_stream(p, "ceiling_copy", b->bytes, &b->copy);
}

static enum clv_err measure_transfers(struct probe *p, struct clv_ceilings *c)
{
    struct clv_spread up = {0}, down = {0};
    p->bytes = (size_t)c->transfer_bytes;
    p->host = malloc(p->bytes);
    if (!p->host)
        return clv_fail_nomem(clv_device_error(p->dev), "a transfer");
    memset(p->host, 0x3f, p->bytes);
    clv_bench_progress(p->params, "upload and download");
    CLV_TRY(measure(p, transfer, false, &up));
    p->down = true;
    CLV_TRY(measure(p, transfer, false, &down));
    c->upload = clv_spread_rate(&up, (double)p->bytes);
    c->download = clv_spread_rate(&down, (double)p->bytes);
    return CLV_OK;
}

/* ---- all of them ---- */

/* Whole vectors in both halves. */
static uint64_t even(uint64_t bytes)
{
    return bytes / 4096 * 4096;
}

static uint64_t most_bytes(const struct clv_caps *caps)
{
    return CLV_MIN(caps->max_alloc, caps->global_bytes / 4);
}

static void choose_sizes(const struct clv_device *dev, struct clv_ceilings *c)
{
    const struct clv_caps *caps = clv_device_caps(dev);
    const uint64_t cache = clv_device_get_info(dev)->cache_bytes, most = most_bytes(caps);
    const uint64_t large = CLV_MIN(CLV_MAX(4 * cache, 256 * mib), 2048 * mib);
    const uint64_t small = CLV_MIN(cache / 2, 64 * mib);
    c->memory[1].bytes = even(CLV_MIN(large, most));
    c->memory[0].bytes = small < c->memory[1].bytes ? even(small) : 0;
    c->transfer_bytes = CLV_MIN(64 * mib, c->memory[1].bytes);
}

static enum clv_err prepare(struct probe *p, uint64_t bytes)
{
    const unsigned v = vector_of(p->caps);
    p->local = p->caps->gpu_path ? CLV_MIN((size_t)GROUP, p->caps->max_work_group) : 1;
    p->global = p->local * (size_t)CLV_MAX(p->caps->units, 1u) * (p->caps->gpu_path ? GROUPS : STRIPS);
    snprintf(p->options, sizeof p->options, "%s-DACCUMULATORS=%d -DGROUP=%zu%s -DV=%u",
             clv_caps_wide_option(p->caps, (int)v), ACCUMULATORS, p->local, p->caps->gpu_path ? "" : " -DSTRIPS", v);
    CLV_TRY(clv_buffer_create(p->dev, (size_t)bytes, &p->memory));
    return clv_buffer_create(p->dev, p->global * v * sizeof(float), &p->out);
}

static void finish(struct probe *p)
{
    clv_kernel_destroy(&p->kernel);
    clv_buffer_destroy(&p->memory);
    clv_buffer_destroy(&p->out);
    free(p->host);
}

static enum clv_err measure_all(struct probe *p, struct clv_ceilings *c)
{
    choose_sizes(p->dev, c);
    CLV_TRY(prepare(p, c->memory[1].bytes));
    CLV_TRY(measure_flops(p, &c->flops));
    for (int i = 0; i < CLV_BANDWIDTHS; i++)
        CLV_TRY(measure_memory(p, &c->memory[i]));
    CLV_TRY(measure_launch(p, &c->launch));
    CLV_TRY(measure_transfers(p, c));
    /* Once more: a machine whose processors share a core for a while should not look slower than it is. */
    struct clv_spread again;
    CLV_TRY(measure_flops(p, &again));
    if (again.median > c->flops.median)
        c->flops = again;
    return CLV_OK;
}

enum clv_err clv_bench_ceilings(struct clv_device *dev, const struct clv_bench_params *params,
                                struct clv_ceilings *ret)
{
    struct probe p = {.dev = dev, .caps = clv_device_caps(dev), .params = params};
    *ret = (struct clv_ceilings){0};
    const enum clv_err e = measure_all(&p, ret);
    finish(&p);
    return e;
}

/* ---- the bytes of a line ---- */

static double bytes_of(const struct clv_timing *row)
{
    return row->read + row->written - row->in_place; /* of the working set */
}

/* Half of the arithmetic's time, that it may be the longer one when it is measured. */
static bool may_bind(const struct clv_timing *row, const struct clv_ceilings *c, uint64_t most)
{
    const double memory = clv_ceilings_seconds(c, 0, row->read, row->written, NULL);
    return bytes_of(row) >= MIX_BYTES && bytes_of(row) <= (double)most &&
           memory >= .5 * clv_ceilings_seconds(c, row->flops, 0, 0, NULL);
}

static bool same_bytes(const struct clv_timing *a, const struct clv_timing *b)
{
    return a->read == b->read && a->written == b->written && a->in_place == b->in_place;
}

static enum clv_err measure_mix(struct probe *p, struct clv_timing *row)
{
    const double vector = sizeof(float) * vector_of(p->caps);
    const uint64_t both = (uint64_t)(row->in_place / vector);
    const uint64_t kind[] = {(uint64_t)((row->read - row->in_place) / vector),
                             (uint64_t)((row->written - row->in_place) / vector), both};
    const uint64_t longest = CLV_MAX(CLV_MAX(kind[0], kind[1]), both);
    const uint64_t rounds = (uint64_t)clv_div_up((int64_t)longest, (int64_t)(p->global * TURN));
    const float value = .5f;
    struct clv_measured got;
    for (unsigned i = 0; i < 3; i++)
        CLV_TRY(clv_kernel_set_value(p->kernel, 3 + i, sizeof kind[i], &kind[i]));
    CLV_TRY(clv_kernel_set_value(p->kernel, 2, sizeof value, &value));
    CLV_TRY(clv_kernel_set_value(p->kernel, 6, sizeof rounds, &rounds));
    p->first = 0;
    p->moved = kind[0] + kind[1] + kind[2];
    const struct clv_measure m = {.limit = MIX_SECONDS, .run = launch_mix, .priv = p};
    CLV_TRY(clv_measure(&m, &got, clv_device_error(p->dev)));
    row->memory = got.seconds.best;
    return CLV_OK;
}

static enum clv_err measure_rows(struct probe *p, const struct clv_ceilings *c, uint64_t bytes,
                                 uint64_t around, struct clv_bench_report *report)
{
    struct clv_spread written;
    CLV_TRY(prepare(p, bytes + around));
    CLV_TRY(measure_stream(p, "ceiling_write", bytes + around, &written)); /* as above: pages of its own */
    p->around = around / sizeof(float) / vector_of(p->caps);
    CLV_TRY(open_kernel(p, "ceiling_mix"));
    CLV_TRY(clv_kernel_set_buffer(p->kernel, 0, p->memory));
    CLV_TRY(clv_kernel_set_buffer(p->kernel, 1, p->out));
    for (size_t i = 0; i < report->n; i++) {
        struct clv_timing *row = &report->row[i];
        for (size_t k = 0; k < i && !row->memory; k++)
            if (same_bytes(row, &report->row[k]))
                row->memory = report->row[k].memory;
        if (!row->memory && may_bind(row, c, bytes))
            CLV_TRY(measure_mix(p, row));
    }
    return CLV_OK;
}

enum clv_err clv_bench_memory(struct clv_device *dev, const struct clv_ceilings *ceilings,
                              const struct clv_bench_params *params, uint64_t around,
                              struct clv_bench_report *report)
{
    struct probe p = {.dev = dev, .caps = clv_device_caps(dev), .params = params};
    const uint64_t most = most_bytes(p.caps);
    double bytes = 0;
    for (size_t i = 0; i < report->n; i++)
        if (!report->row[i].memory && may_bind(&report->row[i], ceilings, most))
            bytes = CLV_MAX(bytes, bytes_of(&report->row[i]));
    if (bytes <= 0)
        return CLV_OK;
    const uint64_t own = CLV_MIN(even((uint64_t)bytes) + 4096, most);
    const enum clv_err e = measure_rows(&p, ceilings, own, even(CLV_MIN(around, most - own)), report);
    finish(&p);
    return e;
}
