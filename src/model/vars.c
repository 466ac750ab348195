/* Variables in a line, and the wording of faults. Columns in messages count bytes of the line as it was written,
 * before variables were put in. */
#include "base/opt.h"
#include "base/util.h"
#include "model/parse.h"

#include <limits.h>
#include <string.h>

/* ---- errors ---- */

/* " (in block unit from line 9, round 2 of line 8)": how the line came to run, innermost first. */
static void add_chain(const struct clv_parser *p, struct clv_str *out)
{
    for (const struct clv_frame *f = p->frame; f->caller; f = f->caller) {
        clv_str_add(out, f == p->frame ? " (in " : ", ");
        if (f->block)
            clv_str_addf(out, "block %s from line %d", f->block->name, f->line);
        else
            clv_str_addf(out, "round %d of line %d", f->round, f->line);
    }
    if (p->frame->caller)
        clv_str_add(out, ")");
}

enum clv_err clv_parser_fail_raw(struct clv_parser *p, size_t at, const char *fmt, ...)
{
    char text[sizeof(p->err->text)];
    struct clv_str chain = {0};
    va_list args;
    va_start(args, fmt);
    clv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add_chain(p, &chain);
    const enum clv_err e = clv_fail(p->err, CLV_ERR_MODEL, "%s:%d:%zu: %s%s", p->file, p->line, at + 1, text,
                                    chain.text && !chain.failed ? chain.text : "");
    clv_str_finish(&chain);
    return e;
}

static const struct clv_word *find_word(const struct clv_word *words, size_t n_words, const char *name, size_t n)
{
    for (size_t i = 0; i < n_words; i++) {
        if (strlen(words[i].name) == n && !strncmp(words[i].name, name, n))
            return &words[i];
    }
    return NULL;
}

/* A parameter of the block that the line stands in, or else a variable of the file. */
static const struct clv_word *find_variable(const struct clv_parser *p, const char *name, size_t n)
{
    const struct clv_word *word = NULL;
    for (const struct clv_frame *f = p->frame; f && !word; f = f->block ? NULL : f->caller)
        word = find_word(f->words, f->n_words, name, n);
    return word ? word : find_word(p->variables, p->n_variables, name, n);
}

static enum clv_err fail_variable(struct clv_parser *p, size_t at, const char *name, size_t n)
{
    const char *names[CLV_MAX_VARIABLES + CLV_MAX_PARAMETERS];
    char word[CLV_VARIABLE_MAX_BYTES] = "";
    size_t count = 0;
    for (const struct clv_frame *f = p->frame; f; f = f->block ? NULL : f->caller) {
        for (size_t i = 0; i < f->n_words; i++)
            names[count++] = f->words[i].name;
    }
    for (size_t i = 0; i < p->n_variables; i++)
        names[count++] = p->variables[i].name;
    if (n < sizeof(word))
        memcpy(word, name, n);
    const char *near = clv_nearest(word, names, count);
    return clv_parser_fail_raw(p, at, "unknown variable $%.*s%s%s%s; set it in a line above: let %.*s = 3",
                               (int)CLV_MIN(n, 100), name, near ? "; did you mean $" : "", near ? near : "",
                               near ? "?" : "", (int)CLV_MIN(n, 100), name);
}

/* ---- variables ---- */

/* The name in $NAME or ${NAME} at s; *size is what the whole takes. False when it is neither. */
static bool variable_span(const char *s, const char **name, size_t *n, size_t *size)
{
    const bool braces = s[1] == '{';
    *name = s + 1 + braces;
    *n = strspn(*name, clv_parse_name_bytes);
    *size = 1 + *n + (braces ? 2 : 0);
    return *n && (!braces || (*name)[*n] == '}');
}

/* Appends the raw line with its variables put in. Stops when the result is longer than `stop`, so
 * that *at is then the raw byte that became byte `stop`. */
static enum clv_err expand(struct clv_parser *p, size_t stop, struct clv_str *out, size_t *at)
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
                return clv_parser_fail_raw(p, *at, "a variable's name is missing: write $NAME or ${NAME}");
            const struct clv_word *v = find_variable(p, name, n);
            if (!v)
                return fail_variable(p, *at, name, n);
            clv_str_add(out, v->value);
            s += size;
        }
        if (out->failed)
            return clv_fail_nomem(p->err, "a line of the model");
        if (out->len > stop)
            return CLV_OK;
        /* Values may be long words, which blocks could hand on and double without end. */
        if (out->len > (size_t)CLV_LINE_MAX * 16)
            return clv_parser_fail_raw(p, *at, "the line is longer than %d bytes with its variables", CLV_LINE_MAX * 16);
    }
    *at = strlen(p->raw);
    return CLV_OK;
}

enum clv_err clv_parser_expand(struct clv_parser *p)
{
    size_t at;
    p->text.len = 0;
    return expand(p, SIZE_MAX, &p->text, &at);
}

/* The raw byte that a byte of the expanded line came from. */
static size_t raw_position(struct clv_parser *p, size_t at)
{
    struct clv_str text = {0};
    size_t raw = 0;
    /* It was expanded once already, so that it can only run out of memory: then column 1. */
    if (expand(p, at, &text, &raw))
        raw = 0;
    clv_str_finish(&text);
    return raw;
}

enum clv_err clv_parser_fail(struct clv_parser *p, const char *where, const char *fmt, ...)
{
    char text[sizeof(p->err->text)];
    va_list args;
    va_start(args, fmt);
    clv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return clv_parser_fail_raw(p, raw_position(p, (size_t)(where - p->text.text)), "%s", text);
}

enum clv_err clv_parser_let(struct clv_parser *p)
{
    const char *const blanks = clv_parse_blanks;
    const char *name = p->text.text + strspn(p->text.text, blanks) + strlen("let");
    if (p->frame->caller)
        return clv_parser_fail(p, name - strlen("let"), "'let' stands outside of blocks and repeats");
    name += strspn(name, blanks);
    const size_t n = strspn(name, clv_parse_name_bytes);
    const char *s = name + n + strspn(name + n, blanks);
    if (!n || n >= CLV_VARIABLE_MAX_BYTES || *s != '=' || (name[0] >= '0' && name[0] <= '9'))
        return clv_parser_fail(p, name, "a variable is set by: let NAME = INTEGER");
    const char *const value = s + 1 + strspn(s + 1, blanks);
    char word[32] = "";
    const size_t length = strcspn(value, blanks);
    long long number;
    if (length < sizeof(word))
        memcpy(word, value, length);
    if (!clv_parse_int(word, &number) || number < INT_MIN || number > INT_MAX)
        return clv_parser_fail(p, value, "'%.*s' is no integer", (int)CLV_MIN(length, 100), value);
    if (value[length + strspn(value + length, blanks)])
        return clv_parser_fail(p, value + length + strspn(value + length, blanks),
                               "one integer only may follow 'let NAME ='");
    if (find_variable(p, name, n))
        return clv_parser_fail(p, name, "variable %.*s is set already", (int)n, name);
    if (p->n_variables == CLV_MAX_VARIABLES)
        return clv_parser_fail(p, name, "a model has at most %d variables", CLV_MAX_VARIABLES);
    struct clv_word *v = &p->variables[p->n_variables++];
    memcpy(v->name, name, n);
    for (size_t i = 0; i < p->n_given; i++) {
        if (!strcmp(p->given[i].name, v->name))
            number = p->given[i].value;
    }
    v->value = clv_arena_printf(&p->graph->arena, "%lld", number);
    return v->value ? CLV_OK : clv_fail_nomem(p->err, "a variable");
}
