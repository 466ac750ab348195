/* sweep.json: what a search is and how far it came. Settings are drawn again from the ranges and the seed. */
#include "sweep/sweep.h"

#include "base/file.h"
#include "base/util.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {[CLV_SWEEP_RANDOM] = "random", [CLV_SWEEP_HALVING] = "halving"};

/* ---- writing ---- */

static json_t *entry_json(const struct clv_sweep_entry *m)
{
    json_t *o = json_object(), *values = json_array();
    bool ok = true;
    for (int k = 0; k < m->rungs; k++)
        ok = !json_array_append_new(values, clv_json_double(m->value[k])) && ok;
    ok = clv_json_set(o, "name", json_string(m->name)) && ok;
    ok = clv_json_set(o, "values", values) && ok;
    ok = clv_json_set(o, "epochs", json_integer(m->epochs)) && ok;
    ok = clv_json_set(o, "best_epoch", json_integer(m->best_epoch)) && ok;
    ok = clv_json_set(o, "failed", json_integer(m->failed)) && ok;
    ok = clv_json_set(o, "failure", m->failure ? json_string(m->failure) : json_null()) && ok;
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

static bool fill(const struct clv_sweep *s, json_t *o)
{
    json_t *arguments = json_array(), *members = json_array();
    bool ok = true;
    for (size_t i = 0; i < s->n_arguments; i++)
        ok = !json_array_append_new(arguments, json_string(s->arguments[i])) && ok;
    for (int i = 0; i < s->n; i++)
        ok = !json_array_append_new(members, entry_json(&s->entry[i])) && ok;
    ok = clv_json_set(o, "clavicle", json_string(clv_version())) && ok;
    ok = clv_json_set(o, "ranges_name", json_string(s->space_name)) && ok;
    ok = clv_json_set(o, "ranges", json_string(s->space_text)) && ok;
    ok = clv_json_set(o, "method", json_string(methods[s->method])) && ok;
    ok = clv_json_set(o, "trials", json_integer(s->n)) && ok;
    ok = clv_json_set(o, "eta", json_integer(s->eta)) && ok;
    ok = clv_json_set_u64(o, "seed", s->seed) && ok;
    ok = clv_json_set(o, "arguments", arguments) && ok;
    ok = clv_json_set(o, "monitor", json_string(s->monitor)) && ok;
    ok = clv_json_set(o, "epochs", json_integer(s->epochs)) && ok;
    ok = clv_json_set(o, "fingerprint", json_string(s->fingerprint)) && ok;
    ok = clv_json_set_u64(o, "test_images", s->test_images) && ok;
    ok = clv_json_set(o, "members", members) && ok;
    return clv_json_set(o, "test", s->test ? json_incref(s->test) : json_null()) && ok;
}

enum clv_err clv_sweep_write(const struct clv_sweep *s)
{
    json_t *o = json_object();
    const enum clv_err e = fill(s, o) ? clv_json_write(s->file, o, &s->ctx->err)
                                      : clv_fail(&s->ctx->err, CLV_ERR_ARG,
                                                 "%s cannot be written: a text is not UTF-8, or memory is out", s->file);
    json_decref(o);
    return e;
}

/* ---- reading ---- */

static enum clv_err take_int(const json_t *o, const char *key, long long low, long long high, int *ret, struct clv_error *err)
{
    long long v = 0;
    CLV_TRY(clv_json_get_int(o, key, &v, err));
    if (v < low || v > high)
        return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is not in %lld..%lld", key, low, high);
    *ret = (int)v;
    return CLV_OK;
}

static enum clv_err take_text(const json_t *o, const char *key, char **ret, struct clv_error *err)
{
    const char *text = NULL;
    CLV_TRY(clv_json_get_string(o, key, &text, err));
    *ret = clv_strdupf("%s", text);
    return *ret ? CLV_OK : clv_fail_nomem(err, key);
}

static enum clv_err take_entry(const json_t *o, struct clv_sweep_entry *m, struct clv_error *err)
{
    json_t *values = NULL;
    int failed = 0;
    CLV_TRY(clv_json_get_array(o, "values", &values, err));
    CLV_TRY(take_int(o, "epochs", 0, INT_MAX, &m->epochs, err));
    CLV_TRY(take_int(o, "best_epoch", 0, INT_MAX, &m->best_epoch, err));
    CLV_TRY(take_int(o, "failed", CLV_ERR_BASE_, 0, &failed, err));
    m->failed = (enum clv_err)failed;
    if (m->failed)
        CLV_TRY(take_text(o, "failure", &m->failure, err));
    if (json_array_size(values) > CLV_MAX_RUNGS)
        return clv_fail(err, CLV_ERR_DATA, "member \"values\" is too long");
    for (; m->rungs < (int)json_array_size(values); m->rungs++) {
        const json_t *v = json_array_get(values, (size_t)m->rungs);
        m->value[m->rungs] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    return CLV_OK;
}

static enum clv_err take_arguments(struct clv_sweep *s, const json_t *o)
{
    json_t *list = NULL;
    CLV_TRY(clv_json_get_array(o, "arguments", &list, &s->ctx->err));
    s->arguments = calloc(json_array_size(list) + 1, sizeof *s->arguments);
    if (!s->arguments)
        return clv_fail_nomem(&s->ctx->err, "the arguments");
    for (; s->n_arguments < json_array_size(list); s->n_arguments++) {
        const char *text = json_string_value(json_array_get(list, s->n_arguments));
        char *copy = text ? clv_strdupf("%s", text) : NULL;
        if (!copy)
            return clv_fail(&s->ctx->err, CLV_ERR_DATA, "member \"arguments\" holds what is no string");
        s->arguments[s->n_arguments] = copy;
    }
    return CLV_OK;
}

static enum clv_err take_all(struct clv_sweep *s, const json_t *o, json_t **members)
{
    struct clv_error *err = &s->ctx->err;
    const char *version = NULL, *method = NULL, *monitor = NULL, *fingerprint = NULL;
    uint64_t images = 0;
    CLV_TRY(clv_json_get_string(o, "clavicle", &version, err));
    if (strcmp(version, clv_version()) != 0)
        return clv_fail(err, CLV_ERR_MISMATCH, "was begun by Clavicle %s and this is %s; a search goes on with the version that began it",
                        version, clv_version());
    CLV_TRY(take_text(o, "ranges_name", &s->space_name, err));
    CLV_TRY(take_text(o, "ranges", &s->space_text, err));
    CLV_TRY(clv_json_get_string(o, "method", &method, err));
    s->method = strcmp(method, methods[CLV_SWEEP_HALVING]) ? CLV_SWEEP_RANDOM : CLV_SWEEP_HALVING;
    CLV_TRY(take_int(o, "trials", 1, CLV_MAX_SWEEP, &s->n, err));
    CLV_TRY(take_int(o, "eta", 2, 100, &s->eta, err));
    CLV_TRY(take_int(o, "epochs", 1, INT_MAX, &s->epochs, err));
    CLV_TRY(clv_json_get_u64(o, "seed", &s->seed, err));
    CLV_TRY(clv_json_get_u64(o, "test_images", &images, err));
    CLV_TRY(clv_json_get_string(o, "monitor", &monitor, err));
    CLV_TRY(clv_json_get_string(o, "fingerprint", &fingerprint, err));
    CLV_TRY(take_arguments(s, o));
    snprintf(s->monitor, sizeof s->monitor, "%s", monitor);
    snprintf(s->fingerprint, sizeof s->fingerprint, "%s", fingerprint);
    s->test_images = (size_t)images;
    if (json_is_object(json_object_get(o, "test")))
        s->test = json_incref(json_object_get(o, "test"));
    CLV_TRY(clv_json_get_array(o, "members", members, err));
    if (json_array_size(*members) != (size_t)s->n)
        return clv_fail(err, CLV_ERR_DATA, "has %zu members, not %d", json_array_size(*members), s->n);
    s->entry = calloc((size_t)s->n, sizeof *s->entry);
    if (!s->entry)
        return clv_fail_nomem(err, "the members");
    for (int i = 0; i < s->n; i++)
        CLV_TRY(take_entry(json_array_get(*members, (size_t)i), &s->entry[i], err));
    return CLV_OK;
}

enum clv_err clv_sweep_read(struct clv_sweep *s)
{
    json_t *o = NULL, *members = NULL;
    if (!clv_file_exists(s->file))
        return clv_fail(&s->ctx->err, CLV_ERR_IO, "%s: no such file; the folder holds no search", s->file);
    CLV_TRY(clv_json_load(s->file, &o, &s->ctx->err));
    const enum clv_err e = take_all(s, o, &members);
    if (e)
        clv_fail_prefix(&s->ctx->err, "%s", s->file);
    json_decref(o);
    return e;
}
