/* Whether a model's fast kernels compute what the reference variant does: outputs, and every weight's
 * gradient, on the same samples and weights.
 *
 * The reference is a hundred times slower, so the fast kernels get a batch of a few samples again and again,
 * and the reference those samples once: outputs repeat, and so does everything that is a mean over the batch. A
 * fault at any place of the full batch still shows. */
#include "bench/bench.h"

#include "base/util.h"
#include "graph/op.h"
#include "train/trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Largest difference within an array as a part of its largest value. Single precision alone gives 1e-5 for
 * gradients summed over a million pixels; where rounding moves the maximum of a pooling window or a value over
 * ReLU's kink, one sample's contribution moves, which in small arrays has been seen to be 1e-3. */
static const double bound_forward = 1e-3, bound_training = 2e-2;
/* Operations that the reference may take: a few seconds on two cores. */
static const double reference_flops = 8e9;

struct answers {
    float *output;
    float **gradient;   /* by weight */
    size_t n_outputs, n_weights;
};

static void finish(struct answers *a)
{
    for (size_t i = 0; i < a->n_weights && a->gradient; i++)
        free(a->gradient[i]);
    free(a->gradient);
    free(a->output);
    *a = (struct answers){0};
}

static enum clv_err no_memory(const struct clv_bench_subject *s)
{
    return clv_fail_nomem(clv_device_error(s->dev), "comparing with the reference");
}

static enum clv_err take_gradients(struct clv_bench_subject *s, struct answers *a)
{
    a->n_weights = clv_trainer_weights(s->trainer);
    a->gradient = calloc(a->n_weights + 1, sizeof *a->gradient);
    if (!a->gradient)
        return no_memory(s);
    for (size_t i = 0; i < a->n_weights; i++) {
        struct clv_weight_info info;
        CLV_TRY(clv_trainer_weight_info(s->trainer, i, &info));
        if (info.state)
            continue;
        a->gradient[i] = malloc(CLV_MAX(info.count, 1) * sizeof **a->gradient);
        if (!a->gradient[i])
            return no_memory(s);
        CLV_TRY(clv_trainer_get_gradient(s->trainer, i, a->gradient[i]));
    }
    return CLV_OK;
}

/* What the step's own plan put out: in training that is before the update. */
static enum clv_err take_output(struct clv_bench_subject *s, struct answers *a)
{
    const bool training = !s->what->forward;
    const float *output = s->output, *loss;
    if (training)
        CLV_TRY(clv_plan_wait(s->trainer->plan[1], 0, &output, &loss));
    a->n_outputs = (size_t)s->batch * (size_t)clv_shape_count(s->graph->output->shape);
    a->output = malloc(a->n_outputs * sizeof *a->output);
    if (!a->output)
        return no_memory(s);
    memcpy(a->output, output, a->n_outputs * sizeof *a->output);
    return CLV_OK;
}

static enum clv_err take(struct clv_bench_subject *s, struct answers *a)
{
    *a = (struct answers){0};
    CLV_TRY(clv_bench_subject_step(s));
    CLV_TRY(take_output(s, a));
    return s->what->forward ? CLV_OK : take_gradients(s, a);
}

/* A difference that is no number is the worst there is. */
static double difference(const float *x, const float *want, size_t n)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)x[i] - (double)want[i]);
        if (!isfinite(d))
            return HUGE_VAL;
        worst = CLV_MAX(worst, d);
        largest = CLV_MAX(largest, fabs((double)want[i]));
    }
    return worst > 0 && largest <= 0 ? HUGE_VAL : worst > 0 ? worst / largest : 0;
}

static enum clv_err compare(const struct clv_bench_subject *s, const struct answers *got,
                            const struct answers *want, struct clv_bench_report *report,
                            struct clv_bench_model_result *ret)
{
    ret->max_rel_error = 0;
    ret->worst = "output";
    for (size_t at = 0; at < got->n_outputs; at += want->n_outputs)
        ret->max_rel_error = CLV_MAX(ret->max_rel_error,
                                     difference(got->output + at, want->output, want->n_outputs));
    for (size_t i = 0; i < got->n_weights; i++) {
        struct clv_weight_info info;
        CLV_TRY(clv_trainer_weight_info(s->trainer, i, &info));
        if (info.state)
            continue;
        const double d = difference(got->gradient[i], want->gradient[i], (size_t)info.count);
        if (d <= ret->max_rel_error)
            continue;
        ret->max_rel_error = d;
        ret->worst = clv_arena_strdup(&report->arena, info.name);
        if (!ret->worst)
            return no_memory(s);
    }
    return CLV_OK;
}

static bool draws_by_sample(const struct clv_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op->flags & CLV_OP_TRAIN_ONLY)
            return true;
    return false;
}

/* How many different samples the batch may hold. Dropout does not repeat. */
static enum clv_err count_distinct(const struct clv_bench_subject *s, int *ret)
{
    double flops, read, written;
    *ret = s->batch;
    if (!s->what->forward && draws_by_sample(s->graph))
        return CLV_OK;
    CLV_TRY(clv_bench_subject_cost(s, &flops, &read, &written));
    while (*ret > 1 && (s->batch % *ret || flops / s->batch * *ret > reference_flops))
        --*ret;
    return CLV_OK;
}

/* The first n samples again and again. */
static void repeat_samples(struct clv_bench_subject *s, int n)
{
    const size_t in = (size_t)clv_shape_count(s->graph->input->shape);
    for (int i = n; i < s->batch; i++) {
        memcpy(s->x + (size_t)i * in, s->x + (size_t)(i % n) * in, in * sizeof *s->x);
        s->labels[i] = s->labels[i % n];
    }
}

/* `few` is the model with the batch that the reference gets. */
static enum clv_err run_both(struct clv_bench_subject *s, struct clv_bench_subject *reference,
                             struct clv_bench_model *few, const struct clv_bench_params *params,
                             struct answers *got, struct answers *want)
{
    CLV_TRY(clv_bench_subject_open(s, s->dev, s->what, NULL, true));
    CLV_TRY(count_distinct(s, &few->batch));
    repeat_samples(s, few->batch);
    CLV_TRY(take(s, got));
    clv_bench_progress(params, "%s, the reference", few->model);
    CLV_TRY(clv_bench_subject_open(reference, s->dev, few, "simple", true));
    return take(reference, want);
}

enum clv_err clv_bench_agree(struct clv_device *dev, const struct clv_bench_model *what,
                             const struct clv_bench_params *params, struct clv_bench_report *report,
                             struct clv_bench_model_result *ret)
{
    struct clv_bench_subject s = {.dev = dev, .what = what}, reference = {0};
    struct clv_bench_model few = *what;
    struct answers got = {0}, want = {0};
    ret->error_bound = what->forward ? bound_forward : bound_training;
    clv_bench_progress(params, "%s, the answers", what->model);
    enum clv_err e = run_both(&s, &reference, &few, params, &got, &want);
    if (!e)
        e = compare(&s, &got, &want, report, ret);
    clv_bench_subject_close(&reference);
    clv_bench_subject_close(&s);
    finish(&got);
    finish(&want);
    return e;
}
