/* Which matrix unit a device has: the parent's side of a probe, and what is remembered of it. */
#include "device/probe.h"
#include "base/file.h"
#include "base/util.h"
#include "clv_config.h"
#include "device/cachefile.h"
#include "device/pool.h"
#include "device/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CLV_SOURCE(probe_unit);

enum { PROBE_SECONDS = 30 };

/* Units that are looked for without being asked for, and what the CPU must say it has. The others
 * no run of the project's has seen: they are taken only by the caps' "unit=NAME". */
static const struct {
    enum clv_unit unit;
    const char *flag;
} probed[] = {{CLV_UNIT_AMX, " amx_bf16 "}, {CLV_UNIT_AVX512_BF16, " avx512_bf16 "}};

/* ---- the host's processor ---- */

/* The first line of flags in /proc/cpuinfo, blanks around each; "" where there is none. malloc'ed.
 */
static char *cpu_flags(void)
{
    unsigned char *data = NULL;
    size_t size = 0;
    char *flags = NULL;
    struct clv_error ignored = {0};
    if (!clv_file_read("/proc/cpuinfo", &data, &size, &ignored)) {
        const char *line = strstr((const char *)data, "\nflags");
        const char *from = line ? strchr(line, ':') : NULL;
        if (from)
            flags = clv_strdupf("%.*s ", (int)strcspn(from + 1, "\n"), from + 1);
    }
    free(data);
    return flags ? flags : clv_strdupf("%s", "");
}

static bool may_be_here(const struct clv_device *dev, size_t i)
{
    char *flags = dev->info.type == CLV_DEVICE_CPU ? cpu_flags() : NULL;
    const bool is = flags && strstr(flags, probed[i].flag);
    free(flags);
    return is;
}

/* ---- what is remembered ---- */

struct clv_digest clv_probe_key(const struct clv_device *dev, enum clv_unit unit)
{
    char program[65], defect[16];
    char *flags = cpu_flags();
    const struct clv_digest key = clv_program_key(dev, clv_cl_probe_unit.text, "");
    clv_digest_hex(&key, program);
    snprintf(defect, sizeof(defect), "%d", dev->probe_defect);
    const char *const pieces[] = {"unit", clv_unit_name(unit), program, flags ? flags : "", defect};
    const struct clv_digest result = clv_sha256_pieces(pieces, CLV_COUNT(pieces));
    free(flags);
    return result;
}

bool clv_probe_load(const struct clv_device *dev, const struct clv_digest *key,
                    struct clv_probe_verdict *ret)
{
    unsigned char *data = NULL;
    size_t size = 0;
    const bool ok = dev->cache_dir &&
                    clv_cachefile_load(dev->ctx, dev->cache_dir, key, &data, &size) &&
                    size == sizeof(*ret);
    if (ok)
        memcpy(ret, data, size);
    free(data);
    return ok;
}

void clv_probe_store(const struct clv_device *dev, const struct clv_digest *key,
                     const struct clv_probe_verdict *verdict)
{
    clv_cachefile_store(dev->ctx, dev->cache_dir, dev->ctx->cache_bytes, key, verdict,
                        sizeof(*verdict));
}

/* ---- probing ---- */

static bool on_probe(void *priv, size_t job, enum clv_pool_event event)
{
    enum clv_pool_event *last = priv;
    (void)job;
    *last = event;
    return true;
}

/* Lets a worker try and store its verdict, if there is one to be had; what became of it. */
static enum clv_pool_event run(struct clv_device *dev, enum clv_unit unit,
                               const struct clv_digest *key)
{
    struct clv_str hello = {0}, job = {0};
    enum clv_pool_event event = CLV_POOL_FAILED;
    const char *pocl_dir = dev->is_pocl ? getenv("POCL_CACHE_DIR") : NULL;
    char *program = clv_cachefile_can_store(dev->cache_dir) ? clv_pool_find() : NULL;
    if (!program)
        return event;
    clv_build_hello(dev, pocl_dir, &hello);
    clv_wire_add_u32(&job, CLV_WIRE_PROBE);
    clv_str_add_bytes(&job, key, sizeof(*key));
    clv_wire_add_u32(&job, (uint32_t)unit);
    clv_wire_add_u32(&job, (uint32_t)dev->probe_defect);
    const struct clv_pool pool = {.ctx = dev->ctx,
                                  .program = program,
                                  .hello = &hello,
                                  .pocl_dir = pocl_dir,
                                  .workers = 1,
                                  .seconds = CLV_MIN(dev->worker_seconds, (double)PROBE_SECONDS),
                                  .on = on_probe,
                                  .priv = &event};
    clv_pool_run(&pool, &job, 1);
    clv_str_finish(&hello);
    clv_str_finish(&job);
    free(program);
    return event;
}

bool clv_unit_probe(struct clv_device *dev, enum clv_unit unit, unsigned *gain)
{
    struct clv_probe_verdict verdict = {0};
    const struct clv_digest key = clv_probe_key(dev, unit);
    if (!dev->cache_dir)
        return false;
    if (!clv_probe_load(dev, &key, &verdict)) {
        /* A worker that crashed leaves no verdict, and is one; one that ran out of time may have waited for a
         * busy machine. */
        const enum clv_pool_event end = run(dev, unit, &key);
        const bool found_out = end == CLV_POOL_LOST || clv_probe_load(dev, &key, &verdict);
        if (end == CLV_POOL_LOST)
            clv_probe_store(dev, &key, &verdict);
        if (end == CLV_POOL_LATE && !found_out)
            clv_log(dev->ctx, CLV_LOG_WARN,
                    "%s: the probe of the matrix unit %s ran out of time: doing without, and trying again next time "
                    "(--caps unit=none: never)", dev->info.name, clv_unit_name(unit));
        clv_log(dev->ctx, CLV_LOG_DEBUG, "%s: matrix unit %s %s", dev->info.name,
                clv_unit_name(unit),
                verdict.works ? "works"
                : found_out   ? "does not work"
                              : "cannot be probed");
    }
    *gain = verdict.gain;
    return verdict.works;
}

void clv_device_find_unit(struct clv_device *dev)
{
    if (dev->unit_is_known)
        return;
    dev->unit_is_known = true;
    for (size_t i = 0; i < CLV_COUNT(probed); i++) {
        unsigned gain = 0;
        if (!may_be_here(dev, i) || !clv_unit_probe(dev, probed[i].unit, &gain) ||
            gain <= CLV_MAX(dev->caps.unit_gain, 100))
            continue;
        if (probed[i].unit == CLV_UNIT_AMX && !clv_amx_request())
            continue;
        dev->caps.unit = probed[i].unit;
        dev->caps.unit_gain = gain;
    }
}

struct clv_unit_report clv_device_unit(struct clv_context *ctx,
                                       const struct clv_device_info *device, enum clv_unit unit)
{
    struct clv_unit_report r = {.state = CLV_UNIT_NEVER_SEEN};
    struct clv_probe_verdict verdict;
    struct clv_device dev = {.ctx = ctx, .info = *device}; /* as far as the key needs it */
    for (size_t i = 0; i < CLV_COUNT(probed); i++)
        if (probed[i].unit == unit)
            r.state = may_be_here(&dev, i) ? CLV_UNIT_UNKNOWN : CLV_UNIT_NOT_HERE;
    if (r.state != CLV_UNIT_UNKNOWN || !ctx->cache_dir)
        return r;
    const struct clv_digest key = clv_probe_key(&dev, unit);
    dev.cache_dir = clv_path_join(ctx->cache_dir, "programs");
    if (clv_probe_load(&dev, &key, &verdict)) {
        r.state = verdict.works ? CLV_UNIT_WORKS : CLV_UNIT_FAILS;
        r.gain = verdict.gain;
    }
    free(dev.cache_dir);
    return r;
}
