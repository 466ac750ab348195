#include "check/reference.h"

#include <stdlib.h>

static double *numbers(int64_t count)
{
    return calloc((size_t)count + 1, sizeof(double));
}

static bool alloc_node(struct clv_reference *r, const struct clv_node *node)
{
    r->value[node->id] = numbers(r->n * clv_shape_count(node->shape));
    bool ok = r->value[node->id];
    for (int i = 0; i < node->n_weights; i++) {
        r->weight[node->id][i] = numbers(node->weights[i].count);
        ok = ok && r->weight[node->id][i];
        if (node->weights[i].state)
            ok = (r->state[node->id][i] = numbers(node->weights[i].count)) != NULL && ok;
    }
    return ok;
}

enum clv_err clv_reference_init(struct clv_reference *r, const struct clv_graph *g,
                                const struct clv_fusion *fusion, const struct clv_node *root, int n,
                                struct clv_error *err)
{
    *r = (struct clv_reference){.graph = g, .fusion = fusion, .root = root, .n = n};
    r->value = calloc((size_t)g->n_nodes, sizeof(*r->value));
    r->weight = calloc((size_t)g->n_nodes, sizeof(*r->weight));
    r->state = calloc((size_t)g->n_nodes, sizeof(*r->state));
    bool ok = r->value && r->weight && r->state;
    for (int i = 0; i < g->n_nodes && ok; i++)
        ok = fusion[i].dead || alloc_node(r, g->nodes[i]);
    if (ok && root->op->flags & CLV_OP_LOSS)
        ok = (r->targets = numbers(n * clv_shape_count(root->in[0]->shape))) != NULL;
    else if (ok)
        ok = (r->root_grad = numbers(n * clv_shape_count(root->shape))) != NULL;
    if (ok)
        return CLV_OK;
    clv_reference_finish(r);
    return clv_fail_nomem(err, "a reference in double");
}

void clv_reference_finish(struct clv_reference *r)
{
    for (int i = 0; r->graph && i < r->graph->n_nodes; i++) {
        if (r->value)
            free(r->value[i]);
        for (int k = 0; r->weight && k < CLV_MAX_WEIGHTS; k++)
            free(r->weight[i][k]);
        for (int k = 0; r->state && k < CLV_MAX_WEIGHTS; k++)
            free(r->state[i][k]);
    }
    free(r->value);
    free(r->weight);
    free(r->state);
    free(r->targets);
    free(r->root_grad);
    *r = (struct clv_reference){0};
}

static void compute(struct clv_reference *r, const struct clv_node *node)
{
    const struct clv_node *before = r->fusion[node->id].softmax;
    struct clv_check_ref q = {.node = node,
                              .n = r->n,
                              .targets = r->targets,
                              .logits = before ? r->value[before->in[0]->id] : NULL,
                              .training = r->training,
                              .seed = r->seed,
                              .step = r->step,
                              .sample_index = r->sample_index,
                              .out = r->value[node->id]};
    for (int i = 0; i < node->n_in; i++)
        q.in[i] = r->value[node->in[i]->id];
    for (int i = 0; i < node->n_weights; i++) {
        q.weight[i] = r->weight[node->id][i];
        q.state[i] = r->state[node->id][i];
        for (int64_t k = 0; q.state[i] && k < node->weights[i].count; k++)
            q.state[i][k] = q.weight[i][k];
    }
    clv_check_find(node->op->name)->reference(&q);
}

void clv_reference_forward(struct clv_reference *r)
{
    for (int i = 0; i < r->graph->n_nodes; i++)
        if (!r->fusion[i].dead && !(r->graph->nodes[i]->op->flags & CLV_OP_INPUT))
            compute(r, r->graph->nodes[i]);
}

double clv_reference_objective(struct clv_reference *r)
{
    clv_reference_forward(r);
    const int64_t count = r->n * clv_shape_count(r->root->shape);
    const double *out = r->value[r->root->id];
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += r->root_grad ? r->root_grad[i] * out[i] : out[i] / r->n;
    return sum;
}
