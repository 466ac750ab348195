/* What came back against the reference: values, gaps, gradients by central differences. */
#include "base/hash.h"
#include "base/rng.h"
#include "base/util.h"
#include "check/job.h"
#include "step/stored.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Work of one gradient check, in operations of the reference; below it every element is checked. */
static const double gradient_budget = 5e7;
enum { MIN_PROBES = 6, MAX_PROBES = 400, DIRECTIONS = 4 };

void clv_check_wrong(struct clv_check_job *job, const char *fmt, ...)
{
    struct clv_check_result *r = job->result;
    struct clv_str text = {0};
    char what[512];
    va_list args;
    va_start(args, fmt);
    clv_vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    clv_str_addf(&text, "%s: %s; repeat with op=%s case='%s' variant=%s seed=%llu", job->check->op,
                 what, job->check->op, job->c->name, job->variant ? job->variant : "-",
                 (unsigned long long)job->options.seed);
    r->status = CLV_CHECK_FAILED;
    snprintf(r->text, sizeof(r->text), "%s", text.text ? text.text : what);
    clv_str_finish(&text);
}

bool clv_check_close(struct clv_check_job *job, double got, double want, double atol, double rtol)
{
    const double error = fabs(got - want) / (atol + rtol * fabs(want));
    job->result->n_compared++;
    if (!(error <= job->result->max_error)) /* NaN too */
        job->result->max_error = isnan(error) ? INFINITY : error;
    return error <= 1;
}

static void place_text(const struct clv_check_array *a, int s, int64_t i, char text[96])
{
    const int c = a->shape.c, w = a->shape.w;
    if (a->t->n == 1 && a->samples == 1)
        snprintf(text, 96, "%s[%lld]", a->what, (long long)i);
    else
        snprintf(text, 96, "%s[sample %d, y %lld, x %lld, channel %lld]", a->what, s,
                 (long long)(i / c / w), (long long)(i / c % w), (long long)(i % c));
}

/* ---- 16-bit storage ---- */

/* What storing adds to the error of a correctly computed number (docs/precision.md): its own rounding, and
 * some of the numbers' root mean square, or of 1, where what it is computed of was stored on the way. */
enum { STORED_ON_THE_WAY = 4 };

static double stored_roundoff(const struct clv_check_job *job)
{
    return job->fusion[job->root->id].fp32 ? 0 : clv_stored_roundoff(job->options.activation);
}

/* Which of a window's stored numbers is the greatest may differ from which of the computed ones is: then a
 * gradient goes elsewhere, and both are right. */
static bool pools_stored(const struct clv_check_job *job)
{
    for (int i = 0; i < job->graph->n_nodes && stored_roundoff(job) > 0; i++) {
        const struct clv_node *node = job->graph->nodes[i];
        if (node->op->halves && !job->fusion[i].fused_into && !(node->in[0]->op->flags & CLV_OP_INPUT))
            return true;
    }
    return false;
}

/* ---- values ---- */

/* What the operands' rounding on matrix units adds, of the results' root mean square (docs/matrix-units.md). */
static double roundoff(const struct clv_check_job *job)
{
    static const double of_parts[] = {0, 1. / (1 << 6), 1. / (1 << 15)};
    return of_parts[job->options.matrix_parts];
}

static double root_mean_square(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)CLV_MAX(count, 1));
}

struct worst {
    double error, got, want;
    int sample;
    int64_t index;
    int64_t count;
};

static bool values_of(struct clv_check_job *job, const struct clv_check_array *a, double atol,
                      double rtol)
{
    const int64_t per_sample = clv_shape_count(a->shape);
    struct worst w = {0};
    if (roundoff(job) > 0)
        atol += roundoff(job) * root_mean_square(a->want, a->samples * per_sample);
    atol += STORED_ON_THE_WAY * stored_roundoff(job) * root_mean_square(a->want, a->samples * per_sample);
    rtol += stored_roundoff(job);
    for (int s = 0; s < a->samples; s++)
        for (int64_t i = 0; i < per_sample; i++) {
            const double got = (double)clv_check_got(a, s, i), want = a->want[s * per_sample + i];
            if (clv_check_close(job, got, want, atol, rtol))
                continue;
            const double error = isnan(got) ? INFINITY : fabs(got - want);
            if (!w.count++ || error > w.error)
                w = (struct worst){error, got, want, s, i, w.count};
        }
    if (!w.count)
        return true;
    char where[96];
    place_text(a, w.sample, w.index, where);
    clv_check_wrong(job, "%lld of %lld values are wrong, the worst: %s is %.9g instead of %.9g",
                    (long long)w.count, (long long)(a->samples * per_sample), where, w.got, w.want);
    return false;
}

/* The gaps between pixels belong to someone else; losses of absent samples are 0. */
static bool outside_of(struct clv_check_job *job, const struct clv_check_array *a)
{
    const struct clv_tensor *t = a->t;
    const int64_t pixels = t->n * t->h * t->w;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t i = t->c; i < t->pitch; i++) {
            if (isnan(clv_stored_get(t->dtype, a->got, p * t->pitch + i)))
                continue;
            clv_check_wrong(job, "%s: the gap behind pixel %lld was written", a->what,
                            (long long)p);
            return false;
        }
    for (int64_t s = a->samples; a->zero_tail && s < t->n; s++) {
        const float v = clv_check_got(a, (int)s, 0);
        if (v == 0)
            continue;
        clv_check_wrong(job, "%s of absent sample %lld is %g, not 0", a->what, (long long)s,
                        (double)v);
        return false;
    }
    return true;
}

static bool is_loose(const struct clv_check_job *job)
{
    const char *loose = job->check->loose;
    return loose && (!job->variant || !strcmp(job->variant, loose));
}

static double atol_of(const struct clv_check_job *job)
{
    const struct clv_check *q = job->check;
    if (job->c->atol > 0)
        return job->c->atol;
    return is_loose(job) ? q->loose_atol : q->atol > 0 ? q->atol : 1e-6;
}

bool clv_check_values(struct clv_check_job *job)
{
    const struct clv_check_case *c = job->c;
    const double atol = atol_of(job);
    const double rtol = c->rtol > 0 ? c->rtol : job->check->rtol > 0 ? job->check->rtol : 1e-5;
    clv_check_know_values(job);
    for (int k = 0; k < job->n_arrays; k++) {
        const struct clv_check_array *a = &job->array[k];
        if (a->got && !outside_of(job, a))
            return false;
        if (a->want && !values_of(job, a, atol, rtol))
            return false;
    }
    return true;
}

/* ---- gradients ---- */

static double reference_cost(const struct clv_check_job *job)
{
    double flops = 0;
    for (int i = 0; i < job->graph->n_nodes; i++) {
        const struct clv_node *node = job->graph->nodes[i];
        struct clv_cost cost = {0};
        if (node->op->cost)
            node->op->cost(node, CLV_PASS_FORWARD, &cost);
        flops += cost.flops + (double)clv_shape_count(node->shape);
    }
    return flops * job->n;
}

/* The device's gradient of element i, without what an earlier writer left. */
static double gradient_of(const struct clv_check_array *a, int64_t i)
{
    const int64_t per_sample = clv_shape_count(a->shape);
    const double got = (double)clv_check_got(a, (int)(i / per_sample), i % per_sample);
    return a->given ? got - (double)a->given[i] : got;
}

/* Central difference of the objective along a direction; false where the two sides disagree: a kink
 * of relu or max lies in between. */
static bool compute_difference(struct clv_check_job *job, double *x, const double *direction, int64_t first,
                               int64_t count, double h, double *ret)
{
    struct clv_reference *r = &job->reference;
    double side[3];
    double *kept = malloc((size_t)count * sizeof(*kept));
    if (!kept)
        return false;
    memcpy(kept, x + first, (size_t)count * sizeof(*kept));
    for (int k = 0; k < 3; k++) {
        for (int64_t i = 0; i < count; i++)
            x[first + i] = kept[i] + (k - 1) * h * (direction ? direction[i] : 1);
        side[k] = clv_reference_objective(r);
    }
    memcpy(x + first, kept, (size_t)count * sizeof(*kept));
    free(kept);
    const double low = (side[1] - side[0]) / h, high = (side[2] - side[1]) / h;
    *ret = (side[2] - side[0]) / (2 * h);
    return fabs(high - low) <= 1e-3 * (fabs(high) + fabs(low)) + 1e-5;
}

/* Of elements [first, first + count) of a's array, all of them along a direction that stream names; NULL: each by 1. */
static bool difference(struct clv_check_job *job, const struct clv_check_array *a, const double *direction,
                       uint64_t stream, int64_t first, int64_t count, double h, double *ret)
{
    const uint64_t place[] = {(uint64_t)(a - job->array), stream, (uint64_t)first, (uint64_t)count};
    const uint64_t key = clv_hash64(place, sizeof(place), 0);
    bool smooth;
    if (clv_check_recall(job, key, ret, &smooth))
        return smooth;
    smooth = compute_difference(job, a->source, direction, first, count, h, ret);
    clv_check_remember(job, key, *ret, smooth);
    return smooth;
}

struct tolerance {
    double atol, rtol;
};

static bool element(struct clv_check_job *job, const struct clv_check_array *a, int64_t i,
                    struct tolerance tol, int *kinks)
{
    double want;
    const double scale = fmax(1, fabs(a->source[i]));
    if (!difference(job, a, NULL, 0, i, 1, 1e-5 * scale, &want)) {
        ++*kinks;
        return true;
    }
    const double got = gradient_of(a, i);
    /* The earlier writer's number costs digits of the sum. */
    const double digits = 3e-7 + stored_roundoff(job);
    const double atol = tol.atol + (a->given ? digits * fabs((double)a->given[i]) : 0);
    if (clv_check_close(job, got, want, atol, tol.rtol))
        return true;
    char where[96];
    const int64_t per_sample = clv_shape_count(a->shape);
    place_text(a, (int)(i / per_sample), i % per_sample, where);
    clv_check_wrong(job, "gradient, %s%s: %.9g instead of %.9g", where,
                    job->accumulate ? " added to an earlier writer's" : "", got, want);
    return false;
}

/* One number for the whole array: catches what a sample of elements misses. */
static bool direction(struct clv_check_job *job, const struct clv_check_array *a, uint64_t stream,
                      struct tolerance tol, int *kinks)
{
    const int64_t count = a->samples * clv_shape_count(a->shape);
    struct clv_rng rng = clv_rng_init(job->options.seed, stream);
    double *d = malloc((size_t)count * sizeof(*d)), want = 0, got = 0, square = 0;
    if (!d)
        return true;
    for (int64_t i = 0; i < count; i++) {
        d[i] = clv_rng_u32(&rng) & 1 ? 1 : -1;
        const double g = gradient_of(a, i);
        got += g * d[i];
        square += g * g;
    }
    const bool smooth = difference(job, a, d, stream, 0, count, 1e-6, &want);
    free(d);
    *kinks += !smooth;
    const double allowed = 3 * (tol.atol * sqrt((double)count) + tol.rtol * sqrt(square)) +
                           (a->given ? (1e-6 + 3 * stored_roundoff(job)) * sqrt((double)count) : 0);
    if (!smooth && !isnan(got))
        return true;
    if (clv_check_close(job, got, want, allowed, tol.rtol))
        return true;
    clv_check_wrong(job, "gradient of %s%s along a random direction: %.9g instead of %.9g", a->what,
                    job->accumulate ? ", added to an earlier writer's," : "", got, want);
    return false;
}

/* tol with what the operands' rounding adds for this array. */
static struct tolerance rounded_tolerance(const struct clv_check_job *job, const struct clv_check_array *a,
                                          struct tolerance tol)
{
    const int64_t count = a->samples * clv_shape_count(a->shape);
    double sum = 0;
    for (int64_t i = 0; i < count && roundoff(job) > 0; i++)
        sum += gradient_of(a, i) * gradient_of(a, i);
    tol.atol += roundoff(job) * sqrt(sum / (double)CLV_MAX(count, 1));
    return tol;
}

static bool gradient_array(struct clv_check_job *job, const struct clv_check_array *a, double cost,
                           struct tolerance tol)
{
    const int64_t count = a->samples * clv_shape_count(a->shape);
    const double affordable = gradient_budget / (3 * cost);
    int kinks = 0;
    int64_t probes = affordable < MIN_PROBES ? MIN_PROBES : (int64_t)fmin(affordable, 1e9);
    if (probes >= count && count <= 20000)
        probes = count;
    else
        probes = CLV_MIN(CLV_MIN(probes, MAX_PROBES), count);
    struct clv_rng rng = clv_rng_init(job->options.seed, (uint64_t)count);
    for (int64_t k = 0; k < probes; k++) {
        const int64_t i = probes == count ? k : (int64_t)clv_rng_below(&rng, (uint32_t)count);
        if (!element(job, a, i, tol, &kinks))
            return false;
    }
    for (int k = 0; k < DIRECTIONS; k++)
        if (!direction(job, a, 77u + (unsigned)k, tol, &kinks))
            return false;
    if (kinks * 2 <= probes + DIRECTIONS)
        return true;
    clv_check_wrong(job, "gradient of %s: %d of %lld probes hit a kink; choose another fill",
                    a->what, kinks, (long long)(probes + DIRECTIONS));
    return false;
}

/* Ties: the op's own gradient says who of equal values gets it. */
static bool gradient_of_ties(struct clv_check_job *job, const struct clv_check_array *a,
                             struct tolerance tol)
{
    const int64_t per_sample = clv_shape_count(a->shape), count = a->samples * per_sample;
    double *want = calloc((size_t)count, sizeof(*want));
    const struct clv_check_ref r = {.node = job->tested, .n = job->n, .in = {a->source}};
    bool ok = true;
    if (want)
        job->check->gradient(&r, job->reference.root_grad, want);
    for (int64_t i = 0; want && i < count && ok; i++) {
        char where[96];
        ok = clv_check_close(job, gradient_of(a, i), want[i], tol.atol, tol.rtol);
        place_text(a, (int)(i / per_sample), i % per_sample, where);
        if (!ok)
            clv_check_wrong(job, "gradient, %s: %.9g instead of %.9g", where, gradient_of(a, i),
                            want[i]);
    }
    free(want);
    return ok;
}

/* tol with what 16-bit storage adds for this array. */
static struct tolerance stored_tolerance(const struct clv_check_job *job, const struct clv_check_array *a,
                                         struct tolerance tol)
{
    const double u = stored_roundoff(job);
    const int64_t count = a->samples * clv_shape_count(a->shape);
    double sum = 0;
    for (int64_t i = 0; i < count && u > 0; i++)
        sum += gradient_of(a, i) * gradient_of(a, i);
    tol.rtol += u;
    tol.atol += STORED_ON_THE_WAY * u * fmax(1, sqrt(sum / (double)CLV_MAX(count, 1)));
    return tol;
}

bool clv_check_gradients(struct clv_check_job *job)
{
    const double cost = reference_cost(job);
    const struct clv_check *q = job->check;
    const struct tolerance bound = {is_loose(job)        ? q->loose_grad_atol
                                  : q->grad_atol > 0 ? q->grad_atol
                                                     : 1e-5,
                                  q->grad_rtol > 0 ? q->grad_rtol : 1e-4};
    for (int k = 0; k < job->n_arrays && !pools_stored(job); k++) {
        const struct clv_check_array *a = &job->array[k];
        if (!a->got || a->want)
            continue;
        const struct tolerance tol = stored_tolerance(job, a, rounded_tolerance(job, a, bound));
        if (job->c->fill == CLV_CHECK_TIES) {
            if (q->gradient && !gradient_of_ties(job, a, tol))
                return false;
        } else if (!gradient_array(job, a, cost, tol)) {
            return false;
        }
    }
    return true;
}
