/* Reports of time as text, JSON and CSV. */
#include <clavicle/profile.h>

#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What follows from a line; NaN where something is not known. */
struct derived {
    double gflops, gbytes, fraction, spread;
    enum clv_bound bound;
};

static struct derived derive(const struct clv_timing *r, const struct clv_ceilings *ceilings)
{
    const double s = r->seconds.n ? r->seconds.median : 0, bytes = r->read + r->written;
    struct derived d = {NAN, NAN, NAN, NAN, CLV_BOUND_NONE};
    if (s <= 0)
        return d;
    if (r->flops > 0)
        d.gflops = r->flops / s * 1e-9;
    if (bytes > 0)
        d.gbytes = bytes / s * 1e-9;
    d.spread = (r->seconds.high - r->seconds.low) / s;
    if (ceilings) {
        const double floor = clv_timing_floor(r, ceilings, &d.bound);
        d.fraction = floor > 0 ? floor / s : NAN;
    }
    return d;
}

/* ---- table ---- */

/* Columns whose width depends on what is in them. */
struct widths {
    int what, variant;
    bool error, baseline;
};

static struct widths measure(const struct clv_timing *rows, size_t n)
{
    struct widths w = {.what = 4, .variant = 7};
    for (size_t i = 0; i < n; i++) {
        w.what = CLV_MAX(w.what, (int)strlen(rows[i].what));
        w.variant = CLV_MAX(w.variant, (int)strlen(rows[i].variant));
        w.error = w.error || rows[i].max_error >= 0;
        w.baseline = w.baseline || rows[i].baseline > 0;
    }
    return w;
}

static void add_number(struct clv_str *out, int width, int digits, double v, const char *unit)
{
    if (isfinite(v))
        clv_str_addf(out, "  %*.*f%s", width - (int)strlen(unit), digits, v, unit);
    else
        clv_str_addf(out, "  %*s", width, "-");
}

static void add_line(struct clv_str *out, const struct clv_timing *r, const struct widths *w,
                     const struct clv_ceilings *ceilings, double all)
{
    const struct derived d = derive(r, ceilings);
    clv_str_addf(out, "%-*s  %-*s", w->what, r->what, w->variant, r->variant);
    clv_str_addf(out, "  %6llu", (unsigned long long)r->runs);
    add_number(out, 10, 4, r->seconds.n ? r->seconds.median * 1e3 : NAN, "");
    add_number(out, 6, 1, d.spread * 100, "%");
    add_number(out, 6, 1, all > 0 ? 100 * r->total / all : NAN, "%");
    add_number(out, 8, 1, d.gflops, "");
    add_number(out, 7, 2, d.gbytes, "");
    if (ceilings) {
        add_number(out, 7, 1, d.fraction * 100, "%");
        clv_str_addf(out, "  %-7s", clv_bound_name(d.bound));
    }
    if (w->error)
        add_number(out, 6, 3, r->max_error >= 0 ? r->max_error : NAN, "");
    if (w->baseline)
        add_number(out, 8, 3, r->baseline > 0 ? r->seconds.median / r->baseline : NAN, "");
    clv_str_addf(out, "  %s%s%s%s\n", r->params, r->slower ? "  SLOWER" : "", *r->note ? "  " : "",
                 r->note);
}

char *clv_timings_text(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings)
{
    struct clv_str out = {0};
    const struct widths w = measure(rows, n);
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += rows[i].total;
    clv_str_addf(&out, "%-*s  %-*s  %6s  %10s  %6s", w.what, "what", w.variant, "variant", "runs",
                 "median ms", "spread");
    clv_str_addf(&out, "  %6s  %8s  %7s", "share", "GFLOP/s", "GB/s");
    if (ceilings)
        clv_str_addf(&out, "  %7s  %-7s", "ceiling", "bound");
    clv_str_addf(&out, "%s%s  parameters\n", w.error ? "   error" : "",
                 w.baseline ? "  baseline" : "");
    for (size_t i = 0; i < n; i++)
        add_line(&out, &rows[i], &w, ceilings, all);
    return clv_str_take(&out);
}

/* ---- one line as names and values, for JSON and CSV ---- */

static bool set_numbers(json_t *o, const struct clv_timing *r, const struct clv_ceilings *ceilings)
{
    const struct derived d = derive(r, ceilings);
    const bool timed = r->seconds.n > 0;
    const struct {
        const char *key;
        double value;
    } number[] = {{"total_s", r->total},
                  {"median_s", timed ? r->seconds.median : NAN},
                  {"low_s", timed ? r->seconds.low : NAN},
                  {"high_s", timed ? r->seconds.high : NAN},
                  {"best_s", timed ? r->seconds.best : NAN},
                  {"flops", r->flops},
                  {"bytes_read", r->read},
                  {"bytes_written", r->written},
                  {"memory_s", r->memory > 0 ? r->memory : NAN},
                  {"gflops", d.gflops},
                  {"gbytes_per_s", d.gbytes},
                  {"ceiling_fraction", d.fraction}};
    bool ok = true;
    for (size_t i = 0; i < CLV_COUNT(number); i++)
        ok = clv_json_set_double(o, number[i].key, number[i].value) && ok;
    return clv_json_set(o, "bound", d.bound ? json_string(clv_bound_name(d.bound)) : json_null()) && ok;
}

static json_t *row_json(const struct clv_timing *r, const struct clv_ceilings *ceilings)
{
    const struct {
        const char *key, *value;
    } text[] = {{"what", r->what},       {"group", r->group},   {"pass", r->pass},
                {"variant", r->variant}, {"params", r->params}, {"note", r->note}};
    json_t *o = json_object();
    bool ok = o;
    for (size_t i = 0; i < CLV_COUNT(text) && ok; i++)
        ok = clv_json_set(o, text[i].key, json_string(text[i].value));
    ok = ok && clv_json_set(o, "batch", json_integer(r->batch)) && clv_json_set_u64(o, "runs", r->runs) &&
         set_numbers(o, r, ceilings) &&
         clv_json_set_double(o, "max_error", r->max_error >= 0 ? r->max_error : NAN) &&
         clv_json_set_double(o, "baseline_s", r->baseline > 0 ? r->baseline : NAN) &&
         clv_json_set(o, "slower", json_boolean(r->slower));
    if (!ok)
        json_decref(o);
    return ok ? o : NULL;
}

char *clv_timings_json(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings)
{
    json_t *list = json_array();
    bool ok = list;
    for (size_t i = 0; i < n && ok; i++)
        ok = !json_array_append_new(list, row_json(&rows[i], ceilings));
    char *text = ok ? clv_json_dump(list) : NULL;
    json_decref(list);
    return text;
}

static void add_field(struct clv_str *out, const json_t *v)
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        clv_str_add(out, "\"");
        for (; *s; s++)
            clv_str_addf(out, *s == '"' ? "\"%c" : "%c", *s);
        clv_str_add(out, "\"");
    } else if (json_is_boolean(v)) {
        clv_str_add(out, json_is_true(v) ? "1" : "0");
    } else if (json_is_number(v)) {
        clv_str_add_double(out, json_number_value(v));
    }
}

char *clv_timings_csv(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings)
{
    static const struct clv_timing none = {.what = "", .group = "", .pass = "", .variant = "",
                                           .params = "", .note = ""};
    struct clv_str out = {0};
    for (size_t i = 0; i <= n; i++) { /* line 0 is the names */
        json_t *o = row_json(i ? &rows[i - 1] : &none, ceilings);
        out.failed = out.failed || !o;
        for (void *it = o ? json_object_iter(o) : NULL; it;) {
            if (i)
                add_field(&out, json_object_iter_value(it));
            else
                clv_str_add(&out, json_object_iter_key(it));
            it = json_object_iter_next(o, it);
            clv_str_add(&out, it ? "," : "\n");
        }
        json_decref(o);
    }
    return clv_str_take(&out);
}
