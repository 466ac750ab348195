/* The graph as its user sees it: making it, asking it. Nodes are added in node.c. */
#include "graph/graph.h"
#include "base/hash.h"
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

/* A failed graph's node must stand any question that a caller may ask of a node. */
static const struct clv_op dead_op = {.name = "none", .help = "What stands after a fault."};

struct clv_graph *clv_graph_create(struct clv_context *ctx)
{
    struct clv_graph *g = calloc(1, sizeof(*g));
    if (!g) {
        (void)clv_fail_nomem(ctx ? &ctx->err : NULL, "a graph");
        return NULL;
    }
    g->ctx = ctx;
    g->dead.op = &dead_op;
    g->dead.name = "none";
    g->dead.shape = (struct clv_shape){1, 1, 1};
    g->dead.id = -1;
    return g;
}

void clv_graph_destroy(struct clv_graph **g)
{
    if (!g || !*g)
        return;
    clv_arena_finish(&(*g)->arena);
    free((*g)->nodes);
    free(*g);
    *g = NULL;
}

/* Whatever lies before the output is live; what is added later cannot be. */
static void mark_live(struct clv_graph *g)
{
    g->output->live = true;
    for (int i = g->output->id; i >= 0; i--) {
        const struct clv_node *node = g->nodes[i];
        for (int k = 0; node->live && k < node->n_in; k++)
            node->in[k]->live = true;
    }
}

void clv_graph_output(struct clv_graph *g, struct clv_node *x)
{
    if (!g || g->err.code)
        return;
    if (!x || x->id < 0 || x->id >= g->n_nodes || g->nodes[x->id] != x)
        (void)clv_fail(&g->err, CLV_ERR_ARG, "the output is not a layer of this graph");
    else if (x->op->flags & (CLV_OP_LOSS | CLV_OP_INPUT))
        (void)clv_fail(&g->err, CLV_ERR_MODEL, "%s: %s cannot be the network's output", x->name,
                       x->op->flags & CLV_OP_LOSS ? "a loss" : "the input itself");
    else if (g->output)
        (void)clv_fail(&g->err, CLV_ERR_MODEL, "%s: the graph has an output already, %s", x->name,
                       g->output->name);
    if (g->err.code)
        return;
    g->output = x;
    mark_live(g);
}

enum clv_err clv_graph_check(struct clv_graph *g)
{
    if (!g)
        return CLV_ERR_NOMEM;
    struct clv_error *const err = g->ctx ? &g->ctx->err : NULL;
    if (g->err.code) {
        if (err)
            *err = g->err;
        return g->err.code;
    }
    if (!g->input)
        return clv_fail(err, CLV_ERR_MODEL, "the graph has no input: begin it with clv_input()");
    if (!g->output)
        return clv_fail(err, CLV_ERR_MODEL,
                        "the graph has no output: name it with clv_graph_output()");
    return CLV_OK;
}

const char *clv_node_name(const struct clv_node *x)
{
    return x ? x->name : "none";
}

void clv_node_shape(const struct clv_node *x, int shape[3])
{
    shape[0] = x ? x->shape.h : 1;
    shape[1] = x ? x->shape.w : 1;
    shape[2] = x ? x->shape.c : 1;
}

void clv_graph_shapes(const struct clv_graph *g, int input[3], int output[3])
{
    memset(input, 0, 3 * sizeof *input);
    memset(output, 0, 3 * sizeof *output);
    if (g->input)
        clv_node_shape(g->input, input);
    if (g->output)
        clv_node_shape(g->output, output);
}

struct clv_node *clv_graph_find(const struct clv_graph *g, const char *name)
{
    if (!g || !name)
        return NULL;
    const uint64_t hash = clv_hash64_str(name);
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i]->name_hash == hash && !strcmp(g->nodes[i]->name, name))
            return g->nodes[i];
    }
    return NULL;
}

/* Sums are over what the output needs, or over everything while no output is declared. */
static bool counts(const struct clv_graph *g, const struct clv_node *node)
{
    return node->live || !g->output;
}

uint64_t clv_node_parameters(const struct clv_node *node)
{
    uint64_t n = 0;
    for (int i = 0; i < node->n_weights; i++)
        n += node->weights[i].state ? 0 : (uint64_t)node->weights[i].count;
    return n;
}

uint64_t clv_graph_parameters(const struct clv_graph *g)
{
    uint64_t sum = 0;
    for (int i = 0; g && i < g->n_nodes; i++) {
        if (counts(g, g->nodes[i]))
            sum += clv_node_parameters(g->nodes[i]);
    }
    return sum;
}

double clv_node_flops(const struct clv_node *node)
{
    struct clv_cost cost = {0};
    if (node->op->cost)
        node->op->cost(node, CLV_PASS_FORWARD, &cost);
    return cost.flops;
}

double clv_graph_flops(const struct clv_graph *g)
{
    double sum = 0;
    for (int i = 0; g && i < g->n_nodes; i++) {
        if (counts(g, g->nodes[i]))
            sum += clv_node_flops(g->nodes[i]);
    }
    return sum;
}
