/* Measuring a run on a split: by the run's own list, or a data set that the run has never seen. */
#include "train/run.h"

#include "base/util.h"
#include "data/dataset.h"
#include <stdlib.h>
#include <string.h>

struct progress {
    const struct clv_eval_params *params;
    size_t total;
};

static void on_progress(void *priv, size_t done)
{
    const struct progress *p = priv;
    p->params->on_progress(p->params->priv, done, p->total);
}

/* ---- the data ---- */

static enum clv_err open_data(struct clv_run *r, const struct clv_eval_params *params,
                              struct clv_data **ret, size_t *unknown)
{
    const char *path = params->data ? params->data : r->config.data_path;
    struct clv_data_params dp = {.split_list = r->paths.split, .skip_bad = params->skip_bad};
    struct clv_data *d = NULL;
    CLV_TRY(clv_data_open(r->ctx, path, &dp, &d));
    const struct clv_data_info *info = clv_data_get_info(d);
    *unknown = info->unknown;
    if (info->count[CLV_SPLIT_TRAIN] + info->count[CLV_SPLIT_VAL] + info->count[CLV_SPLIT_TEST]) {
        *ret = d;
        return CLV_OK;
    }
    clv_data_close(&d);
    clv_log(r->ctx, CLV_LOG_WARN,
            "%s: the run knows none of these images, so nothing of them was "
            "learnt: they are split as a new data set",
            path);
    dp = r->config.split;
    dp.skip_bad = params->skip_bad;
    dp.folds = 0;
    *unknown = 0;
    return clv_data_open(r->ctx, path, &dp, ret);
}

/* Another data set may lack classes: class[label in the data] = label in the run. */
static enum clv_err map_classes(const struct clv_run *r, const struct clv_data *d, int **ret)
{
    const struct clv_data_info *info = clv_data_get_info(d);
    int *map = malloc(((size_t)info->n_classes + 1) * sizeof *map);
    if (!map)
        return clv_fail_nomem(&r->ctx->err, "class names");
    for (int c = 0; c < info->n_classes; c++) {
        map[c] = clv_data_find(r->config.classes, r->config.n_classes, info->classes[c]);
        if (map[c] >= 0)
            continue;
        free(map);
        return clv_fail(&r->ctx->err, CLV_ERR_DATA,
                        "%s: its class %s is not among the %d that %s "
                        "was trained on",
                        info->path, info->classes[c], r->config.n_classes, r->paths.dir);
    }
    *ret = map;
    return CLV_OK;
}

static enum clv_err find_positive(const struct clv_run *r, const char *name, int *ret)
{
    *ret = r->config.n_classes - 1;
    if (!name)
        return CLV_OK;
    *ret = clv_data_find(r->config.classes, r->config.n_classes, name);
    if (*ret >= 0)
        return CLV_OK;
    struct clv_str s = {0};
    for (int c = 0; c < r->config.n_classes; c++)
        clv_str_addf(&s, "%s%s", c ? ", " : "", r->config.classes[c]);
    const enum clv_err e = clv_fail(&r->ctx->err, CLV_ERR_ARG, "the run has no class %s; it has %s",
                                    name, s.text ? s.text : "");
    clv_str_finish(&s);
    return e;
}

/* ---- the numbers ---- */

static enum clv_err tell(const struct clv_run *r, const struct clv_eval_params *params,
                         const struct clv_data *d, const float *prob, const int32_t *labels)
{
    const size_t n = clv_data_count(d, params->split), k = (size_t)r->config.n_classes;
    for (size_t i = 0; i < n && params->on_prediction; i++) {
        const float *row = prob + i * k;
        struct clv_sample_info info;
        CLV_TRY(clv_data_sample(d, params->split, i, &info));
        struct clv_prediction p = {
            .path = info.path, .split = info.split, .label = labels[i], .prob = row};
        for (size_t c = 1; c < k; c++)
            if (row[c] > row[p.predicted])
                p.predicted = (int)c;
        params->on_prediction(params->priv, &p);
    }
    return CLV_OK;
}

/* From the network's outputs and the data's labels to the run's classes. */
static enum clv_err translate(const struct clv_run *r, const float *output, size_t n,
                              const int *map, int32_t *labels, float **prob)
{
    const size_t k = (size_t)r->config.n_classes, outputs = (size_t)r->trainer->outputs;
    *prob = malloc(n * k * sizeof **prob);
    if (!*prob)
        return clv_fail_nomem(&r->ctx->err, "probabilities");
    for (size_t i = 0; i < n; i++) {
        clv_run_probabilities(r, output + i * outputs, *prob + i * k);
        labels[i] = map[labels[i]];
    }
    return CLV_OK;
}

static enum clv_err evaluate(struct clv_run *r, const struct clv_eval_params *params,
                             struct clv_data *d, const int *map, int positive,
                             struct clv_metrics *metrics)
{
    const size_t n = clv_data_count(d, params->split);
    struct progress progress = {params, n};
    /* Every image is read once: there is nothing to keep. */
    const struct clv_batch_source source = {
        .data = d, .split = params->split, .threads = r->config.threads, .cache_bytes = 1};
    struct clv_metrics raw = {0};
    float *output = NULL, *prob = NULL;
    int32_t *labels = NULL;
    if (!n)
        return clv_fail(&r->ctx->err, CLV_ERR_DATA, "%s: no images in its %s split",
                        clv_data_get_info(d)->path, clv_split_name(params->split));
    CLV_TRY(clv_run_start(r));
    enum clv_err e = clv_trainer_evaluate_as(r->trainer, &source, -1, &raw, &output, &labels,
                                             params->on_progress ? on_progress : NULL, &progress);
    clv_metrics_finish(&raw);
    if (!e)
        e = translate(r, output, n, map, labels, &prob);
    if (!e)
        e = clv_metrics_compute(r->ctx, prob, labels, n, r->config.n_classes, positive, metrics);
    if (!e) {
        e = tell(r, params, d, prob, labels);
        if (e)
            clv_metrics_finish(metrics);
    }
    free(output);
    free(prob);
    free(labels);
    return e;
}

enum clv_err clv_run_eval(struct clv_run *run, const struct clv_eval_params *params,
                          struct clv_metrics *metrics, size_t *unknown)
{
    static const struct clv_eval_params defaults = {.split = CLV_SPLIT_TEST};
    struct clv_data *d = NULL;
    int *map = NULL, positive = 0;
    size_t left_out = 0;
    if (!params)
        params = &defaults;
    if ((unsigned)params->split >= CLV_SPLIT_COUNT)
        return clv_fail(&run->ctx->err, CLV_ERR_ARG, "there is no split %d", (int)params->split);
    CLV_TRY(find_positive(run, params->positive, &positive));
    enum clv_err e = open_data(run, params, &d, &left_out);
    if (!e)
        e = map_classes(run, d, &map);
    if (!e)
        e = evaluate(run, params, d, map, positive, metrics);
    if (!e && unknown)
        *unknown = left_out;
    free(map);
    clv_data_close(&d);
    return e;
}
