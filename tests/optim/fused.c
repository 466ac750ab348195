/* An update that is part of the backward step against the same one as a pass of its own: bit for bit,
 * after several steps, for every optimizer. */
#include "optim/optim.h"
#include "rig.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* UNITS is no multiple of a vector, BATCH several tiles and one more sample. */
enum { IN = 401, UNITS = 173, CLASSES = 3, BATCH = 70, STEPS = 4 };

struct setup {
    const char *optimizer, *options; /* options: of the large layer */
    int batch, n;                    /* n: samples of the last step */
    const char *frozen;              /* name of a weight whose steps are nothing; NULL */
};

static struct clv_graph *make_graph(const struct rig *r, const char *options)
{
    char model[256];
    snprintf(model, sizeof model,
             "input 1 1 %d\ndense 11 activation=relu\nwide = dense %d activation=tanh\n"
             "large = dense %d activation=relu %s\ndense %d activation=softmax\n",
             IN, IN, UNITS, options, CLASSES);
    return rig_graph(r, model);
}

static void freeze(struct clv_trainer *t, const char *name)
{
    for (int i = 0; i < t->store->n_params; i++) {
        const struct clv_param *p = &t->store->param[i];
        if (strcmp(p->name, name))
            continue;
        const struct clv_chunk frozen = {0};
        const size_t first = p->value.offset / CLV_STORE_CHUNK;
        const size_t chunks = (size_t)(clv_param_weight(p)->count / CLV_STORE_CHUNK + 1);
        for (size_t k = first; k < first + chunks; k++)
            ok(t->ctx, clv_queue_write_wait(t->dev, t->store->segment[p->segment].chunks.buffer,
                                            k * sizeof frozen, &frozen, sizeof frozen));
        return;
    }
    cr_assert_fail("no weight %s", name);
}

/* All weights after STEPS steps; *loss is the last one's. */
static float *train(const struct rig *r, const struct setup *s, bool keep, size_t *n, double *loss)
{
    struct clv_graph *g = make_graph(r, s->options);
    struct clv_trainer *t = NULL;
    ok(r->ctx, clv_trainer_create(r->dev, g, &(struct clv_trainer_params){
        .batch = s->batch, .seed = 5, .optimizer = s->optimizer, .keep_gradients = keep}, &t));
    int n_fused = 0;
    for (int i = 0; i < t->store->n_params; i++)
        n_fused += t->store->param[i].fused;
    if (keep)
        cr_assert_eq(n_fused, 0);
    else if (!clv_device_caps(r->dev)->gpu_path)
        cr_assert_eq(n_fused, 4, "%d of 4 dense kernels have their update fused", n_fused);
    if (s->frozen)
        freeze(t, s->frozen);
    int32_t labels[BATCH];
    float *x = rig_samples((size_t)s->batch, IN, CLASSES, 8, labels);
    for (int k = 0; k < STEPS; k++)
        ok(r->ctx, clv_trainer_step(t, x, labels, k < STEPS - 1 ? s->batch : s->n, loss));
    float *w = rig_weights(r, t, false, n);
    free(x);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    return w;
}

static void compare(const struct setup *s)
{
    struct rig r = rig_open(NULL);
    size_t n = 0, n_kept = 0;
    double loss = 0, loss_kept = 0;
    float *w = train(&r, s, false, &n, &loss), *kept = train(&r, s, true, &n_kept, &loss_kept);
    cr_assert_eq(n, n_kept);
    for (size_t i = 0; i < n; i++)
        cr_assert(!memcmp(&w[i], &kept[i], sizeof *w), "%s: weight %zu of %zu is %.9g, not %.9g",
                  s->optimizer, i, n, w[i], kept[i]);
    cr_assert(loss == loss_kept && isfinite(loss));
    free(w), free(kept);
    rig_close(&r);
}

#define SAME(name, ...) Test(fused, name) { compare(&(struct setup){__VA_ARGS__}); }
SAME(adam, "adam", "", BATCH, 33)
SAME(adamw, "adamw weight_decay=0.05", "", 32, 32)
SAME(sgd, "sgd", "", 8, 3)
SAME(sgd_momentum, "sgd momentum=0.9", "", 32, 17)
SAME(sgd_nesterov, "sgd momentum=0.9 nesterov=true", "", 5, 5)
SAME(rmsprop, "rmsprop momentum=0.5", "", 32, 31)
SAME(penalties, "adam", "l1=0.001 l2=0.01", 32, 32)
SAME(penalties_and_decay, "adamw", "l1=0.001 l2=0.01 use_bias=false", 1, 1)
SAME(frozen, "adam", "l2=0.01", 32, 32, "large/kernel")

/* A frozen weight keeps its value, and the others do not. */
Test(fused, frozen_stays)
{
    struct rig r = rig_open(NULL);
    const struct setup s = {"adam", "l2=0.01", 8, 8, "large/kernel"};
    struct clv_graph *g = make_graph(&r, s.options);
    struct clv_trainer *t = NULL;
    ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){.batch = 8, .seed = 5}, &t));
    size_t n = 0, large = 0, moved = 0;
    float *before = rig_weights(&r, t, false, &n);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    double loss;
    float *after = train(&r, &s, false, &n, &loss);
    for (size_t i = 0; i < n; i++)
        moved += before[i] != after[i];
    large = (size_t)IN * UNITS;
    cr_assert(moved > 0 && moved <= n - large, "%zu of %zu moved", moved, n);
    free(before), free(after);
    rig_close(&r);
}

/* Who wants to read gradients, or to clip by their norm, gets them all. */
Test(fused, what_needs_gradients_keeps_them)
{
    struct rig r = rig_open("");
    float *grad = malloc(sizeof *grad * IN * UNITS);
    for (int k = 0; k < 3; k++) {
        struct clv_graph *g = make_graph(&r, "");
        struct clv_trainer *t = NULL;
        ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
            .batch = 2, .clip_norm = k == 1 ? 1 : 0, .keep_gradients = k == 2}, &t));
        size_t i = 0;
        while (strcmp(t->store->param[i].name, "large/kernel"))
            i++;
        char *plan = clv_trainer_plan_text(t, true);
        cr_expect_eq(strstr(plan, "large backward weights, update") != NULL, k == 0);
        const enum clv_err err = clv_trainer_get_gradient(t, i, grad);
        cr_expect_eq(err, k ? CLV_OK : CLV_ERR_ARG);
        if (!k)
            cr_expect(strstr(clv_error_text(r.ctx), "keep_gradients"), "%s", clv_error_text(r.ctx));
        free(plan);
        clv_trainer_destroy(&t);
        clv_graph_destroy(&g);
    }
    free(grad);
    rig_close(&r);
}
