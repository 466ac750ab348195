/* Compilers that nobody here has watched: what they cannot do is found out in another process.
 *
 * PoCL, Intel's runtime for CPUs and Oclgrind have built every kernel many times. Another driver's
 * compiler may hang or crash on one, and with it the program that asked. So its programs are built
 * by a worker first (build.c), within the worker's time. What that found is kept beside the
 * compiled programs: a program that killed its worker is refused from then on, until driver or
 * kernel change or the cache is emptied; a driver that has built one is then trusted with those
 * that no plan announced, so that a single program costs no process. Rasterisers in software are
 * not: they are slow and seldom tested. Without a cache there are no workers, and programs are
 * built here, as they come. */
#include "base/util.h"
#include "device/cachefile.h"
#include "device/internal.h"
#include <string.h>

bool clv_trial_is_needless(const struct clv_device_info *info)
{
    static const char *const known[] = {"Portable Computing Language", "Intel(R) OpenCL",
                                        "Oclgrind"};
    for (size_t i = 0; i < CLV_COUNT(known); i++)
        if (!strcmp(info->platform_name, known[i]))
            return true;
    return false;
}

/* The names under which the cache remembers. */
static struct clv_digest lost_mark(const struct clv_digest *program)
{
    char hex[65];
    clv_digest_hex(program, hex);
    return clv_sha256_pieces((const char *const[]){"lost", hex}, 2);
}

static struct clv_digest passed_mark(const struct clv_device *dev)
{
    const struct clv_digest driver = clv_program_key(dev, "", "");
    char hex[65];
    clv_digest_hex(&driver, hex);
    return clv_sha256_pieces((const char *const[]){"compiles", hex}, 2);
}

static void remember(const struct clv_device *dev, const struct clv_digest *mark)
{
    clv_cachefile_store(dev->ctx, dev->cache_dir, dev->ctx->cache_bytes, mark, "mark", 4);
}

void clv_trial_end(const struct clv_device *dev, const struct clv_digest *key, bool lost)
{
    if (dev->is_trusted)
        return;
    const struct clv_digest mark = lost ? lost_mark(key) : passed_mark(dev);
    if (lost || !clv_cachefile_exists(dev->cache_dir, &mark))
        remember(dev, &mark);
}

static bool is_lost(const struct clv_device *dev, const struct clv_digest *key)
{
    const struct clv_digest mark = lost_mark(key);
    return clv_cachefile_exists(dev->cache_dir, &mark);
}

static bool has_passed(const struct clv_device *dev)
{
    const struct clv_digest mark = passed_mark(dev);
    return dev->info.type != CLV_DEVICE_SOFTWARE && clv_cachefile_exists(dev->cache_dir, &mark);
}

enum clv_err clv_trial_build(struct clv_device *dev, const struct clv_digest *key,
                             const struct clv_build *build, const char *what)
{
    if (dev->is_trusted || !dev->cache_dir)
        return CLV_OK;
    if (!is_lost(dev, key) && !has_passed(dev))
        clv_device_build(dev, build, 1);
    if (!is_lost(dev, key))
        return CLV_OK;
    return clv_fail(
        &dev->ctx->err, CLV_ERR_BUILD,
        "%s: the compiler of %s (%s, driver %s) crashes on it or takes more than %.0f s; "
        "update the driver, choose another device, or empty the cache folder %s to try again",
        what, dev->info.name, dev->info.platform_name, dev->info.driver, dev->worker_seconds,
        dev->cache_dir);
}
