/* Running a check: one case with one variant, or all of an op. */
#include "base/util.h"
#include "check/job.h"
#include "contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool clv_check_only_times(const struct clv_check_job *job)
{
    return job->options.bench && !job->options.compare_bench;
}

/* The same steps on the same numbers must give the same bits. */
static enum clv_err repeat_and_compare(struct clv_check_job *job)
{
    uint32_t *first[CLV_CHECK_MAX_ARRAYS] = {0};
    enum clv_err e = CLV_OK;
    for (int k = 0; k < job->n_arrays && !e; k++) {
        const struct clv_check_array *a = &job->array[k];
        if (!a->got)
            continue;
        const size_t bytes = (size_t)clv_tensor_bytes(a->t);
        first[k] = malloc(bytes);
        if (first[k])
            memcpy(first[k], a->got, bytes);
        else
            e = clv_fail_nomem(job->err, "a repeated check");
    }
    if (!e)
        e = clv_check_execute(job);
    for (int k = 0; k < job->n_arrays && !e; k++) {
        const struct clv_check_array *a = &job->array[k];
        if (first[k] && memcmp(first[k], a->got, (size_t)clv_tensor_bytes(a->t)) &&
            job->result->status != CLV_CHECK_FAILED)
            clv_check_wrong(job, "%s differs between two runs of the same steps", a->what);
    }
    for (int k = 0; k < job->n_arrays; k++)
        free(first[k]);
    return e;
}

static enum clv_err verify_guards(struct clv_check_job *job)
{
    const enum clv_err e = clv_separate_verify(job->dev, &job->separate);
    if (e != CLV_ERR_DATA)
        return e;
    clv_check_wrong(job, "%s", job->err->text);
    return CLV_OK;
}

static enum clv_err compare(struct clv_check_job *job)
{
    CLV_TRY(verify_guards(job));
    if (job->result->status == CLV_CHECK_FAILED || !clv_check_values(job))
        return CLV_OK;
    if (job->training && !clv_check_gradients(job))
        return CLV_OK;
    return job->options.once ? CLV_OK : repeat_and_compare(job);
}

static enum clv_err run_job(struct clv_check_job *job)
{
    CLV_TRY(clv_check_build(job));
    if (!clv_check_supports_any(job)) {
        job->result->status = CLV_CHECK_SKIPPED;
        snprintf(job->result->text, sizeof(job->result->text),
                 "variant %s does not run case '%s' on this device", job->variant, job->c->name);
        return CLV_OK;
    }
    CLV_TRY(clv_check_lower(job));
    CLV_TRY(clv_check_bind(job));
    CLV_TRY(clv_check_fill(job));
    CLV_TRY(clv_check_execute(job));
    if (!clv_check_only_times(job))
        CLV_TRY(compare(job));
    if (!job->options.bench || job->result->status == CLV_CHECK_FAILED)
        return CLV_OK;
    return clv_check_measure(job);
}

struct clv_check_job *clv_check_open(struct clv_device *dev, const struct clv_check *check,
                                     const struct clv_check_case *c, const char *variant,
                                     const struct clv_check_options *options, bool accumulate)
{
    struct clv_check_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->dev = dev;
    job->err = clv_device_error(dev);
    job->check = check;
    job->c = c;
    job->variant = variant;
    job->options = options ? *options : (struct clv_check_options){0};
    if (!job->options.seed)
        job->options.seed = 1;
    /* Who asks for the schedule allows it, at the precision that is nearest to float's. */
    if (!job->options.matrix_parts && variant && !strcmp(variant, clv_schedule_matrix.name))
        job->options.matrix_parts = 2;
    job->accumulate = accumulate;
    return job;
}

bool clv_check_again(const struct clv_check_job *job)
{
    return !job->accumulate && job->training && !job->options.bench && !job->options.once;
}

enum clv_err clv_check_run(struct clv_device *dev, const struct clv_check *check,
                           const struct clv_check_case *c, const char *variant,
                           const struct clv_check_options *options, struct clv_check_result *result)
{
    struct clv_check_options o = options ? *options : (struct clv_check_options){0};
    struct clv_check_known *own = NULL;
    enum clv_err e = CLV_OK;
    bool again = true;
    *result = (struct clv_check_result){.status = CLV_CHECK_PASSED};
    if (!o.known)
        o.known = own = clv_check_known_create();
    /* Twice: gradients overwrite what was there, then add to it. */
    for (int accumulate = 0; accumulate < 2 && again; accumulate++) {
        struct clv_check_job *job = clv_check_open(dev, check, c, variant, &o, accumulate);
        if (!job) {
            e = clv_fail_nomem(clv_device_error(dev), "a check");
            break;
        }
        job->result = result;
        e = run_job(job);
        again = !e && result->status == CLV_CHECK_PASSED && clv_check_again(job);
        clv_check_finish(job);
    }
    clv_check_known_destroy(&own);
    return e;
}

static bool selected(const struct clv_check_case *c, unsigned flags)
{
    return flags ? c->flags & flags : !(c->flags & CLV_CHECK_BENCH);
}

static bool wanted(const char *variant, const struct clv_check_options *o)
{
    if (o->without && variant && !strcmp(variant, o->without))
        return false;
    return !o->only || (variant && !strcmp(variant, o->only));
}

enum clv_err clv_check_sweep(struct clv_device *dev, const struct clv_check *check, unsigned flags,
                             const struct clv_check_options *options,
                             void (*report)(void *priv, const struct clv_check_case *c,
                                            const char *variant,
                                            const struct clv_check_result *result),
                             void *priv)
{
    static const struct clv_variant chosen[] = {{0}, {0}};
    const struct clv_op *op = clv_op_find(check->op);
    struct clv_check_options o = options ? *options : (struct clv_check_options){0};
    struct clv_check_known *own = NULL;
    struct clv_check_result result;
    enum clv_err e = CLV_OK;
    if (!o.known)
        o.known = own = clv_check_known_create();
    for (size_t i = 0; i < check->n_cases && !e; i++) {
        const struct clv_check_case *c = &check->cases[i];
        if (!selected(c, flags))
            continue;
        /* Views have no variants and are seen through their neighbours. */
        const struct clv_variant *v = op->variants ? op->variants : chosen;
        do {
            if (!wanted(v->name, &o))
                continue;
            e = clv_check_run(dev, check, c, v->name, &o, &result);
            if (!e)
                report(priv, c, v->name, &result);
        } while (!e && v->name && (++v)->name);
    }
    clv_check_known_destroy(&own);
    return e;
}
