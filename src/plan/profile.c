#include "plan/profile.h"

#include "base/spread.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

/* Every stride-th time of a step is kept; when the room is used up, every second of them goes. */
struct samples {
    double *value;
    int n, cap;
    uint64_t stride;
};

struct clv_profile_table {
    struct clv_arena arena;
    int n;
    struct clv_timing *row;
    struct samples *samples;
    struct clv_profile_row *collected;
};

/* Steps without a node: what comes before the first node fills the input, what comes later is the
 * optimizer's. */
static const char *pass_name(const struct clv_steps *steps, int i)
{
    const struct clv_step *s = &steps->step[i];
    if (s->node)
        return s->pass == CLV_PASS_FORWARD ? "forward" : "backward";
    for (int k = 0; k < i; k++)
        if (steps->step[k].node)
            return "update";
    return "input";
}

static bool fill_row(struct clv_profile_table *t, const struct clv_steps *steps, int i, int batch)
{
    const struct clv_step *s = &steps->step[i];
    struct clv_timing *row = &t->row[i];
    const struct clv_traffic bytes = clv_step_traffic(s);
    char params[256];
    clv_step_params(s, params, sizeof params);
    *row = (struct clv_timing){.pass = pass_name(steps, i), .note = "", .batch = batch, .flops = s->flops,
                               .read = bytes.read, .written = bytes.written, .in_place = bytes.in_place,
                               .max_error = -1};
    row->what = clv_arena_strdup(&t->arena, s->label);
    row->group = clv_arena_strdup(&t->arena, s->node ? s->node->name : "");
    row->variant = clv_arena_strdup(&t->arena, s->variant);
    row->params = clv_arena_strdup(&t->arena, params);
    t->samples[i].stride = 1;
    return row->what && row->group && row->variant && row->params;
}

enum clv_err clv_profile_table_create(const struct clv_steps *steps, int batch, struct clv_error *err,
                                      struct clv_profile_table **ret)
{
    struct clv_profile_table *t = calloc(1, sizeof *t);
    bool ok = t;
    if (ok) {
        const size_t n = (size_t)CLV_MAX(steps->n, 1);
        t->n = steps->n;
        t->row = calloc(n, sizeof *t->row);
        t->samples = calloc(n, sizeof *t->samples);
        t->collected = calloc(n, sizeof *t->collected);
        ok = t->row && t->samples && t->collected;
    }
    for (int i = 0; i < steps->n && ok; i++)
        ok = fill_row(t, steps, i, batch);
    if (!ok) {
        clv_profile_table_destroy(&t);
        return clv_fail_nomem(err, "a profile");
    }
    *ret = t;
    return CLV_OK;
}

void clv_profile_table_destroy(struct clv_profile_table **table)
{
    struct clv_profile_table *t = *table;
    if (!t)
        return;
    for (int i = 0; i < t->n && t->samples; i++)
        free(t->samples[i].value);
    clv_arena_finish(&t->arena);
    free(t->row);
    free(t->samples);
    free(t->collected);
    free(t);
    *table = NULL;
}

static bool keep(struct samples *s, double seconds)
{
    if (s->n == CLV_PROFILE_SAMPLES) {
        for (int i = 0; i < s->n / 2; i++)
            s->value[i] = s->value[2 * i];
        s->n /= 2;
        s->stride *= 2;
    }
    if (s->n == s->cap) {
        const int cap = CLV_MIN(s->cap ? 2 * s->cap : 16, CLV_PROFILE_SAMPLES);
        double *value = realloc(s->value, (size_t)cap * sizeof *value);
        if (!value)
            return false;
        s->value = value;
        s->cap = cap;
    }
    s->value[s->n++] = seconds;
    return true;
}

enum clv_err clv_profile_table_add(struct clv_profile_table *t, int step, double seconds,
                                   struct clv_error *err)
{
    if (step < 0 || step >= t->n)
        return clv_fail(err, CLV_ERR_ARG, "a profile of %d steps has no step %d", t->n, step);
    struct clv_timing *row = &t->row[step];
    struct samples *s = &t->samples[step];
    row->total += seconds;
    if (row->runs++ % s->stride == 0 && !keep(s, seconds))
        return clv_fail_nomem(err, "a profile");
    return CLV_OK;
}

enum clv_err clv_profile_table_collect(struct clv_profile_table *t, struct clv_device *dev)
{
    struct clv_error *err = clv_device_error(dev);
    CLV_TRY(clv_profile_collect(dev, t->collected, (size_t)t->n));
    clv_profile_reset(dev);
    for (int i = 0; i < t->n; i++) {
        const struct clv_profile_row *c = &t->collected[i];
        for (uint64_t k = 0; k < c->count; k++)
            CLV_TRY(clv_profile_table_add(t, i, c->seconds / (double)c->count, err));
    }
    return CLV_OK;
}

const struct clv_timing *clv_profile_table_rows(struct clv_profile_table *t, int *n)
{
    double sorted[CLV_PROFILE_SAMPLES];
    for (int i = 0; i < t->n; i++) {
        const struct samples *s = &t->samples[i];
        if (s->n) /* a copy: the kept ones stay in order of time */
            memcpy(sorted, s->value, (size_t)s->n * sizeof *sorted);
        t->row[i].seconds = clv_spread_of(sorted, s->n, false);
    }
    *n = t->n;
    return t->row;
}
