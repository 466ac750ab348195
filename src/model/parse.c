/* The model language: text -> graph. Reading a line and running it are apart: the lines are cut out of the text first;
 * to run one, its variables are put in and its first word finds what it is. So blocks and repeats can run lines again. */
#include "base/context.h"
#include "base/opt.h"
#include "base/str.h"
#include "base/util.h"
#include "graph/op.h"
#include "model/parse.h"

#include <stdlib.h>
#include <string.h>

static const char from_key[] = "from=";

bool clv_parser_reserved(const struct clv_parser *p, const char *name)
{
    static const char *const words[] = {"let", "block", "repeat", "end", "use"};
    static const char *const inputs[] = {"in", "in2", "in3", "in4"};
    for (size_t i = 0; i < CLV_COUNT(words); i++) {
        if (!strcmp(name, words[i]))
            return true;
    }
    for (size_t i = 0; p->frame->caller && i < CLV_COUNT(inputs); i++) {
        if (!strcmp(name, inputs[i]))
            return true;
    }
    return false;
}

/* ---- inputs ---- */

struct clv_label *clv_parser_label(const struct clv_parser *p, const char *full_name)
{
    struct clv_label *l = p->labels;
    while (l && strcmp(l->name, full_name))
        l = l->next;
    return l;
}

/* A name in from= means the output of the line of that name, behind its activation=. */
static struct clv_node *line_output(const struct clv_graph *g, struct clv_node *node)
{
    if (node->id + 1 >= g->n_nodes)
        return node;
    struct clv_node *after = g->nodes[node->id + 1];
    return after->by_option && after->in[0] == node ? after : node;
}

/* The frame whose names the line may use beside its own: a round sees what stands around the repeat, a block only itself. */
static const struct clv_frame *around(const struct clv_frame *f)
{
    return f->block ? NULL : f->caller;
}

/* The name as the line would write it, NULL if it cannot. */
static const char *visible_name(const struct clv_parser *p, const char *full)
{
    for (const struct clv_frame *f = p->frame; f; f = around(f)) {
        if (!strncmp(full, f->scope, strlen(f->scope)))
            return full + strlen(f->scope);
    }
    return NULL;
}

static enum clv_err fail_input(struct clv_parser *p, const char *word, size_t n, const char *name)
{
    const char *near = NULL;
    size_t count = (size_t)p->graph->n_nodes, n_names = 0;
    for (const struct clv_label *l = p->labels; l; l = l->next)
        count++;
    const char **names = calloc(count + 1, sizeof(*names));
    for (int i = 0; names && i < p->graph->n_nodes; i++) {
        names[n_names] = visible_name(p, p->graph->nodes[i]->name);
        n_names += names[n_names] != NULL;
    }
    for (const struct clv_label *l = p->labels; names && l; l = l->next) {
        names[n_names] = l->out ? visible_name(p, l->name) : NULL;
        n_names += names[n_names] != NULL;
    }
    if (names)
        near = clv_nearest(name, names, n_names);
    const enum clv_err e =
        clv_parser_fail(p, word, "from=: no layer above is named '%.*s'%s%s%s", (int)CLV_MIN(n, 100), word,
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    free(names);
    return e;
}

/* in, in2, in3, in4: what the block or round reads. */
static enum clv_err find_frame_input(struct clv_parser *p, const char *word, const char *name, struct clv_node **ret)
{
    const int i = name[2] ? name[2] - '1' : 0;
    if (i >= p->frame->n_in)
        return clv_parser_fail(p, word, "from=%s: %d input%s given", name, p->frame->n_in, p->frame->n_in == 1 ? " is" : "s are");
    *ret = p->frame->in[i];
    return CLV_OK;
}

/* *ret stays NULL when nothing has the name. */
static enum clv_err find_named(struct clv_parser *p, const char *name, struct clv_node **ret)
{
    for (const struct clv_frame *f = p->frame; f && !*ret; f = around(f)) {
        char *full = clv_strdupf("%s%s", f->scope, name);
        if (!full)
            return clv_fail_nomem(p->err, "a line of the model");
        const struct clv_label *label = clv_parser_label(p, full);
        struct clv_node *node = clv_graph_find(p->graph, full);
        *ret = label ? label->out : node ? line_output(p->graph, node) : NULL;
        free(full);
    }
    return CLV_OK;
}

static enum clv_err find_input(struct clv_parser *p, const char *word, size_t n, struct clv_node **ret)
{
    char name[2 * CLV_NAME_MAX + 32] = "";
    if (n < sizeof(name))
        memcpy(name, word, n);
    if (!strcmp(name, "_")) {
        *ret = p->frame->last;
        return *ret ? CLV_OK : clv_parser_fail(p, word, "from=_: there is no line before");
    }
    if (p->frame->caller && !strncmp(name, "in", 2) && clv_parser_reserved(p, name))
        return find_frame_input(p, word, name, ret);
    *ret = NULL;
    CLV_TRY(find_named(p, name, ret));
    return *ret ? CLV_OK : fail_input(p, word, n, name);
}

/* Reads from=A,B in the options and clv_parse_blanks it there; *n_in stays -1 when there is none. */
static enum clv_err take_inputs(struct clv_parser *p, char *options, struct clv_node **in, int *n_in)
{
    for (char *s = options; *(s += strspn(s, clv_parse_blanks));) {
        const size_t n = strcspn(s, clv_parse_blanks);
        if (strncmp(s, from_key, sizeof(from_key) - 1)) {
            s += n;
            continue;
        }
        if (*n_in >= 0)
            return clv_parser_fail(p, s, "option from is given twice");
        char *const end = s + n;
        *n_in = 0;
        for (char *word = s + sizeof(from_key) - 1;;) {
            const size_t length = CLV_MIN(strcspn(word, ","), (size_t)(end - word));
            if (*n_in == CLV_MAX_IN)
                return clv_parser_fail(p, word, "a layer has at most %d inputs", CLV_MAX_IN);
            CLV_TRY(find_input(p, word, length, &in[*n_in]));
            ++*n_in;
            if (word + length == end)
                break;
            word += length + 1;
        }
        memset(s, ' ', n);
        s = end;
    }
    return CLV_OK;
}

/* ---- statements ---- */

/* What graph building found, at the word of the line that it is about. */
static enum clv_err fail_graph(struct clv_parser *p, const char *begin, const char *options)
{
    const struct clv_error *err = &p->graph->err;
    const char *at = err->at > 0 ? options + err->at - 1 : begin;
    if (err->code == CLV_ERR_NOMEM) {
        *p->err = *err;
        return err->code;
    }
    return clv_parser_fail(p, at, "%s", err->text);
}

static enum clv_err check_layer(struct clv_parser *p, const struct clv_line *line, const char *op_name,
                                const char *name, int n_in)
{
    const struct clv_op *op = clv_op_find(op_name);
    if (name && clv_parser_reserved(p, name))
        return clv_parser_fail(p, line->name, "'%s' is a word of the language, no name", name);
    if (!op)
        return CLV_OK; /* building the node says so better */
    if (op->flags & CLV_OP_LOSS)
        return clv_parser_fail(p, line->op, "%s is a loss: training adds it, the model ends before", op_name);
    if (op->flags & CLV_OP_INPUT)
        return CLV_OK;
    if (!p->frame->last)
        return clv_parser_fail(p, line->op, "a model begins with its input: input HEIGHT WIDTH CHANNELS");
    if (n_in < 0 && op->n_in_min > 1)
        return clv_parser_fail(p, line->op, "%s has %d inputs: name them, as in from=NAME,_ (_ is the line before)",
                               op_name, op->n_in_min);
    return CLV_OK;
}

static enum clv_err add_layer(struct clv_parser *p, const struct clv_line *line, const char *op, const char *name,
                              struct clv_node *const *in, int n_in)
{
    struct clv_graph *const g = p->graph;
    const struct clv_op *known = clv_op_find(op);
    const int before = g->n_nodes;
    CLV_TRY(check_layer(p, line, op, name, n_in));
    if (n_in < 0)
        n_in = known && known->flags & CLV_OP_INPUT ? 0 : 1;
    g->scope = p->frame->scope;
    p->frame->last = clv_graph_add(g, op, name, in, n_in, line->options);
    g->scope = NULL;
    if (g->err.code)
        return fail_graph(p, known && line->name ? line->name : line->op, line->options);
    for (int i = before; i < g->n_nodes; i++) {
        if (clv_parser_label(p, g->nodes[i]->name))
            return clv_parser_fail(p, line->name ? line->name : line->op, "the name '%s' is taken by a block or repeat above",
                                   g->nodes[i]->name);
    }
    return CLV_OK;
}

/* [NAME =] OP option=value ... [from=A,B], where OP may be a block */
static enum clv_err run_layer(struct clv_parser *p)
{
    struct clv_line line;
    struct clv_node *in[CLV_MAX_IN] = {p->frame->last};
    int n_in = -1;
    char *const text = p->text.text;
    if (clv_line_split(text, &line, p->err))
        return clv_parser_fail(p, text + p->err->at - 1, "%s", p->err->text);
    const char *op = clv_arena_printf(&p->graph->arena, "%.*s", (int)line.op_len, line.op);
    const char *name =
        line.name ? clv_arena_printf(&p->graph->arena, "%.*s", (int)line.name_len, line.name)
                  : NULL;
    if (!op || (line.name && !name))
        return clv_fail_nomem(p->err, "a line of the model");
    CLV_TRY(take_inputs(p, text + (line.options - text), in, &n_in));
    const struct clv_block *block = clv_parser_block(p, op);
    if (block)
        return clv_parser_use(p, block, name, name ? line.name : line.op, line.options, in, n_in < 0 ? in[0] != NULL : n_in);
    return add_layer(p, &line, op, name, in, n_in);
}

/* ---- lines ---- */

static enum clv_err run_line(struct clv_parser *p)
{
    CLV_TRY(clv_parser_expand(p));
    const char *const word = p->text.text + strspn(p->text.text, clv_parse_blanks);
    const size_t n = strcspn(word, clv_parse_blanks);
    return n == strlen("let") && !strncmp(word, "let", n) ? clv_parser_let(p) : run_layer(p);
}

enum clv_err clv_parser_run(struct clv_parser *p, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        const struct clv_model_line *line = &p->lines[i];
        p->line = line->number;
        p->raw = line->text;
        if (line->kind == CLV_LINE_LAYER) {
            CLV_TRY(run_line(p));
            continue;
        }
        CLV_TRY(clv_parser_expand(p));
        CLV_TRY(line->kind == CLV_LINE_BLOCK ? clv_parser_define(p, i) : clv_parser_repeat(p, i));
        i = line->end;
    }
    return CLV_OK;
}

static enum clv_err run_text(struct clv_parser *p, const char *text)
{
    CLV_TRY(clv_parser_read(p, text));
    const int behind = p->line;
    CLV_TRY(clv_parser_run(p, 0, p->n_lines));
    p->line = behind;
    p->raw = "";
    if (!p->top.last)
        return clv_parser_fail_raw(p, 0, "the model has no layers; begin with: input HEIGHT WIDTH CHANNELS");
    clv_graph_output(p->graph, p->top.last);
    if (clv_graph_check(p->graph))
        return clv_parser_fail_raw(p, 0, "%s", p->err->text);
    return CLV_OK;
}

/* A layer that feeds nothing is legal, but rarely meant. */
static void warn_unused(const struct clv_parser *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct clv_node *node = p->graph->nodes[i];
        if (!node->live && !node->n_users)
            clv_log(p->graph->ctx, CLV_LOG_WARN, "%s: the output does not depend on layer %s",
                    p->file, node->name);
    }
}

enum clv_err clv_model_parse(struct clv_context *ctx, const char *text, const char *name,
                             const struct clv_variable *variables, size_t n_variables,
                             struct clv_graph **ret)
{
    struct clv_error *const err = &ctx->err;
    struct clv_parser *p = calloc(1, sizeof(*p));
    if (!p)
        return clv_fail_nomem(err, "a model");
    *p = (struct clv_parser){.err = err,
                         .file = name ? name : "model",
                         .given = variables,
                         .n_given = n_variables,
                         .top = {.scope = ""},
                         .raw = ""};
    p->frame = &p->top;
    enum clv_err e = CLV_ERR_NOMEM;
    p->graph = clv_graph_create(ctx);
    if (!p->graph)
        goto fail;
    e = run_text(p, text);
    if (e)
        goto fail;
    warn_unused(p);
    *ret = p->graph;
    p->graph = NULL;
fail:
    clv_graph_destroy(&p->graph);
    clv_str_finish(&p->text);
    free(p->lines);
    free(p->copy);
    free(p);
    return e;
}
