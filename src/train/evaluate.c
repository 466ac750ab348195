/* A whole source through the evaluation plan. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Growing rows of probabilities and labels. */
struct rows {
    float *prob;
    int32_t *labels;
    size_t n, cap;     /* rows that are complete */
    size_t labelled;   /* rows whose labels are there */
    int views, view;   /* of each batch; the one that comes back next */
    double loss;
    void (*on_progress)(void *priv, size_t done);
    void *priv;
};

static enum clv_err reserve(struct clv_trainer *t, struct rows *r, size_t more)
{
    if (r->n + more <= r->cap)
        return CLV_OK;
    const size_t cap = 2 * (r->n + more), width = (size_t)t->outputs * sizeof *r->prob;
    float *prob = realloc(r->prob, cap * width);
    if (prob)
        r->prob = prob;
    int32_t *labels = realloc(r->labels, cap * sizeof *labels);
    if (labels)
        r->labels = labels;
    if (!prob || !labels)
        return clv_fail_nomem(&t->ctx->err, "predictions");
    r->cap = cap;
    return CLV_OK;
}

/* Rows lie in the source's order: that of the submissions. */
static enum clv_err collect(struct clv_trainer *t, struct clv_plan *plan, int slot, int n,
                            struct rows *r)
{
    const float *output, *loss;
    CLV_TRY(clv_plan_wait(plan, slot, &output, &loss));
    const size_t count = (size_t)n * (size_t)t->outputs;
    float *row = r->prob + r->n * (size_t)t->outputs;
    for (size_t i = 0; i < count; i++)
        row[i] = r->view ? row[i] + output[i] : output[i];
    for (int i = 0; i < n && loss; i++)
        r->loss += loss[i] / (float)r->views;
    if (++r->view < r->views)
        return CLV_OK;
    r->view = 0;
    for (size_t i = 0; i < count && r->views > 1; i++)
        row[i] /= (float)r->views;
    r->n += (size_t)n;
    if (r->on_progress)
        r->on_progress(r->priv, r->n);
    return CLV_OK;
}

static enum clv_err run_batches(struct clv_trainer *t, struct clv_plan *plan, struct clv_batches *b,
                                struct rows *r)
{
    int in_flight[CLV_PLAN_RING] = {0}, slot = 0, n, view = 0;
    CLV_TRY(clv_batches_start(b, 0, 0));
    for (;; slot = (slot + 1) % CLV_PLAN_RING) {
        size_t used;
        void *memory;
        if (in_flight[slot])
            CLV_TRY(collect(t, plan, slot, in_flight[slot], r));
        in_flight[slot] = 0;
        CLV_TRY(clv_plan_slot(plan, slot, &memory));
        CLV_TRY(clv_batches_next(b, memory, &used, &n, t->index, t->labels));
        if (!n)
            break;
        if (view == 0) {
            CLV_TRY(reserve(t, r, r->labelled - r->n + (size_t)n));
            memcpy(r->labels + r->labelled, t->labels, (size_t)n * sizeof *r->labels);
            r->labelled += (size_t)n;
        }
        view = (view + 1) % r->views;
        CLV_TRY(clv_trainer_one_hot(t, t->labels, n, t->targets));
        CLV_TRY(clv_trainer_submit(t, false, slot, &(struct clv_upload){.bytes = used}, n, t->index, t->targets, NULL));
        in_flight[slot] = n;
    }
    for (int i = 1; i < CLV_PLAN_RING; i++) {
        const int s = (slot + i) % CLV_PLAN_RING;
        if (in_flight[s])
            CLV_TRY(collect(t, plan, s, in_flight[s], r));
    }
    return CLV_OK;
}

/* One output is the probability of class 1: metrics want both. */
static enum clv_err two_columns(struct clv_trainer *t, const struct rows *r, float **ret)
{
    *ret = malloc(r->n * 2 * sizeof **ret);
    if (!*ret)
        return clv_fail_nomem(&t->ctx->err, "predictions");
    for (size_t i = 0; i < r->n; i++) {
        (*ret)[2 * i] = 1 - r->prob[i];
        (*ret)[2 * i + 1] = r->prob[i];
    }
    return CLV_OK;
}

static enum clv_err measure(struct clv_trainer *t, const struct rows *r, int positive,
                            struct clv_metrics *metrics)
{
    float *both = NULL;
    if (t->outputs == 1)
        CLV_TRY(two_columns(t, r, &both));
    const enum clv_err err =
        clv_metrics_compute(t->ctx, both ? both : r->prob, r->labels, r->n,
                            both ? 2 : t->outputs, positive, metrics);
    free(both);
    if (!err && t->loss)
        metrics->loss = r->loss / (double)r->n;
    return err;
}

enum clv_err clv_trainer_evaluate_as(struct clv_trainer *t, const struct clv_batch_source *source,
                                     int positive, struct clv_metrics *metrics, float **prob,
                                     int32_t **labels, void (*on_progress)(void *priv, size_t done),
                                     void *priv)
{
    struct clv_batches *b = NULL;
    struct clv_plan *plan = NULL;
    const struct clv_views *views = source->data && t->views && t->views->n ? t->views : NULL;
    struct rows r = {.on_progress = on_progress, .priv = priv, .views = views ? views->n : 1};
    clv_trainer_expect(t, false, source);
    CLV_TRY(clv_trainer_plan(t, false, &plan));
    const struct clv_batches_params params = {
        .source = source, .batch = t->params.batch, .height = t->input.h, .width = t->input.w,
        .channels = t->input.c, .seed = t->params.seed, .pipeline = t->params.pipeline, .views = views,
        .slot_bytes = t->slot_bytes, .floats = clv_plan_takes_floats(plan)};
    enum clv_err err = clv_batches_create(t->ctx, &params, &b);
    if (!err) {
        err = run_batches(t, plan, b, &r);
        if (err)
            clv_plan_drain(plan);
    }
    if (!err && !r.n)
        err = clv_fail(&t->ctx->err, CLV_ERR_DATA, "there are no samples to evaluate");
    if (!err)
        err = measure(t, &r, positive, metrics);
    if (!err && prob) {
        *prob = r.prob;
        r.prob = NULL;
    }
    if (!err && labels) {
        *labels = r.labels;
        r.labels = NULL;
    }
    clv_batches_destroy(&b);
    free(r.prob);
    free(r.labels);
    return err;
}

enum clv_err clv_trainer_evaluate(struct clv_trainer *t, const struct clv_batch_source *source,
                                  int positive, struct clv_metrics *metrics, float **prob,
                                  int32_t **labels)
{
    return clv_trainer_evaluate_as(t, source, positive, metrics, prob, labels, NULL, NULL);
}
