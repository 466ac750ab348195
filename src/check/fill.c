/* The numbers of a check. Every array has its own random stream, keyed by seed, case and name. */
#include "base/hash.h"
#include "base/rng.h"
#include "base/util.h"
#include "check/job.h"
#include "step/stored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t stream_of(const struct clv_check_job *job, const char *what)
{
    uint64_t h = clv_hash64(job->check->op, strlen(job->check->op), 0);
    h = clv_hash64(job->c->name, strlen(job->c->name), h);
    return clv_hash64(what, strlen(what), h);
}

static void fill_normal(struct clv_rng *rng, float *x, int64_t count, double deviation)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(deviation * clv_rng_normal(rng));
}

/* Where nothing is compared the same numbers may come again: drawing 50 million would take longer than
 * what is timed. */
static void fill_repeating(struct clv_rng *rng, float *x, int64_t count, double deviation)
{
    const int64_t period = CLV_MIN(count, 65521);
    fill_normal(rng, x, period, deviation);
    for (int64_t at = period; at < count; at += period)
        memcpy(x + at, x, (size_t)CLV_MIN(period, count - at) * sizeof(*x));
}

/* Equally spaced in -2..2, shuffled, 0 left out: the smallest distance is far above a gradient's
 * step for up to some 100,000 numbers. */
static enum clv_err fill_distinct(struct clv_check_job *job, struct clv_rng *rng, float *x,
                                  int64_t count)
{
    uint32_t *order = malloc((size_t)count * sizeof(*order));
    if (!order)
        return clv_fail_nomem(job->err, "a shuffle");
    for (int64_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    clv_rng_shuffle(rng, order, (uint32_t)count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(4 * (order[i] + 0.25) / (double)count - 2);
    free(order);
    return CLV_OK;
}

static enum clv_err fill_input(struct clv_check_job *job, struct clv_rng *rng, float *x,
                               int64_t count)
{
    switch (job->c->fill) {
    case CLV_CHECK_NORMAL:
        fill_normal(rng, x, count, 1);
        break;
    case CLV_CHECK_DISTINCT:
        return fill_distinct(job, rng, x, count);
    case CLV_CHECK_TIES:
        for (int64_t i = 0; i < count; i++)
            x[i] = (float)clv_rng_below(rng, 3) - 1.0f;
        break;
    case CLV_CHECK_LARGE:
        fill_normal(rng, x, count, 30);
        break;
    case CLV_CHECK_UNIT:
        for (int64_t i = 0; i < count; i++)
            x[i] = (float)clv_rng_range(rng, 0.05, 0.95);
        break;
    }
    return CLV_OK;
}

static void fill_targets(struct clv_check_job *job, struct clv_rng *rng, float *t, int classes)
{
    const struct clv_shape in = job->root->in[0]->shape;
    for (int s = 0; s < job->n * in.h * in.w; s++, t += classes) {
        for (int i = 0; i < classes && job->c->targets == CLV_CHECK_SOFT; i++)
            t[i] = (float)clv_rng_uniform(rng);
        if (job->c->targets == CLV_CHECK_ONE_HOT && classes > 1)
            t[clv_rng_below(rng, (uint32_t)classes)] = 1;
        else if (job->c->targets == CLV_CHECK_ONE_HOT)
            t[0] = (float)clv_rng_below(rng, 2);
    }
}

/* The weight whose array this is, NULL for others. */
static const struct clv_weight *weight_of(const struct clv_check_job *job,
                                          const struct clv_check_array *a)
{
    for (int k = 0; k < job->graph->n_nodes; k++) {
        const struct clv_node *node = job->graph->nodes[k];
        for (int i = 0; i < node->n_weights; i++)
            if (job->tensors[k].weight[i] == a->t)
                return &node->weights[i];
    }
    return NULL;
}

static bool is_input(const struct clv_check_job *job, const struct clv_check_array *a)
{
    for (int i = 0; i < job->n_inputs; i++)
        if (job->tensors[job->input[i]->id].out == a->t)
            return true;
    return false;
}

static void fill_weight(struct clv_rng *rng, const struct clv_weight *w, float *x)
{
    const bool ones = w->init == CLV_INIT_ONES;
    for (int64_t i = 0; i < w->count && ones && w->state; i++)
        x[i] = (float)clv_rng_range(rng, .25, 2);
    if (!ones || !w->state)
        fill_normal(rng, x, w->count, w->n_dims > 1 ? sqrt(1.0 / (double)w->fan_in) : ones ? 1 : 0.1);
}

/* Operands that a unit rounds to brain floats are such: what is wrong then shows beside fp32's error. */
static void cut_to_brain_floats(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        bits &= 0xffff0000u;
        memcpy(&x[i], &bits, sizeof(bits));
    }
}

enum clv_err clv_check_fill(struct clv_check_job *job)
{
    struct clv_reference *r = &job->reference;
    r->training = job->training;
    r->seed = job->options.seed;
    r->step = CLV_CHECK_STEP;
    r->sample_index = job->sample_index;
    for (int k = 0; k < job->n_arrays; k++) {
        struct clv_check_array *a = &job->array[k];
        const int64_t count = a->samples * clv_shape_count(a->shape);
        const struct clv_weight *w = weight_of(job, a);
        struct clv_rng rng = clv_rng_init(job->options.seed, stream_of(job, a->what));
        if (!a->given)
            continue;
        const bool light = clv_check_only_times(job);
        if (a->t == job->emit.targets)
            fill_targets(job, &rng, a->given, a->shape.c);
        else if (w && w->count <= 65521)
            fill_weight(&rng, w, a->given);
        else if (light)
            fill_repeating(&rng, a->given, count, w ? sqrt(1.0 / (double)w->fan_in) : 1);
        else if (is_input(job, a))
            CLV_TRY(fill_input(job, &rng, a->given, count));
        else if (w)
            fill_weight(&rng, w, a->given);
        else
            fill_normal(&rng, a->given, count, 1);
        if (job->options.matrix_parts == 1)
            cut_to_brain_floats(a->given, count);
        for (int64_t i = 0; clv_dtype_is_16(a->t->dtype) && i < count; i++)
            a->given[i] = clv_stored_round(a->t->dtype, a->given[i]);
        /* A gradient with a writer before is no number of the reference. */
        for (int64_t i = 0; i < count && !a->got && !light; i++)
            a->source[i] = (double)a->given[i];
    }
    return CLV_OK;
}
