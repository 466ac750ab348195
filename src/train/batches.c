/* The three kinds of source: samples in memory, a callback, a data set's loader. */
#include "train/batches.h"

#include "base/rng.h"
#include "base/util.h"
#include "data/loader.h"
#include "data/sampler.h"
#include <stdlib.h>
#include <string.h>

struct clv_batches {
    struct clv_context *ctx;
    struct clv_batches_params params;
    struct clv_batch_source source;
    struct clv_loader *loader;    /* data sets */
    float *x;                     /* callback: one batch that is skipped, or has records to come */
    uint32_t *order;              /* memory: this epoch's permutation */
    struct clv_sampler *sampler;  /* memory */
    bool draws;                   /* samples come as they are drawn */
    size_t pos;                   /* samples delivered of this epoch */
};

/* ---- float samples in a slot ---- */

size_t clv_float_slot_bytes(int batch, int64_t count)
{
    return clv_slot_bytes((size_t)batch, (size_t)count * sizeof(float));
}

static void put_record(void *slot, int batch, int i, int h, int w, int c)
{
    const size_t stride = clv_slot_stride((size_t)h * (size_t)w * (size_t)c * sizeof(float));
    const size_t offset = clv_slot_header((size_t)batch) + (size_t)i * stride;
    ((struct clv_sample_record *)slot)[i] = (struct clv_sample_record){
        .offset = (uint32_t)offset, .width = (uint32_t)w, .height = (uint32_t)h,
        .channels = (uint32_t)c, .value_bytes = 4, .m = {1, 0, 0, 0, 1, 0}, .taps = {1, 1},
        .contrast = 1, .brightness = 0, .max = 1};
}

static void put_sample(void *slot, int batch, int i, int h, int w, int c, const float *x)
{
    put_record(slot, batch, i, h, w, c);
    memcpy((unsigned char *)slot + ((struct clv_sample_record *)slot)[i].offset, x,
           (size_t)h * (size_t)w * (size_t)c * sizeof *x);
}

void clv_float_slot_fill(void *slot, bool plain, int batch, int n, int height, int width, int channels,
                         const float *x, struct clv_upload *upload)
{
    const size_t count = (size_t)height * (size_t)width * (size_t)channels, bytes = count * sizeof *x;
    if (plain) {
        *upload = (struct clv_upload){.behind = x, .behind_bytes = (size_t)n * bytes};
        return;
    }
    if (clv_slot_stride(bytes) == bytes) {
        *upload = (struct clv_upload){.bytes = clv_slot_header((size_t)batch),
                                      .behind = x, .behind_bytes = (size_t)n * bytes};
        for (int i = 0; i < n; i++)
            put_record(slot, batch, i, height, width, channels);
        return;
    }
    *upload = (struct clv_upload){.bytes = clv_float_slot_bytes(batch, (int64_t)count)};
    for (int i = 0; i < n; i++)
        put_sample(slot, batch, i, height, width, channels, x + (size_t)i * count);
}

/* ---- create ---- */

static enum clv_err check_source(struct clv_context *ctx, const struct clv_batch_source *s)
{
    const int kinds = (s->x != NULL) + (s->next != NULL) + (s->data != NULL);
    if (kinds != 1)
        return clv_fail(&ctx->err, CLV_ERR_ARG,
                        "a source is either samples in memory, a callback or a data set: %d are given",
                        kinds);
    if (s->x && (!s->labels || !s->n || s->n > UINT32_MAX))
        return clv_fail(&ctx->err, CLV_ERR_ARG, "samples in memory need labels and a count");
    return CLV_OK;
}

static enum clv_err open_loader(struct clv_batches *b)
{
    const struct clv_batches_params *p = &b->params;
    const struct clv_loader_params lp = {
        .data = b->source.data, .split = b->source.split, .batch = p->batch, .height = p->height,
        .width = p->width, .channels = p->channels, .pipeline = p->pipeline, .training = p->training,
        .sampler = p->sampler, .views = p->views, .seed = p->seed, .threads = b->source.threads,
        .cache_bytes = b->source.cache_bytes ? b->source.cache_bytes : (size_t)1 << 30};
    CLV_TRY(clv_loader_create(b->ctx, &lp, &b->loader));
    if (clv_loader_slot_bytes(b->loader) > p->slot_bytes)
        return clv_fail(&b->ctx->err, CLV_ERR_ARG,
                        "the data set's images need %zu staging bytes a batch, the trainer has %zu: "
                        "raise max_image_bytes", clv_loader_slot_bytes(b->loader), p->slot_bytes);
    return CLV_OK;
}

static int32_t label_of(const void *priv, size_t i) { return ((const int32_t *)priv)[i]; }

/* Whether the text says to draw; the tables for samples in memory. */
static enum clv_err open_sampler(struct clv_batches *b)
{
    struct clv_error *err = &b->ctx->err;
    static const int32_t none[1];
    struct clv_sampler *any = NULL;
    if (!b->params.training || !b->params.sampler)
        return CLV_OK;
    CLV_TRY(clv_sampler_create(b->params.sampler, 1, label_of, none, err, &any));
    b->draws = any != NULL;
    clv_sampler_destroy(&any);
    if (b->draws && b->source.next)
        return clv_fail(err, CLV_ERR_ARG, "a sampler cannot draw from a callback: it needs all the labels");
    if (b->source.x)
        return clv_sampler_create(b->params.sampler, b->source.n, label_of, b->source.labels, err, &b->sampler);
    return CLV_OK;
}

enum clv_err clv_batches_create(struct clv_context *ctx, const struct clv_batches_params *params,
                                struct clv_batches **ret)
{
    CLV_TRY(check_source(ctx, params->source));
    struct clv_batches *b = calloc(1, sizeof *b);
    if (!b)
        return clv_fail_nomem(&ctx->err, "batches");
    b->ctx = ctx;
    b->params = *params;
    b->source = *params->source;
    enum clv_err err = open_sampler(b);
    const size_t count = (size_t)params->height * (size_t)params->width * (size_t)params->channels;
    if (err)
        goto done;
    if (b->source.data)
        err = open_loader(b);
    else if (b->source.x)
        b->order = malloc(b->source.n * sizeof *b->order);
    else
        b->x = malloc((size_t)params->batch * count * sizeof *b->x);
    if (!err && !b->source.data && !b->order && !b->x)
        err = clv_fail_nomem(&ctx->err, "batches");
done:
    if (err)
        clv_batches_destroy(&b);
    else
        *ret = b;
    return err;
}

void clv_batches_destroy(struct clv_batches **batches)
{
    struct clv_batches *b = *batches;
    if (!b)
        return;
    clv_loader_destroy(&b->loader);
    clv_sampler_destroy(&b->sampler);
    free(b->x);
    free(b->order);
    free(b);
    *batches = NULL;
}

size_t clv_batches_count(const struct clv_batches *b)
{
    if (b->loader)
        return clv_loader_batches(b->loader);
    if (b->source.x)
        return (size_t)clv_div_up((int64_t)b->source.n, b->params.batch);
    return b->source.batches;
}

double clv_batches_wait_seconds(const struct clv_batches *b)
{
    return b->loader ? clv_loader_wait_seconds(b->loader) : 0;
}

/* ---- epochs ---- */

static enum clv_err callback_batch(struct clv_batches *b, float *x, int *n, int32_t *labels)
{
    const int got = b->source.next(b->source.priv, b->params.batch, x, labels);
    if (got < 0)
        return clv_fail(&b->ctx->err, (enum clv_err)got, "the caller's batch function failed");
    if (got > b->params.batch)
        return clv_fail(&b->ctx->err, CLV_ERR_ARG,
                        "the caller's batch function returned %d samples for a batch of %d", got,
                        b->params.batch);
    *n = got;
    return CLV_OK;
}

enum clv_err clv_batches_start(struct clv_batches *b, uint64_t epoch, size_t first)
{
    b->pos = first * (size_t)b->params.batch;
    if (b->loader)
        return clv_loader_start(b->loader, epoch, first);
    if (b->sampler) {
        clv_sampler_order(b->sampler, b->params.seed, epoch, b->order);
        return CLV_OK;
    }
    if (b->source.x) {
        struct clv_rng rng = clv_rng_init(b->params.seed, epoch);
        for (size_t i = 0; i < b->source.n; i++)
            b->order[i] = (uint32_t)i;
        if (b->params.training)
            clv_rng_shuffle(&rng, b->order, (uint32_t)b->source.n);
        return CLV_OK;
    }
    if (b->source.rewind && b->source.rewind(b->source.priv, epoch))
        return clv_fail(&b->ctx->err, CLV_ERR_IO, "the caller's rewind function failed");
    int32_t *labels = malloc((size_t)b->params.batch * sizeof *labels);
    enum clv_err err = labels ? CLV_OK : clv_fail_nomem(&b->ctx->err, "batches");
    int n = 1;
    for (size_t i = 0; i < first && n && !err; i++)
        err = callback_batch(b, b->x, &n, labels);
    free(labels);
    return err;
}

static void memory_batch(struct clv_batches *b, void *slot, int *n, uint32_t *index, int32_t *labels)
{
    const struct clv_batches_params *p = &b->params;
    const size_t count = (size_t)p->height * (size_t)p->width * (size_t)p->channels;
    const size_t left = b->source.n > b->pos ? b->source.n - b->pos : 0;
    *n = (int)CLV_MIN(left, (size_t)p->batch);
    for (int i = 0; i < *n; i++) {
        index[i] = b->order[b->pos + (size_t)i];
        labels[i] = b->source.labels[index[i]];
        const float *x = b->source.x + (size_t)index[i] * count;
        if (p->floats)
            memcpy((float *)slot + (size_t)i * count, x, count * sizeof *x);
        else
            put_sample(slot, p->batch, i, p->height, p->width, p->channels, x);
    }
}

/* The batch, without places. */
static enum clv_err next_batch(struct clv_batches *b, void *slot, size_t *used, int *n, uint32_t *index, int32_t *labels)
{
    const struct clv_batches_params *p = &b->params;
    if (b->loader) {
        *used = clv_loader_slot_bytes(b->loader);
        return clv_loader_next(b->loader, slot, n, index, labels);
    }
    const size_t count = (size_t)p->height * (size_t)p->width * (size_t)p->channels;
    if (b->source.x) {
        memory_batch(b, slot, n, index, labels);
    } else {
        CLV_TRY(callback_batch(b, p->floats ? slot : b->x, n, labels));
        for (int i = 0; i < *n; i++) {
            if (!p->floats)
                put_sample(slot, p->batch, i, p->height, p->width, p->channels, b->x + (size_t)i * count);
            index[i] = (uint32_t)(b->pos + (size_t)i);
        }
    }
    *used = p->floats ? (size_t)*n * count * sizeof *b->x : clv_float_slot_bytes(p->batch, (int64_t)count);
    return CLV_OK;
}

enum clv_err clv_batches_next(struct clv_batches *b, void *slot, size_t *used, int *n, uint32_t *index,
                              int32_t *labels)
{
    CLV_TRY(next_batch(b, slot, used, n, index, labels));
    for (int i = 0; i < *n && b->draws; i++) /* dropout must not be the same for a sample that comes twice */
        index[i] = (uint32_t)(b->pos + (size_t)i);
    b->pos += (size_t)*n;
    return CLV_OK;
}
