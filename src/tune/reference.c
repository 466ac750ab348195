/* The reference: the schedule `simple` for the bare product, on as many samples as take a moment,
 * and plain loops on the host for what a fast schedule fuses with it. */
#include "tune/reference.h"

#include "base/util.h"
#include "step/state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double affordable = 2e9; /* operations */

/* ---- pooling and gradients on the host ---- */

/* The first greatest of the four values at y, in the order of enum clv_pool_mask. */
static float greatest(const float *y, const struct clv_conv *c, int *at)
{
    float best = y[0];
    *at = 0;
    for (int q = 1; q < 4; q++) {
        const float v = y[((int64_t)(q / 2) * c->ow + q % 2) * c->co];
        if (v > best) {
            best = v;
            *at = q;
        }
    }
    return best;
}

/* y[n][oh][ow][c] -> out[n][oh/2][ow/2][c], and where each maximum was; mark may be NULL. */
static void pool(const float *y, int n, const struct clv_conv *c, enum clv_act act, float *out,
                 float *mark)
{
    int at;
    for (int s = 0; s < n; s++)
        for (int r = 0; r < c->oh / 2; r++)
            for (int x = 0; x < c->ow / 2; x++)
                for (int k = 0; k < c->co; k++) {
                    const int64_t pixel = ((int64_t)s * c->oh + 2 * r) * c->ow + 2 * x;
                    *out = greatest(y + pixel * c->co + k, c, &at);
                    if (mark)
                        *mark++ =
                            (float)(act == CLV_ACT_RELU && *out <= 0 ? CLV_POOL_MASK_DEAD : at);
                    out++;
                }
}

/* dz[n][oh][ow][c] from the pooled gradient. */
static void unpool(const struct clv_conv *c, const struct clv_trial_data *d, int n, float *dz)
{
    const int ph = c->oh / 2, pw = c->ow / 2;
    for (int s = 0; s < n; s++)
        for (int r = 0; r < c->oh; r++)
            for (int x = 0; x < c->ow; x++)
                for (int k = 0; k < c->co; k++) {
                    const int64_t at = (((int64_t)s * ph + r / 2) * pw + x / 2) * c->co + k;
                    const bool inside = r / 2 < ph && x / 2 < pw;
                    *dz++ = inside && d->mask[at] == (r & 1) * 2 + (x & 1) ? d->dy[at] : 0;
                }
}

static void unfold(const struct clv_problem *q, const struct clv_trial_data *d, int n, float *dz)
{
    const int64_t count = (int64_t)n * q->conv.oh * q->conv.ow * q->conv.co;
    if (q->pool)
        unpool(&q->conv, d, n, dz);
    for (int64_t i = 0; i < count && !q->pool; i++)
        dz[i] = d->y ? d->dy[i] * (float)clv_act_slope(q->act, (double)d->y[i]) : d->dy[i];
}

/* ---- the bare product ---- */

struct product {
    struct clv_steps steps;
    struct clv_separate memory;
    struct clv_emit emit;
    struct clv_contract contract;
    struct clv_tensor *y, *dz; /* of the few samples, unpooled */
};

static struct clv_tensor *few(struct product *r, enum clv_dtype dtype, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return clv_emit_tensor(&r->emit, CLV_MEMORY_ACTIVATION, dtype, n, h, w, c, "reference");
}

/* Reads the trial's inputs, writes tensors of its own. */
static enum clv_err emit(struct clv_trial *t, struct product *r)
{
    static const struct clv_choice simple = {.schedule = &clv_schedule_simple};
    const struct clv_problem *q = &t->problem;
    const struct clv_conv *c = &q->conv;
    const int n = t->n_short;
    struct clv_contract *p = &r->contract;
    r->emit = t->emit;
    r->emit.batch = n;
    r->emit.steps = &r->steps;
    *p = t->contract;
    p->pool = false;
    p->mask = NULL;
    p->act = q->product == CLV_PRODUCT_FORWARD ? q->act : CLV_ACT_LINEAR;
    p->y = few(r, q->dtype, n, c->oh, c->ow, c->co);
    if (!p->y)
        return CLV_ERR_NOMEM;
    if (q->product != CLV_PRODUCT_FORWARD) {
        p->dy = p->y; /* a gradient of the same shape; nothing reads y */
        p->dx = few(r, q->dtype, n, c->ih, c->iw, c->ci);
        p->dw = few(r, CLV_F32, 1, 1, 1, clv_conv_k(c) * c->co);
        p->dbias = few(r, CLV_F32, 1, 1, 1, c->co);
        if (!p->dx || !p->dw || !p->dbias)
            return CLV_ERR_NOMEM;
    }
    CLV_TRY(clv_contract_emit_choice(&r->emit, p, q->product, &simple));
    CLV_TRY(clv_separate_bind(t->dev, &r->steps, &r->memory));
    return clv_steps_bind(t->dev, &r->steps);
}

static enum clv_err read_tensor(struct clv_trial *t, const struct clv_tensor *x, float *ret)
{
    return clv_trial_get(t, x, (size_t)clv_tensor_count(x), ret);
}

static enum clv_err launch(struct clv_trial *t, struct product *r)
{
    const struct clv_step_state state = {
        .n = t->n_short, .inv_n = 1.0f / (float)t->n_short, .step = 1};
    CLV_TRY(clv_queue_write_wait(t->dev, t->emit.state->buffer, 0, &state, sizeof state));
    CLV_TRY(clv_steps_enqueue(t->dev, &r->steps, 0, r->steps.n, false));
    return clv_queue_finish(t->dev);
}

static enum clv_err forward(struct clv_trial *t, struct product *r, float *full)
{
    const size_t values = clv_trial_size(t, t->n_short).values;
    CLV_TRY(launch(t, r));
    if (!t->problem.pool)
        return read_tensor(t, r->contract.y, t->want);
    CLV_TRY(read_tensor(t, r->contract.y, full));
    pool(full, t->n_short, &t->problem.conv, t->problem.act, t->want,
         t->contract.mask ? t->want + values : NULL);
    return CLV_OK;
}

static enum clv_err backward(struct clv_trial *t, struct product *r, const struct clv_trial_data *d,
                             float *full)
{
    const struct clv_contract *p = &r->contract;
    const size_t bytes = (size_t)clv_tensor_count(p->dy) * sizeof *full;
    unfold(&t->problem, d, t->n_short, full);
    CLV_TRY(clv_trial_put(t, p->dy, full));
    CLV_TRY(launch(t, r));
    if (t->problem.product == CLV_PRODUCT_DATA)
        return read_tensor(t, p->dx, t->want);
    CLV_TRY(read_tensor(t, p->dw, t->want));
    CLV_TRY(read_tensor(t, p->dbias, t->want + clv_tensor_count(p->dw)));
    if (t->problem.dx && t->problem.act != CLV_ACT_LINEAR)
        memcpy(t->want + clv_tensor_count(p->dw) + clv_tensor_count(p->dbias), full, bytes);
    return CLV_OK;
}

enum clv_err clv_trial_reference(struct clv_trial *t, const struct clv_trial_data *d)
{
    const struct clv_conv *c = &t->problem.conv;
    const double samples = affordable / clv_contract_flops(c);
    t->n_short = (int)CLV_MIN(CLV_MAX(samples, 1), (double)t->problem.batch);
    const struct clv_trial_size s = clv_trial_size(t, t->n_short);
    const size_t plain = (size_t)t->n_short * (size_t)c->oh * (size_t)c->ow * (size_t)c->co;
    float *full = malloc((plain + 1) * sizeof *full);
    t->want = malloc((s.values + s.marks + 1) * sizeof *t->want);
    struct product *r = calloc(1, sizeof *r);
    enum clv_err e = CLV_OK;
    if (!full || !t->want || !r)
        e = clv_fail_nomem(t->err, "a tuner's reference");
    if (!e)
        e = emit(t, r);
    if (!e)
        e = t->problem.product == CLV_PRODUCT_FORWARD ? forward(t, r, full)
                                                      : backward(t, r, d, full);
    if (r) {
        clv_steps_finish(&r->steps);
        clv_separate_finish(&r->memory);
    }
    free(r);
    free(full);
    return e;
}
