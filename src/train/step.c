/* Single steps and predictions on batches in ordinary host memory. */
#include "train/trainer.h"

#include "base/util.h"
#include <math.h>
#include <string.h>

enum clv_err clv_trainer_one_hot(struct clv_trainer *t, const int32_t *labels, int n, float *targets)
{
    const int classes = t->outputs;
    const struct clv_node *output = t->graph->output;
    if (output->shape.h * output->shape.w > 1)
        return clv_fail(&t->ctx->err, CLV_ERR_SHAPE,
                        "%s puts out %dx%dx%d: its targets are masks, not one label for each sample; "
                        "clv_trainer_step_targets() takes them",
                        output->name, output->shape.h, output->shape.w, output->shape.c);
    memset(targets, 0, (size_t)n * (size_t)classes * sizeof *targets);
    for (int i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= CLV_MAX(classes, 2))
            return clv_fail(&t->ctx->err, CLV_ERR_ARG, "label %d of sample %d is not in 0..%d",
                            (int)labels[i], i, CLV_MAX(classes, 2) - 1);
        if (classes == 1)
            targets[i] = (float)labels[i];
        else
            targets[(size_t)i * (size_t)classes + (size_t)labels[i]] = 1;
    }
    return CLV_OK;
}

int clv_trainer_argmax(const struct clv_trainer *t, const float *output)
{
    int best = 0;
    if (t->outputs == 1)
        return output[0] > .5f;
    for (int c = 1; c < t->outputs; c++)
        if (output[c] > output[best])
            best = c;
    return best;
}

struct clv_mix clv_trainer_mix(const struct clv_trainer *t, uint64_t epoch, uint64_t batch, int n, float *targets)
{
    const struct clv_mix mix =
        clv_augment_mix(&t->augment, t->input.h, t->input.w, t->params.seed, epoch, batch);
    clv_mix_targets(&mix, t->input.h, t->input.w, n, t->outputs, targets);
    return mix;
}

enum clv_err clv_trainer_submit(struct clv_trainer *t, bool training, int slot,
                                const struct clv_upload *upload, int n,
                                const uint32_t *index, const float *targets, const struct clv_mix *mix)
{
    struct clv_plan *plan = NULL;
    CLV_TRY(clv_trainer_plan(t, training, &plan));
    struct clv_step_state st = {.n = n, .step = (uint32_t)(t->step + 1), .learning_rate = (float)t->rate,
                                .seed = {(uint32_t)t->params.seed, (uint32_t)(t->params.seed >> 32)},
                                .mix = mix ? *mix : clv_mix_none};
    if (training)
        CLV_TRY(clv_trainer_set_scalars(t, &st));
    CLV_TRY(clv_plan_submit(plan, slot, upload, &st, index, targets));
    t->step += training;
    return CLV_OK;
}

static enum clv_err check_count(struct clv_trainer *t, int n)
{
    if (n < 1 || n > t->params.batch)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "%d samples: a batch holds 1 to %d", n, t->params.batch);
    return CLV_OK;
}

/* Float samples for ring entry 0 of a plan: records, if it wants any, go into its slot, the numbers are
 * uploaded from where they lie if samples may follow each other without a gap. */
static enum clv_err stage(struct clv_trainer *t, bool training, const float *x, int n,
                          struct clv_upload *upload)
{
    struct clv_plan *plan = NULL;
    void *slot = NULL;
    const size_t need = clv_float_slot_bytes(t->params.batch, clv_shape_count(t->input));
    CLV_TRY(clv_trainer_plan(t, training, &plan));
    const bool plain = clv_plan_takes_floats(plan);
    CLV_TRY(check_count(t, n));
    if (!plain && need > t->slot_bytes)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG,
                        "max_image_bytes leaves no room for float samples: use 0");
    CLV_TRY(clv_plan_slot(plan, 0, &slot));
    clv_float_slot_fill(slot, plain, t->params.batch, n, t->input.h, t->input.w, t->input.c, x, upload);
    return CLV_OK;
}

enum clv_err clv_trainer_step_targets(struct clv_trainer *t, const float *x, const float *targets,
                                      int n, double *loss)
{
    const float *output, *losses;
    struct clv_upload upload;
    CLV_TRY(stage(t, true, x, n, &upload));
    CLV_TRY(clv_trainer_submit(t, true, 0, &upload, n, NULL, targets, NULL));
    CLV_TRY(clv_plan_wait(t->plan[1], 0, &output, &losses));
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += losses[i];
    if (loss)
        *loss = sum / n;
    CLV_TRY(clv_plan_check(t->plan[1], 0, t->step));
    bool skipped;
    CLV_TRY(clv_trainer_land(t, 0, t->step, &skipped));
    if (!isfinite(sum) && !skipped)
        return clv_fail(&t->ctx->err, CLV_ERR_NONFINITE,
                        "the loss of step %llu is not finite: lower the learning rate or clip the "
                        "gradients; with check_finite the node is named", (unsigned long long)t->step);
    return CLV_OK;
}

enum clv_err clv_trainer_step(struct clv_trainer *t, const float *x, const int32_t *labels, int n,
                              double *loss)
{
    CLV_TRY(check_count(t, n));
    CLV_TRY(clv_trainer_one_hot(t, labels, n, t->targets));
    return clv_trainer_step_targets(t, x, t->targets, n, loss);
}

enum clv_err clv_trainer_predict(struct clv_trainer *t, const float *x, size_t n, float *output)
{
    const size_t in = (size_t)clv_shape_count(t->input), out = (size_t)t->outputs;
    for (size_t at = 0; at < n; at += (size_t)t->params.batch) {
        const int k = (int)CLV_MIN(n - at, (size_t)t->params.batch);
        const float *result, *losses;
        struct clv_upload upload;
        CLV_TRY(stage(t, false, x + at * in, k, &upload));
        CLV_TRY(clv_trainer_submit(t, false, 0, &upload, k, NULL, NULL, NULL));
        CLV_TRY(clv_plan_wait(t->plan[0], 0, &result, &losses));
        memcpy(output + at * out, result, (size_t)k * out * sizeof *output);
    }
    return CLV_OK;
}

void clv_trainer_set_learning_rate(struct clv_trainer *t, double rate) { t->rate = rate; }

double clv_trainer_get_learning_rate(const struct clv_trainer *t) { return t->rate; }

uint64_t clv_trainer_steps(const struct clv_trainer *t) { return t->step; }
