/* Decoder threads ahead of the device.
 *
 * The epoch is a list of tasks (batch, position); threads take them in order and write into a ring of
 * `ahead` batches. What a task writes depends on nothing but (seed, epoch, sample), so neither the
 * number of threads nor the cache can change a byte. One mutex guards everything that is not written
 * by exactly one task. */
#include "data/loader.h"
#include "base/rng.h"
#include "base/util.h"
#include "data/dataset.h"
#include "data/pipeline.h"
#include "data/sampler.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_THREADS = 8 };
static const uint64_t shuffle_key = 0x73687566666c65u; /* "shuffle" */

/* A batch in preparation: laid out like a slot. */
struct batch {
    unsigned char *slot;
    int done;      /* positions finished */
    int bad;       /* lowest position that failed, or INT_MAX */
    struct clv_error err;
};

struct clv_loader {
    struct clv_context *ctx;
    struct clv_loader_params params; /* the strings in it are not used after create */
    struct clv_pipeline pipeline;
    size_t count;        /* samples of the split */
    size_t n_batches;
    size_t header;       /* bytes of the records */
    size_t stride;       /* bytes per image behind them */
    uint32_t *order;     /* of this epoch */
    struct clv_sampler *sampler; /* NULL = it is a permutation */

    pthread_mutex_t lock;
    pthread_cond_t work, ready; /* tasks may have come; a batch or a thread may have finished */
    bool has_lock, has_work, has_ready;
    pthread_t thread[MAX_THREADS];
    int n_threads;

    struct batch *ring;
    bool running, quit;
    uint64_t epoch;
    size_t task_batch;   /* next task */
    int task_pos;
    size_t take;         /* batch that the consumer gets next, */
    int view;            /* in this view */
    int active;          /* tasks in work */
    double waited;       /* consumer only */

    struct clv_image *cache; /* [count]; pixels NULL = not kept */
    size_t cached;       /* bytes in it */
};

static int batch_size(const struct clv_loader *l, size_t b)
{
    const size_t left = l->count - b * (size_t)l->params.batch;
    return (int)CLV_MIN(left, (size_t)l->params.batch);
}

/* Writes record and pixels of one prepared image at a position of a slot. key: what its augmentation is drawn for. */
static void put(const struct clv_loader *l, unsigned char *slot, int pos, const struct clv_image *im,
                uint64_t epoch, uint32_t key)
{
    const struct clv_pipeline *p = &l->pipeline;
    struct clv_sample_record r;
    struct clv_draw d;
    if (l->params.training)
        d = clv_augment_draw(&p->aug, p->height, p->width, l->params.seed, epoch, key);
    clv_pipeline_record(p, im, l->params.training ? &d : NULL, &r);
    r.offset = (uint32_t)(l->header + (size_t)pos * l->stride);
    memcpy(slot + (size_t)pos * sizeof r, &r, sizeof r);
    memcpy(slot + r.offset, im->pixels, clv_image_bytes(im));
}

/* The sample's prepared image; *keep tells that the cache owns it. */
static enum clv_err fetch(struct clv_loader *l, uint32_t index, struct clv_image *im, bool *keep,
                          struct clv_error *err)
{
    struct clv_data *d = l->params.data;
    pthread_mutex_lock(&l->lock);
    *im = l->cache[index];
    pthread_mutex_unlock(&l->lock);
    *keep = im->pixels;
    if (*keep)
        return CLV_OK;
    const struct clv_data_item *item = clv_data_item_at(d, l->params.split, index);
    CLV_TRY(d->format->read(d, item, im, err));
    const enum clv_err e = clv_pipeline_prepare(&l->pipeline, im, err);
    if (e) {
        clv_image_finish(im);
        clv_fail_prefix(err, "%s", item->path);
        return e;
    }
    if (!im->heap)
        return CLV_OK; /* borrowed from an array in memory: nothing to gain */
    const size_t bytes = clv_image_bytes(im);
    pthread_mutex_lock(&l->lock);
    if (l->cached + bytes <= l->params.cache_bytes) {
        l->cached += bytes;
        l->cache[index] = *im;
        *keep = true;
    }
    pthread_mutex_unlock(&l->lock);
    return CLV_OK;
}

/* One task, outside the lock. */
static enum clv_err fill(struct clv_loader *l, unsigned char *slot, int pos, uint64_t epoch,
                         uint32_t index, uint32_t key, struct clv_error *err)
{
    struct clv_image im = {0};
    bool keep = false;
    CLV_TRY(fetch(l, index, &im, &keep, err));
    put(l, slot, pos, &im, epoch, key);
    if (!keep)
        clv_image_finish(&im);
    return CLV_OK;
}

static bool has_task(const struct clv_loader *l)
{
    return l->running && l->task_batch < l->n_batches &&
           l->task_batch < l->take + (size_t)l->params.ahead;
}

static void *worker(void *arg)
{
    struct clv_loader *l = arg;
    struct clv_error err;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->quit && !has_task(l))
            pthread_cond_wait(&l->work, &l->lock);
        if (l->quit)
            break;
        struct batch *b = &l->ring[l->task_batch % (size_t)l->params.ahead];
        const size_t number = l->task_batch;
        const int pos = l->task_pos++;
        const uint64_t epoch = l->epoch;
        if (l->task_pos == batch_size(l, number)) {
            l->task_pos = 0;
            l->task_batch++;
        }
        const size_t place = number * (size_t)l->params.batch + (size_t)pos;
        const uint32_t index = l->order[place];
        const uint32_t key = l->sampler ? (uint32_t)place : index; /* a sample that is drawn twice differs */
        l->active++;
        pthread_mutex_unlock(&l->lock);

        const enum clv_err e = fill(l, b->slot, pos, epoch, index, key, &err);

        pthread_mutex_lock(&l->lock);
        l->active--;
        b->done++;
        if (e && (!b->err.code || pos < b->bad)) {
            b->err = err;
            b->bad = pos;
        }
        if (b->done == batch_size(l, number) || l->active == 0)
            pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Threads that the program's signal handlers never run on. */
static enum clv_err start_threads(struct clv_loader *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->n_threads < l->params.threads &&
           !pthread_create(&l->thread[l->n_threads], NULL, worker, l))
        l->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (l->n_threads == 0) /* fewer than asked for only cost time */
        return clv_fail(&l->ctx->err, CLV_ERR_NOMEM, "cannot start a decoder thread");
    return CLV_OK;
}

/* stride and header: every image of the set as it is stored, so that the slots of all splits agree. */
static enum clv_err measure(struct clv_loader *l)
{
    const struct clv_data *d = l->params.data;
    struct clv_error *err = &l->ctx->err;
    size_t most = 1;
    if (!d) /* files that nobody has seen yet: the largest there can be */
        most = (size_t)l->pipeline.width * (size_t)l->pipeline.height * 4 * 2 *
               (l->pipeline.channels == 1 ? 1 : 3);
    for (size_t i = 0; d && i < d->n_items; i++) {
        const struct clv_data_item *it = &d->items[i];
        struct clv_image im = {.width = it->width, .height = it->height, .channels = it->channels,
                               .value_bytes = it->value_bytes};
        const enum clv_err e = clv_pipeline_size(&l->pipeline, &im, err);
        if (e) {
            clv_fail_prefix(err, "%s", it->path);
            return e;
        }
        most = CLV_MAX(most, clv_image_bytes(&im));
    }
    l->stride = clv_slot_stride(most);
    const size_t batch = (size_t)l->params.batch;
    l->header = clv_slot_header(batch);
    if (l->header + batch * l->stride > UINT32_MAX)
        return clv_fail(err, CLV_ERR_ARG,
                        "a batch of %zu images with %zu bytes each exceeds 4 GiB; take a smaller batch",
                        batch, l->stride);
    return CLV_OK;
}

static enum clv_err check_params(struct clv_loader *l)
{
    struct clv_loader_params *p = &l->params;
    if (p->batch < 1 || p->threads < 0 || p->ahead < 0)
        return clv_fail(&l->ctx->err, CLV_ERR_ARG, "loader: batch %d, threads %d, ahead %d", p->batch,
                        p->threads, p->ahead);
    if (p->threads == 0)
        p->threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    p->threads = CLV_MAX(1, CLV_MIN(p->threads, MAX_THREADS));
    if (p->ahead == 0)
        p->ahead = 2;
    return CLV_OK;
}

static int32_t label_of(const void *priv, size_t i)
{
    const struct clv_loader *l = priv;
    return clv_data_item_at(l->params.data, l->params.split, i)->label;
}

static enum clv_err allocate(struct clv_loader *l)
{
    struct clv_error *err = &l->ctx->err;
    l->order = calloc(l->count + 1, sizeof *l->order);
    l->cache = calloc(l->count + 1, sizeof *l->cache);
    l->ring = calloc((size_t)l->params.ahead, sizeof *l->ring);
    if (!l->order || !l->cache || !l->ring)
        return clv_fail_nomem(err, "the loader");
    for (int i = 0; i < l->params.ahead && l->n_batches; i++) {
        l->ring[i].slot = calloc(1, clv_loader_slot_bytes(l));
        if (!l->ring[i].slot)
            return clv_fail_nomem(err, "the loader's batches");
    }
    l->has_lock = !pthread_mutex_init(&l->lock, NULL);
    l->has_work = !pthread_cond_init(&l->work, NULL);
    l->has_ready = !pthread_cond_init(&l->ready, NULL);
    if (!l->has_lock || !l->has_work || !l->has_ready)
        return clv_fail_nomem(err, "the loader's locks");
    return CLV_OK;
}

enum clv_err clv_loader_create(struct clv_context *ctx, const struct clv_loader_params *params,
                               struct clv_loader **ret)
{
    struct clv_loader *l = calloc(1, sizeof *l);
    if (!l)
        return clv_fail_nomem(&ctx->err, "the loader");
    l->ctx = ctx;
    l->params = *params;
    enum clv_err e = check_params(l);
    if (!e)
        e = clv_pipeline_init(&l->pipeline, params->height, params->width, params->channels,
                              &params->pipeline, &ctx->err);
    if (!e)
        e = measure(l);
    if (e)
        goto fail;
    l->count = params->data ? clv_data_count(params->data, params->split) : 0;
    l->n_batches = (l->count + (size_t)l->params.batch - 1) / (size_t)l->params.batch;
    e = allocate(l);
    if (!e && l->params.training)
        e = clv_sampler_create(params->sampler, l->count, label_of, l, &ctx->err, &l->sampler);
    if (!e && l->n_batches)
        e = start_threads(l);
    if (e)
        goto fail;
    *ret = l;
    return CLV_OK;
fail:
    clv_loader_destroy(&l);
    return e;
}

void clv_loader_destroy(struct clv_loader **loader)
{
    struct clv_loader *l = loader ? *loader : NULL;
    if (!l)
        return;
    if (l->n_threads) {
        pthread_mutex_lock(&l->lock);
        l->quit = true;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->thread[i], NULL);
    if (l->has_ready)
        pthread_cond_destroy(&l->ready);
    if (l->has_work)
        pthread_cond_destroy(&l->work);
    if (l->has_lock)
        pthread_mutex_destroy(&l->lock);
    for (int i = 0; l->ring && i < l->params.ahead; i++)
        free(l->ring[i].slot);
    for (size_t i = 0; l->cache && i < l->count; i++)
        clv_image_finish(&l->cache[i]);
    free(l->ring);
    free(l->cache);
    free(l->order);
    clv_sampler_destroy(&l->sampler);
    free(l);
    *loader = NULL;
}

size_t clv_loader_slot_bytes(const struct clv_loader *l)
{
    return l->header + (size_t)l->params.batch * l->stride;
}

size_t clv_loader_image_bytes(const struct clv_loader *l)
{
    const size_t batch = (size_t)l->params.batch;
    return (clv_loader_slot_bytes(l) - batch * sizeof(struct clv_sample_record) + batch - 1) / batch;
}

size_t clv_loader_batches(const struct clv_loader *l) { return l->n_batches; }

void clv_loader_normalise(const struct clv_loader *l, struct clv_normalise *ret)
{
    clv_pipeline_normalise(&l->pipeline, ret);
}

double clv_loader_wait_seconds(const struct clv_loader *l) { return l->waited; }

enum clv_err clv_loader_start(struct clv_loader *l, uint64_t epoch, size_t first)
{
    if (first > l->n_batches)
        return clv_fail(&l->ctx->err, CLV_ERR_ARG, "the epoch has %zu batches, not %zu",
                        l->n_batches, first);
    pthread_mutex_lock(&l->lock);
    l->running = false;
    while (l->active)
        pthread_cond_wait(&l->ready, &l->lock);
    for (size_t i = 0; i < l->count; i++)
        l->order[i] = (uint32_t)i;
    if (l->sampler) {
        clv_sampler_order(l->sampler, l->params.seed, epoch, l->order);
    } else if (l->params.training) {
        struct clv_rng rng = clv_rng_init(l->params.seed ^ shuffle_key, epoch);
        clv_rng_shuffle(&rng, l->order, (uint32_t)l->count);
    }
    for (int i = 0; i < l->params.ahead; i++) {
        l->ring[i].done = 0;
        l->ring[i].err.code = CLV_OK;
    }
    l->epoch = epoch;
    l->task_batch = l->take = first;
    l->task_pos = l->view = 0;
    l->running = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return CLV_OK;
}

/* Sleeps until the batch is complete. */
static void wait_for(struct clv_loader *l, const struct batch *b, int n)
{
    pthread_mutex_lock(&l->lock);
    if (b->done < n) {
        const double since = clv_now();
        while (b->done < n)
            pthread_cond_wait(&l->ready, &l->lock);
        l->waited += clv_now() - since;
    }
    pthread_mutex_unlock(&l->lock);
}

void clv_loader_view(const struct clv_loader *l, void *slot, int n, const struct clv_draw *view)
{
    unsigned char *at = slot;
    for (int i = 0; i < n; i++, at += sizeof(struct clv_sample_record)) {
        struct clv_sample_record r;
        memcpy(&r, at, sizeof r);
        const struct clv_image im = {.width = r.width, .height = r.height, .channels = (int)r.channels,
                                     .value_bytes = (int)r.value_bytes, .max = r.max};
        const uint32_t offset = r.offset;
        clv_pipeline_record(&l->pipeline, &im, view, &r);
        r.offset = offset;
        memcpy(at, &r, sizeof r);
    }
}

enum clv_err clv_loader_next(struct clv_loader *l, void *slot, int *n, uint32_t *index,
                             int32_t *label)
{
    *n = 0;
    if (l->take == l->n_batches)
        return CLV_OK;
    if (!l->running)
        return clv_fail(&l->ctx->err, CLV_ERR_ARG, "clv_loader_next() before clv_loader_start()");
    struct batch *b = &l->ring[l->take % (size_t)l->params.ahead];
    const int size = batch_size(l, l->take);
    wait_for(l, b, size);
    if (b->err.code) {
        l->ctx->err = b->err;
        return b->err.code;
    }
    memcpy(slot, b->slot, (size_t)size * sizeof(struct clv_sample_record));
    for (int i = 0; i < size; i++) {
        struct clv_sample_record r;
        memcpy(&r, b->slot + (size_t)i * sizeof r, sizeof r);
        memcpy((unsigned char *)slot + r.offset, b->slot + r.offset,
               (size_t)r.width * r.height * r.channels * r.value_bytes);
        index[i] = l->order[l->take * (size_t)l->params.batch + (size_t)i];
        label[i] = clv_data_item_at(l->params.data, l->params.split, index[i])->label;
    }
    *n = size;
    const int views = l->params.views ? l->params.views->n : 0;
    if (views)
        clv_loader_view(l, slot, size, &l->params.views->draw[l->view]);
    if (++l->view < views)
        return CLV_OK;
    l->view = 0;
    pthread_mutex_lock(&l->lock);
    b->done = 0;
    l->take++;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return CLV_OK;
}

enum clv_err clv_loader_file(struct clv_loader *l, const char *path, void *slot, int pos,
                             struct clv_error *err)
{
    if (pos < 0 || pos >= l->params.batch)
        return clv_fail(err, CLV_ERR_ARG, "%s: position %d of a batch of %d", path, pos,
                        l->params.batch);
    struct clv_image im = {0};
    CLV_TRY(clv_image_read(path, &im, err));
    enum clv_err e = clv_pipeline_prepare(&l->pipeline, &im, err);
    if (e)
        clv_fail_prefix(err, "%s", path);
    else if (clv_image_bytes(&im) > l->stride)
        e = clv_fail(err, CLV_ERR_ARG, "%s: larger than every image of the loader's data set; "
                     "create the loader without one", path);
    else
        put(l, slot, pos, &im, 0, 0);
    clv_image_finish(&im);
    return e;
}
