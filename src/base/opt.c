#include "base/opt.h"
#include "base/util.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for one value of any type. */
union value {
    int i[2];
    uint64_t u;
    double d[2];
    bool b;
    struct clv_opt_list list;
    char s[CLV_OPT_STRING_MAX];
};

/* A part of the text; nothing is copied until it is known to be short enough. */
struct span {
    const char *p;
    size_t n;
};

static bool span_is(struct span s, const char *word)
{
    return strlen(word) == s.n && !strncmp(word, s.p, s.n);
}

/* Copies the span; false when it does not fit. */
static bool span_copy(struct span s, char *buf, size_t size)
{
    if (s.n >= size)
        return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    return true;
}

static struct span span_until(struct span s, char stop)
{
    const char *end = s.n ? memchr(s.p, stop, s.n) : NULL;
    return (struct span){s.p, end ? (size_t)(end - s.p) : s.n};
}

/* What follows `head` and its separator. */
static struct span span_after(struct span s, struct span head)
{
    const size_t skip = CLV_MIN(head.n + 1, s.n);
    return (struct span){s.p + skip, s.n - skip};
}

static bool span_double(struct span s, double *ret)
{
    char buf[64];
    return span_copy(s, buf, sizeof(buf)) && clv_parse_double(buf, ret);
}

static bool span_int(struct span s, int *ret)
{
    char buf[32];
    long long v;
    if (!span_copy(s, buf, sizeof(buf)) || !clv_parse_int(buf, &v) || v < INT_MIN || v > INT_MAX)
        return false;
    *ret = (int)v;
    return true;
}

static bool bounded(const struct clv_opt *o)
{
    return o->min < 0 || o->min > 0 || o->max < 0 || o->max > 0;
}

static bool in_range(const struct clv_opt *o, double v)
{
    return !bounded(o) || (v >= o->min && v <= o->max);
}

static void add_limits(const struct clv_opt *o, struct clv_str *s)
{
    if (isinf(o->max)) {
        clv_str_add(s, "at least ");
        clv_str_add_double(s, o->min);
    } else if (isinf(o->min)) {
        clv_str_add(s, "at most ");
        clv_str_add_double(s, o->max);
    } else {
        clv_str_add_double(s, o->min);
        clv_str_add(s, "..");
        clv_str_add_double(s, o->max);
    }
}

static void add_names(const char *const *names, const char *between, struct clv_str *s)
{
    for (size_t i = 0; names[i]; i++) {
        clv_str_add(s, i ? between : "");
        clv_str_add(s, names[i]);
    }
}

/* What a value must look like; for messages and help. */
static void add_form(const struct clv_opt *o, struct clv_str *s)
{
    static const char *const forms[] = {
        [CLV_OPT_INT] = "INT",      [CLV_OPT_U64] = "INT",     [CLV_OPT_DOUBLE] = "NUMBER",
        [CLV_OPT_BOOL] = "yes|no",  [CLV_OPT_PAIR] = "HxW",    [CLV_OPT_RANGE] = "LOW:HIGH",
        [CLV_OPT_LIST] = "A,B,...", [CLV_OPT_STRING] = "TEXT",
    };
    if (o->type != CLV_OPT_ENUM)
        clv_str_add(s, forms[o->type]);
    if (o->names) {
        clv_str_add(s, o->type == CLV_OPT_ENUM ? "" : "|");
        add_names(o->names, "|", s);
    }
}

static bool parse_bool(struct span s, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < CLV_COUNT(words); i++) {
        if (span_is(s, words[i])) {
            *ret = i & 1;
            return true;
        }
    }
    return false;
}

static bool parse_enum(const struct clv_opt *o, struct span s, int *ret)
{
    for (int i = 0; o->names[i]; i++) {
        if (span_is(s, o->names[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool parse_pair(struct span s, int ret[2])
{
    const struct span first = span_until(s, 'x');
    if (!span_int(first, &ret[0]))
        return false;
    ret[1] = ret[0];
    return first.n == s.n || span_int(span_after(s, first), &ret[1]);
}

static bool parse_range(struct span s, double ret[2])
{
    const struct span first = span_until(s, ':');
    if (!span_double(first, &ret[0]))
        return false;
    if (first.n < s.n)
        return span_double(span_after(s, first), &ret[1]) && ret[0] <= ret[1];
    if (ret[0] < 0)
        return false;
    ret[1] = ret[0];
    ret[0] = 0 - ret[0]; /* not -0.0: it would be printed */
    return true;
}

static bool parse_list(const struct clv_opt *o, struct span s, struct clv_opt_list *ret)
{
    int name;
    *ret = (struct clv_opt_list){0};
    if (o->names && parse_enum(o, s, &name)) {
        ret->n = -1 - name;
        return true;
    }
    if (!s.n)
        return true;
    for (;;) {
        const struct span item = span_until(s, ',');
        if (ret->n == CLV_OPT_LIST_MAX || !span_double(item, &ret->v[ret->n]))
            return false;
        ret->n++;
        if (item.n == s.n)
            return true;
        s = span_after(s, item);
    }
}

/* The value of one option; false when the text has not the option's form. */
static bool parse_form(const struct clv_opt *o, struct span s, union value *v)
{
    char buf[32];
    switch (o->type) {
    case CLV_OPT_INT:
        return span_int(s, v->i);
    case CLV_OPT_U64:
        return span_copy(s, buf, sizeof(buf)) && clv_parse_u64(buf, &v->u);
    case CLV_OPT_DOUBLE:
        return span_double(s, v->d);
    case CLV_OPT_BOOL:
        return parse_bool(s, &v->b);
    case CLV_OPT_ENUM:
        return parse_enum(o, s, v->i);
    case CLV_OPT_PAIR:
        return parse_pair(s, v->i);
    case CLV_OPT_RANGE:
        return parse_range(s, v->d);
    case CLV_OPT_LIST:
        return parse_list(o, s, &v->list);
    case CLV_OPT_STRING:
        return span_copy(s, v->s, sizeof(v->s));
    }
    return false;
}

static bool value_in_range(const struct clv_opt *o, const union value *v)
{
    switch (o->type) {
    case CLV_OPT_INT:
        return in_range(o, v->i[0]);
    case CLV_OPT_U64:
        return in_range(o, (double)v->u);
    case CLV_OPT_DOUBLE:
        return in_range(o, v->d[0]);
    case CLV_OPT_PAIR:
        return in_range(o, v->i[0]) && in_range(o, v->i[1]);
    case CLV_OPT_RANGE:
        return in_range(o, v->d[0]) && in_range(o, v->d[1]);
    case CLV_OPT_LIST:
        for (int i = 0; i < v->list.n; i++) {
            if (!in_range(o, v->list.v[i]))
                return false;
        }
        return true;
    case CLV_OPT_BOOL:
    case CLV_OPT_ENUM:
    case CLV_OPT_STRING:
        break;
    }
    return true;
}

static size_t value_size(enum clv_opt_type type)
{
    static const size_t sizes[] = {
        [CLV_OPT_INT] = sizeof(int),           [CLV_OPT_U64] = sizeof(uint64_t),
        [CLV_OPT_DOUBLE] = sizeof(double),     [CLV_OPT_BOOL] = sizeof(bool),
        [CLV_OPT_ENUM] = sizeof(int),          [CLV_OPT_PAIR] = sizeof(int[2]),
        [CLV_OPT_RANGE] = sizeof(double[2]),   [CLV_OPT_LIST] = sizeof(struct clv_opt_list),
        [CLV_OPT_STRING] = CLV_OPT_STRING_MAX,
    };
    return sizes[type];
}

/* Every member of the union begins at its first byte, so that bytes can be copied in and out. */
static void store(const struct clv_opt *o, void *params, const union value *v)
{
    memcpy((char *)params + o->offset, v, value_size(o->type));
}

static void load(const struct clv_opt *o, const void *params, union value *v)
{
    memcpy(v, (const char *)params + o->offset, value_size(o->type));
}

static enum clv_err fail_value(const struct clv_opt *o, const char *who, struct span s,
                               const char *problem, struct clv_error *err)
{
    struct clv_str form = {0};
    add_form(o, &form);
    if (o->type != CLV_OPT_ENUM && bounded(o)) {
        clv_str_add(&form, ", ");
        add_limits(o, &form);
    }
    const char *near = NULL;
    char word[64];
    if (o->type == CLV_OPT_ENUM && span_copy(s, word, sizeof(word))) {
        size_t n = 0;
        while (o->names[n])
            n++;
        near = clv_nearest(word, o->names, n);
    }
    const enum clv_err e =
        clv_fail(err, CLV_ERR_ARG, "%s: %s=%.*s %s%s%s%s; it must be %s", who, o->name,
                 (int)CLV_MIN(s.n, 100), s.p, problem, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "", form.text ? form.text : "");
    clv_str_finish(&form);
    return e;
}

static enum clv_err set(const struct clv_opt *o, void *params, const char *who, struct span s,
                        struct clv_error *err)
{
    union value v;
    memset(&v, 0, sizeof(v));
    if (!parse_form(o, s, &v))
        return fail_value(o, who, s, "cannot be understood", err);
    if (!value_in_range(o, &v))
        return fail_value(o, who, s, "is out of range", err);
    store(o, params, &v);
    return CLV_OK;
}

void clv_opt_defaults(const struct clv_opt *opts, void *params)
{
    for (const struct clv_opt *o = opts; o->name; o++) {
        if (o->def) {
            const enum clv_err e =
                set(o, params, o->name, (struct span){o->def, strlen(o->def)}, NULL);
            assert(!e && "a default must be a legal value");
            (void)e;
        } else {
            memset((char *)params + o->offset, 0, value_size(o->type));
        }
    }
}

static enum clv_err fail_unknown(const struct clv_opt *opts, const char *who, struct span key,
                                 struct clv_error *err)
{
    const char *names[65];
    size_t n = 0;
    for (const struct clv_opt *o = opts; o->name && n < 64; o++)
        names[n++] = o->name;
    names[n] = NULL;
    char word[64];
    const char *near = span_copy(key, word, sizeof(word)) ? clv_nearest(word, names, n) : NULL;
    struct clv_str list = {0};
    add_names(names, ", ", &list);
    const enum clv_err e = clv_fail(
        err, CLV_ERR_ARG, "%s: unknown option '%.*s'%s%s%s; %s%s", who, (int)CLV_MIN(key.n, 100),
        key.p, near ? "; did you mean " : "", near ? near : "", near ? "?" : "",
        n ? "the options are " : "there are no options", list.text ? list.text : "");
    clv_str_finish(&list);
    return e;
}

/* One "key=value" or bare value; *bare counts the bare ones, *seen has a bit per option. */
static enum clv_err parse_word(const struct clv_opt *opts, void *params, const char *who,
                               struct span word, size_t *bare, uint64_t *seen,
                               struct clv_error *err)
{
    size_t i = 0;
    struct span value = word;
    const struct span key = span_until(word, '=');
    if (key.n < word.n) {
        while (opts[i].name && !span_is(key, opts[i].name))
            i++;
        if (!opts[i].name)
            return fail_unknown(opts, who, key, err);
        value = span_after(word, key);
    } else {
        while (i < *bare && opts[i].name)
            i++;
        if (!opts[i].name)
            return clv_fail(err, CLV_ERR_ARG, "%s: '%.*s' is one value too many; write NAME=VALUE",
                            who, (int)CLV_MIN(word.n, 100), word.p);
        ++*bare;
    }
    assert(i < 64);
    if (*seen >> i & 1)
        return clv_fail(err, CLV_ERR_ARG, "%s: option %s is given twice", who, opts[i].name);
    *seen |= (uint64_t)1 << i;
    return set(&opts[i], params, who, value, err);
}

enum clv_err clv_opt_parse(const struct clv_opt *opts, void *params, const char *who,
                           const char *text, struct clv_error *err)
{
    static const char blanks[] = " \t\r\n";
    size_t bare = 0;
    uint64_t seen = 0;
    clv_opt_defaults(opts, params);
    for (const char *p = text ? text : ""; *(p += strspn(p, blanks));) {
        const struct span word = {p, strcspn(p, blanks)};
        const enum clv_err e = parse_word(opts, params, who, word, &bare, &seen, err);
        if (e && err)
            err->at = 1 + (int)(p - text);
        if (e)
            return e;
        p += word.n;
    }
    for (size_t i = 0; opts[i].name; i++) {
        if (opts[i].def || seen >> i & 1)
            continue;
        struct clv_str form = {0};
        add_form(&opts[i], &form);
        const enum clv_err e =
            clv_fail(err, CLV_ERR_ARG, "%s: option %s is missing; write %s=%s (%s)", who,
                     opts[i].name, opts[i].name, form.text ? form.text : "", opts[i].help);
        clv_str_finish(&form);
        return e;
    }
    return CLV_OK;
}

static void print_value(const struct clv_opt *o, const union value *v, struct clv_str *s)
{
    switch (o->type) {
    case CLV_OPT_INT:
        clv_str_addf(s, "%d", v->i[0]);
        break;
    case CLV_OPT_U64:
        clv_str_addf(s, "%llu", (unsigned long long)v->u);
        break;
    case CLV_OPT_DOUBLE:
        clv_str_add_double(s, v->d[0]);
        break;
    case CLV_OPT_BOOL:
        clv_str_add(s, v->b ? "yes" : "no");
        break;
    case CLV_OPT_ENUM:
        clv_str_add(s, o->names[v->i[0]]);
        break;
    case CLV_OPT_PAIR:
        clv_str_addf(s, "%dx%d", v->i[0], v->i[1]);
        break;
    case CLV_OPT_RANGE:
        clv_str_add_double(s, v->d[0]);
        clv_str_add(s, ":");
        clv_str_add_double(s, v->d[1]);
        break;
    case CLV_OPT_LIST:
        if (v->list.n < 0)
            clv_str_add(s, o->names[-1 - v->list.n]);
        for (int i = 0; i < v->list.n; i++) {
            clv_str_add(s, i ? "," : "");
            clv_str_add_double(s, v->list.v[i]);
        }
        break;
    case CLV_OPT_STRING:
        clv_str_add(s, v->s);
        break;
    }
}

/* Compared as text: what prints alike is alike, whatever padding the bytes have. */
static bool is_default(const struct clv_opt *o, const char *printed, bool *failed)
{
    union value v;
    struct clv_str s = {0};
    memset(&v, 0, sizeof(v));
    if (!o->def || !parse_form(o, (struct span){o->def, strlen(o->def)}, &v))
        return false;
    print_value(o, &v, &s);
    const bool same = !strcmp(s.text ? s.text : "", printed);
    *failed |= s.failed;
    clv_str_finish(&s);
    return same;
}

void clv_opt_print(const struct clv_opt *opts, const void *params, bool all, struct clv_str *out)
{
    for (const struct clv_opt *o = opts; o->name; o++) {
        union value v;
        struct clv_str s = {0};
        load(o, params, &v);
        print_value(o, &v, &s);
        if (s.failed)
            out->failed = true;
        else if (all || !is_default(o, s.text ? s.text : "", &out->failed))
            clv_str_addf(out, "%s%s=%s", out->len && out->text[out->len - 1] != ' ' ? " " : "",
                         o->name, s.text ? s.text : "");
        clv_str_finish(&s);
    }
}

void clv_opt_help(const struct clv_opt *opts, struct clv_str *out)
{
    for (const struct clv_opt *o = opts; o->name; o++) {
        const size_t begin = out->len;
        clv_str_addf(out, "  %s=", o->name);
        add_form(o, out);
        const size_t width = out->len - begin;
        clv_str_addf(out, "%*s%s (", width < 26 ? (int)(28 - width) : 2, "", o->help);
        if (o->type != CLV_OPT_ENUM && bounded(o)) {
            add_limits(o, out);
            clv_str_add(out, ", ");
        }
        if (o->def)
            clv_str_addf(out, "default %s)\n", o->def[0] ? o->def : "none");
        else
            clv_str_add(out, "required)\n");
    }
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

enum { WORD_MAX = 64 };

/* Levenshtein distance, case ignored; both words are shorter than WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    const size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            const size_t change = diagonal + (lower(a[i]) != lower(b[j]));
            diagonal = row[j + 1];
            row[j + 1] = CLV_MIN(change, CLV_MIN(row[j], diagonal) + 1);
        }
    }
    return row[n];
}

enum clv_err clv_opt_choose(const char *what, const char *text, const char *const *names, size_t n,
                            size_t *index, const char **options, struct clv_error *err)
{
    const struct span word = {text, strcspn(text, " \t")};
    char copy[WORD_MAX];
    for (size_t i = 0; i < n; i++)
        if (span_is(word, names[i])) {
            *index = i;
            *options = text + word.n;
            return CLV_OK;
        }
    const char *near = span_copy(word, copy, sizeof copy) ? clv_nearest(copy, names, n) : NULL;
    struct clv_str list = {0};
    for (size_t i = 0; i < n; i++)
        clv_str_addf(&list, "%s%s", i ? ", " : "", names[i]);
    const enum clv_err e = clv_fail(err, CLV_ERR_ARG, "unknown %s '%.*s'%s%s%s; known: %s", what,
                                    (int)CLV_MIN(word.n, 40), text, near ? "; did you mean " : "",
                                    near ? near : "", near ? "?" : "", list.text ? list.text : "");
    clv_str_finish(&list);
    return e;
}

const char *clv_nearest(const char *word, const char *const *names, size_t n)
{
    const size_t length = strlen(word);
    const char *best = NULL;
    size_t best_distance = CLV_MAX(length / 3, 1) + 1;
    if (length >= WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) >= WORD_MAX)
            continue;
        /* A word cut short is one slip ("kernel" for "kernel_size"). */
        const bool begins = length >= 3 && !strncmp(word, names[i], length);
        const size_t d = begins ? 1 : edit_distance(word, names[i]);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
