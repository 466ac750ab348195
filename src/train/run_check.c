/* What can be said about a training before a device is opened, in the order: arguments and RUN, the
 * model's text, the data. A new run takes its choices from the caller, a resumed one from RUN. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "train/run.h"

#include "base/file.h"
#include "base/util.h"
#include "data/loader.h"
#include "data/pipeline.h"
#include "data/sampler.h"
#include "graph/op.h"
#include "model/model.h"
#include "train/fit.h"
#include <stdlib.h>
#include <string.h>

/* ---- a new run ---- */

/* Nothing there, or an empty folder, or one where a run was killed before it had a config.json, or
 * a run that may be replaced. */
static enum clv_err check_out(const struct clv_run_job *j)
{
    struct clv_error *err = &j->ctx->err;
    const char *dir = j->paths.dir;
    char **names = NULL;
    size_t n = 0;
    if (clv_file_exists(dir))
        return clv_fail(err, CLV_ERR_EXISTS, "%s: is a file; choose another folder for the run",
                        dir);
    if (!clv_dir_exists(dir))
        return CLV_OK;
    if (clv_file_exists(j->paths.config))
        return j->params->force ? CLV_OK
                                : clv_fail(err, CLV_ERR_EXISTS,
                                           "%s: already holds a run; resume it, replace it "
                                           "by force, or choose another folder",
                                           dir);
    CLV_TRY(clv_dir_list(dir, &names, &n, err));
    bool foreign = false;
    for (size_t i = 0; i < n; i++)
        foreign = foreign || (strcmp(names[i], "split.csv") && !clv_run_is_leftover(names[i]));
    clv_list_free(names, n);
    if (foreign)
        return clv_fail(err, CLV_ERR_EXISTS,
                        "%s: exists and holds no run (no config.json), so it is "
                        "not replaced; choose another folder",
                        dir);
    return CLV_OK;
}

static enum clv_err begin_new(struct clv_run_job *j)
{
    const struct clv_run_params *p = j->params;
    struct clv_run_config *c = &j->config;
    const bool model = p->model || (j->origin && j->origin->model_text);
    if (!model || !p->data || !p->out)
        return clv_fail(&j->ctx->err, CLV_ERR_ARG, "no %s was given",
                        !model     ? "model"
                        : !p->data ? "data set"
                                   : "folder for the run");
    CLV_TRY(clv_run_paths_init(&j->paths, p->out, &j->ctx->err));
    if (j->config_name) {
        free(j->paths.config);
        j->paths.config = clv_path_join(p->out, j->config_name);
        if (!j->paths.config)
            return clv_fail_nomem(&j->ctx->err, p->out);
    }
    CLV_TRY(check_out(j));
    c->version = clv_version();
    c->split = p->split;
    c->split.split_list = NULL;
    c->trainer = p->trainer;
    c->fit = p->fit;
    c->threads = p->threads;
    c->cache_bytes = p->cache_bytes;
    c->checkpoint_seconds = p->checkpoint_seconds;
    c->device = p->device;
    c->data_path = p->data;
    if (!c->split.split)
        c->split.split = "70/15/15";
    if (!c->split.val_fraction)
        c->split.val_fraction = .15;
    if (!c->trainer.batch)
        c->trainer.batch = 32;
    if (!c->trainer.optimizer || !*c->trainer.optimizer)
        c->trainer.optimizer = "adam";
    if (!c->fit.epochs)
        c->fit.epochs = 10;
    if (!c->fit.schedule || !*c->fit.schedule)
        c->fit.schedule = "constant";
    if (!c->fit.sampler || !*c->fit.sampler)
        c->fit.sampler = "shuffle";
    if (!c->checkpoint_seconds)
        c->checkpoint_seconds = 60;
    return CLV_OK;
}

/* ---- a resumed run ---- */

static enum clv_err open_last(struct clv_run_job *j)
{
    struct clv_error *err = &j->ctx->err;
    const char *path = j->paths.last;
    if (!clv_file_exists(path)) {
        clv_log(j->ctx, CLV_LOG_INFO, "%s: no checkpoint yet; training starts at its beginning",
                j->paths.dir);
        return CLV_OK;
    }
    CLV_TRY(clv_safetensors_open(path, &j->last, err));
    const char *text = clv_safetensors_get_meta(j->last, "clavicle.fit");
    if (!text)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: is no checkpoint of a run: it does not say where the "
                        "training stands",
                        path);
    const enum clv_err e = clv_run_state_parse(text, &j->state, err);
    if (e)
        clv_fail_prefix(err, "%s", path);
    return e;
}

static enum clv_err begin_resumed(struct clv_run_job *j)
{
    const struct clv_run_params *p = j->params;
    struct clv_run_config *c = &j->config;
    CLV_TRY(clv_run_paths_init(&j->paths, p->resume, &j->ctx->err));
    if (clv_dir_exists(j->paths.dir))
        CLV_TRY(clv_lock_dir(&j->lock, j->paths.dir, j->ctx));
    CLV_TRY(clv_run_config_read(j->paths.config, c, &j->ctx->err));
    if (strcmp(c->version, clv_version()))
        return clv_fail(
            &j->ctx->err, CLV_ERR_MISMATCH,
            "%s: was begun by Clavicle %s and this is %s; a run goes on with the version "
            "that began it",
            p->resume, c->version, clv_version());
    if (c->trials && !j->set)
        return clv_fail(&j->ctx->err, CLV_ERR_ARG, "%s: holds repeated runs; resume them together, or one of them", p->resume);
    if (!j->set)
        CLV_TRY(open_last(j));
    c->fit.epochs = p->fit.epochs ? p->fit.epochs : c->fit.epochs;
    c->fit.patience = p->fit.patience ? p->fit.patience : c->fit.patience;
    c->fit.max_steps = p->fit.max_steps ? p->fit.max_steps : c->fit.max_steps;
    c->fit.pause = p->fit.pause;
    c->fit.profile = p->fit.profile;
    c->fit.trace = p->fit.trace;
    c->trainer.check_finite = p->trainer.check_finite;
    c->threads = p->threads ? p->threads : c->threads;
    c->cache_bytes = p->cache_bytes ? p->cache_bytes : c->cache_bytes;
    c->checkpoint_seconds =
        p->checkpoint_seconds > 0 ? p->checkpoint_seconds : c->checkpoint_seconds;
    struct clv_device_params device = p->device;
    if (!device.select)
        device.select = c->device.select;
    if (!device.caps)
        device.caps = c->device.caps;
    c->device = device;
    if (p->data)
        c->data_path = p->data;
    clv_run_history_read(&j->history, j->paths.history, j->state.epoch);
    if (j->history.n < (size_t)j->state.epoch)
        clv_log(j->ctx, CLV_LOG_WARN, "%s: lacks epochs that were trained; it goes on without them",
                j->paths.history);
    if (j->history.n)
        j->seconds_before = j->history.rows[j->history.n - 1].seconds;
    return CLV_OK;
}

/* ---- choices and model ---- */

/* The optimizer with all its options spelt out, so that the run says what it was trained with. */
static enum clv_err check_optimizer(struct clv_run_job *j)
{
    const struct clv_optim *optim;
    void *values = NULL;
    struct clv_str s = {0};
    CLV_TRY(clv_optim_parse(j->config.trainer.optimizer, &optim, &values, &j->ctx->err));
    clv_str_addf(&s, "%s ", optim->name);
    clv_opt_print(optim->opts, values, true, &s);
    free(values);
    j->optimizer = clv_str_take(&s);
    if (!j->optimizer)
        return clv_fail_nomem(&j->ctx->err, "the optimizer");
    j->config.trainer.optimizer = j->optimizer;
    return CLV_OK;
}

static enum clv_err check_choices(struct clv_run_job *j)
{
    const struct clv_run_config *c = &j->config;
    struct clv_error *err = &j->ctx->err;
    struct clv_lr_schedule schedule;
    enum clv_monitor monitor;
    if (c->trainer.batch < 1 || c->trainer.batch > 1 << 20)
        return clv_fail(err, CLV_ERR_ARG, "batch %d is not in 1..1048576", c->trainer.batch);
    if (c->fit.epochs < 1 || c->fit.patience < 0 || c->threads < 0)
        return clv_fail(err, CLV_ERR_ARG,
                        "%d epochs, patience %d, %d threads: must not be negative", c->fit.epochs,
                        c->fit.patience, c->threads);
    if (!(c->trainer.clip_norm >= 0) || !(c->fit.min_delta >= 0) || !(c->checkpoint_seconds >= 0))
        return clv_fail(err, CLV_ERR_ARG,
                        "clip_norm %g, min_delta %g, checkpoint_seconds %g: must not be negative",
                        c->trainer.clip_norm, c->fit.min_delta, c->checkpoint_seconds);
    struct clv_sampler *sampler;
    CLV_TRY(check_optimizer(j));
    CLV_TRY(clv_sampler_create(c->fit.sampler, 0, NULL, NULL, err, &sampler));
    CLV_TRY(clv_lr_schedule_parse(c->fit.schedule, &schedule, err));
    return clv_monitor_parse(c->fit.monitor, true, &monitor, err);
}

static enum clv_err parse_model(struct clv_context *ctx, const struct clv_run_config *c,
                                int n_classes, struct clv_graph **ret)
{
    const struct clv_variable classes = {"classes", n_classes};
    struct clv_graph *g = NULL;
    CLV_TRY(clv_model_parse(ctx, c->model_text, c->model_name, &classes, 1, &g));
    const enum clv_err e = clv_graph_check(g);
    if (e)
        clv_graph_destroy(&g);
    else
        *ret = g;
    return e;
}

/* The data may be large: a fault of the model's text is said before they are read. */
static enum clv_err check_model(struct clv_run_job *j)
{
    struct clv_run_config *c = &j->config;
    struct clv_graph *g = NULL;
    struct clv_node *loss = NULL;
    if (!c->json && j->origin && j->origin->model_text) {
        c->model_text = j->origin->model_text;
        c->model_name = j->origin->model_name;
    } else if (!c->json) {
        CLV_TRY(clv_model_text(j->ctx, j->params->model, &j->model_text, &j->model_name));
        c->model_text = j->model_text;
        c->model_name = j->model_name;
    }
    CLV_TRY(parse_model(j->ctx, c, c->n_classes ? c->n_classes : 2, &g));
    c->height = g->input->shape.h;
    c->width = g->input->shape.w;
    c->channels = g->input->shape.c;
    /* How many classes there are, and so whether their weights fit, the data have yet to say. */
    const struct clv_opt_list none = {0};
    struct clv_opt_list weights;
    char *text = NULL;
    enum clv_err e = clv_loss_reweigh(j->ctx, c->trainer.loss, &none, &weights, &text);
    if (!e)
        e = clv_loss_add(j->ctx, g, text, &loss);
    if (!e && (!c->trainer.loss || !*c->trainer.loss))
        c->trainer.loss = loss->op->name;
    free(text);
    clv_graph_destroy(&g);
    return e;
}

enum clv_err clv_run_graph(struct clv_context *ctx, const struct clv_run_config *c,
                           struct clv_graph **ret)
{
    struct clv_graph *g = NULL;
    CLV_TRY(parse_model(ctx, c, c->n_classes, &g));
    const long long outputs = (long long)clv_shape_count(g->output->shape);
    if (outputs != c->n_classes && !(outputs == 1 && c->n_classes == 2)) {
        const enum clv_err e =
            clv_fail(&ctx->err, CLV_ERR_SHAPE,
                     "%s: its output %s has %lld numbers, but the data have "
                     "%d classes; write units=$classes in the last layer",
                     c->model_name, clv_node_name(g->output), outputs, c->n_classes);
        clv_graph_destroy(&g);
        return e;
    }
    *ret = g;
    return CLV_OK;
}

/* Of folds each has its own numbers. */
static enum clv_err balance(struct clv_run_job *j)
{
    struct clv_opt_list *w = &j->class_weight, was;
    *w = (struct clv_opt_list){.n = j->config.n_classes};
    if (w->n > CLV_OPT_LIST_MAX)
        return clv_fail(&j->ctx->err, CLV_ERR_ARG, "class_weight=balanced: more than %d classes", CLV_OPT_LIST_MAX);
    CLV_TRY(clv_data_class_weights(j->data, CLV_SPLIT_TRAIN, w->v));
    CLV_TRY(clv_loss_reweigh(j->ctx, j->config.trainer.loss, w, &was, &j->loss));
    j->config.trainer.loss = j->loss;
    return CLV_OK;
}

static enum clv_err check_loss(struct clv_run_job *j)
{
    const struct clv_run_config *c = &j->config;
    struct clv_graph *g = NULL;
    struct clv_node *loss = NULL;
    char *text = NULL;
    CLV_TRY(clv_loss_reweigh(j->ctx, c->trainer.loss, NULL, &j->class_weight, &text));
    if (!j->class_weight.n || (j->set && j->class_weight.n < 0))
        return CLV_OK;
    if (j->class_weight.n < 0)
        CLV_TRY(balance(j));
    CLV_TRY(clv_run_graph(j->ctx, c, &g));
    const enum clv_err e = clv_loss_add(j->ctx, g, c->trainer.loss, &loss);
    clv_graph_destroy(&g);
    return e;
}

/* ---- data ---- */

static enum clv_err take_data(struct clv_run_job *j)
{
    struct clv_run_config *c = &j->config;
    const struct clv_data_info *info = clv_data_get_info(j->data);
    if (info->n_classes < 2)
        return clv_fail(&j->ctx->err, CLV_ERR_DATA,
                        "%s: only one class (%s); a training needs at least two", info->path,
                        info->n_classes ? info->classes[0] : "none");
    if (!info->count[CLV_SPLIT_TRAIN])
        return clv_fail(&j->ctx->err, CLV_ERR_DATA, "%s: there are no images to train with",
                        info->path);
    c->classes = malloc((size_t)info->n_classes * sizeof *c->classes);
    if (!c->classes)
        return clv_fail_nomem(&j->ctx->err, "class names");
    memcpy((void *)c->classes, info->classes, (size_t)info->n_classes * sizeof *c->classes);
    c->n_classes = info->n_classes;
    c->data_format = info->format;
    c->fingerprint = info->fingerprint;
    memcpy(c->count, info->count, sizeof c->count);
    c->ignored = info->ignored;
    c->bad = info->bad;
    c->duplicates = info->duplicates;
    c->leaked_images = info->leaked_images;
    c->leaked_groups = info->leaked_groups;
    c->given_split = info->given_split;
    j->data_path = realpath(c->data_path, NULL); /* eval may be called from elsewhere */
    if (j->data_path)
        c->data_path = j->data_path;
    if (!info->count[CLV_SPLIT_VAL])
        clv_log(j->ctx, CLV_LOG_WARN,
                "%s: no validation images; the best epoch is chosen by the "
                "training loss",
                info->path);
    if (!c->fit.monitor || !*c->fit.monitor)
        c->fit.monitor = info->count[CLV_SPLIT_VAL] ? "val_loss" : "loss";
    return CLV_OK;
}

/* Images that were added since are not in the split list, so they change nothing. */
static enum clv_err same_data(const struct clv_run_job *j)
{
    const struct clv_run_config *c = &j->config;
    const struct clv_data_info *info = clv_data_get_info(j->data);
    if (c->fingerprint && !strcmp(info->fingerprint, c->fingerprint))
        return CLV_OK;
    return clv_fail(&j->ctx->err, CLV_ERR_MISMATCH,
                    "%s: the data have changed since %s was begun: %zu train, %zu val and %zu test "
                    "images of the %zu, %zu and %zu are there (fingerprint %.12s, was %.12s)",
                    info->path, j->paths.dir, info->count[0], info->count[1], info->count[2],
                    c->count[0], c->count[1], c->count[2], info->fingerprint,
                    c->fingerprint ? c->fingerprint : "?");
}

static enum clv_err open_data(struct clv_run_job *j)
{
    struct clv_data_params params = j->config.split;
    if (j->config.json) { /* that list says which fold is val */
        params.split_list = j->paths.split;
        params.folds = 0;
    } else if (j->origin) {
        params.split_list = j->origin->split_list;
    }
    CLV_TRY(clv_data_open(j->ctx, j->config.data_path, &params, &j->data));
    return j->config.json ? same_data(j) : take_data(j);
}

/* Preprocessing fits every image; and how much room a staged one needs. */
static enum clv_err measure_images(struct clv_run_job *j)
{
    const struct clv_run_config *c = &j->config;
    struct clv_loader *l = NULL;
    const struct clv_loader_params params = {.data = j->data,
                                             .split = CLV_SPLIT_TRAIN,
                                             .batch = c->trainer.batch,
                                             .height = c->height,
                                             .width = c->width,
                                             .channels = c->channels,
                                             .pipeline = c->trainer.pipeline,
                                             .training = true,
                                             .threads = 1,
                                             .ahead = 1};
    CLV_TRY(clv_loader_create(j->ctx, &params, &l));
    j->image_bytes = clv_loader_image_bytes(l);
    clv_loader_destroy(&l);
    return CLV_OK;
}

/* ---- the whole ---- */

/* A temporary file beside the checkpoint shows that RUN can be written; likewise the trace. */
static enum clv_err check_writable(struct clv_run_job *j)
{
    struct clv_out probe = {0};
    const bool there = clv_dir_exists(j->paths.dir);
    CLV_TRY(clv_mkdirs(j->paths.dir, &j->ctx->err));
    if (!j->params->resume) {
        CLV_TRY(clv_lock_dir(&j->lock, j->paths.dir, j->ctx));
        CLV_TRY(check_out(j)); /* who held the lock before may have begun a run here */
    }
    j->made_dir = !there; /* now that it is ours: who leaves empty-handed removes it */
    CLV_TRY(clv_out_open(&probe, j->paths.last, &j->ctx->err));
    clv_out_abort(&probe);
    if (!j->config.fit.trace)
        return CLV_OK;
    CLV_TRY(clv_out_open(&probe, j->config.fit.trace, &j->ctx->err));
    clv_out_abort(&probe);
    return CLV_OK;
}

enum clv_err clv_run_check_request(struct clv_run_job *j)
{
    CLV_TRY(j->params->resume ? begin_resumed(j) : begin_new(j));
    j->config.device.profile = j->config.device.profile || j->config.fit.profile || j->config.fit.trace;
    CLV_TRY(check_choices(j));
    CLV_TRY(check_model(j));
    const struct clv_run_config *c = &j->config;
    struct clv_pipeline pipeline;
    return clv_pipeline_init(&pipeline, c->height, c->width, c->channels, &c->trainer.pipeline, &j->ctx->err);
}

enum clv_err clv_run_check(struct clv_run_job *j)
{
    enum clv_monitor monitor;
    CLV_TRY(clv_run_check_request(j));
    CLV_TRY(open_data(j));
    CLV_TRY(clv_monitor_parse(j->config.fit.monitor, clv_data_count(j->data, CLV_SPLIT_VAL) > 0,
                              &monitor, &j->ctx->err));
    CLV_TRY(clv_run_graph(j->ctx, &j->config, &j->graph));
    j->config.parameters = clv_graph_parameters(j->graph);
    CLV_TRY(check_loss(j));
    CLV_TRY(measure_images(j));
    return check_writable(j);
}

/* ---- with the device ---- */

static void note_change(struct clv_str *s, const char *what, const char *was, const char *is)
{
    was = was ? was : "";
    is = is ? is : "";
    if (strcmp(was, is))
        clv_str_addf(s, "%s%s \"%s\" (was \"%s\")", s->len ? ", " : "", what, is, was);
}

enum clv_err clv_run_check_device(struct clv_run_job *j)
{
    struct clv_run_config *c = &j->config;
    const struct clv_device_info *info = clv_device_get_info(j->dev);
    struct clv_str s = {0};
    enum clv_err e = CLV_OK;
    if (c->json) {
        const char *caps =
            json_string_value(json_object_get(json_object_get(c->json, "device"), "caps"));
        note_change(&s, "platform", c->platform, info->platform_name);
        note_change(&s, "platform version", c->platform_version, info->platform_version);
        note_change(&s, "device", c->device_name, info->name);
        note_change(&s, "driver", c->driver, info->driver);
        note_change(&s, "device version", c->device_version, info->version);
        note_change(&s, "caps", caps, c->device.caps);
        if (s.len)
            e = clv_fail(&j->ctx->err, CLV_ERR_MISMATCH,
                         "%s: cannot go on bit for bit, this is another machine or driver: %s",
                         j->paths.dir, s.text);
        clv_str_finish(&s);
        return e;
    }
    c->platform = info->platform_name;
    c->platform_version = info->platform_version;
    c->device_name = info->name;
    c->vendor = info->vendor;
    c->driver = info->driver;
    c->device_version = info->version;
    return CLV_OK;
}

/* The steps of the training plan, a line each: what runs, in which variant, with which sizes. */
static json_t *list_steps(struct clv_trainer *t)
{
    char *text = clv_trainer_plan_text(t, true);
    json_t *list = json_array();
    for (char *at = text; at && list && *at && *at != '\n';) {
        const size_t n = strcspn(at, "\n");
        if (json_array_append_new(list, json_stringn(at, n))) {
            json_decref(list);
            list = NULL;
        }
        at += n + (at[n] == '\n');
    }
    free(text);
    return list;
}

enum clv_err clv_run_check_selection(struct clv_run_job *j)
{
    struct clv_run_config *c = &j->config;
    if (c->trainer.check_finite) /* has steps of its own between those that compute */
        return CLV_OK;
    json_t *steps = list_steps(j->trainer);
    if (!steps)
        return clv_fail_nomem(&j->ctx->err, "the plan's text");
    if (!c->json) {
        c->selection = steps;
        return CLV_OK;
    }
    enum clv_err e = CLV_OK;
    const size_t n = CLV_MAX(json_array_size(steps), json_array_size(c->selection));
    for (size_t i = 0; i < n && !e && c->selection; i++) {
        const json_t *was = json_array_get(c->selection, i), *is = json_array_get(steps, i);
        if (!json_equal(was, is))
            e = clv_fail(&j->ctx->err, CLV_ERR_MISMATCH,
                         "%s: cannot go on bit for bit, other kernels are chosen now: \"%s\" (was "
                         "\"%s\")",
                         j->paths.dir, is ? json_string_value(is) : "",
                         was && json_is_string(was) ? json_string_value(was) : "");
    }
    json_decref(steps);
    return e;
}
