/* Making a trainer: the loss node, the store, the plans. */
#include "train/trainer.h"

#include "base/str.h"
#include "base/util.h"
#include "data/pipeline.h"
#include "doctor/selftest.h"
#include "graph/op.h"
#include "train/tuning.h"
#include <stdlib.h>
#include <string.h>

/* ---- create ---- */

static enum clv_err copy_params(struct clv_trainer *t, const struct clv_trainer_params *params)
{
    static const struct clv_trainer_params defaults;
    t->params = params ? *params : defaults;
    struct clv_trainer_params *p = &t->params;
    const char **const texts[] = {&p->optimizer, &p->loss, &p->pipeline.preprocess,
                                  &p->pipeline.augment, &p->variant};
    for (size_t i = 0; i < CLV_COUNT(texts); i++) {
        if (!*texts[i])
            continue;
        t->text[i] = clv_strdupf("%s", *texts[i]);
        if (!t->text[i])
            return clv_fail_nomem(&t->ctx->err, "the trainer");
        *texts[i] = t->text[i];
    }
    if (!p->batch)
        p->batch = 32;
    if (p->batch < 1 || p->batch > 1 << 20)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "batch %d is not in 1..1048576", p->batch);
    if (p->precision < CLV_PRECISION_FP32 || p->precision > CLV_PRECISION_MIXED_FP16)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "precision %d is none of enum clv_precision", (int)p->precision);
    return clv_trainer_check_scale(p, &t->ctx->err);
}

enum { MAX_LOSSES = 64 };

/* What a network's output asks for when nothing was said. */
static const char *default_loss(const struct clv_node *output)
{
    if (output->op->mask_loss && output->shape.h * output->shape.w > 1)
        return output->op->mask_loss;
    return output->op->default_loss ? output->op->default_loss : "mean_squared_error";
}

enum clv_err clv_loss_choose(struct clv_context *ctx, const char *text, const struct clv_op **op, const char **options)
{
    const char *names[MAX_LOSSES];
    const struct clv_op *losses[MAX_LOSSES];
    size_t n = 0, chosen;
    for (int i = 0; clv_ops[i] && n < MAX_LOSSES; i++) {
        if (!(clv_ops[i]->flags & CLV_OP_LOSS))
            continue;
        names[n] = clv_ops[i]->name;
        losses[n++] = clv_ops[i];
    }
    CLV_TRY(clv_opt_choose("loss", text, names, n, &chosen, options, &ctx->err));
    *op = losses[chosen];
    return CLV_OK;
}

enum clv_err clv_loss_add(struct clv_context *ctx, struct clv_graph *graph, const char *text,
                          struct clv_node **ret)
{
    const struct clv_op *op;
    const char *options;
    CLV_TRY(clv_graph_check(graph));
    CLV_TRY(clv_loss_choose(ctx, text && *text ? text : default_loss(graph->output), &op, &options));
    *ret = clv_graph_add(graph, op->name, NULL, &graph->output, 1, options);
    return clv_graph_check(graph);
}

/* Inputs that are no images (more than four channels) are taken as they come. */
static enum clv_err set_normalise(struct clv_trainer *t)
{
    struct clv_pipeline pipeline;
    if (t->input.c > CLV_SAMPLE_CHANNELS && !t->params.pipeline.preprocess && !t->params.pipeline.augment) {
        t->normalise = (struct clv_normalise){.std = {1, 1, 1, 1}};
        return CLV_OK;
    }
    CLV_TRY(clv_pipeline_init(&pipeline, t->input.h, t->input.w, t->input.c, &t->params.pipeline,
                              &t->ctx->err));
    clv_pipeline_normalise(&pipeline, &t->normalise);
    t->augment = pipeline.aug;
    return CLV_OK;
}

static enum clv_err set_input(struct clv_trainer *t)
{
    t->input = t->graph->input->shape;
    const int64_t count = clv_shape_count(t->input);
    t->outputs = (int)clv_shape_count(t->graph->output->shape);
    CLV_TRY(set_normalise(t));
    const size_t batch = (size_t)t->params.batch;
    t->records[0] = t->records[1] = t->params.max_image_bytes != 0;
    t->slot_bytes = t->params.max_image_bytes ? clv_slot_bytes(batch, t->params.max_image_bytes)
                                              : clv_float_slot_bytes(t->params.batch, count);
    if (t->slot_bytes > UINT32_MAX || t->params.max_image_bytes > UINT32_MAX)
        return clv_fail(&t->ctx->err, CLV_ERR_DEVMEM,
                        "a batch of %d samples of %lldx%lldx%lld needs more than 4 GiB of staging: "
                        "take a smaller batch", t->params.batch, (long long)t->input.h,
                        (long long)t->input.w, (long long)t->input.c);
    t->index = calloc(batch, sizeof *t->index);
    t->labels = calloc(batch, sizeof *t->labels);
    t->targets = calloc(batch * (size_t)t->outputs, sizeof *t->targets);
    if (!t->index || !t->labels || !t->targets)
        return clv_fail_nomem(&t->ctx->err, "the trainer");
    return CLV_OK;
}

/* Split operands take three products for one, which a unit has to make up for. TF32 is not split: it is what that
 * hardware offers between the two. */
static void find_unit(struct clv_trainer *t)
{
    enum { WINS = 150 }; /* percent of float's rate, for each product */
    const bool split = t->params.precision == CLV_PRECISION_SPLIT;
    if (t->params.precision == CLV_PRECISION_FP32)
        return;
    clv_device_find_unit(t->dev);
    const struct clv_caps *caps = clv_device_caps(t->dev);
    const bool parted = split && clv_unit_operand(caps->unit) != CLV_OPERAND_TF32;
    if (caps->unit != CLV_UNIT_NONE && caps->unit_gain >= (parted ? 3u : 1u) * WINS)
        t->matrix_parts = parted ? 2 : 1;
    else if (split)
        clv_log(t->ctx, CLV_LOG_WARN, "%s has no matrix unit that is faster with split operands: computing in fp32",
                clv_device_get_info(t->dev)->name);
}

static enum clv_err build(struct clv_trainer *t, const struct clv_trainer_params *params)
{
    CLV_TRY(copy_params(t, params));
    CLV_TRY(clv_graph_check(t->graph));
    CLV_TRY(set_input(t));
    CLV_TRY(clv_optim_parse(t->params.optimizer && *t->params.optimizer ? t->params.optimizer : "adam",
                            &t->optim, &t->optim_params, &t->ctx->err));
    t->rate = clv_optim_learning_rate(t->optim, t->optim_params);
    find_unit(t);
    const bool training = !t->params.inference_only;
    if (training)
        CLV_TRY(clv_loss_add(t->ctx, t->graph, t->params.loss, &t->loss));
    CLV_TRY(clv_store_create(t->dev, t->graph, training, t->optim->n_slots, &t->store));
    CLV_TRY(clv_trainer_make_scaler(t));
    return t->params.plan_only ? CLV_OK : clv_store_init(t->store, t->params.seed);
}

void clv_trainer_plan_params(const struct clv_trainer *t, bool training, struct clv_plan_params *ret)
{
    static const enum clv_gemm_provider gemm[] = {[CLV_GEMM_MODE_AUTO] = CLV_GEMM_AUTO,
                                                  [CLV_GEMM_MODE_NATIVE] = CLV_GEMM_NATIVE,
                                                  [CLV_GEMM_MODE_CLBLAST] = CLV_GEMM_CLBLAST};
    static const int winograd[] = {[CLV_WINOGRAD_AUTO] = 0,
                                   [CLV_WINOGRAD_OFF] = CLV_NO_WINOGRAD,
                                   [CLV_WINOGRAD_2] = 2,
                                   [CLV_WINOGRAD_4] = 4};
    static const enum clv_dtype stored[] = {[CLV_PRECISION_FP32] = CLV_F32,
                                            [CLV_PRECISION_SPLIT] = CLV_F32,
                                            [CLV_PRECISION_MIXED] = CLV_BF16,
                                            [CLV_PRECISION_MIXED_FP16] = CLV_F16};
    *ret = (struct clv_plan_params){.batch = t->params.batch,
                                    .training = training,
                                    .root = t->loss ? t->loss : t->graph->output,
                                    .gemm = gemm[t->params.gemm],
                                    .winograd = winograd[t->params.winograd],
                                    .activation = stored[t->params.precision],
                                    .matrix_parts = t->matrix_parts,
                                    .selection = &t->selection,
                                    .force_variant = t->params.variant,
                                    .separate = t->params.separate,
                                    .dry = t->params.plan_only,
                                    .floats = !t->records[training],
                                    .slot_bytes = t->slot_bytes,
                                    .normalise = t->normalise,
                                    .mix = clv_augment_mixes(&t->augment),
                                    .optim = t->optim,
                                    .clip_norm = t->params.clip_norm,
                                    .keep_gradients = t->params.keep_gradients,
                                    .check_finite = t->params.check_finite};
}

static enum clv_err get_plan(struct clv_trainer *t, bool training, struct clv_plan **ret)
{
    struct clv_plan **p = &t->plan[training];
    if (training && t->params.inference_only)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "this trainer was made with inference_only");
    if (!*p) {
        struct clv_plan_params params;
        clv_trainer_plan_params(t, training, &params);
        CLV_TRY(clv_plan_create(t->dev, t->graph, t->store, &params, p));
    }
    *ret = *p;
    return CLV_OK;
}

void clv_trainer_expect(struct clv_trainer *t, bool training, const struct clv_batch_source *source)
{
    if (!source->data || t->records[training])
        return;
    t->records[training] = true;
    if (t->plan[training] && clv_plan_takes_floats(t->plan[training]))
        clv_plan_destroy(&t->plan[training]);
}

static enum clv_err self_test(struct clv_trainer *t, const struct clv_plan *plan)
{
    struct clv_plan_params params;
    clv_trainer_plan_params(t, !t->params.inference_only, &params);
    const struct clv_self_test test = {
        .graph = t->graph, .plan = plan, .params = &params, .optim_params = t->optim_params};
    if (t->params.self_test == CLV_SELF_TEST_OFF || t->params.plan_only)
        return CLV_OK;
    return clv_self_test_run(t->dev, &test, t->params.self_test == CLV_SELF_TEST_CACHED);
}

enum clv_err clv_trainer_create_as(struct clv_device *dev, struct clv_graph *graph,
                                   const struct clv_trainer_params *params,
                                   const struct clv_selection *recorded, struct clv_trainer **ret)
{
    struct clv_trainer *t = calloc(1, sizeof *t);
    if (!t)
        return clv_fail_nomem(clv_device_error(dev), "the trainer");
    t->dev = dev;
    t->ctx = clv_device_context(dev);
    t->graph = graph;
    struct clv_plan *plan = NULL;
    enum clv_err err = build(t, params);
    if (!err)
        err = clv_trainer_select(t, recorded);
    if (!err) /* shape and memory faults belong here, not into the first step */
        err = get_plan(t, !t->params.inference_only, &plan);
    if (!err)
        err = self_test(t, plan);
    if (err)
        clv_trainer_destroy(&t);
    else
        *ret = t;
    return err;
}

enum clv_err clv_trainer_create(struct clv_device *dev, struct clv_graph *graph,
                                const struct clv_trainer_params *params, struct clv_trainer **ret)
{
    return clv_trainer_create_as(dev, graph, params, NULL, ret);
}

void clv_trainer_destroy(struct clv_trainer **trainer)
{
    struct clv_trainer *t = *trainer;
    if (!t)
        return;
    for (int i = 0; i < 2; i++)
        clv_plan_destroy(&t->plan[i]);
    clv_store_destroy(&t->store);
    clv_selection_finish(&t->selection);
    for (size_t i = 0; i < CLV_COUNT(t->text); i++)
        free(t->text[i]);
    free(t->optim_params);
    free(t->index);
    free(t->labels);
    free(t->targets);
    free(t);
    *trainer = NULL;
}

enum clv_err clv_trainer_plan(struct clv_trainer *t, bool training, struct clv_plan **ret)
{
    if (t->params.plan_only)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "this trainer was made with plan_only");
    return get_plan(t, training, ret);
}

char *clv_trainer_plan_text(struct clv_trainer *t, bool training)
{
    struct clv_plan *plan = NULL;
    return get_plan(t, training, &plan) ? NULL : clv_plan_dump(plan);
}

struct clv_trainer_memory clv_trainer_get_memory(const struct clv_trainer *t)
{
    struct clv_trainer_memory m = {.store = t->store->bytes + t->store->dry_bytes};
    for (int i = 0; i < 2; i++) {
        if (!t->plan[i])
            continue;
        const struct clv_plan_memory p = clv_plan_get_memory(t->plan[i]);
        m.activations += p.activations;
        m.io += p.io;
    }
    m.peak = m.store + m.activations + m.io;
    return m;
}
