/* Opening a finished run: everything it needs lies in its folder. */
#include "train/run.h"

#include "base/file.h"
#include "base/util.h"
#include "data/loader.h"
#include <stdlib.h>
#include <string.h>

/* "best", "last" or a file. */
static enum clv_err find_checkpoint(const struct clv_run *r, const char *which, const char **path)
{
    *path = which;
    if (!which || !*which || !strcmp(which, "best"))
        *path = r->paths.best;
    else if (!strcmp(which, "last"))
        *path = r->paths.last;
    if (clv_file_exists(*path))
        return CLV_OK;
    return clv_fail(&r->ctx->err, CLV_ERR_IO, "%s: no such checkpoint%s", *path,
                    *path == r->paths.best && clv_file_exists(r->paths.last)
                        ? "; the run has no finished epoch yet, take the checkpoint \"last\""
                        : "");
}

static enum clv_err open_checkpoint(struct clv_run *r, const char *which,
                                    struct clv_safetensors **ret)
{
    const char *path = NULL;
    long long epoch = 0;
    CLV_TRY(find_checkpoint(r, which, &path));
    CLV_TRY(clv_safetensors_open(path, ret, &r->ctx->err));
    const char *text = clv_safetensors_get_meta(*ret, "clavicle.epoch");
    if (text && clv_parse_int(text, &epoch) && epoch >= 0 && epoch <= 1 << 30)
        r->info.epoch = (int)epoch;
    return CLV_OK;
}

/* Staging for any image that there can be: a run sees files that nobody has measured. */
static enum clv_err make_loader(struct clv_run *r, int batch, size_t *image_bytes)
{
    const struct clv_loader_params params = {.batch = batch,
                                             .height = r->info.height,
                                             .width = r->info.width,
                                             .channels = r->info.channels,
                                             .pipeline = r->config.trainer.pipeline};
    CLV_TRY(clv_loader_create(r->ctx, &params, &r->loader));
    *image_bytes = clv_loader_image_bytes(r->loader);
    return CLV_OK;
}

static bool same(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

/* On the device of the training its choices are known. */
static enum clv_err create_trainer(struct clv_run *r, const struct clv_trainer_params *tp)
{
    const struct clv_run_config *c = &r->config;
    const struct clv_device_info *info = clv_device_get_info(r->dev);
    struct clv_selection recorded = {0};
    enum clv_err e = CLV_OK;
    if (same(c->version, clv_version()) && same(c->platform, info->platform_name) &&
        same(c->platform_version, info->platform_version) && same(c->device_name, info->name) &&
        same(c->driver, info->driver))
        e = clv_run_recorded(c, &recorded, &r->ctx->err);
    if (!e)
        e = clv_trainer_create_as(r->dev, r->graph, tp, &recorded, &r->trainer);
    clv_selection_finish(&recorded);
    return e;
}

static enum clv_err make_trainer(struct clv_run *r)
{
    struct clv_trainer_params tp = r->config.trainer;
    tp.inference_only = true;
    tp.batch = r->params.batch;
    tp.tune = r->params.tune;
    tp.self_test = r->params.self_test;
    tp.tuning = r->params.tuning;
    CLV_TRY(make_loader(r, tp.batch, &tp.max_image_bytes));
    CLV_TRY(clv_device_open(r->ctx, &r->params.device, &r->dev));
    r->info.device = clv_device_get_info(r->dev)->name;
    CLV_TRY(create_trainer(r, &tp));
    r->trainer->views = &r->views;
    return clv_trainer_load_from(r->trainer, r->checkpoint);
}

enum clv_err clv_run_start(struct clv_run *r)
{
    if (r->trainer)
        return CLV_OK;
    const enum clv_err e = make_trainer(r);
    if (!e) {
        clv_safetensors_close(&r->checkpoint);
        return CLV_OK;
    }
    clv_loader_destroy(&r->loader);
    clv_trainer_destroy(&r->trainer);
    clv_device_close(&r->dev);
    r->info.device = NULL;
    return e;
}

static enum clv_err keep_params(struct clv_run *r, const struct clv_run_open_params *params)
{
    const struct clv_device_params *d = &params->device;
    r->params = *params;
    r->params.batch = params->batch ? params->batch : r->config.trainer.batch;
    if (r->params.batch < 1 || r->params.batch > 1 << 20)
        return clv_fail(&r->ctx->err, CLV_ERR_ARG, "batch %d is not in 1..1048576",
                        r->params.batch);
    r->select = d->select ? clv_strdupf("%s", d->select) : NULL;
    r->caps = d->caps ? clv_strdupf("%s", d->caps) : NULL;
    if ((d->select && !r->select) || (d->caps && !r->caps))
        return clv_fail_nomem(&r->ctx->err, "a run");
    r->params.device.select = r->select;
    r->params.device.caps = r->caps;
    return CLV_OK;
}

static enum clv_err make_views(struct clv_run *r, const char *text)
{
    static const char *const plain[] = {"as it is"};
    struct clv_pipeline p;
    CLV_TRY(clv_pipeline_init(&p, r->info.height, r->info.width, r->info.channels, &r->config.trainer.pipeline,
                              &r->ctx->err));
    CLV_TRY(clv_views_init(&r->views, text, &p, r->config.trainer.seed, &r->ctx->err));
    r->info.n_views = r->views.n ? r->views.n : 1;
    r->info.views = r->views.n ? (const char *const *)r->views.name : plain;
    return CLV_OK;
}

static enum clv_err open_steps(struct clv_run *r, const char *dir,
                               const struct clv_run_open_params *params)
{
    struct clv_error *err = &r->ctx->err;
    CLV_TRY(clv_run_paths_init(&r->paths, dir, err));
    CLV_TRY(clv_run_config_read(r->paths.config, &r->config, err));
    if (r->config.trials)
        return clv_fail(err, CLV_ERR_ARG, "%s: holds repeated runs; give one of them, such as %s/%s-1", dir, dir,
                        r->config.folds ? "fold" : "trial");
    CLV_TRY(keep_params(r, params));
    CLV_TRY(clv_run_graph(r->ctx, &r->config, &r->graph));
    const struct clv_shape input = r->graph->input->shape;
    r->info = (struct clv_run_info){
        .path = r->paths.dir,
        .model = r->config.model_name,
        .n_classes = r->config.n_classes,
        .classes = r->config.classes,
        .height = input.h,
        .width = input.w,
        .channels = input.c,
    };
    CLV_TRY(make_views(r, params->tta));
    return open_checkpoint(r, params->checkpoint, &r->checkpoint);
}

enum clv_err clv_run_open(struct clv_context *ctx, const char *run,
                          const struct clv_run_open_params *params, struct clv_run **ret)
{
    static const struct clv_run_open_params defaults = {0};
    struct clv_run *r = calloc(1, sizeof *r);
    if (!r)
        return clv_fail_nomem(&ctx->err, "a run");
    r->ctx = ctx;
    const enum clv_err e = open_steps(r, run, params ? params : &defaults);
    if (e)
        clv_run_close(&r);
    else
        *ret = r;
    return e;
}

void clv_run_close(struct clv_run **run)
{
    struct clv_run *r = run ? *run : NULL;
    if (!r)
        return;
    clv_loader_destroy(&r->loader);
    clv_trainer_destroy(&r->trainer);
    clv_graph_destroy(&r->graph);
    clv_device_close(&r->dev);
    clv_safetensors_close(&r->checkpoint);
    clv_views_finish(&r->views);
    free(r->select);
    free(r->caps);
    clv_run_config_finish(&r->config);
    clv_run_paths_finish(&r->paths);
    free(r);
    *run = NULL;
}

const struct clv_run_info *clv_run_get_info(const struct clv_run *run)
{
    return &run->info;
}

void clv_run_probabilities(const struct clv_run *run, const float *output, float *prob)
{
    if (run->trainer->outputs == 1) {
        prob[0] = 1 - output[0];
        prob[1] = output[0];
        return;
    }
    memcpy(prob, output, (size_t)run->config.n_classes * sizeof *prob);
}
