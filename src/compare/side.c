/* The model on one device, and the batches that go to it: the same for every side that was opened alike. */
#include "compare/compare.h"

#include "base/util.h"
#include "data/loader.h"
#include "data/pipeline.h"
#include <math.h>
#include <stdlib.h>

enum { DEFAULT_BATCH = 8, NOISE_STREAM = 1 << 20 };

static int noise_next(void *priv, int batch, float *x, int32_t *labels)
{
    struct clv_compare_noise *noise = priv;
    struct clv_rng rng = clv_rng_init(noise->seed, NOISE_STREAM + noise->batch++);
    for (size_t i = 0; i < (size_t)batch * noise->count; i++)
        x[i] = (float)clv_rng_uniform(&rng);
    for (int i = 0; i < batch; i++)
        labels[i] = (int32_t)clv_rng_below(&rng, (uint32_t)noise->classes);
    return batch;
}

/* Room for a stored image of the data set. */
static enum clv_err measure_images(const struct clv_compare_side *s, const struct clv_compare_params *params,
                                   struct clv_trainer_params *tp)
{
    struct clv_loader *l = NULL;
    const struct clv_shape input = s->graph->input->shape;
    const struct clv_loader_params lp = {
        .data = params->data, .split = CLV_SPLIT_TRAIN, .batch = tp->batch, .height = input.h, .width = input.w,
        .channels = input.c, .pipeline = params->pipeline, .training = true, .threads = 1, .ahead = 1};
    CLV_TRY(clv_loader_create(clv_device_context(s->dev), &lp, &l));
    tp->max_image_bytes = clv_loader_image_bytes(l);
    clv_loader_destroy(&l);
    return CLV_OK;
}

static const char *optimizer_of(const struct clv_compare_params *params)
{
    return params->optimizer ? params->optimizer : CLV_COMPARE_OPTIMIZER;
}

static enum clv_err check_data(struct clv_context *ctx, const struct clv_graph *g,
                               const struct clv_compare_params *params)
{
    const struct clv_shape input = g->input->shape;
    const int64_t outputs = clv_shape_count(g->output->shape);
    const int classes = clv_data_get_info(params->data)->n_classes;
    struct clv_pipeline pipeline;
    CLV_TRY(clv_pipeline_init(&pipeline, input.h, input.w, input.c, &params->pipeline, &ctx->err));
    if (classes > CLV_MAX(outputs, 2))
        return clv_fail(&ctx->err, CLV_ERR_SHAPE, "%s has %lld outputs, but the data have %d classes", params->model,
                        (long long)outputs, classes);
    return CLV_OK;
}

enum clv_err clv_compare_check(struct clv_context *ctx, const struct clv_compare_params *params)
{
    const struct clv_optim *optim;
    void *optim_params = NULL;
    struct clv_graph *g = NULL;
    CLV_TRY(clv_optim_parse(optimizer_of(params), &optim, &optim_params, &ctx->err));
    free(optim_params);
    CLV_TRY(clv_model_load(ctx, params->model, params->variables, params->n_variables, &g));
    enum clv_err e = clv_graph_check(g);
    if (!e && params->data)
        e = check_data(ctx, g, params);
    clv_graph_destroy(&g);
    return e;
}

static enum clv_err open_trainer(struct clv_compare_side *s, const struct clv_compare_params *params)
{
    struct clv_context *ctx = clv_device_context(s->dev);
    struct clv_trainer_params tp = {
        .batch = params->batch ? params->batch : DEFAULT_BATCH,
        .seed = params->seed,
        .optimizer = optimizer_of(params),
        .inference_only = params->forward,
        .separate = true,
        .self_test = CLV_SELF_TEST_OFF, /* a device that computes wrong results is to be looked at, not refused */
        .pipeline = params->pipeline,
    };
    CLV_TRY(clv_model_load(ctx, params->model, params->variables, params->n_variables, &s->graph));
    CLV_TRY(clv_graph_check(s->graph));
    if (params->data)
        CLV_TRY(measure_images(s, params, &tp));
    CLV_TRY(clv_trainer_create(s->dev, s->graph, &tp, &s->trainer));
    return clv_trainer_plan(s->trainer, !params->forward, &s->plan);
}

static enum clv_err open_batches(struct clv_compare_side *s, const struct clv_compare_params *params)
{
    const struct clv_shape input = s->graph->input->shape;
    s->noise = (struct clv_compare_noise){.seed = params->seed, .count = (size_t)clv_shape_count(input),
                                          .classes = CLV_MAX(s->trainer->outputs, 2)};
    const struct clv_batch_source noise = {.next = noise_next, .priv = &s->noise},
                                  images = {.data = params->data, .split = CLV_SPLIT_TRAIN};
    const struct clv_batches_params bp = {
        .source = params->data ? &images : &noise, .batch = s->trainer->params.batch, .height = input.h,
        .width = input.w, .channels = input.c, .training = true, .seed = params->seed,
        .pipeline = params->pipeline, .slot_bytes = s->trainer->slot_bytes,
        .floats = clv_plan_takes_floats(s->plan)};
    CLV_TRY(clv_batches_create(clv_device_context(s->dev), &bp, &s->batches));
    return clv_batches_start(s->batches, 0, 0);
}

static enum clv_err keep_start(struct clv_compare_side *s)
{
    const size_t n = clv_trainer_weights(s->trainer);
    s->start = calloc(n + 1, sizeof *s->start);
    for (size_t i = 0; i < n; i++) {
        struct clv_weight_info info;
        CLV_TRY(clv_trainer_weight_info(s->trainer, i, &info));
        if (s->start)
            s->start[i] = malloc((size_t)info.count * sizeof **s->start);
        if (!s->start || !s->start[i])
            return clv_fail_nomem(clv_device_error(s->dev), "a copy of the weights");
        CLV_TRY(clv_trainer_get_weight(s->trainer, i, s->start[i]));
    }
    return CLV_OK;
}

enum clv_err clv_compare_side_open(struct clv_compare_side *s, struct clv_device *dev,
                                   const struct clv_compare_params *params)
{
    *s = (struct clv_compare_side){.dev = dev};
    CLV_TRY(open_trainer(s, params));
    CLV_TRY(open_batches(s, params));
    return params->forward ? CLV_OK : keep_start(s);
}

void clv_compare_side_close(struct clv_compare_side *s)
{
    const size_t n = s->trainer ? clv_trainer_weights(s->trainer) : 0;
    for (size_t i = 0; i < n && s->start; i++)
        free(s->start[i]);
    free(s->start);
    clv_batches_destroy(&s->batches);
    clv_trainer_destroy(&s->trainer);
    clv_graph_destroy(&s->graph);
    *s = (struct clv_compare_side){0};
}

/* Goes on with the next epoch at the end of one. */
static enum clv_err next_batch(struct clv_compare_side *s, size_t *used, int *n)
{
    struct clv_trainer *t = s->trainer;
    void *slot = NULL;
    CLV_TRY(clv_plan_slot(s->plan, 0, &slot));
    CLV_TRY(clv_batches_next(s->batches, slot, used, n, t->index, t->labels));
    if (*n)
        return CLV_OK;
    CLV_TRY(clv_batches_start(s->batches, ++s->epoch, 0));
    CLV_TRY(clv_batches_next(s->batches, slot, used, n, t->index, t->labels));
    return *n ? CLV_OK : clv_fail(clv_device_error(s->dev), CLV_ERR_DATA, "the data set has no training images");
}

enum clv_err clv_compare_side_step(struct clv_compare_side *s, bool training)
{
    struct clv_trainer *t = s->trainer;
    const float *output, *loss;
    size_t used = 0;
    int n = 0;
    double sum = 0;
    bool skipped;
    CLV_TRY(next_batch(s, &used, &n));
    struct clv_mix mix = clv_mix_none;
    if (training) {
        CLV_TRY(clv_trainer_one_hot(t, t->labels, n, t->targets));
        mix = clv_trainer_mix(t, s->epoch, t->step, n, t->targets);
    }
    CLV_TRY(clv_trainer_submit(t, training, 0, &(struct clv_upload){.bytes = used}, n, t->index,
                               training ? t->targets : NULL, &mix));
    CLV_TRY(clv_plan_wait(s->plan, 0, &output, &loss));
    if (training)
        CLV_TRY(clv_trainer_land(t, 0, t->step, &skipped));
    for (int i = 0; i < n && loss; i++)
        sum += loss[i];
    s->nonfinite = !isfinite(sum);
    return CLV_OK;
}
