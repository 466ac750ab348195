/* Layers in text form: "[NAME =] OP option=value ..." */
#include "base/str.h"
#include "graph/graph.h"
#include "graph/op.h"

#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

bool clv_name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    const char *part = name;
    for (;; part++) {
        const size_t n = strspn(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-");
        if (!n || n > CLV_NAME_MAX || part[0] == '-' || (part == name && !strchr(letters, part[0])))
            return false;
        part += n;
        if (*part != '/')
            break;
    }
    return !*part && strcmp(name, "_");
}

bool clv_name_in_scope(const char *name, const char *scope)
{
    const size_t n = strlen(scope);
    return !strncmp(name, scope, n) && !strchr(name + n, '/');
}

static enum clv_err fail_at(struct clv_error *err, const char *text, const char *where,
                            const char *what)
{
    const enum clv_err e = clv_fail(err, CLV_ERR_MODEL, "%s", what);
    if (err)
        err->at = 1 + (int)(where - text);
    return e;
}

enum clv_err clv_line_split(const char *text, struct clv_line *ret, struct clv_error *err)
{
    struct clv_line line = {0};
    const char *p = text + strspn(text, blanks);
    if (!*p)
        return fail_at(err, text, p, "a layer is missing: write OP option=value ...");
    const char *word = p;
    size_t n = strcspn(word, " \t\r\n=");
    p = word + n + strspn(word + n, blanks);
    if (*p == '=') {
        if (!n)
            return fail_at(err, text, word, "a name is missing before '='");
        line.name = word;
        line.name_len = n;
        word = p + 1 + strspn(p + 1, blanks);
        n = strcspn(word, blanks);
        if (!n)
            return fail_at(err, text, p, "a layer is missing after '='");
    }
    line.op = word;
    line.op_len = n;
    line.options = word + n;
    *ret = line;
    return CLV_OK;
}

static char *copy_span(struct clv_graph *g, const char *p, size_t n)
{
    char *copy = clv_arena_alloc(&g->arena, n + 1);
    if (copy)
        memcpy(copy, p, n);
    return copy;
}

static struct clv_node *add_line(struct clv_graph *g, struct clv_node *const *in, int n_in,
                                 const char *text)
{
    struct clv_line line;
    if (clv_line_split(text, &line, &g->err))
        return &g->dead;
    const char *op = copy_span(g, line.op, line.op_len);
    const char *name = line.name ? copy_span(g, line.name, line.name_len) : NULL;
    if (!op || (line.name && !name)) {
        (void)clv_fail_nomem(&g->err, "a layer");
        return &g->dead;
    }
    return clv_graph_add(g, op, name, in, n_in, line.options);
}

CLV_PRINTF(4, 0)
static struct clv_node *add_format(struct clv_graph *g, struct clv_node *const *in, int n_in,
                                   const char *fmt, va_list args)
{
    char text[CLV_LINE_MAX + 1];
    if (!g)
        return NULL;
    if (g->err.code)
        return &g->dead;
    const int n = clv_vsnprintf(text, sizeof(text), fmt, args);
    if (n < 0 || (size_t)n >= sizeof(text)) {
        (void)clv_fail(&g->err, CLV_ERR_ARG, "a layer's text is longer than %d bytes",
                       CLV_LINE_MAX);
        return &g->dead;
    }
    return add_line(g, in, n_in, text);
}

struct clv_node *clv_input(struct clv_graph *g, int height, int width, int channels)
{
    char text[96];
    snprintf(text, sizeof(text), "height=%d width=%d channels=%d", height, width, channels);
    return clv_graph_add(g, "input", NULL, NULL, 0, text);
}

struct clv_node *clv_layer(struct clv_graph *g, struct clv_node *x, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct clv_node *node = add_format(g, &x, 1, fmt, args);
    va_end(args);
    return node;
}

struct clv_node *clv_layer2(struct clv_graph *g, struct clv_node *a, struct clv_node *b,
                            const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct clv_node *node = add_format(g, (struct clv_node *[]){a, b}, 2, fmt, args);
    va_end(args);
    return node;
}
