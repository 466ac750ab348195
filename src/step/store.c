#include "step/store.h"

#include "base/hash.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct clv_weight *clv_param_weight(const struct clv_param *p)
{
    return &p->node->weights[p->index];
}

static int64_t padded_count(const struct clv_param *p)
{
    return clv_round_up(clv_param_weight(p)->count, CLV_STORE_CHUNK);
}

/* ---- layout ---- */

static enum clv_err add_params(struct clv_store *s, const struct clv_graph *g, bool state, int *n)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int w = 0; w < g->nodes[i]->n_weights; w++) {
            const struct clv_node *node = g->nodes[i];
            if (node->weights[w].state != state)
                continue;
            struct clv_param *p = &s->param[(*n)++];
            p->node = node;
            p->index = w;
            p->name = clv_arena_printf(&s->arena, "%s/%s", node->name, node->weights[w].name);
            if (!p->name)
                return clv_fail_nomem(clv_device_error(s->dev), "the parameter store");
        }
    return CLV_OK;
}

static enum clv_err list_params(struct clv_store *s, const struct clv_graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        s->n_params += g->nodes[i]->n_weights;
    s->param = clv_arena_alloc(&s->arena, (size_t)s->n_params * sizeof *s->param);
    s->segment = clv_arena_alloc(&s->arena, (size_t)s->n_params * sizeof *s->segment);
    if (!s->param || !s->segment)
        return clv_fail_nomem(clv_device_error(s->dev), "the parameter store");
    CLV_TRY(add_params(s, g, false, &n));
    s->n_trained = n;
    return add_params(s, g, true, &n);
}

/* Fills segments in order; a segment holds at most max_alloc bytes. */
static enum clv_err place_params(struct clv_store *s)
{
    const uint64_t limit = clv_device_caps(s->dev)->max_alloc;
    for (int i = 0; i < s->n_params; i++) {
        struct clv_param *p = &s->param[i];
        const int64_t count = padded_count(p);
        if ((uint64_t)count * 4 > limit) {
            char need[32], most[32];
            return clv_fail(clv_device_error(s->dev), CLV_ERR_DEVMEM,
                            "%s needs %s in one piece; the device allocates at most %s", p->name,
                            clv_str_bytes(need, (uint64_t)count * 4), clv_str_bytes(most, limit));
        }
        struct clv_store_segment *seg = s->n_segments ? &s->segment[s->n_segments - 1] : NULL;
        if (!seg || (uint64_t)(seg->count + count) * 4 > limit)
            seg = &s->segment[s->n_segments++];
        p->segment = s->n_segments - 1;
        p->value.offset = (uint64_t)seg->count; /* the same in every class */
        seg->count += count;
        if (i < s->n_trained)
            seg->trained = seg->count;
    }
    return CLV_OK;
}

/* ---- memory ---- */

static struct clv_tensor array(int64_t count, const char *name)
{
    return (struct clv_tensor){.dtype = CLV_F32, .memory = CLV_MEMORY_STORE, .n = 1, .h = 1, .w = 1,
                               .c = count, .pitch = count, .name = name};
}

static enum clv_err make_array(struct clv_store *s, struct clv_tensor *t, int64_t count, const char *name)
{
    *t = array(count, name);
    s->bytes += (uint64_t)count * 4;
    return clv_buffer_create(s->dev, (size_t)count * 4, &t->buffer);
}

static enum clv_err zero(struct clv_store *s, const struct clv_tensor *t)
{
    return clv_queue_fill(s->dev, t->buffer, 0, (size_t)t->c * 4, 0, -1);
}

static enum clv_err write_chunks(struct clv_store *s, int index)
{
    struct clv_store_segment *seg = &s->segment[index];
    const int64_t n = seg->count / CLV_STORE_CHUNK;
    struct clv_chunk *chunk = calloc((size_t)n, sizeof *chunk);
    if (!chunk)
        return clv_fail_nomem(clv_device_error(s->dev), "the parameter store");
    for (int i = 0; i < s->n_params; i++) {
        const struct clv_param *p = &s->param[i];
        if (p->segment != index)
            continue;
        const struct clv_weight *w = clv_param_weight(p);
        /* Weight decay spares vectors (biases), as Keras' users exclude them. */
        const struct clv_chunk c = {(float)w->l1, (float)w->l2, w->state ? 0.f : 1.f, w->n_dims > 1 ? 1.f : 0.f};
        const int64_t first = (int64_t)p->value.offset / CLV_STORE_CHUNK;
        for (int64_t j = 0; j < padded_count(p) / CLV_STORE_CHUNK; j++)
            chunk[first + j] = c;
    }
    enum clv_err err = make_array(s, &seg->chunks, n * 4, "chunks");
    if (!err)
        err = clv_queue_write_wait(s->dev, seg->chunks.buffer, 0, chunk, (size_t)n * sizeof *chunk);
    free(chunk);
    return err;
}

static struct clv_tensor part(const struct clv_tensor *whole, const struct clv_param *p)
{
    struct clv_tensor t = *whole;
    t.c = t.pitch = clv_param_weight(p)->count;
    t.offset = p->value.offset;
    t.name = p->name;
    return t;
}

static enum clv_err allocate(struct clv_store *s, bool training)
{
    for (int i = 0; i < s->n_segments; i++) {
        struct clv_store_segment *seg = &s->segment[i];
        CLV_TRY(make_array(s, &seg->value, seg->count, "weights"));
        if (!training)
            continue;
        for (int k = 0; k < s->n_slots && seg->trained; k++)
            CLV_TRY(make_array(s, &seg->slot[k], seg->trained, "optimizer slot"));
        CLV_TRY(write_chunks(s, i));
    }
    for (int i = 0; i < s->n_params; i++) {
        struct clv_param *p = &s->param[i];
        const struct clv_store_segment *seg = &s->segment[p->segment];
        for (int k = 0; k < s->n_slots && i < s->n_trained; k++)
            p->slot[k] = part(&seg->slot[k], p);
        p->value = part(&seg->value, p);
        p->grad = p->value;
        p->grad.buffer = NULL;
    }
    return CLV_OK;
}

/* Where the gradients of a segment lie; returns their number of elements. */
static int64_t place_gradients(struct clv_store *s, int segment)
{
    int64_t count = 0;
    for (int k = 0; k < s->n_trained; k++) {
        struct clv_param *p = &s->param[k];
        if (p->segment != segment || p->fused)
            continue;
        p->grad.offset = (uint64_t)count;
        count += padded_count(p);
    }
    return count;
}

enum clv_err clv_store_make_gradients(struct clv_store *s, bool dry)
{
    uint64_t bytes = 0;
    for (int i = 0; i < s->n_segments; i++) {
        struct clv_tensor *grad = &s->segment[i].grad;
        const int64_t count = place_gradients(s, i);
        if (!grad->buffer) {
            bytes += (uint64_t)count * 4;
            *grad = array(count, "gradients");
        }
        if (dry)
            continue;
        if (grad->c != count)
            return clv_fail(clv_device_error(s->dev), CLV_ERR_ARG,
                            "another training plan has made the gradients of this network");
        if (count && !grad->buffer) {
            CLV_TRY(make_array(s, grad, count, "gradients"));
            CLV_TRY(zero(s, grad));
        }
    }
    if (dry) {
        s->dry_bytes = bytes;
        return CLV_OK;
    }
    s->dry_bytes = 0;
    for (int k = 0; k < s->n_trained; k++)
        if (!s->param[k].fused)
            s->param[k].grad.buffer = s->segment[s->param[k].segment].grad.buffer;
    return CLV_OK;
}

bool clv_store_next_run(const struct clv_store *s, int *next, struct clv_store_run *ret)
{
    while (*next < s->n_trained && s->param[*next].fused)
        ++*next;
    if (*next == s->n_trained)
        return false;
    const struct clv_param *p = &s->param[*next];
    *ret = (struct clv_store_run){.segment = &s->segment[p->segment],
                                  .first = (int64_t)p->value.offset,
                                  .grad_first = (int64_t)p->grad.offset};
    const int segment = p->segment;
    for (; *next < s->n_trained && !p->fused && p->segment == segment; p = &s->param[++*next])
        ret->count += padded_count(p);
    return true;
}

enum clv_err clv_store_create(struct clv_device *dev, const struct clv_graph *g, bool training,
                              int n_slots, struct clv_store **ret)
{
    struct clv_store *s = calloc(1, sizeof *s);
    if (!s)
        return clv_fail_nomem(clv_device_error(dev), "the parameter store");
    s->dev = dev;
    s->n_slots = training ? n_slots : 0;
    s->version = 1;
    enum clv_err err = list_params(s, g);
    if (!err)
        err = place_params(s);
    if (!err)
        err = allocate(s, training);
    if (err)
        clv_store_destroy(&s);
    else
        *ret = s;
    return err;
}

enum clv_err clv_store_add_scaler(struct clv_store *s, const struct clv_scaler *first)
{
    s->first = *first;
    CLV_TRY(make_array(s, &s->scaler, sizeof *first / 4, "loss scale"));
    s->scaler.dtype = CLV_U32;
    return clv_store_set_scaler(s, first);
}

enum clv_err clv_store_get_scaler(struct clv_store *s, struct clv_scaler *ret)
{
    return clv_queue_read_wait(s->dev, s->scaler.buffer, 0, ret, sizeof *ret);
}

enum clv_err clv_store_set_scaler(struct clv_store *s, const struct clv_scaler *scaler)
{
    return clv_queue_write_wait(s->dev, s->scaler.buffer, 0, scaler, sizeof *scaler);
}

void clv_store_destroy(struct clv_store **store)
{
    struct clv_store *s = *store;
    if (!s)
        return;
    clv_buffer_destroy(&s->scaler.buffer);
    for (int i = 0; i < s->n_segments; i++) {
        struct clv_store_segment *seg = &s->segment[i];
        clv_buffer_destroy(&seg->value.buffer);
        clv_buffer_destroy(&seg->grad.buffer);
        clv_buffer_destroy(&seg->chunks.buffer);
        for (int k = 0; k < CLV_STORE_SLOTS; k++)
            clv_buffer_destroy(&seg->slot[k].buffer);
    }
    clv_arena_finish(&s->arena);
    free(s);
    *store = NULL;
}

/* ---- values ---- */

/* Keras' VarianceScaling: glorot scales by the mean of the fans, he by fan_in; a normal one is cut at
 * two standard deviations and its width corrected by .87962566 (the cut normal's deviation). */
static double variance(const struct clv_weight *w)
{
    const bool he = w->init == CLV_INIT_HE_UNIFORM || w->init == CLV_INIT_HE_NORMAL;
    const double mean_fan = .5 * (double)(w->fan_in + w->fan_out), fan_in = (double)w->fan_in;
    return he ? 2 / fan_in : 1 / mean_fan;
}

static bool is_uniform(const struct clv_weight *w)
{
    return w->init == CLV_INIT_GLOROT_UNIFORM || w->init == CLV_INIT_HE_UNIFORM;
}

static double uniform_limit(const struct clv_weight *w)
{
    return sqrt(3 * variance(w));
}

/* All but the uniform ones. */
static double init_value(const struct clv_weight *w, struct clv_rng *rng)
{
    double x;
    if (w->init == CLV_INIT_ZEROS || w->init == CLV_INIT_ONES)
        return w->init == CLV_INIT_ONES;
    do
        x = clv_rng_normal(rng);
    while (fabs(x) > 2);
    return x * sqrt(variance(w)) / .87962566103423978;
}

enum { BLOCK = 1 << 16 }; /* elements that a thread draws at a time */

struct draw {
    const struct clv_weight *w;
    struct clv_rng rng; /* at the parameter's beginning */
    float *out;
};

static void draw_block(void *priv, size_t block)
{
    const struct draw *d = priv;
    const size_t first = block * BLOCK, count = (size_t)d->w->count;
    struct clv_rng rng = clv_rng_at(&d->rng, first);
    clv_rng_fill(&rng, uniform_limit(d->w), d->out + first, CLV_MIN(BLOCK, count - first));
}

/* A value of a uniform distribution takes one number of the stream, so its place is known. */
static void draw_param(const struct clv_param *p, uint64_t seed, float *out)
{
    const struct clv_weight *w = clv_param_weight(p);
    struct draw d = {.w = w, .rng = clv_rng_init(seed, clv_hash64_str(p->name)), .out = out};
    if (is_uniform(w))
        clv_parallel((size_t)clv_div_up(w->count, BLOCK), clv_processors(), draw_block, &d);
    else
        for (int64_t i = 0; i < w->count; i++)
            out[i] = (float)init_value(w, &d.rng);
    memset(out + w->count, 0, (size_t)(padded_count(p) - w->count) * sizeof *out);
}

/* The weights of a segment, drawn into the device's own memory where that is the host's. */
static enum clv_err init_values(struct clv_store *s, int index, uint64_t seed)
{
    const struct clv_store_segment *seg = &s->segment[index];
    const size_t bytes = (size_t)seg->count * 4;
    const bool mapped = clv_device_caps(s->dev)->features & CLV_FEAT_UNIFIED;
    void *values = NULL;
    if (mapped)
        CLV_TRY(clv_queue_map(s->dev, seg->value.buffer, bytes, &values));
    else if (!(values = malloc(bytes)))
        return clv_fail_nomem(clv_device_error(s->dev), "the weights");
    for (int i = 0; i < s->n_params; i++)
        if (s->param[i].segment == index)
            draw_param(&s->param[i], seed, (float *)values + s->param[i].value.offset);
    if (mapped)
        return clv_queue_unmap(s->dev, seg->value.buffer, values);
    const enum clv_err err = clv_queue_write_wait(s->dev, seg->value.buffer, 0, values, bytes);
    free(values);
    return err;
}

enum clv_err clv_store_init(struct clv_store *s, uint64_t seed)
{
    s->version++;
    for (int i = 0; i < s->n_segments; i++)
        CLV_TRY(init_values(s, i, seed));
    /* Afterwards, so that nobody waits for it. */
    for (int i = 0; i < s->n_segments; i++)
        for (int k = 0; k < s->n_slots && s->segment[i].trained; k++)
            CLV_TRY(zero(s, &s->segment[i].slot[k]));
    return s->scaler.buffer ? clv_store_set_scaler(s, &s->first) : CLV_OK;
}

struct clv_param *clv_store_find(const struct clv_store *s, const struct clv_node *node, int index)
{
    for (int i = 0; i < s->n_params; i++)
        if (s->param[i].node == node && s->param[i].index == index)
            return &s->param[i];
    return NULL;
}

enum clv_err clv_store_read(struct clv_store *s, const struct clv_tensor *t, float *host)
{
    return clv_queue_read_wait(s->dev, t->buffer, t->offset * 4, host, (size_t)t->c * 4);
}

enum clv_err clv_store_write(struct clv_store *s, const struct clv_tensor *t, const float *host)
{
    s->version++;
    return clv_queue_write_wait(s->dev, t->buffer, t->offset * 4, host, (size_t)t->c * 4);
}
