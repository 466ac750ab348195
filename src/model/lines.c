/* A model's text as lines: comments cut off, bytes checked, the `end` of each block and repeat found. */
#include "base/util.h"
#include "model/parse.h"

#include <stdlib.h>
#include <string.h>

const char clv_parse_blanks[] = " \t\r";
const char clv_parse_name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* Comments may hold any bytes, statements printable ASCII only. */
static enum clv_err check_bytes(struct clv_parser *p)
{
    for (const char *s = p->raw; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c >= 127 || (c < 32 && c != '\t' && c != '\r'))
            return clv_parser_fail_raw(p, (size_t)(s - p->raw), "byte 0x%02x outside of a comment", c);
    }
    return CLV_OK;
}

/* The word that says what a line is: the first, or the one behind NAME =. */
static const char *first_word(const char *s, size_t *n)
{
    s += strspn(s, clv_parse_blanks);
    *n = strcspn(s, " \t\r=");
    const char *behind = s + *n + strspn(s + *n, clv_parse_blanks);
    if (*behind != '=')
        return s;
    s = behind + 1 + strspn(behind + 1, clv_parse_blanks);
    *n = strcspn(s, clv_parse_blanks);
    return s;
}

static enum clv_line_kind kind_of(const char *word, size_t n)
{
    static const struct {
        const char *word;
        enum clv_line_kind kind;
    } kinds[] = {{"block", CLV_LINE_BLOCK}, {"repeat", CLV_LINE_REPEAT}, {"end", CLV_LINE_END}};
    for (size_t i = 0; i < CLV_COUNT(kinds); i++) {
        if (strlen(kinds[i].word) == n && !strncmp(word, kinds[i].word, n))
            return kinds[i].kind;
    }
    return CLV_LINE_LAYER;
}

/* open: the blocks and repeats that the line stands in. */
static enum clv_err match(struct clv_parser *p, int index, int open[CLV_MAX_DEPTH], int *depth)
{
    size_t n;
    struct clv_model_line *line = &p->lines[index];
    const char *word = first_word(line->text, &n);
    const size_t at = (size_t)(word - line->text);
    line->kind = kind_of(word, n);
    if (line->kind == CLV_LINE_LAYER)
        return CLV_OK;
    if (line->kind != CLV_LINE_REPEAT && at != strspn(line->text, clv_parse_blanks))
        return clv_parser_fail_raw(p, at, "nothing may stand before '%.*s'", (int)n, word);
    if (line->kind == CLV_LINE_END) {
        if (word[n + strspn(word + n, clv_parse_blanks)])
            return clv_parser_fail_raw(p, at + n, "nothing may stand behind 'end'");
        if (!*depth)
            return clv_parser_fail_raw(p, at, "'end' without a block or repeat above");
        p->lines[open[--*depth]].end = index;
        return CLV_OK;
    }
    if (line->kind == CLV_LINE_BLOCK && *depth)
        return clv_parser_fail_raw(p, at, "a block stands by itself: line %d has no 'end' yet", p->lines[open[*depth - 1]].number);
    if (*depth == CLV_MAX_DEPTH)
        return clv_parser_fail_raw(p, at, "repeats stand in each other %d deep at most", CLV_MAX_DEPTH);
    open[(*depth)++] = index;
    return CLV_OK;
}

/* The lines' text lies in p->copy, where line ends and comments become zero bytes. */
static enum clv_err cut(struct clv_parser *p, int open[CLV_MAX_DEPTH], int *depth)
{
    char *s = p->copy;
    for (p->line = 1; *s; p->line++) {
        const size_t n = strcspn(s, "\n");
        char *const next = s + n + (s[n] == '\n');
        p->raw = "";
        if (p->line > CLV_MAX_LINES)
            return clv_parser_fail_raw(p, 0, "a model has at most %d lines", CLV_MAX_LINES);
        if (n > CLV_LINE_MAX)
            return clv_parser_fail_raw(p, CLV_LINE_MAX, "the line is longer than %d bytes", CLV_LINE_MAX);
        s[n] = '\0';
        s[strcspn(s, "#")] = '\0';
        p->raw = s;
        CLV_TRY(check_bytes(p));
        if (s[strspn(s, clv_parse_blanks)]) {
            p->lines[p->n_lines] = (struct clv_model_line){.text = s, .number = p->line};
            CLV_TRY(match(p, p->n_lines++, open, depth));
        }
        s = next;
    }
    return CLV_OK;
}

enum clv_err clv_parser_read(struct clv_parser *p, const char *text)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    int open[CLV_MAX_DEPTH], depth = 0;
    size_t most = 1;
    if (!strncmp(text, byte_order_mark, 3))
        text += 3;
    for (const char *s = text; (s = strchr(s, '\n')) && most <= CLV_MAX_LINES; s++)
        most++;
    p->copy = clv_strdupf("%s", text);
    p->lines = calloc(most, sizeof *p->lines);
    if (!p->copy || !p->lines)
        return clv_fail_nomem(p->err, "the lines of a model");
    CLV_TRY(cut(p, open, &depth));
    const int behind = p->line;
    if (depth) {
        const struct clv_model_line *line = &p->lines[open[depth - 1]];
        p->line = line->number;
        p->raw = line->text;
        return clv_parser_fail_raw(p, strspn(line->text, clv_parse_blanks), "this %s has no 'end'",
                                   line->kind == CLV_LINE_BLOCK ? "block" : "repeat");
    }
    p->line = behind;
    p->raw = "";
    return CLV_OK;
}
