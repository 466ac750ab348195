/* Adding a node: its op, name, inputs and options are checked, its shape is inferred, and what is
 * wrong becomes the graph's one error. */
#include "base/hash.h"
#include "base/util.h"
#include "graph/graph.h"
#include "graph/op.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";
static const char activation_key[] = "activation=";

/* Long enough for every op there may be; a list that is cut only loses a suggestion. */
enum { MAX_OPS = 256 };

static bool is_activation(const struct clv_op *op)
{
    return (op->flags & (CLV_OP_ACT | CLV_OP_ACTIVATION)) != 0;
}

static enum clv_err fail_unknown_op(struct clv_graph *g, const char *word)
{
    const char *names[MAX_OPS];
    struct clv_str list = {0};
    size_t n = 0;
    for (; clv_ops[n] && n < MAX_OPS; n++) {
        names[n] = clv_ops[n]->name;
        clv_str_addf(&list, "%s%s", n ? ", " : "", names[n]);
    }
    const char *near = clv_nearest(word, names, n);
    const enum clv_err e =
        clv_fail(&g->err, CLV_ERR_MODEL, "unknown layer '%.64s'%s%s%s; the layers are %s", word,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "",
                 list.text ? list.text : "");
    clv_str_finish(&list);
    return e;
}

static enum clv_err fail_unknown_activation(struct clv_graph *g, const struct clv_node *node,
                                            const char *word, int at)
{
    const char *names[MAX_OPS] = {"linear"};
    struct clv_str list = {0};
    size_t n = 1;
    clv_str_add(&list, names[0]);
    for (size_t i = 0; clv_ops[i] && n < MAX_OPS; i++) {
        if (!is_activation(clv_ops[i]))
            continue;
        names[n] = clv_ops[i]->name;
        clv_str_addf(&list, ", %s", names[n++]);
    }
    const char *near = clv_nearest(word, names, n);
    const enum clv_err e = clv_fail(&g->err, CLV_ERR_ARG,
                                    "%s: activation=%.64s is unknown%s%s%s; it must be one of %s",
                                    node->name, word, near ? "; did you mean " : "",
                                    near ? near : "", near ? "?" : "", list.text ? list.text : "");
    g->err.at = at;
    clv_str_finish(&list);
    return e;
}

/* Given, or OP_N: N counts the layers of the op in the scope, named ones too, so that naming a layer changes no
 * other layer's name. Activations by option have their producer's name instead. */
static enum clv_err set_name(struct clv_graph *g, struct clv_node *node, const char *name)
{
    const char *scope = g->scope ? g->scope : "";
    int n = 1;
    for (int i = 0; !name && i < g->n_nodes; i++) {
        const struct clv_node *x = g->nodes[i];
        n += x->op == node->op && !x->by_option && clv_name_in_scope(x->name, scope);
    }
    node->name = name ? clv_arena_strdup(&g->arena, name)
                      : clv_arena_printf(&g->arena, "%s%s_%d", scope, node->op->name, n);
    if (!node->name)
        return clv_fail_nomem(&g->err, "a layer's name");
    node->name_hash = clv_hash64_str(node->name);
    if (clv_graph_find(g, node->name))
        return clv_fail(&g->err, CLV_ERR_MODEL, "the name '%s' is taken by an earlier layer%s",
                        node->name, name ? "" : "; give this layer a name of its own");
    return CLV_OK;
}

static enum clv_err set_inputs(struct clv_graph *g, struct clv_node *node,
                               struct clv_node *const *in, int n_in)
{
    const struct clv_op *op = node->op;
    if (n_in < op->n_in_min || n_in > op->n_in_max || n_in > CLV_MAX_IN) {
        char want[48];
        const int max = CLV_MIN(op->n_in_max, CLV_MAX_IN);
        if (op->n_in_min == max)
            snprintf(want, sizeof(want), "%d", max);
        else
            snprintf(want, sizeof(want), "%d to %d", op->n_in_min, max);
        return clv_fail(&g->err, CLV_ERR_MODEL, "%s: takes %s input%s, but %d %s given", node->name,
                        want, max == 1 ? "" : "s", n_in, n_in == 1 ? "is" : "are");
    }
    for (int i = 0; i < n_in; i++) {
        const struct clv_node *x = in[i];
        if (!x || x->id < 0 || x->id >= g->n_nodes || g->nodes[x->id] != x)
            return clv_fail(&g->err, CLV_ERR_ARG, "%s: its input is not a layer of this graph",
                            node->name);
        if (x->op->flags & CLV_OP_LOSS)
            return clv_fail(&g->err, CLV_ERR_MODEL, "%s: nothing can follow the loss %s",
                            node->name, x->name);
        node->in[i] = in[i];
    }
    node->n_in = n_in;
    return CLV_OK;
}

/* Finds activation=WORD in the options and blanks it there, so that positions stay true. *word is
 * NULL when there is none. */
static enum clv_err take_activation(struct clv_graph *g, const struct clv_node *node, char *options,
                                    const char **word, int *at)
{
    const size_t key = sizeof(activation_key) - 1;
    *word = NULL;
    for (char *p = options; *(p += strspn(p, blanks));) {
        const size_t n = strcspn(p, blanks);
        if (!strncmp(p, activation_key, key)) {
            if (*word) {
                (void)clv_fail(&g->err, CLV_ERR_ARG, "%s: option activation is given twice",
                               node->name);
                g->err.at = 1 + (int)(p - options);
                return g->err.code;
            }
            char *copy = clv_arena_alloc(&g->arena, n - key + 1);
            if (!copy)
                return clv_fail_nomem(&g->err, "a layer's options");
            memcpy(copy, p + key, n - key);
            *word = copy;
            *at = 1 + (int)(p - options);
            memset(p, ' ', n);
        }
        p += n;
    }
    return CLV_OK;
}

/* The op's table does not know activation, so that it cannot suggest it for a slip of the pen. */
static void suggest_activation(struct clv_graph *g, const struct clv_node *node,
                               const char *options)
{
    static const char *const names[] = {"activation"};
    const int at = g->err.at;
    char key[32] = "";
    const size_t n = at > 0 ? strcspn(options + at - 1, "= \t\r\n") : 0;
    if (!n || n >= sizeof(key) || options[at - 1 + (int)n] != '=')
        return;
    memcpy(key, options + at - 1, n);
    for (const struct clv_opt *o = node->op->opts; o && o->name; o++) {
        if (!strcmp(o->name, key))
            return;
    }
    if (!clv_nearest(key, names, CLV_COUNT(names)))
        return;
    (void)clv_fail(&g->err, g->err.code, "%s: unknown option '%s'; did you mean activation?",
                   node->name, key);
    g->err.at = at;
}

/* *act: the op that stands in activation=, NULL for none or linear. */
static enum clv_err set_options(struct clv_graph *g, struct clv_node *node, const char *options,
                                const struct clv_op **act)
{
    static const struct clv_opt none[] = {{NULL}};
    char *text = clv_arena_strdup(&g->arena, options ? options : "");
    void *params = clv_arena_alloc(&g->arena, node->op->params_size);
    const char *word;
    int at = 0;
    if (!text || !params)
        return clv_fail_nomem(&g->err, "a layer's options");
    CLV_TRY(take_activation(g, node, text, &word, &at));
    if (word && strcmp(word, "linear")) {
        *act = clv_op_find(word);
        if (!*act || !is_activation(*act))
            return fail_unknown_activation(g, node, word, at);
    }
    const struct clv_opt *opts = node->op->opts ? node->op->opts : none;
    const enum clv_err e = clv_opt_parse(opts, params, node->name, text, &g->err);
    if (e)
        suggest_activation(g, node, text);
    node->params = params;
    return e;
}

/* Shapes and weights stay within int, so that ops and kernels may index one sample with it. */
static enum clv_err infer(struct clv_graph *g, struct clv_node *node)
{
    const enum clv_err e = node->op->infer(g, node);
    if (e)
        return g->err.code ? g->err.code
                           : clv_fail(&g->err, e, "%s: its shape cannot be inferred", node->name);
    const struct clv_shape s = node->shape;
    if (s.h < 1 || s.w < 1 || s.c < 1)
        return clv_fail(&g->err, CLV_ERR_SHAPE, "%s: its output would be %dx%dx%d", node->name, s.h,
                        s.w, s.c);
    if ((int64_t)s.h * s.w > INT_MAX / s.c)
        return clv_fail(&g->err, CLV_ERR_SHAPE,
                        "%s: one sample of its output, %dx%dx%d, has more than %d values",
                        node->name, s.h, s.w, s.c, INT_MAX);
    return CLV_OK;
}

static enum clv_err append(struct clv_graph *g, struct clv_node *node)
{
    if (g->n_nodes == g->cap_nodes) {
        const int cap = CLV_MAX(g->cap_nodes * 2, 64);
        struct clv_node **nodes = realloc(g->nodes, (size_t)cap * sizeof(*nodes));
        if (!nodes)
            return clv_fail_nomem(&g->err, "a layer");
        g->nodes = nodes;
        g->cap_nodes = cap;
    }
    for (int i = 0; i < node->n_in; i++)
        node->in[i]->n_users++;
    node->id = g->n_nodes;
    g->nodes[g->n_nodes++] = node;
    if (node->op->flags & CLV_OP_INPUT)
        g->input = node;
    return CLV_OK;
}

/* Everything but the activation; *ret is in the graph afterwards. */
static enum clv_err add_one(struct clv_graph *g, const struct clv_op *op, const char *name,
                            struct clv_node *const *in, int n_in, const char *options,
                            const struct clv_op **act, struct clv_node **ret)
{
    if (g->n_nodes >= CLV_MAX_NODES)
        return clv_fail(&g->err, CLV_ERR_MODEL, "a graph has at most %d layers", CLV_MAX_NODES);
    struct clv_node *node = clv_arena_alloc(&g->arena, sizeof(*node));
    if (!node)
        return clv_fail_nomem(&g->err, "a layer");
    node->op = op;
    CLV_TRY(set_name(g, node, name));
    if (op->flags & CLV_OP_INPUT && g->input)
        return clv_fail(&g->err, CLV_ERR_MODEL, "%s: the graph has an input already, %s",
                        node->name, g->input->name);
    CLV_TRY(set_inputs(g, node, in, n_in));
    CLV_TRY(set_options(g, node, options, act));
    CLV_TRY(infer(g, node));
    CLV_TRY(append(g, node));
    *ret = node;
    return CLV_OK;
}

struct clv_node *clv_graph_add(struct clv_graph *g, const char *op_name, const char *name,
                               struct clv_node *const *in, int n_in, const char *options)
{
    if (!g)
        return NULL;
    if (g->err.code)
        return &g->dead;
    const struct clv_op *op = clv_op_find(op_name), *act = NULL, *none = NULL;
    struct clv_node *node = NULL;
    if (!op)
        (void)fail_unknown_op(g, op_name);
    else if (name && !clv_name_valid(name))
        (void)clv_fail(&g->err, CLV_ERR_MODEL,
                       "'%.64s' is no name: a letter or _, then at most 63 letters, digits, _ or -",
                       name);
    if (g->err.code)
        return &g->dead;
    if (name && g->scope && !(name = clv_arena_printf(&g->arena, "%s%s", g->scope, name)))
        (void)clv_fail_nomem(&g->err, "a layer's name");
    else if (name && strlen(name) > CLV_FULL_NAME_MAX)
        (void)clv_fail(&g->err, CLV_ERR_MODEL, "the name '%s' is longer than %d bytes", name, CLV_FULL_NAME_MAX);
    if (g->err.code)
        return &g->dead;
    if (add_one(g, op, name, in, n_in, options, &act, &node))
        return &g->dead;
    if (!act)
        return node;
    const char *act_name = clv_arena_printf(&g->arena, "%s_%s", node->name, act->name);
    struct clv_node *after = NULL;
    if (!act_name)
        (void)clv_fail_nomem(&g->err, "a layer's name");
    if (!act_name || add_one(g, act, act_name, &node, 1, "", &none, &after))
        return &g->dead;
    after->by_option = true;
    return after;
}

enum clv_err clv_node_add_weight(struct clv_graph *g, struct clv_node *node,
                                 const struct clv_weight *w)
{
    if (node->n_weights == CLV_MAX_WEIGHTS || w->n_dims < 1 || w->n_dims > 4)
        return clv_fail(&g->err, CLV_ERR_MODEL, "%s: too many weights or dimensions in %s",
                        node->name, w->name);
    int64_t count = 1;
    for (int i = 0; i < w->n_dims; i++) {
        if (w->dims[i] < 1)
            return clv_fail(&g->err, CLV_ERR_MODEL, "%s: dimension %d of its %s would be %d",
                            node->name, i + 1, w->name, w->dims[i]);
        if (count > INT_MAX / w->dims[i])
            return clv_fail(&g->err, CLV_ERR_MODEL, "%s: its %s would have more than %d values",
                            node->name, w->name, INT_MAX);
        count *= w->dims[i];
    }
    struct clv_weight *dst = &node->weights[node->n_weights++];
    *dst = *w;
    dst->count = count;
    return CLV_OK;
}
