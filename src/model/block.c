/* Blocks and repeats: their lines are run again by the reader of lines, each time in a frame of its own, which holds the
 * parameters and begins the names of the layers. A use of a block is written like a layer. */
#include "base/opt.h"
#include "base/util.h"
#include "graph/op.h"
#include "model/parse.h"

#include <string.h>

struct span {
    const char *at;
    size_t n;
};

/* The next word, empty at the end. */
static struct span next_word(const char *s)
{
    s += strspn(s, clv_parse_blanks);
    return (struct span){s, strcspn(s, clv_parse_blanks)};
}

const struct clv_block *clv_parser_block(const struct clv_parser *p, const char *name)
{
    const struct clv_block *b = p->blocks;
    while (b && strcmp(b->name, name))
        b = b->next;
    return b;
}

/* ---- definition ---- */

static bool is_parameter(const struct clv_block *b, const char *name)
{
    for (size_t i = 0; i < b->n_parameters; i++) {
        if (!strcmp(b->parameters[i].name, name))
            return true;
    }
    return false;
}

/* PARAMETER or PARAMETER=DEFAULT */
static enum clv_err add_parameter(struct clv_parser *p, struct clv_block *b, struct span word)
{
    struct clv_word *v = &b->parameters[b->n_parameters];
    const size_t n = CLV_MIN(strcspn(word.at, "="), word.n);
    if (b->n_parameters == CLV_MAX_PARAMETERS)
        return clv_parser_fail(p, word.at, "a block has at most %d parameters", CLV_MAX_PARAMETERS);
    if (!n || n >= sizeof v->name || strspn(word.at, clv_parse_name_bytes) != n || (word.at[0] >= '0' && word.at[0] <= '9'))
        return clv_parser_fail(p, word.at, "'%.*s' is no parameter: write NAME, or NAME=DEFAULT", (int)CLV_MIN(word.n, 100), word.at);
    char name[sizeof v->name] = "";
    memcpy(name, word.at, n);
    if (!strcmp(name, "from"))
        return clv_parser_fail(p, word.at, "'from' is a word of the language, no parameter");
    if (is_parameter(b, name))
        return clv_parser_fail(p, word.at, "parameter %s stands there twice", name);
    if (n < word.n) {
        v->value = clv_arena_printf(&p->graph->arena, "%.*s", (int)(word.n - n - 1), word.at + n + 1);
        if (!v->value)
            return clv_fail_nomem(p->err, "a block");
    }
    memcpy(v->name, name, sizeof name);
    b->n_parameters++;
    return CLV_OK;
}

static enum clv_err check_name(struct clv_parser *p, const char *where, const char *name)
{
    if (!name[0])
        return clv_parser_fail(p, where, "a block begins with: block NAME PARAMETER PARAMETER=DEFAULT ...");
    if (!clv_name_valid(name) || strchr(name, '/'))
        return clv_parser_fail(p, where, "'%.100s' is no name: a letter or _, then at most 63 letters, digits, _ or -", name);
    if (clv_parser_reserved(p, name))
        return clv_parser_fail(p, where, "'%s' is a word of the language, no name", name);
    if (clv_op_find(name))
        return clv_parser_fail(p, where, "%s is a layer: give the block another name", name);
    if (clv_parser_block(p, name))
        return clv_parser_fail(p, where, "the block %s is there already", name);
    return CLV_OK;
}

enum clv_err clv_parser_define(struct clv_parser *p, int line)
{
    struct clv_block *b = clv_arena_alloc(&p->graph->arena, sizeof *b);
    struct span word = next_word(p->text.text);
    word = next_word(word.at + word.n);
    const char *name = clv_arena_printf(&p->graph->arena, "%.*s", (int)word.n, word.at);
    if (!b || !name)
        return clv_fail_nomem(p->err, "a block");
    CLV_TRY(check_name(p, word.at, name));
    b->name = name;
    b->begin = line + 1;
    b->end = p->lines[line].end;
    for (word = next_word(word.at + word.n); word.n; word = next_word(word.at + word.n))
        CLV_TRY(add_parameter(p, b, word));
    b->next = p->blocks;
    p->blocks = b;
    return CLV_OK;
}

/* ---- running ---- */

/* Counts what was named, too, as the numbers of layers do. */
static int count_labels(const struct clv_parser *p, const struct clv_block *block)
{
    const size_t scope = strlen(p->frame->scope);
    int n = 0;
    for (const struct clv_label *l = p->labels; l; l = l->next)
        n += l->block == block && l->scope_len == scope && !strncmp(l->name, p->frame->scope, scope);
    return n;
}

/* at: the name, or else the word that is run, in p->text. */
static enum clv_err add_label(struct clv_parser *p, const struct clv_block *block, const char *name, const char *at,
                              struct clv_label **ret)
{
    struct clv_arena *const arena = &p->graph->arena;
    const char *const scope = p->frame->scope;
    if (name && (!clv_name_valid(name) || clv_parser_reserved(p, name)))
        return clv_parser_fail(p, at, "'%.100s' is no name, or is a word of the language", name);
    struct clv_label *l = clv_arena_alloc(arena, sizeof *l);
    const char *full = name ? clv_arena_printf(arena, "%s%s", scope, name)
                            : clv_arena_printf(arena, "%s%s_%d", scope, block ? block->name : "repeat", 1 + count_labels(p, block));
    if (!l || !full)
        return clv_fail_nomem(p->err, "a block");
    if (clv_graph_find(p->graph, full) || clv_parser_label(p, full))
        return clv_parser_fail(p, at, "the name '%s' is taken by an earlier layer", full);
    *l = (struct clv_label){.next = p->labels, .name = full, .scope_len = strlen(scope), .block = block};
    p->labels = l;
    *ret = l;
    return CLV_OK;
}

/* What runs is counted, so that repeats of nothing end, too. */
static enum clv_err count_runs(struct clv_parser *p, const char *at, int runs)
{
    int depth = 0;
    for (const struct clv_frame *f = p->frame; f; f = f->caller)
        depth++;
    if (depth > CLV_MAX_DEPTH)
        return clv_parser_fail(p, at, "blocks and repeats run in each other more than %d deep", CLV_MAX_DEPTH);
    if (runs > CLV_MAX_NODES - p->n_runs)
        return clv_parser_fail(p, at, "blocks and repeats are run more than %d times", CLV_MAX_NODES);
    p->n_runs += runs;
    return CLV_OK;
}

/* Runs lines in `frame`, which holds all but what the caller says; what they put out is *out. */
static enum clv_err run_frame(struct clv_parser *p, struct clv_frame *frame, int begin, int end, struct clv_node **out)
{
    if (!frame->scope)
        return clv_fail_nomem(p->err, "a block");
    frame->caller = p->frame;
    frame->last = frame->n_in ? frame->in[0] : NULL;
    p->frame = frame;
    CLV_TRY(clv_parser_run(p, begin, end));
    p->frame = frame->caller;
    *out = frame->last;
    return CLV_OK;
}

static enum clv_err fail_recursion(struct clv_parser *p, const struct clv_block *block, const char *at)
{
    struct clv_str chain = {0};
    for (const struct clv_frame *f = p->frame; f && f->block != block; f = f->caller) {
        if (f->block)
            clv_str_addf(&chain, "%s%s", chain.len ? ", which is part of " : " by way of ", f->block->name);
    }
    const enum clv_err e = clv_parser_fail(p, at, "block %s would run itself without end%s", block->name,
                                           chain.text ? chain.text : "");
    clv_str_finish(&chain);
    return e;
}

static enum clv_err fail_parameter(struct clv_parser *p, const struct clv_block *block, const char *at, const char *key)
{
    const char *names[CLV_MAX_PARAMETERS];
    struct clv_str list = {0};
    for (size_t i = 0; i < block->n_parameters; i++) {
        names[i] = block->parameters[i].name;
        clv_str_addf(&list, "%s%s", i ? ", " : "; the parameters are ", names[i]);
    }
    const char *near = clv_nearest(key, names, block->n_parameters);
    const enum clv_err e =
        clv_parser_fail(p, at, "block %s: unknown parameter '%.100s'%s%s%s%s", block->name, key, near ? "; did you mean " : "",
                        near ? near : "", near ? "?" : "", list.text ? list.text : "; there are no parameters");
    clv_str_finish(&list);
    return e;
}

/* The word is the i-th of the bare ones, or NAME=VALUE. */
static enum clv_err set_argument(struct clv_parser *p, const struct clv_block *block, struct clv_word *words, bool *set,
                                 struct span word, size_t *bare)
{
    const char *equals = memchr(word.at, '=', word.n);
    const size_t n = equals ? (size_t)(equals - word.at) : 0;
    size_t i = 0;
    if (equals) {
        while (i < block->n_parameters && (strlen(words[i].name) != n || strncmp(words[i].name, word.at, n)))
            i++;
    } else {
        i = (*bare)++;
    }
    if (i >= block->n_parameters && !equals)
        return clv_parser_fail(p, word.at, "block %s: '%.*s' is one value too many", block->name, (int)CLV_MIN(word.n, 100), word.at);
    if (i >= block->n_parameters) {
        char key[CLV_VARIABLE_MAX_BYTES] = "";
        memcpy(key, word.at, CLV_MIN(n, sizeof key - 1));
        return fail_parameter(p, block, word.at, key);
    }
    if (set[i])
        return clv_parser_fail(p, word.at, "block %s: parameter %s is given twice", block->name, words[i].name);
    const char *value = equals ? equals + 1 : word.at;
    words[i].value = clv_arena_printf(&p->graph->arena, "%.*s", (int)(word.n - (size_t)(value - word.at)), value);
    set[i] = true;
    return words[i].value ? CLV_OK : clv_fail_nomem(p->err, "a block");
}

enum clv_err clv_parser_use(struct clv_parser *p, const struct clv_block *block, const char *name, const char *name_at,
                            const char *options, struct clv_node *const *in, int n_in)
{
    struct clv_word words[CLV_MAX_PARAMETERS];
    bool set[CLV_MAX_PARAMETERS] = {false};
    struct clv_label *label;
    size_t bare = 0;
    for (const struct clv_frame *f = p->frame; f; f = f->caller) {
        if (f->block == block)
            return fail_recursion(p, block, name_at);
    }
    memcpy(words, block->parameters, sizeof words);
    for (struct span word = next_word(options); word.n; word = next_word(word.at + word.n))
        CLV_TRY(set_argument(p, block, words, set, word, &bare));
    for (size_t i = 0; i < block->n_parameters; i++) {
        if (!words[i].value)
            return clv_parser_fail(p, name_at, "block %s: parameter %s is missing", block->name, words[i].name);
    }
    CLV_TRY(count_runs(p, name_at, 1));
    CLV_TRY(add_label(p, block, name, name_at, &label));
    struct clv_frame frame = {.block = block, .words = words, .n_words = block->n_parameters, .line = p->line, .n_in = n_in};
    frame.scope = clv_arena_printf(&p->graph->arena, "%s/", label->name);
    for (int i = 0; i < n_in; i++)
        frame.in[i] = in[i];
    CLV_TRY(run_frame(p, &frame, block->begin, block->end, &label->out));
    p->frame->last = label->out;
    return CLV_OK;
}

/* [NAME =] repeat N: *name is NULL where none is given, *at the name or the word. */
static enum clv_err read_repeat(struct clv_parser *p, const char **name, const char **at, int *rounds)
{
    struct clv_line line;
    char number[16] = "";
    long long n;
    if (clv_line_split(p->text.text, &line, p->err))
        return clv_parser_fail(p, p->text.text + p->err->at - 1, "%s", p->err->text);
    const struct span word = next_word(line.options), more = next_word(word.at + word.n);
    if (word.n < sizeof number)
        memcpy(number, word.at, word.n);
    if (!clv_parse_int(number, &n) || n < 0 || n > CLV_MAX_NODES)
        return clv_parser_fail(p, word.at, "a repeat is written: repeat N, with N in 0..%d", CLV_MAX_NODES);
    if (more.n)
        return clv_parser_fail(p, more.at, "one number only may follow 'repeat'");
    *rounds = (int)n;
    *at = line.name ? line.name : line.op;
    *name = line.name ? clv_arena_printf(&p->graph->arena, "%.*s", (int)line.name_len, line.name) : NULL;
    return line.name && !*name ? clv_fail_nomem(p->err, "a repeat") : CLV_OK;
}

enum clv_err clv_parser_repeat(struct clv_parser *p, int line)
{
    const char *name = NULL, *at = NULL;
    int rounds = 0;
    struct clv_label *label;
    CLV_TRY(read_repeat(p, &name, &at, &rounds));
    /* One more: a repeat of nothing takes time, too. */
    CLV_TRY(count_runs(p, at, rounds + 1));
    CLV_TRY(add_label(p, NULL, name, at, &label));
    struct clv_node *x = p->frame->last;
    for (int i = 1; i <= rounds; i++) {
        struct clv_frame frame = {.line = p->lines[line].number, .round = i, .in = {x}, .n_in = x != NULL};
        frame.scope = clv_arena_printf(&p->graph->arena, "%s/%d/", label->name, i);
        CLV_TRY(run_frame(p, &frame, line + 1, p->lines[line].end, &x));
    }
    label->out = x;
    p->frame->last = x;
    return CLV_OK;
}
