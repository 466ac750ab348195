#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* Probes of matrix units: what works is found out once and remembered, and what lies, hangs or
 * kills costs a worker and nothing else. */
#include "base/tmp.h"
#include "base/util.h"
#include "device/probe.h"
#include "testdev.h"
#include <string.h>

enum { NO_DEFECT, WRONG, ENDLESS, DEADLY };

struct bench {
    char dir[64];
    struct clv_context *ctx;
    struct clv_device *dev;
};

static bool warned;

static void log_line(void *priv, enum clv_log_level level, const char *line)
{
    (void)priv;
    warned |= level == CLV_LOG_WARN && strstr(line, "ran out of time");
    cr_log_info("%s", line);
}

static struct bench open_bench(const char *caps)
{
    struct bench b = {.ctx = NULL};
    tmp_dir(b.dir);
    const struct clv_context_params p = {
        .cache_dir = b.dir, .log = log_line, .log_level = CLV_LOG_DEBUG};
    b.ctx = clv_context_create(&p);
    cr_assert(b.ctx);
    clv_device_share_cache(b.ctx);
    b.dev = test_device(b.ctx, &(struct clv_device_params){.caps = caps});
    return b;
}

static void close_bench(struct bench *b)
{
    test_close(&b->ctx, &b->dev);
    tmp_remove(b->dir);
}

/* No worker: only what is remembered can answer. */
static bool remembers(const struct bench *b, enum clv_unit unit, bool works)
{
    unsigned gain = 12345;
    char *worker = clv_strdupf("%s", getenv("CLAVICLE_WORKER"));
    setenv("CLAVICLE_WORKER", "", 1);
    const bool is = clv_unit_probe(b->dev, unit, &gain);
    setenv("CLAVICLE_WORKER", worker, 1);
    free(worker);
    return is == works && (gain > 0) == works && gain != 12345;
}

Test(probe, a_unit_that_works_is_remembered)
{
    struct bench b = open_bench(NULL);
    unsigned gain = 0;
    cr_assert(remembers(&b, CLV_UNIT_EMULATED, false));
    cr_expect(clv_unit_probe(b.dev, CLV_UNIT_EMULATED, &gain), "the emulated unit works nowhere");
    cr_expect_gt(gain, 0);
    cr_expect(remembers(&b, CLV_UNIT_EMULATED, true));
    close_bench(&b);
}

Test(probe, wrong_numbers_are_found)
{
    struct bench b = open_bench(NULL);
    unsigned gain = 0;
    b.dev->probe_defect = WRONG;
    cr_expect_not(clv_unit_probe(b.dev, CLV_UNIT_EMULATED, &gain));
    cr_expect(remembers(&b, CLV_UNIT_EMULATED, false));
    b.dev->probe_defect = NO_DEFECT;
    cr_expect(clv_unit_probe(b.dev, CLV_UNIT_EMULATED, &gain), "one verdict is taken for another");
    close_bench(&b);
}

Test(probe, a_crash_is_the_workers)
{
    struct bench b = open_bench(NULL);
    unsigned gain = 0;
    b.dev->probe_defect = DEADLY;
    cr_expect_not(clv_unit_probe(b.dev, CLV_UNIT_EMULATED, &gain));
    cr_expect(remembers(&b, CLV_UNIT_EMULATED, false));
    const struct clv_digest key = clv_probe_key(b.dev, CLV_UNIT_EMULATED);
    struct clv_probe_verdict verdict;
    cr_expect(clv_probe_load(b.dev, &key, &verdict) && !verdict.works);
    close_bench(&b);
}

Test(probe, what_never_ends_is_ended_and_not_remembered)
{
    struct bench b = open_bench(NULL);
    unsigned gain = 0;
    b.dev->probe_defect = ENDLESS;
    b.dev->worker_seconds = 4;
    const double start = clv_now();
    cr_expect_not(clv_unit_probe(b.dev, CLV_UNIT_EMULATED, &gain));
    cr_expect_gt(clv_now() - start, 3.0);
    cr_expect_lt(clv_now() - start, 60.0);
    /* It may have been the machine: a warning, and no verdict. */
    cr_expect(warned);
    const struct clv_digest key = clv_probe_key(b.dev, CLV_UNIT_EMULATED);
    struct clv_probe_verdict verdict;
    cr_expect_not(clv_probe_load(b.dev, &key, &verdict));
    close_bench(&b);
}

/* Where the processor has them they must give right numbers, and where it does not the process must
 * live. */
Test(probe, the_processors_units)
{
    static const enum clv_unit units[] = {CLV_UNIT_AVX512_BF16, CLV_UNIT_AMX};
    struct bench b = open_bench(NULL);
    for (size_t i = 0; i < CLV_COUNT(units); i++) {
        unsigned gain = 0;
        const enum clv_unit_state before =
            clv_device_unit(b.ctx, clv_device_get_info(b.dev), units[i]).state;
        const bool works = clv_unit_probe(b.dev, units[i], &gain);
        const enum clv_unit_state after =
            clv_device_unit(b.ctx, clv_device_get_info(b.dev), units[i]).state;
        cr_log_info("%s: %s, %u %% of float", clv_unit_name(units[i]),
                    works ? "works" : "does not work", gain);
        cr_expect(before == CLV_UNIT_NOT_HERE || before == CLV_UNIT_UNKNOWN);
        cr_expect_eq(after, before == CLV_UNIT_NOT_HERE ? before
                            : works                     ? CLV_UNIT_WORKS
                                                        : CLV_UNIT_FAILS);
    }
    cr_expect_eq(clv_device_unit(b.ctx, clv_device_get_info(b.dev), CLV_UNIT_MMA).state,
                 CLV_UNIT_NEVER_SEEN);
    close_bench(&b);
}

Test(probe, a_unit_is_taken_only_if_it_wins)
{
    struct bench b = open_bench(NULL);
    cr_expect_eq(clv_device_caps(b.dev)->unit, CLV_UNIT_NONE);
    clv_device_find_unit(b.dev);
    const struct clv_caps *caps = clv_device_caps(b.dev);
    cr_expect(caps->unit == CLV_UNIT_NONE ? caps->unit_gain == 0 : caps->unit_gain > 100);
    close_bench(&b);
}

Test(probe, a_forced_unit_stays)
{
    struct bench b = open_bench("unit=emulated");
    clv_device_find_unit(b.dev);
    cr_expect_eq(clv_device_caps(b.dev)->unit, CLV_UNIT_EMULATED);
    close_bench(&b);
}

Test(probe, without_a_cache_nothing_is_known)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    clv_device_find_unit(dev);
    cr_expect_eq(clv_device_caps(dev)->unit, CLV_UNIT_NONE);
    test_close(&ctx, &dev);
}
