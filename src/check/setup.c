/* From a case to steps: a graph of the inputs, the layer and its neighbours, lowered like a plan
 * but with every tensor in a guarded buffer of its own. */
#include "base/util.h"
#include "check/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the graph ---- */

static void add_inputs(struct clv_check_job *job)
{
    struct clv_graph *g = job->graph;
    for (int i = 0; i < CLV_MAX_IN && job->c->in[i].c; i++) {
        const struct clv_shape s = job->c->in[i];
        char options[96];
        snprintf(options, sizeof(options), "height=%d width=%d channels=%d", s.h, s.w, s.c);
        g->input = NULL; /* a case may have several */
        job->input[job->n_inputs++] = clv_graph_add(g, "input", NULL, NULL, 0, options);
    }
}

enum clv_err clv_check_build(struct clv_check_job *job)
{
    const struct clv_check_case *c = job->c;
    job->batch = c->batch ? c->batch : 2;
    job->n = c->n ? c->n : job->batch;
    job->training = !(c->flags & CLV_CHECK_EVAL) && !job->options.forward_only;
    struct clv_graph *g = job->graph = clv_graph_create(clv_device_context(job->dev));
    if (!g)
        return CLV_ERR_NOMEM;
    add_inputs(job);
    struct clv_node *in[CLV_MAX_IN] = {0};
    memcpy(in, job->input, sizeof(in));
    if (c->before)
        in[0] = clv_layer(g, in[0], "%s", c->before);
    struct clv_node *x = in[0];
    if (strcmp(job->check->op, "input")) {
        x = clv_graph_add(g, job->check->op, NULL, in, job->n_inputs, c->options);
        /* With activation= the node that came back is the activation behind it. */
        for (job->tested = x; !g->err.code && strcmp(job->tested->op->name, job->check->op);)
            job->tested = job->tested->in[0];
    }
    if (c->after)
        x = clv_layer(g, x, "%s", c->after);
    if (g->err.code)
        return clv_fail(job->err, g->err.code, "check %s, case '%s': %s", job->check->op, c->name,
                        g->err.text);
    job->root = x;
    job->fusion = calloc((size_t)g->n_nodes, sizeof(*job->fusion));
    job->tensors = calloc((size_t)g->n_nodes, sizeof(*job->tensors));
    job->sample_index = calloc((size_t)job->batch, sizeof(*job->sample_index));
    if (!job->fusion || !job->tensors || !job->sample_index)
        return clv_fail_nomem(job->err, "a check");
    clv_graph_passes(g, job->root, job->training, !(c->flags & CLV_CHECK_NO_FUSE), job->fusion);
    for (int i = 0; i < g->n_nodes; i++)
        job->fusion[i].needs_grad = job->training; /* the inputs' gradients are checked too */
    for (int i = 0; i < job->batch; i++)
        job->sample_index[i] = 1000u + 3u * (uint32_t)i;
    /* Without samples a reference is all but empty. */
    return clv_reference_init(&job->reference, g, job->fusion, job->root,
                              clv_check_only_times(job) ? 0 : job->n, job->err);
}

bool clv_check_supports(const struct clv_check_job *job, enum clv_pass pass)
{
    if (!job->tested || !job->tested->op->variants || (pass == CLV_PASS_BACKWARD && !job->training))
        return false;
    for (const struct clv_variant *v = job->tested->op->variants; v->name; v++)
        if (!strcmp(v->name, job->variant))
            return v->supports(clv_device_caps(job->dev), job->tested, pass);
    return false;
}

bool clv_check_supports_any(const struct clv_check_job *job)
{
    return !job->variant || clv_check_supports(job, CLV_PASS_FORWARD) ||
           clv_check_supports(job, CLV_PASS_BACKWARD);
}

/* ---- tensors ---- */

static struct clv_check_array *add_array(struct clv_check_job *job, const char *what,
                                         struct clv_tensor *t, int samples, struct clv_shape shape)
{
    if (job->n_arrays == CLV_CHECK_MAX_ARRAYS || !t)
        return NULL;
    struct clv_check_array *a = &job->array[job->n_arrays++];
    *a = (struct clv_check_array){.what = what, .t = t, .samples = samples, .shape = shape};
    return a;
}

static bool make_given(struct clv_check_array *a)
{
    if (a)
        a->given = calloc((size_t)(a->samples * clv_shape_count(a->shape)) + 1, sizeof(float));
    return a && a->given;
}

static bool make_got(struct clv_check_array *a)
{
    if (a)
        a->got = calloc((size_t)clv_tensor_count(a->t) + 1, sizeof(uint32_t));
    return a && a->got;
}

/* Every tensor lies in memory that clv_separate_bind() guards. PITCH cases: gaps of different
 * sizes. */
static struct clv_tensor *pixels(struct clv_check_job *job, const struct clv_node *node,
                                 struct clv_shape s, const char *name)
{
    struct clv_tensor *t = clv_emit_tensor(&job->emit, CLV_MEMORY_ACTIVATION,
                                           clv_emit_dtype(&job->emit, node), job->batch,
                                           s.h, s.w, s.c, name);
    if (t && job->c->flags & CLV_CHECK_PITCH)
        t->pitch += 1 + t->id % 5;
    return t;
}

static bool make_weights(struct clv_check_job *job, const struct clv_node *node)
{
    struct clv_node_tensors *t = &job->tensors[node->id];
    for (int i = 0; i < node->n_weights; i++) {
        const struct clv_weight *w = &node->weights[i];
        const struct clv_shape flat = {1, 1, (int)w->count};
        t->weight[i] =
            clv_emit_tensor(&job->emit, CLV_MEMORY_ACTIVATION, CLV_F32, 1, 1, 1, w->count, w->name);
        if (!w->state)
            t->weight_grad[i] =
                clv_emit_tensor(&job->emit, CLV_MEMORY_ACTIVATION, CLV_F32, 1, 1, 1, w->count, w->name);
        if (!make_given(add_array(job, w->name, t->weight[i], 1, flat)))
            return false;
        job->array[job->n_arrays - 1].source = job->reference.weight[node->id][i];
    }
    return true;
}

static bool make_node(struct clv_check_job *job, const struct clv_node *node)
{
    struct clv_node_tensors *t = &job->tensors[node->id];
    const struct clv_shape shape = clv_node_stored_shape(node, job->fusion);
    const struct clv_node *own = clv_node_owner(node, job->fusion, job->training);
    if (node->op->flags & CLV_OP_LOSS || own != node)
        t->out = clv_emit_tensor(&job->emit, CLV_MEMORY_ACTIVATION,
                                 clv_emit_dtype(&job->emit, node), job->batch, shape.h, shape.w,
                                 shape.c, node->name);
    else
        t->out = pixels(job, node, shape, node->name);
    if (!t->out)
        return false;
    if (own != node) {
        t->out->alias = job->tensors[own->id].out;
        /* A fused activation has its producer's pixels, gaps included; a view has none. */
        if (!(node->op->flags & CLV_OP_VIEW))
            t->out->pitch = t->out->alias->pitch;
    }
    return make_weights(job, node);
}

static bool make_io(struct clv_check_job *job)
{
    const bool loss = job->root->op->flags & CLV_OP_LOSS;
    const int64_t words = (int64_t)sizeof(struct clv_step_state) / 4 + job->batch;
    struct clv_emit *e = &job->emit;
    e->state = clv_emit_tensor(e, CLV_MEMORY_ACTIVATION, CLV_U32, 1, 1, 1, words, "state");
    if (!e->state)
        return false;
    for (int i = 0; i < job->n_inputs; i++) {
        static const char *const names[CLV_MAX_IN] = {"input 0", "input 1", "input 2", "input 3"};
        const struct clv_node *node = job->input[i];
        if (!make_given(add_array(job, names[i], job->tensors[node->id].out, job->n, node->shape)))
            return false;
        job->array[job->n_arrays - 1].source = job->reference.value[node->id];
    }
    if (!loss)
        return true;
    const struct clv_shape row = job->root->in[0]->shape;
    e->targets =
        clv_emit_tensor(e, CLV_MEMORY_ACTIVATION, CLV_F32, job->batch, row.h, row.w, row.c, "targets");
    if (!make_given(add_array(job, "targets", e->targets, job->n, row)))
        return false;
    job->array[job->n_arrays - 1].source = job->reference.targets;
    return true;
}

/* What backward starts from, and the gradients that have a writer before. */
static bool make_gradients(struct clv_check_job *job)
{
    if (!(job->root->op->flags & CLV_OP_LOSS)) {
        struct clv_tensor *dy = pixels(job, job->root, job->root->shape, "gradient of the output");
        if (!make_given(add_array(job, "gradient of the output", dy, job->n, job->root->shape)))
            return false;
        job->array[job->n_arrays - 1].source = job->reference.root_grad;
        for (const struct clv_node *node = job->root, *own = NULL; node != own;) {
            job->tensors[node->id].grad = dy;
            own = node;
            node = clv_node_owner(node, job->fusion, job->training);
        }
    }
    for (int i = 0; job->accumulate && i < job->n_inputs; i++) {
        const struct clv_node *node = job->input[i];
        job->tensors[node->id].grad = pixels(job, node, node->shape, "gradient with a writer before");
        if (!job->tensors[node->id].grad)
            return false;
    }
    return true;
}

/* ---- results ---- */

static bool read_values(struct clv_check_job *job)
{
    const struct clv_node *before = job->fusion[job->root->id].softmax;
    const struct clv_node *node[2] = {job->root, before};
    static const char *const what[2] = {"output", "output of the fused layer before the loss"};
    for (int i = 0; i < 2 && node[i]; i++) {
        struct clv_check_array *a =
            add_array(job, what[i], job->tensors[node[i]->id].out, job->n, node[i]->shape);
        if (!make_got(a))
            return false;
        a->want = job->reference.value[node[i]->id];
        a->zero_tail = node[i]->op->flags & CLV_OP_LOSS;
    }
    for (int k = 0; k < job->graph->n_nodes; k++)
        for (int i = 0; i < job->graph->nodes[k]->n_weights; i++) {
            const struct clv_weight *w = &job->graph->nodes[k]->weights[i];
            const struct clv_shape flat = {1, 1, (int)w->count};
            if (!w->state || job->fusion[k].dead)
                continue;
            struct clv_check_array *a = add_array(job, w->name, job->tensors[k].weight[i], 1, flat);
            if (!make_got(a))
                return false;
            a->want = job->reference.state[k][i];
        }
    return true;
}

static bool read_gradients(struct clv_check_job *job)
{
    static const char *const names[CLV_MAX_IN] = {"gradient of input 0", "gradient of input 1",
                                                  "gradient of input 2", "gradient of input 3"};
    for (int i = 0; i < job->n_inputs; i++) {
        const struct clv_node *node = job->input[i];
        struct clv_check_array *a =
            add_array(job, names[i], job->tensors[node->id].grad, job->n, node->shape);
        if (!make_got(a) || (job->accumulate && !make_given(a)))
            return false;
        a->source = job->reference.value[node->id];
    }
    for (int k = 0; k < job->graph->n_nodes; k++)
        for (int i = 0; i < job->graph->nodes[k]->n_weights; i++) {
            const struct clv_weight *w = &job->graph->nodes[k]->weights[i];
            if (w->state || job->fusion[k].dead)
                continue;
            struct clv_check_array *a = add_array(job, w->name, job->tensors[k].weight_grad[i], 1,
                                                  (struct clv_shape){1, 1, (int)w->count});
            if (!make_got(a))
                return false;
            a->source = job->reference.weight[k][i];
        }
    return true;
}

/* ---- steps ---- */

/* The variant that the tested node is made to take in a pass. */
static const char *forced(const struct clv_check_job *job, enum clv_pass pass)
{
    return job->variant && clv_check_supports(job, pass) ? job->variant : NULL;
}

/* What of the case's fusions its variant carries out. */
static void settle(struct clv_check_job *job)
{
    job->emit.force_variant = forced(job, CLV_PASS_FORWARD);
    clv_emit_settle(&job->emit, job->fusion);
}

static enum clv_err emit_pass(struct clv_check_job *job, const struct clv_node *node,
                              enum clv_pass pass)
{
    if (job->fusion[node->id].dead || node->op->flags & CLV_OP_INPUT)
        return CLV_OK;
    if (node->op->flags & CLV_OP_TRAIN_ONLY && !job->training)
        return CLV_OK;
    job->emit.force_variant = node == job->tested ? forced(job, pass) : NULL;
    return clv_emit_node(&job->emit, node, pass);
}

enum clv_err clv_check_lower(struct clv_check_job *job)
{
    struct clv_graph *g = job->graph;
    job->emit = (struct clv_emit){.err = job->err,
                                  .dev = job->dev,
                                  .caps = clv_device_caps(job->dev),
                                  .graph = g,
                                  .batch = job->batch,
                                  .training = job->training,
                                  .winograd = job->options.winograd,
                                  .matrix_parts = job->options.matrix_parts,
                                  .activation = job->options.activation,
                                  .fusion = job->fusion,
                                  .node = job->tensors,
                                  .steps = &job->steps};
    settle(job);
    bool ok = true;
    for (int i = 0; i < g->n_nodes && ok; i++)
        ok = job->fusion[i].dead || make_node(job, g->nodes[i]);
    ok = ok && make_io(job) && (!job->training || make_gradients(job)) && read_values(job);
    if (!ok)
        return clv_fail_nomem(job->err, "a check's tensors");
    for (int i = 0; i < g->n_nodes; i++)
        CLV_TRY(emit_pass(job, g->nodes[i], CLV_PASS_FORWARD));
    job->n_forward = job->steps.n;
    for (int i = g->n_nodes - 1; i >= 0 && job->training; i--)
        CLV_TRY(emit_pass(job, g->nodes[i], CLV_PASS_BACKWARD));
    if (job->training && !read_gradients(job))
        return clv_fail_nomem(job->err, "a check's tensors");
    return CLV_OK;
}

enum clv_err clv_check_bind(struct clv_check_job *job)
{
    CLV_TRY(clv_separate_bind(job->dev, &job->steps, &job->separate));
    return clv_steps_bind(job->dev, &job->steps);
}

void clv_check_finish(struct clv_check_job *job)
{
    for (int i = 0; i < job->n_arrays; i++) {
        free(job->array[i].given);
        free(job->array[i].got);
    }
    clv_steps_finish(&job->steps);
    clv_separate_finish(&job->separate);
    clv_reference_finish(&job->reference);
    free(job->fusion);
    free(job->tensors);
    free(job->sample_index);
    clv_graph_destroy(&job->graph);
    free(job);
}
