#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* Benchmarks of tiny models and cases: what comes back, not how fast it is; and that a broken kernel is seen. */
#include "device/device.h"

#include "base/tmp.h"
#include "base/util.h"
#include "bench/bench.h"
#include "rig.h"
#include <math.h>
#include <stdio.h>

/* The launch that is dropped, counted from 1; 0 = none. */
static int drop, launches;

enum clv_err __real_clv_queue_kernel(struct clv_device *dev, struct clv_kernel *k, unsigned dims,
                                     const size_t *global, const size_t *local, int id);
enum clv_err __wrap_clv_queue_kernel(struct clv_device *dev, struct clv_kernel *k, unsigned dims,
                                     const size_t *global, const size_t *local, int id);
enum clv_err __wrap_clv_queue_kernel(struct clv_device *dev, struct clv_kernel *k, unsigned dims,
                                     const size_t *global, const size_t *local, int id)
{
    return ++launches == drop ? CLV_OK : __real_clv_queue_kernel(dev, k, dims, global, local, id);
}

static const char text[] = "input 12 12 2\nconv2d 6 3 activation=relu\nmaxpool2d 2\nflatten\n"
                           "dense units=5 activation=softmax\n";

struct world {
    struct rig rig;
    struct clv_bench_report *report;
    char folder[64], model[96];
};

static struct world begin(const char *content)
{
    struct world w = {.rig = rig_open(NULL)};
    snprintf(w.model, sizeof w.model, "%s/net.model", tmp_dir(w.folder));
    FILE *f = fopen(w.model, "w");
    cr_assert(f);
    fputs(content, f);
    fclose(f);
    ok(w.rig.ctx, clv_bench_report_create(w.rig.ctx, &w.report));
    return w;
}

static void end(struct world *w)
{
    tmp_remove(w->folder);
    clv_bench_report_destroy(&w->report);
    rig_close(&w->rig);
}

static const struct clv_bench_params quick = {.repeat = 3, .seconds = .05};

Test(bench, a_model)
{
    struct world w = begin(text);
    for (int forward = 0; forward < 2; forward++) {
        struct clv_bench_model_result r;
        size_t n;
        ok(w.rig.ctx, clv_bench_model(w.rig.dev, &(struct clv_bench_model){
            .model = w.model, .batch = 6, .forward = forward}, NULL, &quick, w.report, &r));
        const struct clv_timing *row = clv_bench_report_rows(w.report, &n);
        cr_expect_eq(n, 1 + (size_t)forward);
        cr_expect(r.seconds.n >= 1 && r.seconds.median > 0 && r.images_per_second > 0 && r.gflops > 0);
        cr_expect(isnan(r.ceiling_fraction));
        cr_expect(r.max_rel_error >= 0 && r.max_rel_error < 1e-4, "%g in %s", r.max_rel_error, r.worst);
        cr_expect(row[n - 1].batch == 6 && row[n - 1].max_error < 1);
        /* Direct operations: the first layer needs no gradient of its input. */
        const double conv = 2. * 10 * 10 * 6 * 9 * 2, dense = 2. * 5 * 5 * 6 * 5;
        const double expect = 6 * (forward ? conv + dense : 2 * conv + 3 * dense);
        /* Activations, pooling and the loss are little beside them. */
        cr_expect(r.flops >= expect && r.flops < 1.1 * expect, "%g operations, not %g", r.flops, expect);
    }
    end(&w);
}

Test(bench, samples_that_draw_are_compared_one_by_one)
{
    struct world w = begin("input 6 6 1\nflatten\ndense units=40 activation=relu\ndropout 0.5\n"
                           "dense units=3 activation=softmax\n");
    struct clv_bench_model_result r;
    ok(w.rig.ctx, clv_bench_model(w.rig.dev, &(struct clv_bench_model){.model = w.model, .batch = 7}, NULL,
                                  &quick, w.report, &r));
    cr_expect(r.max_rel_error >= 0 && r.max_rel_error < 1e-4, "%g in %s", r.max_rel_error, r.worst);
    end(&w);
}

/* Whatever launch of the first step does not happen, some output or gradient is wrong; the last two are the
 * update, which is not compared. */
Test(bench, a_broken_kernel_is_seen)
{
    struct world w = begin(text);
    struct clv_bench_model_result r;
    struct clv_bench_model what = {.model = w.model, .batch = 3};
    const struct clv_bench_params once = {.repeat = 1, .seconds = 1e-3};
    struct clv_bench_model alone = what;
    alone.no_check = true;
    ok(w.rig.ctx, clv_bench_model(w.rig.dev, &alone, NULL, &once, w.report, &r));
    const int per_step = launches / 3; /* two to warm up, one measured */
    cr_assert_gt(per_step, 4);
    cr_expect(isnan(r.max_rel_error));
    for (drop = 1; drop < per_step - 1; drop++) {
        launches = 0;
        what.batch++; /* other numbers than those that memory may still hold */
        const enum clv_err e = clv_bench_model(w.rig.dev, &what, NULL, &once, w.report, &r);
        cr_expect(!e || e == CLV_ERR_NONFINITE, "%s", clv_error_text(w.rig.ctx));
        cr_expect(e || !(r.max_rel_error <= r.error_bound), "launch %d of %d: error %g in %s", drop, per_step,
                  r.max_rel_error, r.worst);
    }
    drop = 0;
    end(&w);
}

Test(bench, steps_of_the_plan)
{
    struct world w = begin(text);
    struct clv_device *dev = NULL;
    struct clv_bench_model_result r;
    size_t n;
    const struct clv_device_params params = {.select = getenv("CLAVICLE_TEST_DEVICE"),
                                             .caps = getenv("CLAVICLE_TEST_CAPS"), .profile = true};
    ok(w.rig.ctx, clv_device_open(w.rig.ctx, &params, &dev));
    ok(w.rig.ctx, clv_bench_model(dev, &(struct clv_bench_model){.model = w.model, .batch = 4, .steps = true,
                                  .no_check = true}, NULL, &quick, w.report, &r));
    const struct clv_timing *row = clv_bench_report_rows(w.report, &n);
    cr_assert_gt(n, 5);
    cr_expect_str_eq(row[1].pass, "forward"); /* floats that nothing scales go straight into the input */
    cr_expect_str_eq(row[n - 1].pass, "update");
    for (size_t i = 1; i < n; i++) {
        cr_expect_geq(row[i].runs, 1, "%s", row[i].what);
        cr_expect_eq((uint64_t)row[i].seconds.n, row[i].runs, "%s", row[i].what);
    }
    clv_device_close(&dev);
    end(&w);
}

Test(bench, named_cases)
{
    struct world w = begin(text);
    struct clv_bench_cases which = {.op = "dense", .name = "64"};
    size_t n;
    ok(w.rig.ctx, clv_bench_cases(w.rig.dev, &which, &quick, w.report));
    const struct clv_timing *row = clv_bench_report_rows(w.report, &n);
    cr_assert_eq(n, 3, "forward, data, weights: %zu", n);
    cr_expect_str_eq(row[0].what, "dense 64 forward");
    for (size_t i = 0; i < n; i++)
        cr_expect(row[i].seconds.median > 0 && row[i].flops > 0 && row[i].read > 0, "%s", row[i].what);
    which.variant = "simple";
    ok(w.rig.ctx, clv_bench_cases(w.rig.dev, &which, &quick, w.report));
    row = clv_bench_report_rows(w.report, &n);
    cr_assert_eq(n, 6);
    cr_expect_str_eq(row[5].variant, "simple");
    const struct clv_bench_cases wrong[] = {{.op = "nonsense"}, {.op = "dense", .name = "nonsense"},
                                            {.op = "dense", .variant = "nonsense"}};
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(clv_bench_cases(w.rig.dev, &wrong[i], &quick, w.report), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(w.rig.ctx), "'vector'"), "%s", clv_error_text(w.rig.ctx));
    end(&w);
}

/* Lines whose bytes matter are compared with a kernel that moves as many. */
Test(bench, memory_of_lines)
{
    struct rig rig = rig_open("alloc=64M");
    struct clv_bench_report *r = NULL;
    struct clv_ceilings c = {.flops = {.best = 1e12, .n = 1},
                             .memory = {{0}, {.bytes = 1 << 24, .read = {.best = 1e10}, .copy = {.best = 1e10}}}};
    const struct clv_timing row[] = {{.what = "reads", .read = 16e6, .written = 1e6},
                                     {.what = "changes", .read = 16e6, .written = 16e6, .in_place = 16e6},
                                     {.what = "computes", .read = 16e6, .flops = 1e12},
                                     {.what = "small", .read = 1e6},
                                     {.what = "reads as many", .read = 16e6, .written = 1e6},
                                     {.what = "does not fit", .read = 80e6}};
    ok(rig.ctx, clv_bench_report_create(rig.ctx, &r));
    for (size_t i = 0; i < CLV_COUNT(row); i++)
        ok(rig.ctx, clv_bench_report_add(r, &row[i]));
    ok(rig.ctx, clv_bench_memory(rig.dev, &c, &quick, 1 << 24, r));
    size_t n;
    const struct clv_timing *got = clv_bench_report_rows(r, &n);
    cr_expect(got[0].memory > 0 && got[1].memory > 0 && got[4].memory == got[0].memory);
    cr_expect(!got[2].memory && !got[3].memory && !got[5].memory);
    clv_bench_report_destroy(&r);
    rig_close(&rig);
}

/* A small device: the ceilings' working sets fit it. */
Test(bench, ceilings)
{
    struct rig rig = rig_open("alloc=8M");
    struct clv_ceilings c;
    ok(rig.ctx, clv_bench_ceilings(rig.dev, &quick, &c));
    cr_expect(c.flops.best >= c.flops.median && c.flops.low <= c.flops.median && c.flops.median > 0);
    cr_expect_leq(c.memory[1].bytes, (uint64_t)8 << 20);
    cr_expect(c.memory[1].read.median > 0 && c.memory[1].write.median > 0 && c.memory[1].copy.median > 0);
    cr_expect(c.launch.median > 0 && c.upload.median > 0 && c.download.median > 0);
    rig_close(&rig);
}
