/* What a whole-model benchmark runs: a trainer, and a random batch in ordinary host memory. */
#include "bench/bench.h"

#include "base/rng.h"
#include "base/util.h"
#include "graph/op.h"
#include "train/trainer.h"
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, DEFAULT_BATCH = 32 };

/* The network itself is updated at every step; at this rate random labels do not make it diverge. */
static const double rate = 1e-6;

static const char *default_optimizer(const char *model)
{
    return !strcmp(model, "resnet18-28") ? "sgd momentum=0.9" : "adam";
}

void clv_bench_subject_fill(struct clv_bench_subject *s)
{
    const struct clv_graph *g = s->graph;
    const size_t count = (size_t)s->batch * (size_t)clv_shape_count(g->input->shape);
    const int classes = (int)CLV_MAX(clv_shape_count(g->output->shape), 2);
    struct clv_rng rng = clv_rng_init(SEED, 2);
    for (size_t i = 0; i < count; i++)
        s->x[i] = (float)clv_rng_uniform(&rng);
    for (int i = 0; i < s->batch; i++)
        s->labels[i] = i % classes;
}

static enum clv_err make_batch(struct clv_bench_subject *s)
{
    const struct clv_graph *g = s->graph;
    const size_t batch = (size_t)s->batch, in = (size_t)clv_shape_count(g->input->shape),
                 out = (size_t)clv_shape_count(g->output->shape);
    s->x = malloc(batch * in * sizeof *s->x);
    s->output = calloc(batch * out, sizeof *s->output);
    s->labels = calloc(batch, sizeof *s->labels);
    if (!s->x || !s->output || !s->labels)
        return clv_fail_nomem(clv_device_error(s->dev), "a random batch");
    clv_bench_subject_fill(s);
    return CLV_OK;
}

static enum clv_err open_subject(struct clv_bench_subject *s, const char *variant, bool keep_gradients)
{
    const struct clv_bench_model *w = s->what;
    const struct clv_trainer_params params = {
        .batch = s->batch,
        .seed = SEED,
        .optimizer = w->optimizer ? w->optimizer : default_optimizer(w->model),
        .inference_only = w->forward,
        .variant = variant,
        .precision = w->precision,
        .keep_gradients = keep_gradients && !w->forward,
    };
    CLV_TRY(clv_model_load(clv_device_context(s->dev), w->model, w->variables, w->n_variables, &s->graph));
    CLV_TRY(clv_trainer_create(s->dev, s->graph, &params, &s->trainer));
    clv_trainer_set_learning_rate(s->trainer, rate);
    return make_batch(s);
}

enum clv_err clv_bench_subject_open(struct clv_bench_subject *s, struct clv_device *dev,
                                    const struct clv_bench_model *what, const char *variant,
                                    bool keep_gradients)
{
    *s = (struct clv_bench_subject){
        .dev = dev, .what = what, .batch = what->batch ? what->batch : DEFAULT_BATCH};
    const enum clv_err e = open_subject(s, variant, keep_gradients);
    if (e)
        clv_bench_subject_close(s);
    return e;
}

void clv_bench_subject_close(struct clv_bench_subject *s)
{
    clv_trainer_destroy(&s->trainer);
    clv_graph_destroy(&s->graph);
    free(s->x);
    free(s->output);
    free(s->labels);
    *s = (struct clv_bench_subject){0};
}

enum clv_err clv_bench_subject_step(struct clv_bench_subject *s)
{
    double loss;
    return s->what->forward
               ? clv_trainer_predict(s->trainer, s->x, (size_t)s->batch, s->output)
               : clv_trainer_step(s->trainer, s->x, s->labels, s->batch, &loss);
}

/* ---- cost ---- */

/* Of one sample. A layer whose input wants no gradient does without the first of its two backward products. */
static double node_flops(const struct clv_node *node, const struct clv_fusion *fusion, bool training)
{
    struct clv_cost cost = {0};
    if (fusion[node->id].dead || !node->op->cost)
        return 0;
    node->op->cost(node, CLV_PASS_FORWARD, &cost);
    const double forward = cost.flops;
    if (!training || !fusion[node->id].needs_grad)
        return forward;
    node->op->cost(node, CLV_PASS_BACKWARD, &cost);
    const bool halved = node->n_weights && node->n_in && !fusion[node->in[0]->id].needs_grad;
    return forward + (halved ? cost.flops / 2 : cost.flops);
}

enum clv_err clv_bench_subject_cost(const struct clv_bench_subject *s, double *flops, double *read,
                                    double *written)
{
    const struct clv_graph *g = s->graph;
    const bool training = !s->what->forward;
    const struct clv_node *root = training ? s->trainer->loss : g->output;
    struct clv_fusion *fusion = calloc((size_t)g->n_nodes, sizeof *fusion);
    if (!fusion)
        return clv_fail_nomem(clv_device_error(s->dev), "counting operations");
    clv_graph_passes(g, root, training, true, fusion);
    *flops = 0;
    for (int i = 0; i < g->n_nodes; i++)
        *flops += s->batch * node_flops(g->nodes[i], fusion, training);
    free(fusion);
    const double weights = sizeof(float) * (double)clv_graph_parameters(g);
    const double input = sizeof(float) * (double)s->batch * (double)clv_shape_count(g->input->shape);
    /* Forward reads the weights; the update reads and writes them and its slots. */
    const double slots = training ? s->trainer->optim->n_slots : 0;
    *read = input + weights * (1 + (training ? 1 + slots : 0));
    *written = training ? weights * (1 + slots) : 0;
    return CLV_OK;
}
