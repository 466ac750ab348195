/* One training into a run folder.
 *
 * Order of writing, so that a run that is killed anywhere can go on: split.csv before config.json
 * at the begin; after an epoch history.csv, best.safetensors, last.safetensors, metrics.json. What
 * a killed epoch left beside last.safetensors is written again, with the same content, when that
 * epoch is trained again. */
#include "train/run.h"

#include "base/file.h"
#include "base/util.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the first files ---- */

/* What another run left in the folder; what else lies there is not ours to delete. */
static enum clv_err remove_old(const struct clv_run_job *j)
{
    const char *const old[] = {j->paths.metrics, j->paths.history, j->paths.best, j->paths.last};
    for (size_t i = 0; i < CLV_COUNT(old); i++)
        if (clv_file_exists(old[i]) && unlink(old[i]))
            return clv_fail(&j->ctx->err, CLV_ERR_WRITE, "cannot replace %s", old[i]);
    clv_run_remove_members(j->paths.dir);
    return CLV_OK;
}

enum clv_err clv_run_write_first(struct clv_run_job *j)
{
    clv_run_remove_leftovers(&j->paths);
    if (!j->config.json) {
        CLV_TRY(remove_old(j));
        CLV_TRY(clv_data_write_split(j->data, j->paths.split));
    }
    return clv_run_config_write(&j->config, j->paths.config, &j->ctx->err);
}

/* ---- after an epoch ---- */

static struct clv_run_row row_of(const struct clv_run_job *j, const struct clv_event *e)
{
    return (struct clv_run_row){
        .epoch = e->epoch,
        .loss = e->loss,
        .accuracy = e->accuracy,
        .val_loss = e->has_validation ? e->val_loss : NAN,
        .val_accuracy = e->has_validation ? e->val_accuracy : NAN,
        .val_auc = e->has_validation ? e->val_auc : NAN,
        .val_f1 = e->has_validation ? e->val_f1 : NAN,
        .learning_rate = e->learning_rate,
        .images_per_second = e->images_per_second,
        .seconds = j->seconds_before + e->seconds,
        .skipped_steps = (double)e->skipped,
    };
}

/* Validation metrics of the best epoch as far as the history knows them; null without validation.
 */
static json_t *known_metrics(const struct clv_run_job *j)
{
    const int best = j->state.best_epoch;
    if (!j->config.count[CLV_SPLIT_VAL] || best < 1 || (size_t)best > j->history.n)
        return json_null();
    const struct clv_run_row *r = &j->history.rows[best - 1];
    return json_pack("{s:o, s:o, s:o, s:o}", "loss", clv_json_double(r->val_loss), "accuracy",
                     clv_json_double(r->val_accuracy), "auc", clv_json_double(r->val_auc),
                     "f1_macro", clv_json_double(r->val_f1));
}

/* stop_reason NULL = still training. Takes validation over. */
static enum clv_err write_metrics(const struct clv_run_job *j, const char *stop_reason,
                                  json_t *validation)
{
    const struct clv_fit_state *s = &j->state;
    json_t *o = json_object();
    bool ok = clv_json_set(o, "finished", json_boolean(stop_reason != NULL));
    ok = clv_json_set(o, "stop_reason", stop_reason ? json_string(stop_reason) : json_null()) && ok;
    ok = clv_json_set(o, "epochs", json_integer(s->epoch)) && ok;
    ok = clv_json_set_u64(o, "steps", s->step) && ok;
    ok = clv_json_set_u64(o, "skipped_steps", j->skipped) && ok;
    ok = clv_json_set_double(o, "loss_scale", j->loss_scale) && ok;
    ok = clv_json_set(o, "monitor", json_string(j->config.fit.monitor)) && ok;
    ok = clv_json_set(o, "best_epoch", json_integer(s->best_epoch)) && ok;
    ok = clv_json_set_double(o, "best_value", s->best) && ok;
    ok = clv_json_set(o, "validation", validation) && ok;
    const enum clv_err e = ok ? clv_json_write(j->paths.metrics, o, &j->ctx->err)
                              : clv_fail_nomem(&j->ctx->err, j->paths.metrics);
    json_decref(o);
    return e;
}

static void on_epoch(void *priv, const struct clv_event *e)
{
    struct clv_run_job *j = priv;
    const struct clv_run_row row = row_of(j, e);
    j->file_error = clv_run_history_add(&j->history, &row, &j->ctx->err);
    if (!j->file_error)
        j->file_error = clv_run_history_write(&j->history, j->paths.history, &j->ctx->err);
}

/* The best checkpoint holds the weights alone, the last one all that going on needs. */
static enum clv_err save(const struct clv_run_job *j, const char *path, bool slots)
{
    char epoch[16];
    snprintf(epoch, sizeof epoch, "%d", j->state.epoch);
    char *state = clv_run_state_text(&j->state);
    if (!state)
        return clv_fail_nomem(&j->ctx->err, path);
    const char *const metadata[] = {"clavicle.version",
                                    clv_version(),
                                    "clavicle.epoch",
                                    epoch,
                                    slots ? "clavicle.fit" : NULL,
                                    state,
                                    NULL};
    const enum clv_err e = clv_trainer_save_as(j->trainer, path, slots, metadata);
    free(state);
    return e;
}

static int on_checkpoint(void *priv, const struct clv_fit_state *state, bool epoch_end, bool best)
{
    struct clv_run_job *j = priv;
    if (j->file_error)
        return j->file_error;
    j->state = *state;
    if (best)
        CLV_TRY(save(j, j->paths.best, false));
    CLV_TRY(save(j, j->paths.last, true));
    return epoch_end ? write_metrics(j, NULL, known_metrics(j)) : CLV_OK;
}

/* The END event waits until metrics.json is complete. */
static int on_event(void *priv, const struct clv_event *e)
{
    struct clv_run_job *j = priv;
    j->skipped = e->skipped;
    j->loss_scale = e->loss_scale;
    if (e->kind == CLV_EVENT_END) {
        j->end = *e;
        return 0;
    }
    return j->params->fit.on_event ? j->params->fit.on_event(j->params->fit.priv, e) : 0;
}

/* ---- the caller's result ---- */

static void fill_facts(const struct clv_run_job *j)
{
    const struct clv_run_config *c = &j->config;
    const struct clv_device_info *info = clv_device_get_info(j->dev);
    struct clv_run_result *r = j->result;
    if (!r)
        return;
    *r = (struct clv_run_result){
        .n_classes = c->n_classes,
        .parameters = c->parameters,
        .ignored = c->ignored,
        .bad = c->bad,
        .leaked_images = c->leaked_images,
        .leaked_groups = c->leaked_groups,
    };
    memcpy(r->count, c->count, sizeof r->count);
    r->n_class_weights = CLV_MIN(j->class_weight.n, (int)CLV_COUNT(r->class_weight));
    memcpy(r->class_weight, j->class_weight.v, sizeof r->class_weight);
    snprintf(r->monitor, sizeof r->monitor, "%s", c->fit.monitor);
    snprintf(r->sampler, sizeof r->sampler, "%s", c->fit.sampler ? c->fit.sampler : "shuffle");
    for (int i = 0; i < c->n_classes && i < r->n_class_weights; i++)
        clv_log(j->ctx, CLV_LOG_INFO, "the loss weighs images of %s by %.6g", c->classes[i], j->class_weight.v[i]);
    snprintf(r->device, sizeof r->device, "%s", info->name);
    snprintf(r->driver, sizeof r->driver, "%s", info->driver);
    snprintf(r->model, sizeof r->model, "%s", c->model_name);
}

static void fill_outcome(const struct clv_run_job *j)
{
    struct clv_run_result *r = j->result;
    if (!r)
        return;
    r->epochs = j->state.epoch;
    r->best_epoch = j->state.best_epoch;
    r->stop_reason = j->end.stop_reason ? j->end.stop_reason : "failed";
    r->best_value = j->state.best;
    r->steps = j->state.step;
    r->skipped = j->skipped;
    r->loss_scale = j->loss_scale;
}

/* ---- training ---- */

static struct clv_batch_source source(const struct clv_run_job *j, enum clv_split split)
{
    return (struct clv_batch_source){.data = j->data,
                                     .split = split,
                                     .threads = j->config.threads,
                                     .cache_bytes = j->config.cache_bytes};
}

static bool on_build(void *priv, const char *what)
{
    const struct clv_run_job *j = priv;
    const struct clv_event e = {.kind = CLV_EVENT_BUILD, .what = what};
    return j->params->fit.on_event && j->params->fit.on_event(j->params->fit.priv, &e);
}

static double planned_steps(const struct clv_run_job *j)
{
    const struct clv_fit_params *f = &j->config.fit;
    const size_t batch = (size_t)j->config.trainer.batch;
    const size_t batches = (clv_data_count(j->data, CLV_SPLIT_TRAIN) + batch - 1) / batch;
    const double steps = (double)f->epochs * (double)batches;
    return f->max_steps && (double)f->max_steps < steps ? (double)f->max_steps : steps;
}

/* A resumed run takes what it took before, whatever has been measured since. */
static enum clv_err create_trainer(struct clv_run_job *j)
{
    struct clv_trainer_params params = j->config.trainer;
    struct clv_selection recorded = {0};
    params.inference_only = false;
    params.max_image_bytes = j->image_bytes;
    params.planned_steps = planned_steps(j);
    params.self_test = j->params->trainer.self_test;
    if (j->config.json)
        params.tune = CLV_TUNE_OFF;
    enum clv_err e = clv_run_recorded(&j->config, &recorded, &j->ctx->err);
    if (!e)
        e = clv_trainer_create_as(j->dev, j->graph, &params, &recorded, &j->trainer);
    clv_selection_finish(&recorded);
    return e;
}

static enum clv_err make_trainer(struct clv_run_job *j)
{
    CLV_TRY(clv_device_open(j->ctx, &j->config.device, &j->dev));
    CLV_TRY(clv_run_check_device(j));
    (void)clv_device_on_build(j->dev, on_build, j);
    CLV_TRY(create_trainer(j));
    CLV_TRY(clv_run_check_choices(j));
    CLV_TRY(clv_run_check_selection(j));
    if (!j->last)
        return CLV_OK;
    CLV_TRY(clv_trainer_load_from(j->trainer, j->last));
    if (clv_trainer_steps(j->trainer) != j->state.step)
        return clv_fail(&j->ctx->err, CLV_ERR_DATA,
                        "%s: says step %llu and step %llu; it is damaged", j->paths.last,
                        (unsigned long long)clv_trainer_steps(j->trainer),
                        (unsigned long long)j->state.step);
    return CLV_OK;
}

static enum clv_err fit(struct clv_run_job *j)
{
    const struct clv_batch_source train = source(j, CLV_SPLIT_TRAIN),
                                  val = source(j, CLV_SPLIT_VAL);
    const struct clv_fit_state from = j->state;
    struct clv_fit_params params = j->config.fit;
    params.on_event = on_event;
    params.on_epoch = on_epoch;
    params.on_checkpoint = on_checkpoint;
    params.priv = j;
    params.checkpoint_seconds = j->config.checkpoint_seconds;
    params.resume = j->last ? &from : NULL;
    clv_safetensors_close(&j->last);
    return clv_trainer_fit(j->trainer, &train, clv_data_count(j->data, CLV_SPLIT_VAL) ? &val : NULL,
                           &params);
}

/* ---- the end ---- */

static enum clv_err measure_best(struct clv_run_job *j, json_t **ret)
{
    const struct clv_batch_source val = source(j, CLV_SPLIT_VAL);
    struct clv_metrics m = {0};
    if (!clv_data_count(j->data, CLV_SPLIT_VAL)) {
        *ret = json_null();
        return CLV_OK;
    }
    CLV_TRY(clv_trainer_load(j->trainer, j->paths.best));
    CLV_TRY(clv_trainer_evaluate(j->trainer, &val, -1, &m, NULL, NULL));
    *ret = clv_run_metrics_json(&m, j->config.classes);
    clv_metrics_finish(&m);
    return *ret ? CLV_OK : clv_fail_nomem(&j->ctx->err, "metrics");
}

static enum clv_err conclude(struct clv_run_job *j)
{
    json_t *validation = NULL;
    /* Stopped within the first epoch, or the monitored value was never a number. */
    if (!clv_file_exists(j->paths.best))
        CLV_TRY(save(j, j->paths.best, false));
    CLV_TRY(measure_best(j, &validation));
    return write_metrics(j, j->end.stop_reason, validation);
}

static enum clv_err train(struct clv_run_job *j)
{
    CLV_TRY(clv_run_check(j));
    CLV_TRY(make_trainer(j));
    CLV_TRY(clv_run_write_first(j));
    fill_facts(j);
    CLV_TRY(fit(j));
    fill_outcome(j);
    const bool cancelled = !strcmp(j->end.stop_reason, "cancelled");
    if (!cancelled && strcmp(j->end.stop_reason, "paused") != 0)
        CLV_TRY(conclude(j));
    if (j->params->fit.on_event)
        (void)j->params->fit.on_event(j->params->fit.priv, &j->end);
    if (!cancelled)
        return CLV_OK;
    return clv_fail(&j->ctx->err, CLV_ERR_CANCELLED,
                    "cancelled after %d epochs and %llu steps; %s can be resumed", j->state.epoch,
                    (unsigned long long)j->state.step, j->paths.dir);
}

struct clv_run_job clv_run_job_init(struct clv_context *ctx, const struct clv_run_params *params)
{
    return (struct clv_run_job){.ctx = ctx, .params = params, .lock.fd = -1, .state.best = NAN, .loss_scale = 1};
}

void clv_run_job_finish(struct clv_run_job *j)
{
    clv_trainer_destroy(&j->trainer);
    clv_graph_destroy(&j->graph);
    clv_device_close(&j->dev);
    clv_safetensors_close(&j->last);
    clv_data_close(&j->data);
    clv_lock_release(&j->lock);
    clv_run_history_finish(&j->history);
    clv_run_config_finish(&j->config);
    clv_run_paths_finish(&j->paths);
    free(j->model_text);
    free(j->model_name);
    free(j->data_path);
    free(j->optimizer);
    free(j->loss);
}

enum clv_err clv_run_train_from(struct clv_context *ctx, const struct clv_run_params *params,
                                const struct clv_run_origin *origin, struct clv_run_result *result)
{
    struct clv_run_job j = clv_run_job_init(ctx, params);
    j.origin = origin;
    j.result = result;
    if (result)
        *result = (struct clv_run_result){.stop_reason = "failed", .best_value = NAN};
    const enum clv_err e = train(&j);
    fill_outcome(&j);
    if (e && j.made_dir)
        (void)rmdir(j.paths.dir); /* only if nothing was written */
    clv_run_job_finish(&j);
    return e;
}

enum clv_err clv_run_train(struct clv_context *ctx, const struct clv_run_params *params,
                           struct clv_run_result *result)
{
    return clv_run_train_from(ctx, params, NULL, result);
}
