/* Lowering: nodes in order give the forward steps, nodes in reverse the backward steps (reverse-mode
 * differentiation), the optimizer the update. */
#include "plan/internal.h"

#include "base/util.h"
#include "step/sample.h"

static enum clv_err new_tensor(struct clv_emit *e, struct clv_tensor **t, enum clv_memory memory,
                               enum clv_dtype dtype, int64_t n, struct clv_shape s, const char *name)
{
    *t = clv_emit_tensor(e, memory, dtype, n, s.h, s.w, s.c, name);
    return *t ? CLV_OK : CLV_ERR_NOMEM;
}

static enum clv_err make_node_tensors(struct clv_plan *p, struct clv_emit *e,
                                      const struct clv_node *node)
{
    struct clv_node_tensors *t = &p->node[node->id];
    CLV_TRY(new_tensor(e, &t->out, CLV_MEMORY_ACTIVATION, clv_emit_dtype(e, node), p->params.batch,
                       clv_node_stored_shape(node, p->fusion), node->name));
    const struct clv_node *owner = clv_node_owner(node, p->fusion, p->params.training);
    t->out->alias = owner != node ? p->node[owner->id].out : NULL;
    for (int i = 0; i < node->n_weights; i++) {
        struct clv_param *param = clv_store_find(p->store, node, i);
        t->weight[i] = &param->value;
        t->weight_grad[i] = &param->grad;
    }
    return CLV_OK;
}

/* Parts of concatenations lie in their memory, a pixel's channels beside the others'. From the last on, so that a
 * concatenation's own place is known. */
static void place_parts(struct clv_plan *p)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const struct clv_fusion *f = &p->fusion[i];
        if (f->dead || !f->part_of)
            continue;
        struct clv_tensor *part = p->node[i].out, *whole = p->node[f->part_of->id].out;
        part->alias = whole;
        part->alias_at = f->part_at;
        part->pitch = whole->pitch;
    }
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct clv_node *worker = clv_node_worker(p->graph->nodes[i], p->fusion);
        if (!p->fusion[i].dead && p->fusion[worker->id].part_of)
            p->node[i].out->pitch = p->node[worker->id].out->pitch;
    }
}

/* Floats that are to be neither scaled nor shifted lie in the slot as the network reads them. */
static bool is_plain(const struct clv_normalise *q, const struct clv_tensor *input)
{
    bool plain = input->dtype == CLV_F32 && input->pitch == input->c && !input->alias;
    for (int i = 0; i < CLV_MIN((int)input->c, CLV_SAMPLE_CHANNELS); i++)
        plain = plain && q->mean[i] == 0 && q->std[i] == 1;
    return plain;
}

static enum clv_err make_staging(struct clv_plan *p, struct clv_emit *e)
{
    struct clv_tensor *input = p->node[p->graph->input->id].out;
    p->takes_floats = p->params.floats && input && is_plain(&p->params.normalise, input);
    if (p->takes_floats) {
        input->memory = CLV_MEMORY_IO;
        p->staging = input;
        return CLV_OK;
    }
    CLV_TRY(new_tensor(e, &p->staging, CLV_MEMORY_IO, CLV_U8, 1, (struct clv_shape){1, 1, 0},
                       "staging"));
    p->staging->c = p->staging->pitch = (int64_t)p->params.slot_bytes;
    return CLV_OK;
}

static enum clv_err make_io_tensors(struct clv_plan *p, struct clv_emit *e)
{
    const struct clv_plan_params *q = &p->params;
    const int state_words = (int)(sizeof(struct clv_step_state) / 4) + q->batch;
    const int64_t outputs = clv_shape_count(p->graph->output->shape);
    CLV_TRY(new_tensor(e, &p->state, CLV_MEMORY_IO, CLV_U32, 1, (struct clv_shape){1, 1, state_words},
                       "state"));
    CLV_TRY(new_tensor(e, &p->targets, CLV_MEMORY_IO, CLV_F32, q->batch,
                       (struct clv_shape){1, 1, (int)outputs}, "targets"));
    if (q->training && q->check_finite)
        CLV_TRY(new_tensor(e, &p->flags, CLV_MEMORY_IO, CLV_U32, 1, (struct clv_shape){1, 1, 1}, "checks"));
    return CLV_OK;
}

static enum clv_err lower_forward(struct clv_plan *p, struct clv_emit *e)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct clv_node *node = p->graph->nodes[i];
        if (p->fusion[i].dead)
            continue;
        if (node->op->flags & CLV_OP_INPUT) {
            if (!p->takes_floats)
                CLV_TRY(clv_emit_sample(e, p->staging, p->node[i].out, &p->params.normalise));
            if (p->params.training && p->params.mix)
                CLV_TRY(clv_emit_mix(e, p->node[i].out));
            CLV_TRY(clv_finite_input(p, e));
            continue;
        }
        if (node->op->flags & CLV_OP_TRAIN_ONLY && !p->params.training)
            continue;
        const int first = e->steps->n;
        CLV_TRY(clv_emit_node(e, node, CLV_PASS_FORWARD));
        CLV_TRY(clv_finite_after(p, e, first));
    }
    return CLV_OK;
}

/* A node takes part if its weights are trained or a node before it wants a gradient: then its own
 * output's gradient has been written by the nodes behind it. The loss starts from inv_n instead. */
static enum clv_err lower_backward(struct clv_plan *p, struct clv_emit *e)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const struct clv_node *node = p->graph->nodes[i];
        const struct clv_fusion *f = &p->fusion[i];
        if (f->dead || !f->needs_grad)
            continue;
        const int first = e->steps->n;
        CLV_TRY(clv_emit_node(e, node, CLV_PASS_BACKWARD));
        CLV_TRY(clv_finite_after(p, e, first));
    }
    return CLV_OK;
}

static enum clv_err lower_update(struct clv_plan *p, struct clv_emit *e)
{
    const struct clv_plan_params *q = &p->params;
    CLV_TRY(clv_store_make_gradients(p->store, q->dry));
    CLV_TRY(clv_scaler_decide(p, e));
    CLV_TRY(clv_optim_emit(e, q->optim, p->store, q->clip_norm));
    return clv_finite_weights(p, e, "as the update left it");
}

enum clv_err clv_plan_lower(struct clv_plan *p)
{
    const struct clv_plan_params *q = &p->params;
    const bool loss = (q->root->op->flags & CLV_OP_LOSS) != 0;
    struct clv_emit e = {.err = clv_device_error(p->dev), .dev = p->dev,
                         .caps = clv_device_caps(p->dev), .graph = p->graph, .batch = q->batch,
                         .training = q->training, .gemm = q->gemm,
                         .activation = q->activation,
                         .winograd = q->winograd, .matrix_parts = q->matrix_parts, .selection = q->selection,
                         .force_variant = q->force_variant,
                         .choices = &p->choices, .fusion = p->fusion,
                         .node = p->node, .steps = &p->steps};
    clv_graph_passes(p->graph, q->root, q->training, !q->no_fusion, p->fusion);
    clv_graph_keep_fp32(p->graph, p->graph->output, p->fusion);
    clv_emit_settle(&e, p->fusion);
    if (!q->no_fusion)
        clv_graph_place_parts(p->graph, p->fusion);
    CLV_TRY(make_io_tensors(p, &e));
    e.state = p->state;
    e.targets = p->targets;
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (!p->fusion[i].dead)
            CLV_TRY(make_node_tensors(p, &e, p->graph->nodes[i]));
    place_parts(p);
    CLV_TRY(make_staging(p, &e));
    p->output = p->node[p->graph->output->id].out;
    p->loss = loss ? p->node[q->root->id].out : NULL;
    if (p->flags)
        CLV_TRY(clv_emit_fill(&e, &(struct clv_emit_info){.what = "checks"}, p->flags, 0));
    p->scaler = e.scaler = q->training && p->store->scaler.buffer ? &p->store->scaler : NULL;
    CLV_TRY(clv_scaler_begin(&e));
    CLV_TRY(clv_finite_weights(p, &e, "before the step"));
    CLV_TRY(lower_forward(p, &e));
    if (!q->training)
        return CLV_OK;
    /* Clipping by norm needs every gradient before the first update. */
    e.store = p->store;
    for (int i = 0; i < p->store->n_params; i++)
        p->store->param[i].fused = false; /* a dry plan may have had other schedules */
    e.update_source = q->clip_norm > 0 || q->keep_gradients || q->check_finite ? NULL : q->optim->source;
    CLV_TRY(lower_backward(p, &e));
    return lower_update(p, &e);
}
