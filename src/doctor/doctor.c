/* All groups, and the bookkeeping of their rows. */
#include "doctor/doctor.h"

#include "base/str.h"
#include "base/util.h"
#include "check/check.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void clv_doctor_begin(struct clv_doctor *d, const char *group, const char *name, const char *variant)
{
    char what[160];
    d->begun = clv_now();
    if (!d->params->on_case)
        return;
    snprintf(what, sizeof what, "%s %s%s%s", group, name, *variant ? ", " : "", variant);
    d->params->on_case(d->params->priv, what);
}

void clv_doctor_end(struct clv_doctor *d, struct clv_doctor_row *row)
{
    struct clv_doctor_summary *s = d->summary;
    row->seconds = clv_now() - d->begun;
    s->passed += row->status == CLV_DOCTOR_PASSED;
    s->skipped += row->status == CLV_DOCTOR_SKIPPED;
    s->wrong += row->status == CLV_DOCTOR_WRONG;
    s->failed += row->status == CLV_DOCTOR_FAILED;
    s->error = CLV_MAX(s->error, row->error);
    if (d->params->on_row)
        d->params->on_row(d->params->priv, row);
}

enum clv_err clv_doctor_end_failed(struct clv_doctor *d, struct clv_doctor_row *row, enum clv_err e)
{
    if (e == CLV_ERR_NOMEM)
        return e;
    row->status = CLV_DOCTOR_FAILED;
    row->code = e;
    row->text = clv_device_error(d->dev)->text;
    clv_doctor_end(d, row);
    return CLV_OK;
}

/* ---- groups ---- */

static const struct {
    const char *name;
    enum clv_err (*run)(struct clv_doctor *d);
} others[] = {{"sample", clv_doctor_sample}, {"update", clv_doctor_update}};

static bool is_group(const char *name)
{
    for (size_t i = 0; i < CLV_COUNT(others); i++)
        if (!strcmp(name, others[i].name))
            return true;
    return clv_check_find(name) != NULL;
}

enum clv_err clv_doctor_group_check(struct clv_context *ctx, const char *group)
{
    struct clv_str known = {0};
    if (!group || is_group(group))
        return CLV_OK;
    for (const struct clv_check *const *q = clv_checks; *q; q++)
        clv_str_addf(&known, "%s, ", (*q)->op);
    const enum clv_err e = clv_fail(&ctx->err, CLV_ERR_ARG, "unknown group of kernels '%s'; known: %ssample, update",
                                    group, known.text ? known.text : "");
    clv_str_finish(&known);
    return e;
}

enum clv_err clv_doctor_run(struct clv_device *dev, const struct clv_doctor_params *params,
                            struct clv_doctor_summary *ret)
{
    static const struct clv_doctor_params defaults;
    struct clv_doctor d = {.dev = dev, .params = params ? params : &defaults, .summary = ret};
    const double begun = clv_now();
    *ret = (struct clv_doctor_summary){0};
    CLV_TRY(clv_doctor_group_check(clv_device_context(dev), d.params->group));
    enum clv_err e = clv_doctor_ops(&d);
    for (size_t i = 0; i < CLV_COUNT(others) && !e; i++)
        if (!d.params->group || !strcmp(d.params->group, others[i].name))
            e = others[i].run(&d);
    ret->seconds = clv_now() - begun;
    return e;
}
