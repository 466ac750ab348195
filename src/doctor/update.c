/* Updates. The pass over the whole store is compared with each optimizer's formula in double (Keras 3:
 * keras.io/api/optimizers), fed with the gradients that the device made; updates that are part of a backward step
 * are compared with that pass, bit for bit. */
#include "base/rng.h"
#include "base/util.h"
#include "doctor/doctor.h"
#include "plan/plan.h"
#include <clavicle/graph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* INPUTS and UNITS are no multiples of a vector or a chunk, BATCH is several tiles and one more sample. */
enum { INPUTS = 131, UNITS = 73, CLASSES = 3, BATCH = 35, STEPS = 3, SKIPPED = 2 };

/* ---- formulas ---- */

struct state { double w, s0, s1; };
typedef void rule(struct state *s, double g, double lr, int t);

static void adam(struct state *s, double g, double lr, int t)
{
    s->s0 += (g - s->s0) * .1;
    s->s1 += (g * g - s->s1) * .001;
    s->w -= lr * sqrt(1 - pow(.999, t)) / (1 - pow(.9, t)) * s->s0 / (sqrt(s->s1) + 1e-7);
}

static void adamw(struct state *s, double g, double lr, int t)
{
    s->w -= s->w * lr * .05;
    adam(s, g, lr, t);
}

static void sgd(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->w -= lr * g;
}

static void momentum(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 - lr * g;
    s->w += s->s0;
}

static void nesterov(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 - lr * g;
    s->w += .9 * s->s0 - lr * g;
}

static void rmsprop(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 + .1 * g * g;
    s->s1 = .5 * s->s1 + lr * g / sqrt(s->s0 + 1e-7);
    s->w -= s->s1;
}

/* Weight decay leaves biases alone, so cases with it have none. */
struct update_case {
    const char *name, *optimizer, *layer;
    rule *step;
    double lr, l1, l2, clip;
    float scale; /* of the loss, and step SKIPPED is; 0 = neither */
};
static const struct update_case cases[] = {
    {"adam", "adam", "", adam, .001, 0, 0, 0, 0},
    {"adam, scaled loss", "adam", "", adam, .001, 0, 0, 0, 1024},
    {"adamw", "adamw weight_decay=0.05 learning_rate=0.01", "use_bias=false", adamw, .01, 0, 0, 0, 0},
    {"sgd", "sgd", "", sgd, .01, 0, 0, 0, 0},
    {"sgd momentum", "sgd momentum=0.9", "", momentum, .01, 0, 0, 0, 0},
    {"sgd nesterov", "sgd momentum=0.9 nesterov=true", "", nesterov, .01, 0, 0, 0, 0},
    {"rmsprop", "rmsprop momentum=0.5", "", rmsprop, .001, 0, 0, 0, 0},
    {"penalties", "sgd learning_rate=0.1", "use_bias=false l1=0.001 l2=0.02", sgd, .1, .001, .02, 0, 0},
    {"clipping by norm", "sgd learning_rate=0.1", "use_bias=false l1=0.001 l2=0.02", sgd, .1, .001, .02, .25, 0},
    {"clipping, scaled loss", "sgd learning_rate=0.1", "use_bias=false l1=0.001 l2=0.02", sgd, .1, .001, .02, .25, 64},
};

/* ---- a small network ---- */

struct network {
    struct clv_device *dev;
    const struct update_case *c;
    struct clv_graph *graph;
    struct clv_node *loss;
    const struct clv_optim *optim;
    void *params;
    struct clv_store *store;
    struct clv_plan *plan;
    struct clv_upload upload;
    float *targets;
};

static void build_graph(struct network *w)
{
    struct clv_graph *g = w->graph;
    struct clv_node *x = clv_input(g, 1, 1, INPUTS);
    x = clv_layer(g, x, "dense units=%d activation=tanh %s", INPUTS, w->c->layer);
    x = clv_layer(g, x, "dense units=%d activation=relu %s", UNITS, w->c->layer);
    x = clv_layer(g, x, "dense units=%d activation=softmax %s", CLASSES, w->c->layer);
    clv_graph_output(g, x);
    w->loss = clv_layer(g, x, "categorical_crossentropy");
}

/* The same random samples every time. */
static void fill(const struct network *w, unsigned char *slot)
{
    const size_t bytes = INPUTS * sizeof(float), stride = clv_slot_stride(bytes);
    struct clv_rng rng = clv_rng_init(8, 1);
    for (size_t i = 0; i < BATCH; i++) {
        const size_t offset = clv_slot_header(BATCH) + i * stride;
        const struct clv_sample_record r = {.offset = (uint32_t)offset, .width = 1, .height = 1, .channels = INPUTS,
                                            .value_bytes = 4, .m = {1, 0, 0, 0, 1, 0}, .taps = {1, 1},
                                            .contrast = 1, .max = 1};
        memcpy(slot + i * sizeof r, &r, sizeof r);
        clv_rng_fill(&rng, 1, (float *)(void *)(slot + offset), INPUTS);
        w->targets[i * CLASSES + i % CLASSES] = 1;
    }
}

static enum clv_err open_network(struct network *w, bool keep)
{
    struct clv_error *err = clv_device_error(w->dev);
    void *slot = NULL;
    w->graph = clv_graph_create(clv_device_context(w->dev));
    w->targets = calloc(BATCH * CLASSES, sizeof *w->targets);
    if (!w->graph || !w->targets)
        return clv_fail_nomem(err, "a check");
    build_graph(w);
    CLV_TRY(clv_graph_check(w->graph));
    CLV_TRY(clv_optim_parse(w->c->optimizer, &w->optim, &w->params, err));
    CLV_TRY(clv_store_create(w->dev, w->graph, true, w->optim->n_slots, &w->store));
    const struct clv_scaler scaler = {.scale = w->c->scale};
    if (w->c->scale > 0)
        CLV_TRY(clv_store_add_scaler(w->store, &scaler));
    CLV_TRY(clv_store_init(w->store, 5));
    const struct clv_plan_params params = {.batch = BATCH, .training = true, .root = w->loss,
                                           .slot_bytes = clv_slot_bytes(BATCH, INPUTS * sizeof(float)),
                                           .normalise = {.std = {1, 1, 1, 1}}, .optim = w->optim,
                                           .clip_norm = w->c->clip, .keep_gradients = keep};
    CLV_TRY(clv_plan_create(w->dev, w->graph, w->store, &params, &w->plan));
    CLV_TRY(clv_plan_slot(w->plan, 0, &slot));
    fill(w, slot);
    w->upload.bytes = params.slot_bytes;
    return CLV_OK;
}

static void close_network(struct network *w)
{
    clv_plan_destroy(&w->plan);
    clv_store_destroy(&w->store);
    clv_graph_destroy(&w->graph);
    free(w->params);
    free(w->targets);
}

/* As if a gradient that is not finite had been seen. */
static enum clv_err spoil(struct network *w)
{
    struct clv_scaler s;
    CLV_TRY(clv_store_get_scaler(w->store, &s));
    s.bad = 1;
    return clv_store_set_scaler(w->store, &s);
}

/* The host never hears of the step that is skipped: the device finds the rate of the one behind. */
static enum clv_err step(struct network *w, int number)
{
    const float *output, *loss;
    struct clv_step_state st = {.n = BATCH, .step = (uint32_t)CLV_MAX(number - 1, 1), .learning_rate = (float)w->c->lr};
    w->optim->scalars(w->params, &st);
    st.rate_behind = st.rate;
    st.step = (uint32_t)number;
    w->optim->scalars(w->params, &st);
    if (w->c->scale > 0 && number == SKIPPED)
        CLV_TRY(spoil(w));
    CLV_TRY(clv_plan_submit(w->plan, 0, &w->upload, &st, NULL, w->targets));
    return clv_plan_wait(w->plan, 0, &output, &loss);
}

/* ---- all weights ---- */

static size_t count_weights(const struct network *w)
{
    size_t n = 0;
    for (int i = 0; i < w->store->n_params; i++)
        n += (size_t)clv_param_weight(&w->store->param[i])->count;
    return n;
}

static enum clv_err read_all(struct network *w, bool gradient, float *host)
{
    for (int i = 0; i < w->store->n_params; i++) {
        const struct clv_param *p = &w->store->param[i];
        CLV_TRY(clv_store_read(w->store, gradient ? &p->grad : &p->value, host));
        host += clv_param_weight(p)->count;
    }
    return CLV_OK;
}

/* ---- the pass over the store ---- */

struct pass {
    struct network net;
    struct state *state;
    float *w, *grad;
    size_t n;
    struct clv_doctor_row *row;
    char *text; /* of the row, 200 bytes */
};

static double gradient_of(const struct pass *p, size_t i)
{
    const struct update_case *c = p->net.c;
    const double w = p->state[i].w;
    const double scale = c->scale > 0 ? (double)c->scale : 1;
    return (double)p->grad[i] / scale + (w > 0 ? c->l1 : w < 0 ? -c->l1 : 0) + 2 * c->l2 * w;
}

static void follow(struct pass *p, int number)
{
    const struct update_case *c = p->net.c;
    double squares = 0;
    if (c->scale > 0 && number == SKIPPED)
        return;
    const int t = number - (c->scale > 0 && number > SKIPPED); /* that count */
    for (size_t i = 0; i < p->n; i++)
        squares += gradient_of(p, i) * gradient_of(p, i);
    const double factor = c->clip > 0 && sqrt(squares) > c->clip ? c->clip / sqrt(squares) : 1;
    for (size_t i = 0; i < p->n; i++)
        c->step(&p->state[i], gradient_of(p, i) * factor, c->lr, t);
}

/* The device's weights against those of the formula. */
static void compare_pass(struct pass *p, int number)
{
    struct clv_doctor_row *row = p->row;
    for (size_t i = 0; i < p->n; i++) {
        const double got = (double)p->w[i], want = p->state[i].w;
        const double error = fabs(got - want) / (2e-6 + 2e-5 * fabs(want));
        row->compared++;
        if (error <= row->error)
            continue;
        row->error = isnan(error) ? INFINITY : error;
        if (!(error <= 1))
            snprintf(p->text, 200, "after step %d weight %zu of %zu is %.9g instead of %.9g", number, i, p->n, got, want);
    }
}

static enum clv_err run_pass(struct pass *p)
{
    CLV_TRY(open_network(&p->net, true));
    p->n = count_weights(&p->net);
    p->state = calloc(p->n, sizeof *p->state);
    p->w = calloc(p->n, sizeof *p->w);
    p->grad = calloc(p->n, sizeof *p->grad);
    if (!p->state || !p->w || !p->grad)
        return clv_fail_nomem(clv_device_error(p->net.dev), "a check");
    CLV_TRY(read_all(&p->net, false, p->w));
    for (size_t i = 0; i < p->n; i++)
        p->state[i].w = (double)p->w[i];
    for (int k = 1; k <= STEPS && p->row->error <= 1; k++) {
        CLV_TRY(step(&p->net, k));
        CLV_TRY(read_all(&p->net, false, p->w));
        CLV_TRY(read_all(&p->net, true, p->grad));
        follow(p, k);
        compare_pass(p, k);
    }
    return CLV_OK;
}

/* ---- fused ---- */

static int count_fused(const struct network *w)
{
    int n = 0;
    for (int i = 0; i < w->store->n_params; i++)
        n += w->store->param[i].fused;
    return n;
}

static enum clv_err run_fused(struct network *net, const struct pass *pass, struct clv_doctor_row *row, char *text)
{
    CLV_TRY(open_network(net, false));
    if (!count_fused(net)) {
        row->status = CLV_DOCTOR_SKIPPED;
        snprintf(text, 200, "no update is part of a backward step here");
        return CLV_OK;
    }
    for (int k = 1; k <= STEPS; k++)
        CLV_TRY(step(net, k));
    float *w = calloc(pass->n, sizeof *w);
    if (!w)
        return clv_fail_nomem(clv_device_error(net->dev), "a check");
    const enum clv_err e = read_all(net, false, w);
    for (size_t i = 0; i < pass->n && !e && row->error <= 1; i++) {
        row->compared++;
        if (!memcmp(&w[i], &pass->w[i], sizeof *w))
            continue;
        row->error = INFINITY;
        snprintf(text, 200, "weight %zu of %zu is %.9g, by a pass of its own %.9g", i, pass->n, (double)w[i],
                 (double)pass->w[i]);
    }
    free(w);
    return e;
}

/* ---- rows ---- */

static enum clv_err end(struct clv_doctor *d, struct clv_doctor_row *row, enum clv_err e)
{
    if (e)
        return clv_doctor_end_failed(d, row, e);
    if (row->status != CLV_DOCTOR_SKIPPED)
        row->status = row->error <= 1 ? CLV_DOCTOR_PASSED : CLV_DOCTOR_WRONG;
    clv_doctor_end(d, row);
    return CLV_OK;
}

static enum clv_err check_fused(struct clv_doctor *d, const struct update_case *c, const struct pass *pass)
{
    char text[200] = "";
    struct clv_doctor_row row = {.group = "update", .name = c->name, .variant = "fused", .text = text};
    struct network net = {.dev = d->dev, .c = c};
    clv_doctor_begin(d, row.group, row.name, row.variant);
    const enum clv_err e = run_fused(&net, pass, &row, text);
    close_network(&net);
    return end(d, &row, e);
}

static enum clv_err check_case(struct clv_doctor *d, const struct update_case *c)
{
    char text[200] = "";
    struct clv_doctor_row row = {.group = "update", .name = c->name, .variant = "pass", .text = text};
    struct pass p = {.net = {.dev = d->dev, .c = c}, .row = &row, .text = text};
    clv_doctor_begin(d, row.group, row.name, row.variant);
    const enum clv_err ran = run_pass(&p);
    enum clv_err e = end(d, &row, ran);
    if (!e && !ran && c->clip <= 0 && row.status == CLV_DOCTOR_PASSED)
        e = check_fused(d, c, &p);
    close_network(&p.net);
    free(p.state);
    free(p.w);
    free(p.grad);
    return e;
}

enum clv_err clv_doctor_update(struct clv_doctor *d)
{
    for (size_t i = 0; i < CLV_COUNT(cases); i++)
        CLV_TRY(check_case(d, &cases[i]));
    return CLV_OK;
}
