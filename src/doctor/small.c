#include "doctor/small.h"

#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include "graph/op.h"
#include <stdlib.h>
#include <string.h>

/* Operations of one sample that plain C may take: a forward pass of it about a second. */
static const double most_flops = 4e8;
/* The first that every layer takes is taken. Much smaller ones would get other kernels than the whole network. */
static const int sides[] = {64, 96, 128, 160, 192, 224, 256, 512};

/* ---- the graph ---- */

static struct clv_node *copy_node(struct clv_graph *g, const struct clv_node *node, struct clv_node *const *made,
                                  int side)
{
    struct clv_node *in[CLV_MAX_IN] = {0};
    struct clv_str options = {0};
    if (node->op->flags & CLV_OP_INPUT)
        clv_str_addf(&options, "height=%d width=%d channels=%d", CLV_MIN(side, node->shape.h),
                     CLV_MIN(side, node->shape.w), node->shape.c);
    else
        clv_node_print_options(node, &options);
    for (int i = 0; i < node->n_in; i++)
        in[i] = made[node->in[i]->id];
    struct clv_node *copy =
        clv_graph_add(g, node->op->name, node->name, in, node->n_in, options.text ? options.text : "");
    clv_str_finish(&options);
    return copy;
}

static enum clv_err copy_graph(struct clv_small *s, int side)
{
    const struct clv_graph *whole = s->test->graph;
    struct clv_node **made = calloc((size_t)whole->n_nodes, sizeof *made);
    clv_graph_destroy(&s->graph);
    s->graph = clv_graph_create(whole->ctx);
    if (!made || !s->graph) {
        free(made);
        return clv_fail_nomem(clv_device_error(s->dev), "the self-test");
    }
    for (int i = 0; i < whole->n_nodes; i++)
        made[i] = copy_node(s->graph, whole->nodes[i], made, side);
    clv_graph_output(s->graph, made[whole->output->id]);
    s->root = made[s->test->params->root->id];
    free(made);
    return clv_graph_check(s->graph);
}

/* *too_large: none of the sizes does, or plain C would take too long. */
static enum clv_err make_graph(struct clv_small *s, bool *too_large)
{
    enum clv_err e = CLV_ERR_SHAPE;
    for (size_t i = 0; i < CLV_COUNT(sides) && e && e != CLV_ERR_NOMEM; i++)
        e = copy_graph(s, sides[i]);
    *too_large = e || clv_graph_flops(s->graph) > most_flops;
    return e == CLV_ERR_NOMEM ? e : CLV_OK;
}

/* ---- choices ---- */

/* The same programs serve both: they know sizes as arguments only. A dense layer's inputs are a size. */
static bool alike(const struct clv_problem *a, const struct clv_problem *b)
{
    const struct clv_conv *p = &a->conv, *q = &b->conv;
    return a->product == b->product && a->act == b->act && a->pool == b->pool && a->training == b->training &&
           a->dx == b->dx && p->co == q->co && p->kh == q->kh && p->kw == q->kw && p->sh == q->sh && p->sw == q->sw &&
           p->dh == q->dh && p->dw == q->dw && p->groups == q->groups && clv_conv_is_dense(p) == clv_conv_is_dense(q) &&
           (p->ci == q->ci || clv_conv_is_dense(p));
}

static enum clv_err take_choices(struct clv_small *s, const struct clv_choices *small)
{
    const struct clv_choices *whole = clv_plan_choices(s->test->plan);
    char problem[CLV_PROBLEM_TEXT], choice[CLV_CHOICE_TEXT];
    for (int i = 0; i < small->n; i++)
        for (int k = 0; k < whole->n; k++) {
            if (!alike(&small->item[i].problem, &whole->item[k].problem))
                continue;
            clv_problem_text(&small->item[i].problem, problem);
            clv_choice_text(&whole->item[k].choice, choice);
            CLV_TRY(clv_selection_put(&s->selection, problem, choice, true, clv_device_error(s->dev)));
            break;
        }
    return CLV_OK;
}

/* ---- plan and store ---- */

static size_t count_input(const struct clv_small *s) { return (size_t)clv_shape_count(s->graph->input->shape); }
static size_t count_output(const struct clv_small *s) { return (size_t)clv_shape_count(s->graph->output->shape); }

static bool takes_floats(const struct clv_small *s) { return clv_plan_takes_floats(s->test->plan); }

/* What is uploaded: whole slots, or the sample alone where the slot is the input itself. */
static size_t slot_bytes(const struct clv_small *s)
{
    return takes_floats(s) ? CLV_SMALL_BATCH * count_input(s) * sizeof(float)
                           : clv_slot_bytes((size_t)s->test->params->batch, count_input(s) * sizeof(float));
}

static enum clv_err make_plan(struct clv_small *s, bool dry, bool separate, struct clv_plan **ret)
{
    struct clv_plan_params p = *s->test->params;
    p.root = s->root;
    p.selection = &s->selection;
    p.dry = dry;
    p.floats = takes_floats(s); /* else the sampling pass is part of the test */
    p.separate = separate;
    p.slot_bytes = slot_bytes(s);
    p.normalise = (struct clv_normalise){.std = {1, 1, 1, 1}};
    p.clip_norm = p.clip_norm > 0 ? 1e30 : 0; /* the gradients stay as they are */
    return clv_plan_create(s->dev, s->graph, s->store, &p, ret);
}

static enum clv_err make_store(struct clv_small *s)
{
    const struct clv_plan_params *p = s->test->params;
    struct clv_plan *dry = NULL;
    CLV_TRY(clv_store_create(s->dev, s->graph, p->training, p->training ? p->optim->n_slots : 0, &s->store));
    /* One sample's gradients are those of a batch of one: a scale that leaves them room. */
    const struct clv_scaler scaler = {.scale = p->activation == CLV_F16 ? 64 : 1};
    if (p->training && clv_dtype_is_16(p->activation))
        CLV_TRY(clv_store_add_scaler(s->store, &scaler));
    CLV_TRY(clv_store_init(s->store, 1));
    CLV_TRY(make_plan(s, true, false, &dry));
    const enum clv_err e = take_choices(s, clv_plan_choices(dry));
    clv_plan_destroy(&dry);
    return e;
}

/* ---- numbers ---- */

/* Drawn as they are for a training, and the zeros too. */
static enum clv_err read_weights(struct clv_small *s)
{
    float *w = s->weights;
    for (int i = 0; i < s->store->n_params; i++) {
        const struct clv_param *p = &s->store->param[i];
        const struct clv_weight *info = clv_param_weight(p);
        struct clv_rng rng = clv_rng_init(2, (uint64_t)i);
        CLV_TRY(clv_store_read(s->store, &p->value, w));
        if (info->init == CLV_INIT_ZEROS || info->init == CLV_INIT_ONES)
            clv_rng_fill(&rng, .2, w, (size_t)info->count);
        for (int64_t k = 0; k < info->count && info->init == CLV_INIT_ONES; k++)
            w[k] += 1;
        for (int64_t k = 0; k < info->count; k++)
            s->reference.weight[p->node->id][p->index][k] = (double)w[k];
        w += info->count;
    }
    return CLV_OK;
}

static void fill(struct clv_small *s)
{
    const size_t in = count_input(s) * CLV_SMALL_BATCH, out = count_output(s);
    struct clv_reference *r = &s->reference;
    struct clv_rng rng = clv_rng_init(3, 0);
    clv_rng_fill(&rng, 1, s->x, in);
    for (size_t i = 0; i < in; i++)
        r->value[s->graph->input->id][i] = (double)s->x[i];
    for (size_t i = 0; i < CLV_SMALL_BATCH; i++) {
        s->index[i] = (uint32_t)i;
        s->targets[i * out + (out > 1 ? i % out : 0)] = out > 1 || i % 2;
    }
    for (size_t i = 0; r->targets && i < CLV_SMALL_BATCH * out; i++)
        r->targets[i] = (double)s->targets[i];
    r->training = s->test->params->training;
    r->seed = 4;
    r->step = 1;
    r->sample_index = s->index;
}

static enum clv_err allocate(struct clv_small *s)
{
    struct clv_error *err = clv_device_error(s->dev);
    for (int i = 0; i < s->store->n_params; i++)
        s->n_weights += (size_t)clv_param_weight(&s->store->param[i])->count;
    s->fusion = calloc((size_t)s->graph->n_nodes, sizeof *s->fusion);
    s->x = calloc(CLV_SMALL_BATCH * count_input(s), sizeof *s->x);
    s->targets = calloc(CLV_SMALL_BATCH * count_output(s), sizeof *s->targets);
    s->weights = calloc(s->n_weights + 1, sizeof *s->weights);
    s->gradient = calloc(s->n_weights + 1, sizeof *s->gradient);
    if (!s->fusion || !s->x || !s->targets || !s->weights || !s->gradient)
        return clv_fail_nomem(err, "the self-test");
    clv_graph_passes(s->graph, s->root, s->test->params->training, true, s->fusion);
    return clv_reference_init(&s->reference, s->graph, s->fusion, s->root, CLV_SMALL_BATCH, err);
}

enum clv_err clv_small_open(struct clv_small *s, struct clv_device *dev, const struct clv_self_test *test,
                            bool *too_large)
{
    *s = (struct clv_small){.dev = dev, .test = test};
    CLV_TRY(make_graph(s, too_large));
    if (*too_large)
        return CLV_OK;
    CLV_TRY(make_store(s));
    CLV_TRY(allocate(s));
    fill(s);
    return read_weights(s);
}

void clv_small_close(struct clv_small *s)
{
    clv_plan_destroy(&s->plan);
    clv_store_destroy(&s->store);
    clv_selection_finish(&s->selection);
    clv_reference_finish(&s->reference);
    clv_graph_destroy(&s->graph);
    free(s->fusion);
    free(s->x);
    free(s->targets);
    free(s->weights);
    free(s->gradient);
}

/* ---- a step ---- */

static void fill_slot(const struct clv_small *s, unsigned char *slot)
{
    const struct clv_shape in = s->graph->input->shape;
    const size_t bytes = count_input(s) * sizeof(float);
    if (takes_floats(s)) {
        memcpy(slot, s->x, CLV_SMALL_BATCH * bytes);
        return;
    }
    for (size_t i = 0; i < CLV_SMALL_BATCH; i++) {
        const size_t offset = clv_slot_header((size_t)s->test->params->batch) + i * clv_slot_stride(bytes);
        const struct clv_sample_record r = {.offset = (uint32_t)offset, .width = (uint32_t)in.w, .height = (uint32_t)in.h,
                                            .channels = (uint32_t)in.c, .value_bytes = 4, .m = {1, 0, 0, 0, 1, 0},
                                            .taps = {1, 1}, .contrast = 1, .max = 1};
        memcpy(slot + i * sizeof r, &r, sizeof r);
        memcpy(slot + offset, s->x + i * count_input(s), bytes);
    }
}

/* From what the optimizer did: where updates are part of backward steps, gradients are never stored. */
static enum clv_err read_gradient(struct clv_small *s, const struct clv_step_state *st, const struct clv_param *p,
                                  const float *before, double *gradient)
{
    const struct clv_optim *o = s->test->params->optim;
    const size_t n = (size_t)clv_param_weight(p)->count;
    float *now = calloc(n, 3 * sizeof *now); /* and the optimizer's slots behind it */
    if (!now)
        return clv_fail_nomem(clv_device_error(s->dev), "the self-test");
    float *const slot[2] = {now + n, now + 2 * n};
    enum clv_err e = clv_store_read(s->store, &p->value, now);
    for (int k = 0; k < o->n_slots && !e; k++)
        e = clv_store_read(s->store, &p->slot[k], slot[k]);
    for (size_t i = 0; i < n && !e; i++) {
        const double slots[2] = {o->n_slots > 0 ? (double)slot[0][i] : 0, o->n_slots > 1 ? (double)slot[1][i] : 0};
        gradient[i] = o->gradient(st, (double)now[i] - (double)before[i], slots);
    }
    free(now);
    return e;
}

static enum clv_err reset(struct clv_small *s, bool separate)
{
    const float *w = s->weights;
    clv_plan_destroy(&s->plan);
    CLV_TRY(clv_store_init(s->store, 1)); /* the slots */
    for (int i = 0; i < s->store->n_params; i++) {
        CLV_TRY(clv_store_write(s->store, &s->store->param[i].value, w));
        w += clv_param_weight(&s->store->param[i])->count;
    }
    return make_plan(s, false, separate, &s->plan);
}

enum clv_err clv_small_step(struct clv_small *s, bool separate)
{
    const struct clv_plan_params *p = s->test->params;
    struct clv_step_state st = {.n = CLV_SMALL_BATCH, .step = 1, .learning_rate = 1, .seed = {4, 0}};
    struct clv_upload upload = {.bytes = slot_bytes(s)};
    void *slot = NULL;
    CLV_TRY(reset(s, separate));
    if (p->training)
        p->optim->scalars(s->test->optim_params, &st);
    CLV_TRY(clv_plan_slot(s->plan, 0, &slot));
    fill_slot(s, slot);
    CLV_TRY(clv_plan_submit(s->plan, 0, &upload, &st, s->index, s->targets));
    CLV_TRY(clv_plan_wait(s->plan, 0, &s->output, &s->loss));
    size_t at = 0;
    for (int i = 0; p->training && i < s->store->n_trained; i++) {
        CLV_TRY(read_gradient(s, &st, &s->store->param[i], s->weights + at, s->gradient + at));
        at += (size_t)clv_param_weight(&s->store->param[i])->count;
    }
    return CLV_OK;
}
