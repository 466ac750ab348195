/* Tensors, data and runs of one problem. */
#include "tune/trial.h"

#include "base/rng.h"
#include "base/util.h"
#include "step/state.h"
#include "step/stored.h"
#include "tune/reference.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOISE = 65521 }; /* prime: what repeats with it falls into step with no image size */

/* Of a sum of n(0,1) products scaled to variance 1; Winograd's transforms lose two digits. */
static const double tolerance = 3e-4;
/* Near ties: a maximum may be found next to where the reference finds it. */
static const double mask_tolerance = 1e-3;
static const double roundoffs = 8; /* of activations in 16 bits, beside those */

/* ---- tensors and their data ---- */

static struct clv_tensor *make(struct clv_trial *t, enum clv_dtype dtype, int64_t n, int64_t h,
                               int64_t w, int64_t c, const char *name)
{
    struct clv_tensor *x = clv_emit_tensor(&t->emit, CLV_MEMORY_IO, dtype, n, h, w, c, name);
    if (!x || t->n_tensors == CLV_TRIAL_TENSORS)
        return NULL;
    const size_t bytes = (size_t)clv_round_up(clv_tensor_bytes(x), 4);
    if (clv_buffer_create(t->dev, bytes, &x->buffer))
        return NULL;
    t->tensor[t->n_tensors++] = x;
    return x;
}

static enum clv_err put(struct clv_trial *t, struct clv_tensor *x, const void *data)
{
    return clv_queue_write_wait(t->dev, x->buffer, 0, data, (size_t)clv_tensor_bytes(x));
}

/* In place. No number is overwritten before it is read: none becomes longer. */
static void pack(const struct clv_tensor *x, float *data)
{
    for (int64_t i = 0; i < clv_tensor_count(x); i++)
        clv_stored_put(x->dtype, data, i, data[i]);
}

/* Numbers into memory of the tensor's type; what they are there is left in data. */
static void round_to(const struct clv_tensor *x, float *data, void *memory)
{
    for (int64_t i = 0; i < clv_tensor_count(x); i++) {
        clv_stored_put(x->dtype, memory, i, data[i]);
        data[i] = clv_stored_get(x->dtype, memory, i);
    }
}

enum clv_err clv_trial_put(struct clv_trial *t, struct clv_tensor *x, float *data)
{
    if (!clv_dtype_is_16(x->dtype))
        return clv_queue_write_wait(t->dev, x->buffer, clv_trial_offset(x), data, (size_t)clv_tensor_bytes(x));
    void *memory = malloc((size_t)clv_tensor_bytes(x));
    if (!memory)
        return clv_fail_nomem(t->err, "a tuner's data");
    round_to(x, data, memory);
    const enum clv_err e =
        clv_queue_write_wait(t->dev, x->buffer, clv_trial_offset(x), memory, (size_t)clv_tensor_bytes(x));
    free(memory);
    return e;
}

enum clv_err clv_trial_get(struct clv_trial *t, const struct clv_tensor *x, size_t count, float *ret)
{
    const size_t bytes = count * (size_t)clv_dtype_bytes(x->dtype);
    if (!clv_dtype_is_16(x->dtype))
        return clv_queue_read_wait(t->dev, x->buffer, clv_trial_offset(x), ret, bytes);
    void *memory = malloc(bytes);
    if (!memory)
        return clv_fail_nomem(t->err, "a tuner's result");
    const enum clv_err e = clv_queue_read_wait(t->dev, x->buffer, clv_trial_offset(x), memory, bytes);
    for (size_t i = 0; i < count && !e; i++)
        ret[i] = clv_stored_get(x->dtype, memory, (int64_t)i);
    free(memory);
    return e;
}

/* The same noise for the same tensor name every time, with this deviation around 0. */
static float *numbers(const struct clv_trial *t, int64_t count, int start, double scale)
{
    float *x = malloc((size_t)(count + 1) * sizeof *x);
    for (int64_t i = 0, k = start; x && i < count; i++, k = k + 1 < NOISE ? k + 1 : 0)
        x[i] = (float)scale * t->noise[k];
    return x;
}

/* Outputs whose act' neither vanishes nor is all the same. */
static void into_range(float *y, int64_t count, enum clv_act act)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = (float)clv_act_value(act, (double)y[i]);
}

static enum clv_err fill(struct clv_trial *t, struct clv_tensor *x, int start, double scale,
                         enum clv_act act, float **keep)
{
    const int64_t count = clv_tensor_count(x);
    float *data = numbers(t, count, start, scale);
    if (!data)
        return clv_fail_nomem(t->err, "a tuner's data");
    into_range(data, count, act);
    const enum clv_err e = clv_trial_put(t, x, data);
    if (keep)
        *keep = data;
    else
        free(data);
    return e;
}

static enum clv_err fill_mask(struct clv_trial *t, struct clv_tensor *mask, uint8_t **keep)
{
    const int64_t count = clv_tensor_count(mask);
    uint8_t *data = malloc((size_t)count + 1);
    struct clv_rng rng = clv_rng_init(3, 3);
    if (!data)
        return clv_fail_nomem(t->err, "a tuner's data");
    for (int64_t i = 0; i < count; i++)
        data[i] = (uint8_t)(clv_rng_u32(&rng) % 5);
    *keep = data;
    return put(t, mask, data);
}

static enum clv_err missing(struct clv_trial *t)
{
    return t->err->code ? t->err->code : clv_fail_nomem(t->err, "a tuner's tensors");
}

static bool make_tensors(struct clv_trial *t)
{
    const struct clv_problem *q = &t->problem;
    const struct clv_conv *c = &q->conv;
    struct clv_contract *p = &t->contract;
    const int oh = q->pool ? c->oh / 2 : c->oh, ow = q->pool ? c->ow / 2 : c->ow, n = q->batch;
    const int words = (int)(sizeof(struct clv_step_state) / 4) + n;
    const bool forward = q->product == CLV_PRODUCT_FORWARD, data = q->product == CLV_PRODUCT_DATA;
    t->emit.state = make(t, CLV_U32, 1, 1, 1, words, "state");
    p->w = make(t, CLV_F32, 1, 1, 1, clv_conv_k(c) * c->co, "filters");
    bool ok = t->emit.state && p->w;
    if (!data)
        ok = (p->x = make(t, q->dtype, n, c->ih, c->iw, c->ci, "input")) && ok;
    if (forward || !data)
        ok = (p->y = make(t, q->dtype, n, oh, ow, c->co, "output")) && ok;
    if (q->pool && q->training)
        ok = (p->mask = make(t, CLV_U8, n, oh, ow, c->co, "argmax")) && ok;
    if (forward)
        return (p->bias = make(t, CLV_F32, 1, 1, 1, c->co, "bias")) && ok;
    ok = (p->dy = make(t, q->dtype, n, oh, ow, c->co, "gradient of the output")) && ok;
    if (data || q->dx)
        ok = (p->dx = make(t, q->dtype, n, c->ih, c->iw, c->ci, "gradient of the input")) && ok;
    if (data)
        return ok;
    p->dw = make(t, CLV_F32, 1, 1, 1, clv_conv_k(c) * c->co, "gradient of the filters");
    p->dbias = make(t, CLV_F32, 1, 1, 1, c->co, "gradient of the bias");
    return p->dw && p->dbias && ok;
}

static enum clv_err fill_tensors(struct clv_trial *t, struct clv_trial_data *d)
{
    const struct clv_problem *q = &t->problem;
    struct clv_contract *p = &t->contract;
    const bool weights = q->product == CLV_PRODUCT_WEIGHTS;
    CLV_TRY(fill(t, p->w, 11, 1 / sqrt((double)clv_conv_k(&q->conv)), CLV_ACT_LINEAR, NULL));
    if (p->x)
        CLV_TRY(fill(t, p->x, 0, 1, CLV_ACT_LINEAR, NULL));
    if (p->bias)
        CLV_TRY(fill(t, p->bias, 77, .1, CLV_ACT_LINEAR, NULL));
    if (!p->dy)
        return CLV_OK;
    /* Sums of many samples stay near 1. */
    const double pixels = (double)q->batch * q->conv.oh * q->conv.ow;
    CLV_TRY(fill(t, p->dy, 5003, weights ? 1 / sqrt(pixels) : 1, CLV_ACT_LINEAR, &d->dy));
    if (weights)
        CLV_TRY(fill(t, p->y, 20011, 1, q->act, &d->y));
    return p->mask ? fill_mask(t, p->mask, &d->mask) : CLV_OK;
}

static enum clv_err set_samples(struct clv_trial *t, int n)
{
    const struct clv_step_state s = {.n = n, .inv_n = 1.0f / (float)n, .step = 1};
    return clv_queue_write_wait(t->dev, t->emit.state->buffer, 0, &s, sizeof s);
}

/* ---- runs ---- */

/* The steps of a choice with scratch of its own, between guard zones. */
struct run {
    struct clv_steps steps;
    struct clv_separate scratch;
};

static enum clv_err open_run(struct clv_trial *t, const struct clv_choice *c, struct run *r)
{
    struct clv_emit e = t->emit;
    e.steps = &r->steps;
    CLV_TRY(clv_contract_emit_choice(&e, &t->contract, t->problem.product, c));
    CLV_TRY(clv_separate_bind(t->dev, &r->steps, &r->scratch));
    return clv_steps_bind(t->dev, &r->steps);
}

static void close_run(struct clv_trial *t, struct run *r)
{
    if (clv_queue_finish(t->dev)) /* its buffers may be in use */
        clv_log(clv_device_context(t->dev), CLV_LOG_DEBUG, "tune: %s", t->err->text);
    clv_steps_finish(&r->steps);
    clv_separate_finish(&r->scratch);
}

static enum clv_err enqueue(struct clv_trial *t, struct run *r, bool again)
{
    return clv_steps_enqueue(t->dev, &r->steps, 0, r->steps.n, again && !t->problem.training);
}

/* act' is applied to dy in place: each run that counts begins with the same. */
static enum clv_err restore(struct clv_trial *t)
{
    return t->dy ? put(t, t->contract.dy, t->dy) : CLV_OK;
}

/* What a product writes: values first, then the mask. */
static int outputs(const struct clv_trial *t, struct clv_tensor *out[3])
{
    const struct clv_contract *p = &t->contract;
    int n = 0;
    if (t->problem.product == CLV_PRODUCT_FORWARD)
        out[n++] = p->y;
    else if (t->problem.product == CLV_PRODUCT_DATA)
        out[n++] = p->dx;
    else {
        out[n++] = p->dw;
        out[n++] = p->dbias;
        if (t->problem.dx && t->problem.act != CLV_ACT_LINEAR)
            out[n++] = p->dy; /* dz */
    }
    return n;
}

/* Elements of an output that n samples determine. */
static size_t counts(const struct clv_tensor *x, int n)
{
    return (size_t)(x->n > 1 ? clv_tensor_count(x) / x->n * CLV_MIN(n, x->n) : clv_tensor_count(x));
}

static struct clv_tensor *written_mask(const struct clv_trial *t)
{
    return t->problem.product == CLV_PRODUCT_FORWARD ? t->contract.mask : NULL;
}

struct clv_trial_size clv_trial_size(const struct clv_trial *t, int n)
{
    struct clv_trial_size s = {0};
    struct clv_tensor *out[3];
    for (int i = 0, k = outputs(t, out); i < k; i++)
        s.values += counts(out[i], n);
    s.marks = written_mask(t) ? counts(t->contract.mask, n) : 0;
    return s;
}

static enum clv_err forget_outputs(struct clv_trial *t)
{
    struct clv_tensor *out[3], *mask = written_mask(t);
    for (int i = 0, k = outputs(t, out); i < k; i++)
        if (out[i] != t->contract.dy)
            CLV_TRY(clv_queue_fill(t->dev, out[i]->buffer, 0, clv_buffer_bytes(out[i]->buffer),
                                   clv_stored_nan(out[i]->dtype, 0x7fc0dead), -1));
    return mask ? clv_queue_fill(t->dev, mask->buffer, 0, clv_buffer_bytes(mask->buffer),
                                 0xffffffffu, -1)
                : CLV_OK;
}

static enum clv_err read_outputs(struct clv_trial *t, int n, float *ret)
{
    struct clv_tensor *out[3], *mask = written_mask(t);
    for (int i = 0, k = outputs(t, out); i < k; i++) {
        CLV_TRY(clv_trial_get(t, out[i], counts(out[i], n), ret));
        ret += counts(out[i], n);
    }
    if (!mask)
        return CLV_OK;
    uint8_t *bytes = malloc(counts(mask, n) + 1);
    if (!bytes)
        return clv_fail_nomem(t->err, "a tuner's result");
    const enum clv_err e = clv_queue_read_wait(t->dev, mask->buffer, 0, bytes, counts(mask, n));
    for (size_t i = 0; i < counts(mask, n) && !e; i++)
        ret[i] = (float)bytes[i];
    free(bytes);
    return e;
}

/* Result of a bound choice for n samples; malloc'ed. */
static enum clv_err result_of(struct clv_trial *t, struct run *r, int n, float **ret)
{
    const struct clv_trial_size s = clv_trial_size(t, n);
    float *got = malloc((s.values + s.marks + 1) * sizeof *got);
    if (!got)
        return clv_fail_nomem(t->err, "a tuner's result");
    enum clv_err e = set_samples(t, n);
    if (!e)
        e = restore(t);
    if (!e)
        e = forget_outputs(t);
    if (!e)
        e = enqueue(t, r, false);
    if (!e)
        e = clv_queue_finish(t->dev);
    if (!e)
        e = read_outputs(t, n, got);
    if (e)
        free(got);
    else
        *ret = got;
    return e;
}

/* What was rounded to 16 bits may have been before and behind a sum; a maximum's neighbours may have become its equals. */
static bool same(const struct clv_trial *t, const float *got, const float *want, struct clv_trial_size s)
{
    const double u = roundoffs * clv_stored_roundoff(t->problem.dtype);
    double square = 0;
    size_t moved = 0;
    for (size_t i = 0; i < s.values; i++)
        square += (double)want[i] * (double)want[i];
    const double scale = sqrt(square / (double)CLV_MAX(s.values, 1));
    for (size_t i = 0; i < s.values; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <=
              (tolerance + u) * (scale + fabs((double)want[i])))) /* NaN too */
            return false;
    for (size_t i = s.values; i < s.values + s.marks; i++)
        moved += got[i] != want[i];
    return (double)moved <= (mask_tolerance + u) * (double)s.marks;
}

/* ---- what others call ---- */

static enum clv_err check_run(struct clv_trial *t, struct run *r, const struct clv_choice *c,
                              clv_trial_spoil *spoil, void *priv, bool *right)
{
    const int n[2] = {t->n_short, t->problem.batch};
    for (int k = 0; k < (n[0] == n[1] ? 1 : 2); k++) {
        const struct clv_trial_size s = clv_trial_size(t, n[k]);
        float **want = k ? &t->want_all : &t->want, *got = NULL;
        CLV_TRY(result_of(t, r, n[k], &got));
        if (spoil)
            spoil(priv, c, got, s.values);
        const bool ok = !*want || same(t, got, *want, s);
        if (ok && !*want)
            *want = got;
        else
            free(got);
        if (!ok)
            return CLV_OK;
    }
    const enum clv_err e = clv_separate_verify(t->dev, &r->scratch);
    *right = !e;
    return e == CLV_ERR_DATA ? CLV_OK : e;
}

enum clv_err clv_trial_check(struct clv_trial *t, const struct clv_choice *c,
                             clv_trial_spoil *spoil, void *priv, bool *right)
{
    struct run r = {0};
    *right = false;
    enum clv_err e = open_run(t, c, &r);
    if (!e)
        e = check_run(t, &r, c, spoil, priv, right);
    close_run(t, &r);
    return e;
}

static enum clv_err time_some(struct clv_trial *t, struct run *r, int times, double *total)
{
    double begin = clv_now();
    if (!t->dy) {
        for (int i = 0; i < times; i++)
            CLV_TRY(enqueue(t, r, true));
        CLV_TRY(clv_queue_finish(t->dev));
        *total = clv_now() - begin;
        return CLV_OK;
    }
    /* act' applied to the same gradient again and again would leave denormal numbers to multiply. */
    *total = 0;
    for (int i = 0; i < times; i++) {
        CLV_TRY(restore(t));
        begin = clv_now();
        CLV_TRY(enqueue(t, r, true));
        CLV_TRY(clv_queue_finish(t->dev));
        *total += clv_now() - begin;
    }
    return CLV_OK;
}

static enum clv_err time_run(struct clv_trial *t, struct run *r, double least, double *seconds)
{
    int times = 1;
    CLV_TRY(set_samples(t, t->problem.batch));
    CLV_TRY(restore(t));
    CLV_TRY(enqueue(t, r, false)); /* its memory is touched for the first time */
    CLV_TRY(clv_queue_finish(t->dev));
    for (;;) {
        double total = 0;
        CLV_TRY(time_some(t, r, times, &total));
        *seconds = total / times;
        if (total >= least / 2 || times >= 1000)
            return CLV_OK;
        times = (int)CLV_MIN(CLV_MAX(least / CLV_MAX(*seconds, 1e-7), 2.0 * times), 1000.0);
    }
}

enum clv_err clv_trial_time(struct clv_trial *t, const struct clv_choice *c, double least,
                            double *seconds)
{
    struct run r = {0};
    enum clv_err e = open_run(t, c, &r);
    if (!e)
        e = time_run(t, &r, least, seconds);
    close_run(t, &r);
    return e;
}

enum clv_err clv_trial_first(struct clv_trial *t, const struct clv_choice *c, double *seconds)
{
    const double begin = clv_now();
    struct run r = {0};
    enum clv_err e = open_run(t, c, &r);
    if (!e)
        e = set_samples(t, t->problem.batch);
    if (!e)
        e = enqueue(t, &r, false);
    if (!e)
        e = clv_queue_finish(t->dev);
    close_run(t, &r);
    *seconds = clv_now() - begin;
    return e;
}

/* ---- opening ---- */

static enum clv_err make_noise(struct clv_trial *t)
{
    struct clv_rng rng = clv_rng_init(1, 1);
    t->noise = malloc(NOISE * sizeof *t->noise);
    if (!t->noise)
        return clv_fail_nomem(t->err, "a tuner's data");
    for (int i = 0; i < NOISE; i++)
        t->noise[i] = (float)clv_rng_normal(&rng);
    return CLV_OK;
}

static enum clv_err make_labels(struct clv_trial *t)
{
    t->graph = clv_graph_create(clv_device_context(t->dev));
    if (!t->graph)
        return clv_fail_nomem(t->err, "a tuner's labels");
    t->contract.node = clv_input(t->graph, 1, 1, 1);
    return t->graph->err.code ? clv_fail_nomem(t->err, "a tuner's labels") : CLV_OK;
}

static enum clv_err build(struct clv_trial *t)
{
    struct clv_trial_data d = {0};
    const struct clv_problem *q = &t->problem;
    t->emit = (struct clv_emit){.err = t->err,
                                .dev = t->dev,
                                .caps = clv_device_caps(t->dev),
                                .graph = t->graph,
                                .batch = q->batch,
                                .training = q->training,
                                .activation = q->dtype,
                                .matrix_parts = q->parts,
                                .steps = &t->io};
    t->contract.dtype = q->dtype;
    t->contract.conv = q->conv;
    t->contract.act = q->act;
    t->contract.pool = q->pool;
    CLV_TRY(make_labels(t));
    CLV_TRY(make_noise(t));
    t->err->code = CLV_OK;
    if (!make_tensors(t))
        return missing(t);
    enum clv_err e = fill_tensors(t, &d);
    if (!e)
        e = clv_trial_reference(t, &d);
    if (!e && q->product == CLV_PRODUCT_WEIGHTS && q->act != CLV_ACT_LINEAR && !q->pool) {
        t->dy = d.dy;
        d.dy = NULL;
        pack(t->contract.dy, t->dy);
    }
    free(d.dy);
    free(d.y);
    free(d.mask);
    return e;
}

enum clv_err clv_trial_open(struct clv_device *dev, const struct clv_problem *p,
                            struct clv_trial **ret)
{
    struct clv_trial *t = calloc(1, sizeof *t);
    if (!t)
        return clv_fail_nomem(clv_device_error(dev), "a tuner");
    t->dev = dev;
    t->err = clv_device_error(dev);
    t->problem = *p;
    const enum clv_err e = build(t);
    if (e)
        clv_trial_close(&t);
    else
        *ret = t;
    return e;
}

void clv_trial_close(struct clv_trial **trial)
{
    struct clv_trial *t = *trial;
    if (!t)
        return;
    for (int i = 0; i < t->n_tensors; i++)
        clv_buffer_destroy(&t->tensor[i]->buffer);
    clv_steps_finish(&t->io);
    clv_graph_destroy(&t->graph);
    free(t->noise);
    free(t->dy);
    free(t->want);
    free(t->want_all);
    free(t);
    *trial = NULL;
}
