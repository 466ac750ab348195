/* The ops' tables of cases (src/ops/NAME_check.c), variant by variant. An error ends its case only: one kernel that
 * a driver cannot build says nothing about the others. */
#include "base/util.h"
#include "check/check.h"
#include "doctor/doctor.h"
#include "step/emit.h"
#include <stdio.h>
#include <string.h>

static enum clv_err run_case(struct clv_doctor *d, const struct clv_check *check, const struct clv_check_case *c,
                             const char *variant, const struct clv_check_options *options)
{
    struct clv_check_result result;
    char name[40];
    snprintf(name, sizeof name, options->winograd > 0 ? "%s %d" : "%s", variant ? variant : "", options->winograd);
    struct clv_doctor_row row = {.group = check->op, .name = c->name, .variant = name, .text = ""};
    clv_doctor_begin(d, check->op, c->name, name);
    const enum clv_err e = clv_check_run(d->dev, check, c, variant, options, &result);
    if (e)
        return clv_doctor_end_failed(d, &row, e);
    row.status = result.status == CLV_CHECK_PASSED    ? CLV_DOCTOR_PASSED
                 : result.status == CLV_CHECK_SKIPPED ? CLV_DOCTOR_SKIPPED
                                                      : CLV_DOCTOR_WRONG;
    row.error = result.max_error;
    row.compared = result.n_compared;
    row.text = row.status == CLV_DOCTOR_PASSED ? "" : result.text;
    clv_doctor_end(d, &row);
    return CLV_OK;
}

static bool skips_clblast(const struct clv_doctor *d, const char *variant)
{
    return variant && !strcmp(variant, "clblast") && !d->params->clblast && !clv_device_caps(d->dev)->gpu_path;
}

static void skip_clblast(struct clv_doctor *d, const struct clv_check *check, const struct clv_check_case *c)
{
    struct clv_doctor_row row = {.group = check->op, .name = c->name, .variant = "clblast",
                                 .status = CLV_DOCTOR_SKIPPED,
                                 .text = "its kernels take a minute to build on a CPU; nothing chooses them there unasked"};
    clv_doctor_begin(d, check->op, c->name, "clblast");
    clv_doctor_end(d, &row);
}

/* What becomes of a case with a variant. Nothing is run while there is a list of kernels: they are added to it. */
static enum clv_err take_case(struct clv_doctor *d, const struct clv_check *check, const struct clv_check_case *c,
                              const char *variant, int winograd)
{
    const struct clv_check_options options = {.winograd = winograd, .known = d->known};
    if (!d->kernels)
        return run_case(d, check, c, variant, &options);
    clv_check_kernels_add(d->kernels, d->dev, check, c, variant, &options);
    return CLV_OK;
}

static enum clv_err take_variant(struct clv_doctor *d, const struct clv_check *check, const struct clv_check_case *c,
                                 const char *variant)
{
    static const int tiles[] = {2, 4};
    if (skips_clblast(d, variant)) {
        if (!d->kernels)
            skip_clblast(d, check, c);
        return CLV_OK;
    }
    if (!variant || strcmp(variant, "winograd"))
        return take_case(d, check, c, variant, 0);
    /* The programs of both tiles differ in a number, and take longer to build than any others: the small tile has
     * the small cases. The op's own test has all of them. */
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        if (tiles[i] > 2 || c->flags & CLV_CHECK_SMALL)
            CLV_TRY(take_case(d, check, c, variant, tiles[i]));
    return CLV_OK;
}

static enum clv_err take_op(struct clv_doctor *d, const struct clv_check *check)
{
    static const struct clv_variant none[] = {{0}, {0}};
    const struct clv_op *op = clv_op_find(check->op);
    for (size_t i = 0; i < check->n_cases; i++) {
        if (check->cases[i].flags & CLV_CHECK_BENCH)
            continue;
        /* Views have no variants and are seen through their neighbours. */
        const struct clv_variant *v = op->variants ? op->variants : none;
        do
            CLV_TRY(take_variant(d, check, &check->cases[i], v->name));
        while (v->name && (++v)->name);
    }
    return CLV_OK;
}

static enum clv_err take_all(struct clv_doctor *d)
{
    for (const struct clv_check *const *q = clv_checks; *q; q++)
        if (!d->params->group || !strcmp(d->params->group, (*q)->op))
            CLV_TRY(take_op(d, *q));
    return CLV_OK;
}

static bool on_build(void *priv, const char *what)
{
    const struct clv_doctor *d = priv;
    if (d->params->on_case)
        d->params->on_case(d->params->priv, what);
    return false;
}

enum clv_err clv_doctor_ops(struct clv_doctor *d)
{
    struct clv_check_kernels kernels = {0};
    d->kernels = &kernels;
    enum clv_err e = take_all(d);
    d->kernels = NULL;
    const struct clv_on_build before = clv_device_on_build(d->dev, on_build, d);
    clv_check_kernels_build(&kernels, d->dev);
    (void)clv_device_on_build(d->dev, before.fn, before.priv);
    d->known = clv_check_known_create();
    if (!e)
        e = take_all(d);
    clv_check_known_destroy(&d->known);
    return e;
}
