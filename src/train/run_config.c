/* config.json: one table of members serves writing and reading. */
#include "train/run.h"

#include "base/file.h"
#include "base/util.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, INT, U64, SIZE, DOUBLE, BOOL, GEMM, WINOGRAD, PRECISION };

struct member {
    const char *section, *key; /* section NULL: the file's outermost object */
    enum kind kind;
    size_t offset;
    bool later; /* runs from before there was the choice lack it: it stays 0 */
};

#define AT(f) offsetof(struct clv_run_config, f)

static const struct member members[] = {
    {NULL, "clavicle", TEXT, AT(version)},
    {NULL, "folds", INT, AT(folds), true},
    {NULL, "trials", INT, AT(trials), true},
    {"model", "name", TEXT, AT(model_name)},
    {"model", "text", TEXT, AT(model_text)},
    {"model", "height", INT, AT(height)},
    {"model", "width", INT, AT(width)},
    {"model", "channels", INT, AT(channels)},
    {"model", "parameters", U64, AT(parameters)},
    {"data", "path", TEXT, AT(data_path)},
    {"data", "format", TEXT, AT(data_format)},
    {"data", "fingerprint", TEXT, AT(fingerprint)},
    {"data", "train", SIZE, AT(count[CLV_SPLIT_TRAIN])},
    {"data", "val", SIZE, AT(count[CLV_SPLIT_VAL])},
    {"data", "test", SIZE, AT(count[CLV_SPLIT_TEST])},
    {"data", "ignored", SIZE, AT(ignored)},
    {"data", "bad", SIZE, AT(bad)},
    {"data", "duplicates", SIZE, AT(duplicates)},
    {"data", "leaked_images", SIZE, AT(leaked_images)},
    {"data", "leaked_groups", SIZE, AT(leaked_groups)},
    {"data", "given_split", BOOL, AT(given_split)},
    {"data", "split", TEXT, AT(split.split)},
    {"data", "val_fraction", DOUBLE, AT(split.val_fraction)},
    {"data", "seed", U64, AT(split.seed)},
    {"data", "group_by", TEXT, AT(split.group_by)},
    {"data", "folds", INT, AT(split.folds), true},
    {"data", "fold", INT, AT(split.fold), true},
    {"data", "skip_bad", BOOL, AT(split.skip_bad)},
    {"data", "refuse_leaks", BOOL, AT(split.refuse_leaks)},
    {"preprocessing", "preprocess", TEXT, AT(trainer.pipeline.preprocess)},
    {"preprocessing", "augment", TEXT, AT(trainer.pipeline.augment)},
    {"training", "batch", INT, AT(trainer.batch)},
    {"training", "seed", U64, AT(trainer.seed)},
    {"training", "optimizer", TEXT, AT(trainer.optimizer)},
    {"training", "loss", TEXT, AT(trainer.loss)},
    {"training", "clip_norm", DOUBLE, AT(trainer.clip_norm)},
    {"training", "gemm", GEMM, AT(trainer.gemm)},
    {"training", "winograd", WINOGRAD, AT(trainer.winograd)},
    {"training", "precision", PRECISION, AT(trainer.precision), true},
    {"training", "loss_scale", DOUBLE, AT(trainer.loss_scale), true},
    {"training", "loss_scale_steps", INT, AT(trainer.loss_scale_steps), true},
    {"training", "separate", BOOL, AT(trainer.separate)},
    {"training", "epochs", INT, AT(fit.epochs)},
    {"training", "schedule", TEXT, AT(fit.schedule)},
    {"training", "sampler", TEXT, AT(fit.sampler), true},
    {"training", "monitor", TEXT, AT(fit.monitor)},
    {"training", "patience", INT, AT(fit.patience)},
    {"training", "min_delta", DOUBLE, AT(fit.min_delta)},
    {"training", "max_steps", U64, AT(fit.max_steps)},
    {"training", "checkpoint_seconds", DOUBLE, AT(checkpoint_seconds)},
    {"training", "threads", INT, AT(threads)},
    {"training", "cache_bytes", SIZE, AT(cache_bytes)},
    {"device", "select", TEXT, AT(device.select)},
    {"device", "caps", TEXT, AT(device.caps)},
    {"device", "platform", TEXT, AT(platform)},
    {"device", "platform_version", TEXT, AT(platform_version)},
    {"device", "name", TEXT, AT(device_name)},
    {"device", "vendor", TEXT, AT(vendor)},
    {"device", "driver", TEXT, AT(driver)},
    {"device", "version", TEXT, AT(device_version)},
};

static const char *const gemm_names[] = {[CLV_GEMM_MODE_AUTO] = "auto",
                                         [CLV_GEMM_MODE_NATIVE] = "native",
                                         [CLV_GEMM_MODE_CLBLAST] = "clblast"};
static const char *const winograd_names[] = {[CLV_WINOGRAD_AUTO] = "auto",
                                             [CLV_WINOGRAD_OFF] = "off",
                                             [CLV_WINOGRAD_2] = "2",
                                             [CLV_WINOGRAD_4] = "4"};
static const char *const precision_names[] = {[CLV_PRECISION_FP32] = "fp32",
                                              [CLV_PRECISION_SPLIT] = "split",
                                              [CLV_PRECISION_MIXED] = "mixed",
                                              [CLV_PRECISION_MIXED_FP16] = "mixed-fp16"};

/* ---- writing ---- */

static bool put(json_t *object, const struct member *m, const void *at)
{
    switch (m->kind) {
    case TEXT: {
        const char *text = *(const char *const *)at;
        return clv_json_set(object, m->key, text ? json_string(text) : json_null());
    }
    case INT:
        return clv_json_set(object, m->key, json_integer(*(const int *)at));
    case U64:
        return clv_json_set_u64(object, m->key, *(const uint64_t *)at);
    case SIZE:
        return clv_json_set_u64(object, m->key, *(const size_t *)at);
    case DOUBLE:
        return clv_json_set_double(object, m->key, *(const double *)at);
    case BOOL:
        return clv_json_set(object, m->key, json_boolean(*(const bool *)at));
    case GEMM:
        return clv_json_set(object, m->key,
                            json_string(gemm_names[*(const enum clv_gemm_mode *)at]));
    case WINOGRAD:
        return clv_json_set(object, m->key,
                            json_string(winograd_names[*(const enum clv_winograd_mode *)at]));
    case PRECISION:
        return clv_json_set(object, m->key,
                            json_string(precision_names[*(const enum clv_precision *)at]));
    }
    return false;
}

static json_t *section_of(json_t *root, const char *section)
{
    if (!section)
        return root;
    if (!json_object_get(root, section) && !clv_json_set(root, section, json_object()))
        return NULL;
    return json_object_get(root, section);
}

static json_t *class_list(const struct clv_run_config *c)
{
    json_t *list = json_array();
    for (int i = 0; list && i < c->n_classes; i++) {
        if (json_array_append_new(list, json_string(c->classes[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum clv_err clv_run_config_write(const struct clv_run_config *c, const char *path,
                                  struct clv_error *err)
{
    json_t *root = json_object();
    enum clv_err e = root ? CLV_OK : clv_fail_nomem(err, path);
    for (size_t i = 0; i < CLV_COUNT(members) && !e; i++) {
        const struct member *m = &members[i];
        json_t *object = section_of(root, m->section);
        if (!object || !put(object, m, (const char *)c + m->offset))
            e = clv_fail(err, CLV_ERR_ARG,
                         "%s: %s cannot be written: it is not UTF-8, or memory is "
                         "out",
                         path, m->key);
    }
    if (!e && !clv_json_set(root, "classes", class_list(c)))
        e = clv_fail(err, CLV_ERR_ARG, "%s: a class name is not UTF-8, or memory is out", path);
    if (!e && c->choices && json_object_set(root, "choices", c->choices))
        e = clv_fail_nomem(err, path);
    if (!e && c->selection && json_object_set(root, "selection", c->selection))
        e = clv_fail_nomem(err, path);
    if (!e)
        e = clv_json_write(path, root, err);
    json_decref(root);
    return e;
}

/* ---- reading ---- */

/* The place of the member's text among n names. */
static enum clv_err take_name(const json_t *object, const char *key, const char *const *names,
                              size_t n, size_t *ret, struct clv_error *err)
{
    const char *text = NULL;
    CLV_TRY(clv_json_get_string(object, key, &text, err));
    for (*ret = 0; *ret < n; ++*ret)
        if (!strcmp(text, names[*ret]))
            return CLV_OK;
    return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is '%.40s'", key, text);
}

static enum clv_err take_int(const json_t *object, const char *key, int *ret, struct clv_error *err)
{
    long long v = 0;
    CLV_TRY(clv_json_get_int(object, key, &v, err));
    if (v < 0 || v > INT_MAX)
        return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is not in 0..%d", key, INT_MAX);
    *ret = (int)v;
    return CLV_OK;
}

static enum clv_err take_size(const json_t *object, const char *key, size_t *ret,
                              struct clv_error *err)
{
    uint64_t v = 0;
    CLV_TRY(clv_json_get_u64(object, key, &v, err));
    if (v > SIZE_MAX)
        return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is too large for this machine", key);
    *ret = (size_t)v;
    return CLV_OK;
}

static enum clv_err take(const json_t *object, const struct member *m, void *at,
                         struct clv_error *err)
{
    size_t i = 0;
    if (m->later && !json_object_get(object, m->key))
        return CLV_OK;
    switch (m->kind) {
    case TEXT:
        if (json_is_null(json_object_get(object, m->key)))
            return CLV_OK;
        return clv_json_get_string(object, m->key, at, err);
    case INT:
        return take_int(object, m->key, at, err);
    case U64:
        return clv_json_get_u64(object, m->key, at, err);
    case SIZE:
        return take_size(object, m->key, at, err);
    case DOUBLE:
        return clv_json_get_double(object, m->key, at, err);
    case BOOL:
        return clv_json_get_bool(object, m->key, at, err);
    case GEMM:
        CLV_TRY(take_name(object, m->key, gemm_names, CLV_COUNT(gemm_names), &i, err));
        *(enum clv_gemm_mode *)at = (enum clv_gemm_mode)i;
        return CLV_OK;
    case WINOGRAD:
        if (!json_object_get(object, m->key)) /* a run from before there was the choice */
            i = CLV_WINOGRAD_OFF;
        else
            CLV_TRY(take_name(object, m->key, winograd_names, CLV_COUNT(winograd_names), &i, err));
        *(enum clv_winograd_mode *)at = (enum clv_winograd_mode)i;
        return CLV_OK;
    case PRECISION:
        CLV_TRY(take_name(object, m->key, precision_names, CLV_COUNT(precision_names), &i, err));
        *(enum clv_precision *)at = (enum clv_precision)i;
        return CLV_OK;
    }
    return CLV_OK;
}

static enum clv_err take_classes(struct clv_run_config *c, struct clv_error *err)
{
    json_t *list = NULL;
    CLV_TRY(clv_json_get_array(c->json, "classes", &list, err));
    const size_t n = json_array_size(list);
    if (n < 1 || n > INT_MAX)
        return clv_fail(err, CLV_ERR_DATA, "member \"classes\" is empty");
    c->classes = malloc(n * sizeof *c->classes);
    if (!c->classes)
        return clv_fail_nomem(err, "class names");
    for (size_t i = 0; i < n; i++) {
        c->classes[i] = json_string_value(json_array_get(list, i));
        if (!c->classes[i])
            return clv_fail(err, CLV_ERR_DATA, "member \"classes\" holds what is no string");
    }
    c->n_classes = (int)n;
    return CLV_OK;
}

static enum clv_err take_all(struct clv_run_config *c, struct clv_error *err)
{
    for (size_t i = 0; i < CLV_COUNT(members); i++) {
        const struct member *m = &members[i];
        json_t *object = c->json;
        if (m->section)
            CLV_TRY(clv_json_get_object(c->json, m->section, &object, err));
        const enum clv_err e = take(object, m, (char *)c + m->offset, err);
        if (e) {
            if (m->section)
                clv_fail_prefix(err, "\"%s\"", m->section);
            return e;
        }
    }
    if (!c->model_text || !c->model_name || !c->data_path || !c->version)
        return clv_fail(err, CLV_ERR_DATA, "version, model or data path is null");
    json_t *selection = json_object_get(c->json, "selection");
    json_t *choices = json_object_get(c->json, "choices");
    c->choices = json_is_object(choices) ? json_incref(choices) : NULL;
    c->selection = json_is_array(selection) ? json_incref(selection) : NULL;
    return take_classes(c, err);
}

enum clv_err clv_run_config_read(const char *path, struct clv_run_config *ret,
                                 struct clv_error *err)
{
    struct clv_run_config c = {0};
    if (!clv_file_exists(path))
        return clv_fail(err, CLV_ERR_IO, "%s: no such file; the folder holds no run", path);
    CLV_TRY(clv_json_load(path, &c.json, err));
    const enum clv_err e = take_all(&c, err);
    if (e) {
        clv_fail_prefix(err, "%s", path);
        clv_run_config_finish(&c);
        return e;
    }
    *ret = c;
    return CLV_OK;
}

void clv_run_config_finish(struct clv_run_config *c)
{
    json_decref(c->json);
    json_decref(c->choices);
    json_decref(c->selection);
    free((void *)c->classes);
    *c = (struct clv_run_config){0};
}
