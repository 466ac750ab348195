/* A graph as text that makes it again: the model language, and JSON for programs. */
#include "base/json.h"
#include "graph/graph.h"
#include "graph/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void clv_node_print_options(const struct clv_node *node, struct clv_str *out)
{
    if (node->op->opts)
        clv_opt_print(node->op->opts, node->params, false, out);
}

/* What the model text shows ends with the output: its last line is the output. */
static int end_of_model(const struct clv_graph *g)
{
    return g->output ? g->output->id + 1 : g->n_nodes;
}

const struct clv_node *clv_node_folded_activation(const struct clv_graph *g,
                                                  const struct clv_node *node)
{
    if (node->id + 1 >= end_of_model(g) || node->n_users != 1)
        return NULL;
    const struct clv_node *act = g->nodes[node->id + 1];
    return act->by_option && act->in[0] == node ? act : NULL;
}

/* Has no line of its own. */
static bool is_folded(const struct clv_graph *g, const struct clv_node *node)
{
    return node->by_option && clv_node_folded_activation(g, node->in[0]) == node;
}

/* The name by which model text reaches a node: an activation written as an option has its line's.
 */
static const char *line_name(const struct clv_graph *g, const struct clv_node *node)
{
    return is_folded(g, node) ? node->in[0]->name : node->name;
}

/* Whether reading the line again, as the n-th of its op, would give another name. */
static bool needs_name(const struct clv_node *node, int n)
{
    char name[CLV_NAME_MAX + 16];
    /* A layer of a block is printed by its full name, without the block. */
    snprintf(name, sizeof(name), "%s_%d", node->op->name, n);
    return strcmp(name, node->name) != 0;
}

static void print_inputs(const struct clv_graph *g, const struct clv_node *node,
                         const struct clv_node *before, struct clv_str *out)
{
    if (!node->n_in || (node->n_in == 1 && node->in[0] == before))
        return;
    for (int k = 0; k < node->n_in; k++)
        clv_str_addf(out, "%s%s", k ? "," : " from=", line_name(g, node->in[k]));
}

void clv_graph_print_model(const struct clv_graph *g, struct clv_str *out)
{
    const struct clv_node *before = NULL;
    const int end = end_of_model(g);
    for (int i = 0; i < end; i++) {
        const struct clv_node *node = g->nodes[i];
        if (is_folded(g, node))
            continue;
        int n = 1;
        for (int k = 0; k < i; k++)
            n += g->nodes[k]->op == node->op && !is_folded(g, g->nodes[k]) && clv_name_in_scope(g->nodes[k]->name, "");
        if (needs_name(node, n))
            clv_str_addf(out, "%s = ", node->name);
        clv_str_add(out, node->op->name);
        clv_node_print_options(node, out);
        const struct clv_node *act = clv_node_folded_activation(g, node);
        if (act)
            clv_str_addf(out, " activation=%s", act->op->name);
        print_inputs(g, node, before, out);
        clv_str_add(out, "\n");
        before = act ? act : node;
    }
}

/* ---- JSON ---- */

static json_t *dims(const int *v, int n)
{
    json_t *array = json_array();
    for (int i = 0; array && i < n; i++) {
        if (json_array_append_new(array, json_integer(v[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *weights_json(const struct clv_node *node)
{
    json_t *array = json_array();
    for (int i = 0; array && i < node->n_weights; i++) {
        const struct clv_weight *w = &node->weights[i];
        json_t *o = json_object();
        bool ok = clv_json_set(o, "name", json_string(w->name));
        ok = ok && clv_json_set(o, "shape", dims(w->dims, w->n_dims));
        ok = ok && clv_json_set(o, "trained", json_boolean(!w->state));
        if (!ok || json_array_append(array, o)) {
            json_decref(o);
            json_decref(array);
            return NULL;
        }
        json_decref(o);
    }
    return array;
}

static json_t *inputs_json(const struct clv_node *node)
{
    json_t *array = json_array();
    for (int i = 0; array && i < node->n_in; i++) {
        if (json_array_append_new(array, json_string(node->in[i]->name))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *node_json(const struct clv_graph *g, const struct clv_node *node)
{
    struct clv_str options = {0};
    clv_node_print_options(node, &options);
    json_t *o = json_object();
    const int shape[] = {node->shape.h, node->shape.w, node->shape.c};
    bool ok = !options.failed && clv_json_set(o, "name", json_string(node->name));
    ok = ok && clv_json_set(o, "op", json_string(node->op->name));
    ok = ok && clv_json_set(o, "options", json_string(options.text ? options.text : ""));
    ok = ok && clv_json_set(o, "inputs", inputs_json(node));
    ok = ok && clv_json_set(o, "shape", dims(shape, 3));
    ok = ok && clv_json_set(o, "parameters", json_integer((json_int_t)clv_node_parameters(node)));
    ok = ok && clv_json_set(o, "flops", json_integer((json_int_t)clv_node_flops(node)));
    ok = ok && clv_json_set(o, "weights", weights_json(node));
    ok = ok && clv_json_set(o, "used", json_boolean(node->live || !g->output));
    clv_str_finish(&options);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

void clv_graph_print_json(const struct clv_graph *g, struct clv_str *out)
{
    json_t *root = json_object(), *layers = json_array();
    bool ok = layers != NULL;
    for (int i = 0; ok && i < g->n_nodes; i++)
        ok = !json_array_append_new(layers, node_json(g, g->nodes[i]));
    ok = ok && clv_json_set(root, "input", g->input ? json_string(g->input->name) : json_null());
    ok = ok && clv_json_set(root, "output", g->output ? json_string(g->output->name) : json_null());
    ok = ok && clv_json_set_u64(root, "parameters", clv_graph_parameters(g));
    ok = ok && clv_json_set(root, "flops", json_integer((json_int_t)clv_graph_flops(g)));
    ok = ok && clv_json_set(root, "layers", json_incref(layers));
    char *text = ok ? clv_json_dump(root) : NULL;
    if (text)
        clv_str_addf(out, "%s\n", text);
    else
        out->failed = true;
    free(text);
    json_decref(layers);
    json_decref(root);
}
