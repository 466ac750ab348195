/* A graph for people: the table, Graphviz, the list of layers with their options. */
#include "base/util.h"
#include "graph/graph.h"
#include "graph/op.h"

#include <math.h>
#include <string.h>

char *clv_graph_print(const struct clv_graph *g, enum clv_graph_format format)
{
    static void (*const writers[])(const struct clv_graph *, struct clv_str *) = {
        [CLV_GRAPH_TABLE] = clv_graph_print_table,
        [CLV_GRAPH_DOT] = clv_graph_print_dot,
        [CLV_GRAPH_MODEL] = clv_graph_print_model,
        [CLV_GRAPH_JSON] = clv_graph_print_json,
    };
    struct clv_str out = {0};
    if (!g || (size_t)format >= CLV_COUNT(writers))
        return NULL;
    writers[format](g, &out);
    return clv_str_take(&out);
}

/* ---- table ---- */

enum column { LAYER, OP, INPUTS, OUTPUT, PARAMETERS, FLOPS, N_COLUMNS };

static const char *const titles[] = {"layer", "op", "inputs", "output", "parameters", "flops"};

/* 1234567 -> 1,234,567 */
static void add_grouped(struct clv_str *s, uint64_t n)
{
    if (n >= 1000) {
        add_grouped(s, n / 1000);
        clv_str_addf(s, ",%03u", (unsigned)(n % 1000));
    } else {
        clv_str_addf(s, "%u", (unsigned)n);
    }
}

/* Three digits and a unit: 173 M, 1.73 G. */
static void add_flops(struct clv_str *s, double flops)
{
    static const char *const units[] = {"", " k", " M", " G", " T", " P", " E"};
    size_t u = 0;
    while (flops >= 999.5 && u + 1 < CLV_COUNT(units)) {
        flops /= 1000;
        u++;
    }
    const int decimals = !u || flops >= 99.95 ? 0 : flops >= 9.995 ? 1 : 2;
    clv_str_addf(s, "%.*f%s", decimals, flops, units[u]);
}

static void add_number(struct clv_str *s, enum column column, double value)
{
    if (value < 1)
        clv_str_add(s, "-");
    else if (column == FLOPS)
        add_flops(s, value);
    else
        add_grouped(s, (uint64_t)value);
}

static void add_shape(struct clv_str *s, struct clv_shape shape)
{
    clv_str_addf(s, "%dx%dx%d", shape.h, shape.w, shape.c);
}

static void add_inputs(struct clv_str *s, const struct clv_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        clv_str_addf(s, "%s%s", i ? "," : "", node->in[i]->name);
}

static void add_cell(struct clv_str *s, const struct clv_node *node, enum column column)
{
    switch (column) {
    case LAYER:
        clv_str_add(s, node->name);
        break;
    case OP:
        clv_str_add(s, node->op->name);
        break;
    case INPUTS:
        add_inputs(s, node);
        break;
    case OUTPUT:
        add_shape(s, node->shape);
        break;
    case PARAMETERS:
        add_number(s, column, (double)clv_node_parameters(node));
        break;
    case FLOPS:
        add_number(s, column, clv_node_flops(node));
        break;
    case N_COLUMNS:
        break;
    }
}

static void add_total(struct clv_str *s, const struct clv_graph *g, enum column column)
{
    if (column == LAYER)
        clv_str_add(s, "total");
    else if (column == PARAMETERS)
        add_number(s, column, (double)clv_graph_parameters(g));
    else if (column == FLOPS)
        add_number(s, column, clv_graph_flops(g));
}

/* Rows: -1 is the header, n_nodes the total. */
static void fill_cell(struct clv_str *s, const struct clv_graph *g, int row, enum column column)
{
    s->len = 0;
    clv_str_add(s, "");
    if (row < 0)
        clv_str_add(s, titles[column]);
    else if (row == g->n_nodes)
        add_total(s, g, column);
    else
        add_cell(s, g->nodes[row], column);
}

/* A chain needs no column of inputs. */
static bool is_chain(const struct clv_graph *g)
{
    for (int i = 1; i < g->n_nodes; i++) {
        if (g->nodes[i]->n_in != 1 || g->nodes[i]->in[0] != g->nodes[i - 1])
            return false;
    }
    return true;
}

static bool is_unused(const struct clv_graph *g, const struct clv_node *node)
{
    return g->output && !node->live && !(node->op->flags & CLV_OP_LOSS);
}

void clv_graph_print_table(const struct clv_graph *g, struct clv_str *out)
{
    struct clv_str cell = {0};
    size_t width[N_COLUMNS] = {0};
    const bool chain = is_chain(g);
    char size[32];
    for (int row = -1; row <= g->n_nodes; row++) {
        for (enum column c = LAYER; c < N_COLUMNS; c++) {
            fill_cell(&cell, g, row, c);
            width[c] = CLV_MAX(width[c], cell.len);
        }
    }
    for (int row = -1; row <= g->n_nodes; row++) {
        for (enum column c = LAYER; c < N_COLUMNS; c++) {
            const bool right = c >= PARAMETERS;
            if (c == INPUTS && chain)
                continue;
            fill_cell(&cell, g, row, c);
            const char *gap = c == LAYER ? "" : "  ";
            clv_str_addf(out, right ? "%s%*s" : "%s%-*s", gap, (int)width[c],
                         cell.text ? cell.text : "");
        }
        const bool node = row >= 0 && row < g->n_nodes;
        clv_str_add(out, node && is_unused(g, g->nodes[row]) ? "  unused\n" : "\n");
    }
    clv_str_addf(out, "weights as 32-bit floats: %s\n",
                 clv_str_bytes(size, clv_graph_parameters(g) * 4));
    out->failed |= cell.failed;
    clv_str_finish(&cell);
}

/* ---- Graphviz ---- */

static void add_escaped(struct clv_str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            clv_str_add(out, "\\");
        clv_str_add_bytes(out, text, 1);
    }
}

void clv_graph_print_dot(const struct clv_graph *g, struct clv_str *out)
{
    clv_str_add(out, "digraph model {\n    node [shape=box, fontname=\"sans-serif\"];\n");
    for (int i = 0; i < g->n_nodes; i++) {
        const struct clv_node *node = g->nodes[i];
        struct clv_str line = {0};
        clv_str_add(&line, node->op->name);
        clv_node_print_options(node, &line);
        clv_str_addf(out, "    \"%s\" [label=\"%s\\n", node->name, node->name);
        add_escaped(out, line.text ? line.text : "");
        clv_str_add(out, "\\n");
        add_shape(out, node->shape);
        clv_str_addf(out, "\"%s];\n",
                     is_unused(g, node)  ? ", style=dashed"
                     : node == g->output ? ", penwidth=2"
                                         : "");
        out->failed |= line.failed;
        clv_str_finish(&line);
        for (int k = 0; k < node->n_in; k++)
            clv_str_addf(out, "    \"%s\" -> \"%s\";\n", node->in[k]->name, node->name);
    }
    clv_str_add(out, "}\n");
}

/* ---- help ---- */

static void add_activations(struct clv_str *out)
{
    clv_str_add(out, "  activation=linear");
    for (size_t i = 0; clv_ops[i]; i++) {
        if (clv_ops[i]->flags & (CLV_OP_ACT | CLV_OP_ACTIVATION))
            clv_str_addf(out, "|%s", clv_ops[i]->name);
    }
    clv_str_add(out, "  activation behind the layer (default linear: none)\n");
}

char *clv_graph_help(void)
{
    struct clv_str out = {0};
    for (size_t i = 0; clv_ops[i]; i++) {
        const struct clv_op *op = clv_ops[i];
        clv_str_addf(&out, "%s%s: %s\n", i ? "\n" : "", op->name, op->help);
        if (op->opts)
            clv_opt_help(op->opts, &out);
        if (op->flags & CLV_OP_FUSES_ACT)
            add_activations(&out);
    }
    return clv_str_take(&out);
}
