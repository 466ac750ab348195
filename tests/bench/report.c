#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* A benchmark's lines against an earlier benchmark's. */
#include "bench/bench.h"

#include "base/context.h"
#include "base/tmp.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    struct clv_context *ctx;
    struct clv_bench_report *report;
    char folder[64], path[96];
};

/* One line: median 10, quartiles 9 and 11. */
static struct rig open_rig(void)
{
    struct rig r = {.ctx = clv_context_create(NULL)};
    cr_assert(r.ctx);
    cr_assert_eq(clv_bench_report_create(r.ctx, &r.report), CLV_OK);
    const struct clv_timing row = {.what = "conv2d a forward", .variant = "vector", .batch = 32, .max_error = -1,
                                   .seconds = {.median = 10, .low = 9, .high = 11, .best = 8, .n = 5}};
    cr_assert_eq(clv_bench_report_add(r.report, &row), CLV_OK);
    snprintf(r.path, sizeof r.path, "%s/baseline.json", tmp_dir(r.folder));
    return r;
}

static void close_rig(struct rig *r)
{
    tmp_remove(r->folder);
    clv_bench_report_destroy(&r->report);
    clv_context_destroy(&r->ctx);
}

static enum clv_err compare(struct rig *r, const char *text, size_t *found, size_t *slower)
{
    FILE *f = fopen(r->path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
    return clv_bench_report_baseline(r->report, r->path, found, slower);
}

static bool is_slower_than(struct rig *r, const char *what, const char *variant, double median, double high,
                           size_t *found)
{
    char text[512];
    size_t n, slower;
    snprintf(text, sizeof text,
             "{\"rows\": [{\"what\": \"%s\", \"variant\": \"%s\", \"batch\": 32, \"median_s\": %g, \"high_s\": %g}]}",
             what, variant, median, high);
    cr_assert_eq(compare(r, text, found, &slower), CLV_OK, "%s", clv_error_text(r->ctx));
    const struct clv_timing *row = clv_bench_report_rows(r->report, &n);
    cr_assert_eq(n, 1);
    cr_expect_eq(row->slower, slower == 1);
    return row->slower;
}

Test(report, only_more_than_both_spreads_is_slower)
{
    struct rig r = open_rig();
    size_t found;
    cr_expect(is_slower_than(&r, "conv2d a forward", "vector", 5, 6, &found));
    cr_expect_eq(found, 1);
    cr_expect(!is_slower_than(&r, "conv2d a forward", "vector", 9, 9.5, &found), "spreads overlap");
    cr_expect(!is_slower_than(&r, "conv2d a forward", "vector", 9.9, 8, &found), "too little");
    cr_expect(!is_slower_than(&r, "conv2d a forward", "vector", 20, 21, &found));
    cr_expect(!is_slower_than(&r, "conv2d a forward", "simple", 5, 6, &found));
    cr_expect_eq(found, 0);
    cr_expect(!is_slower_than(&r, "conv2d b forward", "vector", 5, 6, &found));
    close_rig(&r);
}

Test(report, what_is_no_report_is_refused)
{
    static const char *const wrong[] = {"", "[]", "{}", "{\"rows\": 3}", "rows",
        "{\"rows\": [{\"what\": \"conv2d a forward\", \"variant\": \"vector\", \"batch\": 32}]}",
        "{\"rows\": [{\"what\": \"conv2d a forward\", \"variant\": \"vector\", \"batch\": 32, \"median_s\": -1, \"high_s\": 2}]}"};
    struct rig r = open_rig();
    size_t found, slower;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq(compare(&r, wrong[i], &found, &slower), CLV_ERR_DATA, "%s", wrong[i]);
        cr_expect(strstr(clv_error_text(r.ctx), "baseline.json"), "%s", clv_error_text(r.ctx));
    }
    cr_expect_eq(compare(&r, "{\"rows\": [3, {}, {\"what\": 1}]}", &found, &slower), CLV_OK);
    cr_expect_eq(clv_bench_report_baseline(r.report, "/nonexistent/file", &found, &slower), CLV_ERR_IO);
    close_rig(&r);
}

Test(report, reads_what_the_writer_wrote)
{
    struct rig r = open_rig();
    size_t n, found, slower;
    const struct clv_timing *row = clv_bench_report_rows(r.report, &n);
    char *rows = clv_timings_json(row, n, NULL), text[2048];
    snprintf(text, sizeof text, "{\"rows\": %s}", rows);
    free(rows);
    cr_assert_eq(compare(&r, text, &found, &slower), CLV_OK, "%s", clv_error_text(r.ctx));
    cr_expect(found == 1 && slower == 0);
    cr_expect_eq(row->baseline, 10);
    close_rig(&r);
}

static enum clv_err count_runs(void *priv, int count)
{
    *(int *)priv += count;
    return CLV_OK;
}

Test(measure, limits)
{
    struct clv_error err = {0};
    struct clv_measured got;
    int runs = 0;
    struct clv_measure m = {.repeat = 5, .single = true, .run = count_runs, .priv = &runs};
    cr_assert_eq(clv_measure(&m, &got, &err), CLV_OK);
    cr_expect(runs == 6 && got.runs == 5 && got.seconds.n == 5, "one to warm up");
    m.warm = true;
    runs = 0;
    cr_assert_eq(clv_measure(&m, &got, &err), CLV_OK);
    cr_expect_eq(runs, 5);
    m = (struct clv_measure){.repeat = 2, .limit = 1e-9, .run = count_runs, .priv = &runs};
    cr_assert_eq(clv_measure(&m, &got, &err), CLV_OK);
    cr_expect_eq(got.seconds.n, 1, "one is made whatever the limit");
    cr_expect_gt(got.runs, 1, "nothing is too short to be measured");
}
