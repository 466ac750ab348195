/* The lines of a benchmark, and their comparison with an earlier one's. */
#include "bench/bench.h"

#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A median that grew by less is noise whatever the quartiles say. */
#define MIN_GROWTH 1.03

void clv_bench_progress(const struct clv_bench_params *params, const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (!params || !params->on_progress)
        return;
    va_start(args, fmt);
    clv_vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    params->on_progress(params->priv, text);
}

enum clv_err clv_bench_report_create(struct clv_context *ctx, struct clv_bench_report **ret)
{
    struct clv_bench_report *r = calloc(1, sizeof *r);
    if (!r)
        return clv_fail_nomem(&ctx->err, "a report");
    r->ctx = ctx;
    *ret = r;
    return CLV_OK;
}

void clv_bench_report_destroy(struct clv_bench_report **r)
{
    if (!*r)
        return;
    clv_arena_finish(&(*r)->arena);
    free((*r)->row);
    free(*r);
    *r = NULL;
}

const struct clv_timing *clv_bench_report_rows(const struct clv_bench_report *r, size_t *n)
{
    *n = r->n;
    return r->row;
}

enum clv_err clv_bench_report_add(struct clv_bench_report *r, const struct clv_timing *row)
{
    if (r->n == r->cap) {
        const size_t cap = r->cap ? 2 * r->cap : 32;
        struct clv_timing *bigger = realloc(r->row, cap * sizeof *bigger);
        if (!bigger)
            return clv_fail_nomem(&r->ctx->err, "a report");
        r->row = bigger;
        r->cap = cap;
    }
    struct clv_timing *dst = &r->row[r->n];
    *dst = *row;
    const char **const text[] = {&dst->what,    &dst->group,  &dst->pass,
                                 &dst->variant, &dst->params, &dst->note};
    for (size_t i = 0; i < CLV_COUNT(text); i++) {
        *text[i] = clv_arena_strdup(&r->arena, *text[i] ? *text[i] : "");
        if (!*text[i])
            return clv_fail_nomem(&r->ctx->err, "a report");
    }
    r->n++;
    return CLV_OK;
}

/* ---- baseline ---- */

static bool is_text(const json_t *row, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text && !strcmp(text, value);
}

static const json_t *find(const json_t *rows, const struct clv_timing *t)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
        if (is_text(row, "what", t->what) && is_text(row, "variant", t->variant) &&
            json_integer_value(json_object_get(row, "batch")) == t->batch)
            return row;
    return NULL;
}

/* Null in files of lines that never ran. */
static enum clv_err number(const json_t *row, const char *key, double *ret, struct clv_error *err)
{
    CLV_TRY(clv_json_get_double(row, key, ret, err));
    return isfinite(*ret) && *ret < 0
               ? clv_fail(err, CLV_ERR_DATA, "%s: a time below zero", key)
               : CLV_OK;
}

static enum clv_err compare(struct clv_bench_report *r, const json_t *rows, size_t *found,
                            size_t *slower)
{
    for (size_t i = 0; i < r->n; i++) {
        struct clv_timing *t = &r->row[i];
        const json_t *before = find(rows, t);
        double median, high;
        t->baseline = 0;
        t->slower = false;
        if (!before || !t->seconds.n)
            continue;
        CLV_TRY(number(before, "median_s", &median, &r->ctx->err));
        CLV_TRY(number(before, "high_s", &high, &r->ctx->err));
        if (!isfinite(median) || !isfinite(high))
            continue;
        t->baseline = median;
        t->slower = t->seconds.low > high && t->seconds.median > median * MIN_GROWTH;
        *found += 1;
        *slower += t->slower;
    }
    return CLV_OK;
}

enum clv_err clv_bench_report_baseline(struct clv_bench_report *r, const char *path, size_t *found,
                                       size_t *slower)
{
    struct clv_error *err = &r->ctx->err;
    json_t *file = NULL, *rows = NULL;
    *found = *slower = 0;
    CLV_TRY(clv_json_load(path, &file, err));
    enum clv_err e = clv_json_get_array(file, "rows", &rows, err);
    if (!e)
        e = compare(r, rows, found, slower);
    if (e)
        clv_fail_prefix(err, "%s", path);
    json_decref(file);
    return e;
}
