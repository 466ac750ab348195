/* Who is better, and the table. */
#include "sweep/sweep.h"

#include "base/util.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- ranking ---- */

/* < 0: a before b. NaN is worse than every number; equals keep their order. */
static int compare_values(const struct clv_sweep *s, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    if (a < b)
        return s->rises ? 1 : -1;
    return a > b ? (s->rises ? -1 : 1) : 0;
}

static double last_value(const struct clv_sweep_entry *m)
{
    return m->rungs ? m->value[m->rungs - 1] : NAN;
}

static int compare_entries(const struct clv_sweep *s, const struct clv_sweep_entry *a, const struct clv_sweep_entry *b)
{
    if (!a->failed != !b->failed)
        return a->failed ? 1 : -1;
    if (a->rungs != b->rungs)
        return b->rungs - a->rungs;
    return compare_values(s, last_value(a), last_value(b));
}

/* Insertion keeps equals in order, and a comparison with a context needs no global one. */
static void insert(int *place, int n, int i, int at)
{
    memmove(place + at + 1, place + at, (size_t)(n - at) * sizeof *place);
    place[at] = i;
}

int clv_sweep_best(const struct clv_sweep *s, int rung, int count, int *place)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        const struct clv_sweep_entry *m = &s->entry[i];
        int at = n;
        if (m->rungs <= rung)
            continue;
        while (at > 0 && compare_values(s, m->value[rung], s->entry[place[at - 1]].value[rung]) < 0)
            at--;
        insert(place, n++, i, at);
    }
    return CLV_MIN(n, count);
}

void clv_sweep_rank(const struct clv_sweep *s, int *place)
{
    for (int i = 0; i < s->n; i++) {
        int at = i;
        while (at > 0 && compare_entries(s, &s->entry[i], &s->entry[place[at - 1]]) < 0)
            at--;
        insert(place, i, i, at);
    }
}

/* ---- results ---- */

static json_t *settings_json(const struct clv_sweep *s, const struct clv_sweep_entry *m)
{
    json_t *o = json_object();
    for (int k = 0; o && k < s->space.n; k++)
        if (!clv_json_set(o, m->settings[k].name, json_string(m->settings[k].value))) {
            json_decref(o);
            return NULL;
        }
    return o;
}

static json_t *member_json(const struct clv_sweep *s, const struct clv_sweep_entry *m, int rank)
{
    json_t *o = json_object(), *values = json_array();
    bool ok = true;
    for (int k = 0; k < m->rungs; k++)
        ok = !json_array_append_new(values, clv_json_double(m->value[k])) && ok;
    ok = clv_json_set(o, "rank", m->failed ? json_null() : json_integer(rank)) && ok;
    ok = clv_json_set(o, "name", json_string(m->name)) && ok;
    ok = clv_json_set(o, "settings", settings_json(s, m)) && ok;
    ok = clv_json_set(o, "epochs", json_integer(m->epochs)) && ok;
    ok = clv_json_set(o, "best_epoch", m->best_epoch ? json_integer(m->best_epoch) : json_null()) && ok;
    ok = clv_json_set_double(o, "value", m->failed ? NAN : last_value(m)) && ok;
    ok = clv_json_set(o, "values", values) && ok;
    ok = clv_json_set(o, "failure", m->failure ? json_string(m->failure) : json_null()) && ok;
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

json_t *clv_sweep_results(const struct clv_sweep *s, const int *place)
{
    json_t *o = json_object(), *members = json_array(), *rungs = json_array();
    bool ok = true;
    for (int i = 0; i < s->n; i++)
        ok = !json_array_append_new(members, member_json(s, &s->entry[place[i]], i + 1)) && ok;
    for (int k = 0; k < s->n_rungs && s->method == CLV_SWEEP_HALVING; k++)
        ok = !json_array_append_new(rungs, json_pack("{s:i, s:i}", "members", s->rung[k].members, "epochs", s->rung[k].epochs)) && ok;
    ok = clv_json_set(o, "method", json_string(s->method == CLV_SWEEP_HALVING ? "halving" : "random")) && ok;
    ok = clv_json_set(o, "trials", json_integer(s->n)) && ok;
    ok = clv_json_set(o, "seed", json_integer((json_int_t)s->seed)) && ok;
    ok = clv_json_set(o, "monitor", json_string(s->monitor)) && ok;
    ok = clv_json_set(o, "rungs", rungs) && ok;
    ok = clv_json_set(o, "members", members) && ok;
    ok = clv_json_set(o, "winner", s->winner < 0 ? json_null() : json_string(s->entry[s->winner].name)) && ok;
    ok = clv_json_set(o, "test", s->test ? json_incref(s->test) : json_null()) && ok;
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

/* ---- the table ---- */

static void cell(struct clv_str *out, int width, const char *text)
{
    clv_str_addf(out, "  %-*s", width, text);
}

static int width_of(const struct clv_sweep *s, int k)
{
    size_t width = strlen(s->space.range[k].name);
    for (int i = 0; i < s->n; i++)
        width = CLV_MAX(width, strlen(s->entry[i].settings[k].value));
    return (int)width;
}

static void print_head(const struct clv_sweep *s, struct clv_str *out)
{
    clv_str_addf(out, "%4s  %-11s%8s%12s%14s", "rank", "member", "epochs", "best epoch", s->monitor);
    for (int k = 0; k < s->space.n; k++)
        cell(out, width_of(s, k), s->space.range[k].name);
    while (out->len && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
    clv_str_add(out, "\n");
}

static void print_test(const struct clv_sweep *s, struct clv_str *out)
{
    static const char *const keys[] = {"accuracy", "auc", "f1_macro", "loss"};
    clv_str_addf(out, "%s on the test split:", s->entry[s->winner].name);
    for (size_t i = 0; i < CLV_COUNT(keys); i++) {
        clv_str_addf(out, "%s %s", i ? "," : "", keys[i]);
        clv_table_number(out, 7, json_object_get(s->test, keys[i]));
    }
    clv_str_add(out, "\n");
}

void clv_sweep_print(const struct clv_sweep *s, const int *place, struct clv_str *out)
{
    print_head(s, out);
    for (int i = 0; i < s->n; i++) {
        const struct clv_sweep_entry *m = &s->entry[place[i]];
        char rank[16] = "-", epoch[16] = "-";
        if (!m->failed)
            snprintf(rank, sizeof rank, "%d", i + 1);
        if (m->best_epoch)
            snprintf(epoch, sizeof epoch, "%d", m->best_epoch);
        clv_str_addf(out, "%4s  %-11s%8d%12s", rank, m->name, m->epochs, epoch);
        if (m->failed || isnan(last_value(m)))
            clv_str_addf(out, "%14s", "-");
        else
            clv_str_addf(out, "%14.6f", last_value(m));
        for (int k = 0; k < s->space.n; k++)
            cell(out, width_of(s, k), m->settings[k].value);
        while (out->len && out->text[out->len - 1] == ' ')
            out->text[--out->len] = '\0';
        clv_str_addf(out, "%s%s\n", m->failed ? "  failed: " : "", m->failed ? m->failure : "");
    }
    if (s->winner >= 0 && s->test)
        print_test(s, out);
}
