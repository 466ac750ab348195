/* The model language: text -> graph. Reading a line and running it are apart: a line is cut out of
 * the text, its variables are put in, and its first word finds the statement that runs it.
 * Statements that run other lines again (blocks, repeats) need no other reader.
 *
 * Columns in messages count bytes of the line as it was written, before variables were put in. */
#include "base/arena.h"
#include "base/context.h"
#include "base/opt.h"
#include "base/str.h"
#include "base/util.h"
#include "graph/op.h"
#include "model/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r";
static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
static const char from_key[] = "from=";

enum { MAX_VARIABLES = 256, VARIABLE_MAX_BYTES = 64, MAX_LINES = 100000 };

struct variable {
    char name[VARIABLE_MAX_BYTES];
    int value;
};

struct parser {
    struct clv_error *err;
    const char *file;
    const struct clv_variable *given; /* by the caller: they win over the text's own */
    size_t n_given;
    struct variable variables[MAX_VARIABLES];
    size_t n_variables;
    struct clv_graph *graph;
    struct clv_node *last; /* output of the last layer line */
    int line;              /* number of the line being run, from 1 */
    const char *raw;       /* that line without comment */
    struct clv_str text;   /* the same with variables put in */
};

/* ---- errors ---- */

/* Fault at a byte of the raw line: FILE:LINE:COLUMN goes before the text. */
CLV_PRINTF(3, 4)
static enum clv_err fail_raw(struct parser *p, size_t at, const char *fmt, ...)
{
    char text[sizeof(p->err->text)];
    va_list args;
    va_start(args, fmt);
    clv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return clv_fail(p->err, CLV_ERR_MODEL, "%s:%d:%zu: %s", p->file, p->line, at + 1, text);
}

static const struct variable *find_variable(const struct parser *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->n_variables; i++) {
        if (strlen(p->variables[i].name) == n && !strncmp(p->variables[i].name, name, n))
            return &p->variables[i];
    }
    return NULL;
}

static enum clv_err fail_variable(struct parser *p, size_t at, const char *name, size_t n)
{
    const char *names[MAX_VARIABLES];
    char word[VARIABLE_MAX_BYTES] = "";
    for (size_t i = 0; i < p->n_variables; i++)
        names[i] = p->variables[i].name;
    if (n < sizeof(word))
        memcpy(word, name, n);
    const char *near = clv_nearest(word, names, p->n_variables);
    return fail_raw(p, at, "unknown variable $%.*s%s%s%s; set it in a line above: let %.*s = 3",
                    (int)CLV_MIN(n, 100), name, near ? "; did you mean $" : "", near ? near : "",
                    near ? "?" : "", (int)CLV_MIN(n, 100), name);
}

/* ---- variables ---- */

/* The name in $NAME or ${NAME} at s; *size is what the whole takes. False when it is neither. */
static bool variable_span(const char *s, const char **name, size_t *n, size_t *size)
{
    const bool braces = s[1] == '{';
    *name = s + 1 + braces;
    *n = strspn(*name, name_bytes);
    *size = 1 + *n + (braces ? 2 : 0);
    return *n && (!braces || (*name)[*n] == '}');
}

/* Appends the raw line with its variables put in. Stops when the result is longer than `stop`, so
 * that *at is then the raw byte that became byte `stop`. */
static enum clv_err expand(struct parser *p, size_t stop, struct clv_str *out, size_t *at)
{
    clv_str_add(out, "");
    for (const char *s = p->raw; *s;) {
        *at = (size_t)(s - p->raw);
        if (*s != '$') {
            clv_str_add_bytes(out, s++, 1);
        } else {
            const char *name;
            size_t n, size;
            if (!variable_span(s, &name, &n, &size))
                return fail_raw(p, *at, "a variable's name is missing: write $NAME or ${NAME}");
            const struct variable *v = find_variable(p, name, n);
            if (!v)
                return fail_variable(p, *at, name, n);
            clv_str_addf(out, "%d", v->value);
            s += size;
        }
        if (out->failed)
            return clv_fail_nomem(p->err, "a line of the model");
        if (out->len > stop)
            return CLV_OK;
    }
    *at = strlen(p->raw);
    return CLV_OK;
}

/* The raw byte that a byte of the expanded line came from. */
static size_t raw_position(struct parser *p, size_t at)
{
    struct clv_str text = {0};
    size_t raw = 0;
    /* It was expanded once already, so that it can only run out of memory: then column 1. */
    if (expand(p, at, &text, &raw))
        raw = 0;
    clv_str_finish(&text);
    return raw;
}

/* Fault at a place in the expanded line. */
CLV_PRINTF(3, 4)
static enum clv_err fail_text(struct parser *p, const char *where, const char *fmt, ...)
{
    char text[sizeof(p->err->text)];
    va_list args;
    va_start(args, fmt);
    clv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return fail_raw(p, raw_position(p, (size_t)(where - p->text.text)), "%s", text);
}

/* ---- statements ---- */

static bool is_reserved(const char *name)
{
    static const char *const words[] = {"let", "block", "repeat", "end", "use"};
    for (size_t i = 0; i < CLV_COUNT(words); i++) {
        if (!strcmp(name, words[i]))
            return true;
    }
    return false;
}

/* let NAME = INTEGER */
static enum clv_err run_let(struct parser *p)
{
    const char *name = p->text.text + strspn(p->text.text, blanks) + strlen("let");
    name += strspn(name, blanks);
    const size_t n = strspn(name, name_bytes);
    const char *s = name + n + strspn(name + n, blanks);
    if (!n || n >= VARIABLE_MAX_BYTES || *s != '=' || (name[0] >= '0' && name[0] <= '9'))
        return fail_text(p, name, "a variable is set by: let NAME = INTEGER");
    const char *const value = s + 1 + strspn(s + 1, blanks);
    char word[32] = "";
    const size_t length = strcspn(value, blanks);
    long long number;
    if (length < sizeof(word))
        memcpy(word, value, length);
    if (!clv_parse_int(word, &number) || number < INT_MIN || number > INT_MAX)
        return fail_text(p, value, "'%.*s' is no integer", (int)CLV_MIN(length, 100), value);
    if (value[length + strspn(value + length, blanks)])
        return fail_text(p, value + length + strspn(value + length, blanks),
                         "one integer only may follow 'let NAME ='");
    if (find_variable(p, name, n))
        return fail_text(p, name, "variable %.*s is set already", (int)n, name);
    if (p->n_variables == MAX_VARIABLES)
        return fail_text(p, name, "a model has at most %d variables", MAX_VARIABLES);
    struct variable *v = &p->variables[p->n_variables++];
    memcpy(v->name, name, n);
    v->value = (int)number;
    for (size_t i = 0; i < p->n_given; i++) {
        if (!strcmp(p->given[i].name, v->name))
            v->value = p->given[i].value;
    }
    return CLV_OK;
}

/* A name in from= means the output of the line of that name, behind its activation=. */
static struct clv_node *line_output(const struct clv_graph *g, struct clv_node *node)
{
    if (node->id + 1 >= g->n_nodes)
        return node;
    struct clv_node *after = g->nodes[node->id + 1];
    return after->by_option && after->in[0] == node ? after : node;
}

static enum clv_err find_input(struct parser *p, const char *word, size_t n, struct clv_node **ret)
{
    char name[CLV_NAME_MAX + 32] = "";
    if (n < sizeof(name))
        memcpy(name, word, n);
    if (!strcmp(name, "_")) {
        *ret = p->last;
        return p->last ? CLV_OK : fail_text(p, word, "from=_: there is no line before");
    }
    struct clv_node *node = clv_graph_find(p->graph, name);
    if (!node) {
        const char *near = NULL;
        const char **names = calloc((size_t)p->graph->n_nodes + 1, sizeof(*names));
        for (int i = 0; names && i < p->graph->n_nodes; i++)
            names[i] = p->graph->nodes[i]->name;
        if (names)
            near = clv_nearest(name, names, (size_t)p->graph->n_nodes);
        free(names);
        return fail_text(p, word, "from=: no layer above is named '%.*s'%s%s%s",
                         (int)CLV_MIN(n, 100), word, near ? "; did you mean " : "",
                         near ? near : "", near ? "?" : "");
    }
    *ret = line_output(p->graph, node);
    return CLV_OK;
}

/* Reads from=A,B in the options and blanks it there; *n_in stays -1 when there is none. */
static enum clv_err take_inputs(struct parser *p, char *options, struct clv_node **in, int *n_in)
{
    for (char *s = options; *(s += strspn(s, blanks));) {
        const size_t n = strcspn(s, blanks);
        if (strncmp(s, from_key, sizeof(from_key) - 1)) {
            s += n;
            continue;
        }
        if (*n_in >= 0)
            return fail_text(p, s, "option from is given twice");
        char *const end = s + n;
        *n_in = 0;
        for (char *word = s + sizeof(from_key) - 1;;) {
            const size_t length = CLV_MIN(strcspn(word, ","), (size_t)(end - word));
            if (*n_in == CLV_MAX_IN)
                return fail_text(p, word, "a layer has at most %d inputs", CLV_MAX_IN);
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

/* What graph building found, at the word of the line that it is about. */
static enum clv_err fail_graph(struct parser *p, const char *begin, const char *options)
{
    const struct clv_error *err = &p->graph->err;
    const char *at = err->at > 0 ? options + err->at - 1 : begin;
    if (err->code == CLV_ERR_NOMEM) {
        *p->err = *err;
        return err->code;
    }
    return fail_text(p, at, "%s", err->text);
}

static enum clv_err check_layer(struct parser *p, const struct clv_line *line, const char *op_name,
                                const char *name, int n_in)
{
    const struct clv_op *op = clv_op_find(op_name);
    if (name && is_reserved(name))
        return fail_text(p, line->name, "'%s' is a word of the language, no name", name);
    if (!op)
        return CLV_OK; /* building the node says so better */
    if (op->flags & CLV_OP_LOSS)
        return fail_text(p, line->op, "%s is a loss: training adds it, the model ends before",
                         op_name);
    if (op->flags & CLV_OP_INPUT)
        return CLV_OK;
    if (!p->last)
        return fail_text(p, line->op, "a model begins with its input: input HEIGHT WIDTH CHANNELS");
    if (n_in < 0 && op->n_in_min > 1)
        return fail_text(p, line->op,
                         "%s has %d inputs: name them, as in from=NAME,_ (_ is the line before)",
                         op_name, op->n_in_min);
    return CLV_OK;
}

/* [NAME =] OP option=value ... [from=A,B] */
static enum clv_err run_layer(struct parser *p)
{
    struct clv_line line;
    struct clv_node *in[CLV_MAX_IN] = {p->last};
    int n_in = -1;
    char *const text = p->text.text;
    if (clv_line_split(text, &line, p->err))
        return fail_text(p, text + p->err->at - 1, "%s", p->err->text);
    char *const options = text + (line.options - text);
    const char *op = clv_arena_printf(&p->graph->arena, "%.*s", (int)line.op_len, line.op);
    const char *name =
        line.name ? clv_arena_printf(&p->graph->arena, "%.*s", (int)line.name_len, line.name)
                  : NULL;
    if (!op || (line.name && !name))
        return clv_fail_nomem(p->err, "a line of the model");
    CLV_TRY(take_inputs(p, options, in, &n_in));
    CLV_TRY(check_layer(p, &line, op, name, n_in));
    const struct clv_op *known = clv_op_find(op);
    if (n_in < 0)
        n_in = known && known->flags & CLV_OP_INPUT ? 0 : 1;
    p->last = clv_graph_add(p->graph, op, name, in, n_in, options);
    if (p->graph->err.code)
        return fail_graph(p, known && line.name ? line.name : line.op, options);
    return CLV_OK;
}

static enum clv_err run_line(struct parser *p)
{
    static const struct {
        const char *word;
        enum clv_err (*run)(struct parser *p);
    } statements[] = {{"let", run_let}};
    size_t at;
    p->text.len = 0;
    CLV_TRY(expand(p, SIZE_MAX, &p->text, &at));
    const char *const word = p->text.text + strspn(p->text.text, blanks);
    const size_t n = strcspn(word, blanks);
    for (size_t i = 0; i < CLV_COUNT(statements); i++) {
        if (strlen(statements[i].word) == n && !strncmp(word, statements[i].word, n))
            return statements[i].run(p);
    }
    return run_layer(p);
}

/* ---- lines ---- */

/* Comments may hold any bytes, statements printable ASCII only. */
static enum clv_err check_bytes(struct parser *p)
{
    for (const char *s = p->raw; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c >= 127 || (c < 32 && c != '\t' && c != '\r'))
            return fail_raw(p, (size_t)(s - p->raw), "byte 0x%02x outside of a comment", c);
    }
    return CLV_OK;
}

/* Copies a line without comment, leading and trailing blanks stay. */
static enum clv_err read_line(struct parser *p, const char *begin, size_t n, char *buf)
{
    const char *comment = memchr(begin, '#', n);
    const size_t length = comment ? (size_t)(comment - begin) : n;
    p->raw = "";
    if (n > CLV_LINE_MAX)
        return fail_raw(p, CLV_LINE_MAX, "the line is longer than %d bytes", CLV_LINE_MAX);
    memcpy(buf, begin, length);
    buf[length] = '\0';
    p->raw = buf;
    return check_bytes(p);
}

static enum clv_err run_text(struct parser *p, const char *text)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    char buf[CLV_LINE_MAX + 1];
    if (!strncmp(text, byte_order_mark, 3))
        text += 3;
    for (p->line = 1; *text; p->line++) {
        const size_t n = strcspn(text, "\n");
        if (p->line > MAX_LINES)
            return fail_raw(p, 0, "a model has at most %d lines", MAX_LINES);
        CLV_TRY(read_line(p, text, n, buf));
        if (buf[strspn(buf, blanks)])
            CLV_TRY(run_line(p));
        text += n + (text[n] == '\n');
    }
    if (!p->last)
        return fail_raw(p, 0, "the model has no layers; begin with: input HEIGHT WIDTH CHANNELS");
    clv_graph_output(p->graph, p->last);
    if (clv_graph_check(p->graph))
        return fail_raw(p, 0, "%s", p->err->text);
    return CLV_OK;
}

/* A layer that feeds nothing is legal, but rarely meant. */
static void warn_unused(const struct parser *p)
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
    struct parser *p = calloc(1, sizeof(*p));
    if (!p)
        return clv_fail_nomem(err, "a model");
    *p = (struct parser){.err = err,
                         .file = name ? name : "model",
                         .given = variables,
                         .n_given = n_variables,
                         .raw = ""};
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
    free(p);
    return e;
}
