/* Single kernels: the timed cases of the ops' tables (src/ops/NAME_check.c), variant by variant. */
#include "bench/bench.h"

#include "base/str.h"
#include "base/util.h"
#include "check/check.h"
#include <stdio.h>
#include <string.h>

struct bench {
    struct clv_device *dev;
    const struct clv_bench_cases *which;
    const struct clv_bench_params *params;
    struct clv_bench_report *report;
    const char *op;          /* being measured */
};

/* ---- choosing ---- */

static bool is_wanted(const struct bench *b, const struct clv_check_case *c)
{
    return b->which->name ? !strcmp(b->which->name, c->name) : c->flags & CLV_CHECK_BENCH;
}

/* Unasked: what this kind of device may choose. The reference takes seconds where others take
 * milliseconds, and building CLBlast's kernels is never paid for. */
static bool is_usual(const struct bench *b, const struct clv_variant *v)
{
    const struct clv_caps *caps = clv_device_caps(b->dev);
    const bool only = v == clv_op_find(b->op)->variants && !v[1].name;
    if (!strcmp(v->name, "clblast"))
        return b->which->clblast;
    if (!strcmp(v->name, "tiled"))
        return caps->gpu_path;
    return strcmp(v->name, "simple") || only;
}

static bool takes_variant(const struct bench *b, const struct clv_variant *v)
{
    const char *name = b->which->variant;
    if (!v->name) /* views have none */
        return !name || !strcmp(name, "all");
    if (name && !strcmp(name, "all"))
        return strcmp(v->name, "clblast") || b->which->clblast;
    return name ? !strcmp(name, v->name) : is_usual(b, v);
}

/* ---- names ---- */

static enum clv_err unknown(struct clv_context *ctx, const char *what, const char *name,
                            struct clv_str *known)
{
    const enum clv_err e = clv_fail(&ctx->err, CLV_ERR_ARG, "unknown %s '%s'; known: %s", what, name,
                                    known->text ? known->text : "none");
    clv_str_finish(known);
    return e;
}

static void add_name(struct clv_str *known, const char *name)
{
    clv_str_addf(known, "%s'%s'", known->len ? ", " : "", name);
}

static bool is_among(const struct clv_bench_cases *which, const struct clv_check *q)
{
    return !which->op || !strcmp(which->op, q->op);
}

static enum clv_err find_op(struct clv_context *ctx, const struct clv_bench_cases *which)
{
    struct clv_str known = {0};
    if (!which->op || clv_check_find(which->op))
        return CLV_OK;
    for (const struct clv_check *const *q = clv_checks; *q; q++)
        add_name(&known, (*q)->op);
    return unknown(ctx, "op", which->op, &known);
}

static enum clv_err find_case(struct clv_context *ctx, const struct clv_bench_cases *which)
{
    struct clv_str known = {0};
    bool found = !which->name;
    for (const struct clv_check *const *q = clv_checks; *q && !found; q++)
        for (size_t i = 0; i < (*q)->n_cases && is_among(which, *q) && !found; i++) {
            const struct clv_check_case *c = &(*q)->cases[i];
            found = !strcmp(which->name, c->name);
            if (which->op || c->flags & CLV_CHECK_BENCH)
                add_name(&known, c->name);
        }
    if (!found)
        return unknown(ctx, "case", which->name, &known);
    clv_str_finish(&known);
    return CLV_OK;
}

static enum clv_err find_variant(struct clv_context *ctx, const struct clv_bench_cases *which)
{
    struct clv_str known = {0};
    bool found = !which->variant || !strcmp(which->variant, "all");
    for (const struct clv_check *const *q = clv_checks; *q && !found; q++) {
        const struct clv_variant *v = clv_op_find((*q)->op)->variants;
        for (; v && v->name && is_among(which, *q); v++) {
            found = found || !strcmp(which->variant, v->name);
            if (!known.text || !strstr(known.text, v->name))
                add_name(&known, v->name);
        }
    }
    if (!found)
        return unknown(ctx, "variant", which->variant, &known);
    clv_str_finish(&known);
    return CLV_OK;
}

enum clv_err clv_bench_cases_check(struct clv_context *ctx, const struct clv_bench_cases *which)
{
    CLV_TRY(find_op(ctx, which));
    CLV_TRY(find_case(ctx, which));
    return find_variant(ctx, which);
}

/* ---- measuring ---- */

static enum clv_err add_times(struct bench *b, const struct clv_check *check,
                              const struct clv_check_case *c, const char *variant,
                              const struct clv_check_result *r)
{
    for (int i = 0; i < r->n_times; i++) {
        const struct clv_check_time *t = &r->time[i];
        const bool around = !strcmp(t->what, "backward around");
        char what[160];
        /* A product that this variant leaves to another one is timed under that one's name. */
        if (variant && !around && strcmp(variant, t->variant))
            continue;
        snprintf(what, sizeof what, "%s %s %s%s%s", check->op, c->name, t->what, around ? " " : "",
                 around && variant ? variant : "");
        const struct clv_timing row = {.what = what,
                                       .group = check->op,
                                       .pass = t->pass == CLV_PASS_FORWARD ? "forward" : "backward",
                                       .variant = t->variant,
                                       .params = t->params,
                                       .batch = c->batch ? c->batch : 2,
                                       .runs = t->measured.runs,
                                       .total = t->measured.total,
                                       .seconds = t->measured.seconds,
                                       .flops = t->flops,
                                       .read = t->bytes.read,
                                       .written = t->bytes.written,
                                       .in_place = t->bytes.in_place,
                                       .max_error = -1};
        CLV_TRY(clv_bench_report_add(b->report, &row));
    }
    return CLV_OK;
}

static enum clv_err measure_case(struct bench *b, const struct clv_check *check,
                                 const struct clv_check_case *c, const char *variant)
{
    const struct clv_check_options options = {
        .bench = true,
        .bench_repeat = b->params ? b->params->repeat : 0,
        .bench_seconds = b->params ? b->params->seconds : 0,
    };
    struct clv_check_result result;
    clv_bench_progress(b->params, "%s %s%s%s", check->op, c->name, variant ? ", " : "",
                       variant ? variant : "");
    CLV_TRY(clv_check_run(b->dev, check, c, variant, &options, &result));
    return add_times(b, check, c, variant, &result);
}

static enum clv_err measure_op(struct bench *b, const struct clv_check *check)
{
    static const struct clv_variant none[] = {{0}, {0}};
    const struct clv_op *op = clv_op_find(check->op);
    b->op = check->op;
    for (size_t i = 0; i < check->n_cases; i++) {
        const struct clv_check_case *c = &check->cases[i];
        if (!is_wanted(b, c))
            continue;
        /* Views have no variants: what is timed is what lies around them. */
        const struct clv_variant *v = op->variants ? op->variants : none;
        do {
            if (!takes_variant(b, v))
                continue;
            CLV_TRY(measure_case(b, check, c, v->name));
        } while (v->name && (++v)->name);
    }
    return CLV_OK;
}

enum clv_err clv_bench_cases(struct clv_device *dev, const struct clv_bench_cases *which,
                             const struct clv_bench_params *params, struct clv_bench_report *report)
{
    static const struct clv_bench_cases all;
    struct bench b = {.dev = dev, .which = which ? which : &all, .params = params, .report = report};
    CLV_TRY(clv_bench_cases_check(clv_device_context(dev), b.which));
    for (const struct clv_check *const *q = clv_checks; *q; q++)
        if (is_among(b.which, *q))
            CLV_TRY(measure_op(&b, *q));
    return CLV_OK;
}
