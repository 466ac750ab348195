/* The trainer's weights, one by one and as a safetensors file. */
#include "train/trainer.h"

#include "base/str.h"
#include "base/util.h"
#include "model/safetensors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum clv_err param_at(const struct clv_trainer *t, size_t i, struct clv_param **ret)
{
    if (i >= (size_t)t->store->n_params)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "there is no weight %zu, only %d", i,
                        t->store->n_params);
    *ret = &t->store->param[i];
    return CLV_OK;
}

size_t clv_trainer_weights(const struct clv_trainer *t) { return (size_t)t->store->n_params; }

enum clv_err clv_trainer_weight_info(const struct clv_trainer *t, size_t i, struct clv_weight_info *ret)
{
    struct clv_param *p = NULL;
    CLV_TRY(param_at(t, i, &p));
    const struct clv_weight *w = clv_param_weight(p);
    *ret = (struct clv_weight_info){.name = p->name, .n_dims = w->n_dims, .count = (uint64_t)w->count,
                                    .state = w->state};
    memcpy(ret->dims, w->dims, sizeof ret->dims);
    return CLV_OK;
}

static enum clv_err holds_numbers(struct clv_trainer *t)
{
    if (t->params.plan_only)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG,
                        "this trainer was made with plan_only: it holds no numbers");
    return CLV_OK;
}

enum clv_err clv_trainer_get_weight(struct clv_trainer *t, size_t i, float *host)
{
    struct clv_param *p = NULL;
    CLV_TRY(param_at(t, i, &p));
    CLV_TRY(holds_numbers(t));
    return clv_store_read(t->store, &p->value, host);
}

enum clv_err clv_trainer_set_weight(struct clv_trainer *t, size_t i, const float *host)
{
    struct clv_param *p = NULL;
    CLV_TRY(param_at(t, i, &p));
    return clv_store_write(t->store, &p->value, host);
}

enum clv_err clv_trainer_get_gradient(struct clv_trainer *t, size_t i, float *host)
{
    struct clv_param *p = NULL;
    CLV_TRY(param_at(t, i, &p));
    CLV_TRY(holds_numbers(t));
    if (t->params.inference_only)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "this trainer was made with inference_only");
    if (clv_param_weight(p)->state)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG, "%s is not trained: it has no gradient", p->name);
    if (p->fused)
        return clv_fail(&t->ctx->err, CLV_ERR_ARG,
                        "%s is updated as part of its backward step, which keeps no gradient: make the "
                        "trainer with keep_gradients", p->name);
    CLV_TRY(clv_store_read(t->store, &p->grad, host));
    if (!t->store->scaler.buffer)
        return CLV_OK;
    struct clv_scaler s;
    CLV_TRY(clv_store_get_scaler(t->store, &s));
    for (int64_t k = 0; k < clv_param_weight(p)->count; k++)
        host[k] /= s.used;
    return CLV_OK;
}

/* ---- files ---- */

/* What is saved of one parameter: its value, then the optimizer's slots if they are wanted. */
static int arrays_of(const struct clv_trainer *t, struct clv_param *p, bool slots,
                     const struct clv_tensor **tensor, const char **suffix)
{
    int n = 0;
    tensor[n] = &p->value;
    suffix[n++] = "";
    for (int k = 0; slots && k < t->store->n_slots && !clv_param_weight(p)->state; k++) {
        tensor[n] = &p->slot[k];
        suffix[n++] = t->optim->slot_name[k];
    }
    return n;
}

static void array_name(char *out, size_t size, const struct clv_param *p, const char *suffix)
{
    snprintf(out, size, "%s%s%s", p->name, *suffix ? ":" : "", suffix);
}

/* A checkpoint that cannot be gone on from must not replace one that can. */
static enum clv_err check_finite(struct clv_trainer *t, const struct clv_tensor *tensor, const float *host)
{
    for (int64_t i = 0; i < tensor->c; i++)
        if (!isfinite(host[i]))
            return clv_fail(&t->ctx->err, CLV_ERR_NONFINITE,
                            "step %llu left a number that is not finite in %s or its optimizer slots, which is "
                            "not saved: lower the learning rate or clip the gradients",
                            (unsigned long long)t->step, tensor->name);
    return CLV_OK;
}

static enum clv_err save_param(struct clv_trainer *t, struct clv_param *p, bool slots,
                               struct clv_safetensors_writer *w)
{
    const struct clv_tensor *tensor[1 + CLV_STORE_SLOTS];
    const char *suffix[1 + CLV_STORE_SLOTS];
    const struct clv_weight *weight = clv_param_weight(p);
    float *host = malloc((size_t)weight->count * sizeof *host);
    enum clv_err err = host ? CLV_OK : clv_fail_nomem(&t->ctx->err, p->name);
    const int n = arrays_of(t, p, slots, tensor, suffix);
    for (int i = 0; i < n && !err; i++) {
        err = clv_store_read(t->store, tensor[i], host);
        if (!err)
            err = check_finite(t, tensor[i], host);
        if (!err)
            err = clv_safetensors_write(w, host, (uint64_t)weight->count, &t->ctx->err);
    }
    free(host);
    return err;
}

static enum clv_err declare(struct clv_trainer *t, struct clv_safetensors_writer *w, bool slots,
                            const char *const *metadata)
{
    char number[32], name[256], scaler[CLV_SCALER_TEXT] = "";
    snprintf(number, sizeof number, "%llu", (unsigned long long)t->step);
    CLV_TRY(clv_safetensors_meta(w, "clavicle.step", number, &t->ctx->err));
    CLV_TRY(clv_safetensors_meta(w, "clavicle.optimizer", t->optim->name, &t->ctx->err));
    if (slots)
        CLV_TRY(clv_trainer_scaler_text(t, scaler));
    if (*scaler)
        CLV_TRY(clv_safetensors_meta(w, "clavicle.scaler", scaler, &t->ctx->err));
    for (; metadata && metadata[0]; metadata += 2)
        CLV_TRY(clv_safetensors_meta(w, metadata[0], metadata[1], &t->ctx->err));
    for (int i = 0; i < t->store->n_params; i++) {
        struct clv_param *p = &t->store->param[i];
        const struct clv_tensor *tensor[1 + CLV_STORE_SLOTS];
        const char *suffix[1 + CLV_STORE_SLOTS];
        const int n = arrays_of(t, p, slots, tensor, suffix);
        for (int k = 0; k < n; k++) {
            array_name(name, sizeof name, p, suffix[k]);
            CLV_TRY(clv_safetensors_declare(w, name, clv_param_weight(p)->dims,
                                            clv_param_weight(p)->n_dims, &t->ctx->err));
        }
    }
    return CLV_OK;
}

enum clv_err clv_trainer_save_as(struct clv_trainer *t, const char *path, bool slots,
                                 const char *const *metadata)
{
    struct clv_safetensors_writer *w = NULL;
    CLV_TRY(clv_safetensors_create(path, &w, &t->ctx->err));
    enum clv_err err = declare(t, w, slots, metadata);
    for (int i = 0; i < t->store->n_params && !err; i++)
        err = save_param(t, &t->store->param[i], slots, w);
    if (!err)
        err = clv_safetensors_commit(w, &t->ctx->err);
    clv_safetensors_abort(&w);
    return err;
}

enum clv_err clv_trainer_save(struct clv_trainer *t, const char *path, const char *const *metadata)
{
    return clv_trainer_save_as(t, path, true, metadata);
}

/* Slots may be missing (a file for inference): then they stay zero. */
static enum clv_err load_param(struct clv_trainer *t, struct clv_param *p,
                               const struct clv_safetensors *file)
{
    const struct clv_tensor *tensor[1 + CLV_STORE_SLOTS];
    const char *suffix[1 + CLV_STORE_SLOTS];
    const struct clv_weight *weight = clv_param_weight(p);
    char name[256];
    const int n = arrays_of(t, p, true, tensor, suffix);
    for (int i = 0; i < n; i++) {
        const float *data;
        array_name(name, sizeof name, p, suffix[i]);
        if (i && !clv_safetensors_has(file, name))
            continue;
        CLV_TRY(clv_safetensors_find(file, name, weight->dims, weight->n_dims, &data, &t->ctx->err));
        CLV_TRY(clv_store_write(t->store, tensor[i], data));
    }
    return CLV_OK;
}

enum clv_err clv_trainer_load_from(struct clv_trainer *t, const struct clv_safetensors *file)
{
    for (int i = 0; i < t->store->n_params; i++)
        CLV_TRY(load_param(t, &t->store->param[i], file));
    const char *text = clv_safetensors_get_meta(file, "clavicle.step");
    uint64_t step;
    if (text && clv_parse_u64(text, &step))
        t->step = step;
    return clv_trainer_take_scaler(t, clv_safetensors_get_meta(file, "clavicle.scaler"));
}

enum clv_err clv_trainer_load(struct clv_trainer *t, const char *path)
{
    struct clv_safetensors *file;
    CLV_TRY(clv_safetensors_open(path, &file, &t->ctx->err));
    const enum clv_err err = clv_trainer_load_from(t, file);
    clv_safetensors_close(&file);
    return err;
}
