/* The split list: which content lay in which split, so that files added later leak nothing.
 *
 * CSV (RFC 4180) with the header path,split,label,sha256. Only content decides; the path is a note
 * for people and settles which copy is meant when a content is listed twice. */
#include "base/file.h"
#include "base/str.h"
#include "data/dataset.h"
#include <stdlib.h>
#include <string.h>

enum { N_FIELDS = 4, NAMES = 20 };
static const char header[] = "path,split,label,sha256";

static void add_field(struct clv_str *s, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        clv_str_add(s, text);
        return;
    }
    clv_str_add(s, "\"");
    for (; *text; text++)
        clv_str_addf(s, *text == '"' ? "\"%c" : "%c", *text);
    clv_str_add(s, "\"");
}

enum clv_err clv_data_write_split(const struct clv_data *data, const char *path)
{
    struct clv_str s = {0};
    clv_str_addf(&s, "%s\n", header);
    for (int split = 0; split < CLV_SPLIT_COUNT; split++) {
        for (size_t i = 0; i < data->info.count[split]; i++) {
            const struct clv_data_item *it = clv_data_item_at(data, (enum clv_split)split, i);
            char hex[65];
            clv_digest_hex(&it->digest, hex);
            add_field(&s, it->path);
            clv_str_addf(&s, ",%s,", clv_split_name(it->split));
            add_field(&s, data->classes[it->label]);
            clv_str_addf(&s, ",%s\n", hex);
        }
    }
    const enum clv_err e = s.failed ? clv_fail_nomem(&data->ctx->err, "the split list")
                                    : clv_file_write(path, s.text, s.len, &data->ctx->err);
    clv_str_finish(&s);
    return e;
}

struct entry {
    const char *path, *label, *hex;
    int split;
};

/* Takes one field off the text, unquoting it in place. *end receives what ended it: ',', '\n' or 0. */
static char *take_field(char **at, char *end)
{
    char *in = *at, *out = in, *field = in;
    if (*in == '"') {
        for (in++; *in && (*in != '"' || in[1] == '"'); in++) {
            in += *in == '"';
            *out++ = *in;
        }
        in += *in == '"';
    } else {
        while (*in && *in != ',' && *in != '\n' && *in != '\r')
            *out++ = *in++;
    }
    in += *in == '\r';
    *end = *in;
    *at = *in ? in + 1 : in;
    *out = '\0';
    return field;
}

static int split_number(const char *name)
{
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        if (!strcmp(name, clv_split_name((enum clv_split)s)))
            return s;
    return CLV_NO_SPLIT;
}

/* One line; false when it is none of ours. */
static bool take_entry(char **at, struct entry *e)
{
    char *field[N_FIELDS], end = 0;
    for (int i = 0; i < N_FIELDS; i++) {
        field[i] = take_field(at, &end);
        if ((end == ',') != (i < N_FIELDS - 1))
            return false;
    }
    *e = (struct entry){field[0], field[2], field[3], split_number(field[1])};
    return e->split != CLV_NO_SPLIT && strlen(e->hex) == 64 && e->label[0];
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int c = strcmp(x->hex, y->hex);
    return c ? c : x->split - y->split;
}

static enum clv_err parse(char *text, const char *path, struct entry **entries, size_t *n,
                          struct clv_error *err)
{
    size_t cap = 1, line = 1;
    for (const char *p = text; *p; p++)
        cap += *p == '\n';
    struct entry *list = malloc(cap * sizeof *list);
    if (!list)
        return clv_fail_nomem(err, "the split list");
    const size_t skip = strlen(header);
    char *at = text;
    if (strncmp(text, header, skip))
        goto bad;
    at += skip;
    at += *at == '\r';
    if (*at++ != '\n')
        goto bad;
    for (*n = 0; *at; (*n)++) {
        line++;
        if (*n == cap || !take_entry(&at, &list[*n]))
            goto bad;
    }
    if (*n)
        qsort(list, *n, sizeof *list, compare_entries);
    *entries = list;
    return CLV_OK;
bad:
    free(list);
    return clv_fail(err, CLV_ERR_DATA, "%s:%zu: not a split list; expected lines of %s", path, line,
                    header);
}

/* The classes are the list's, so that a class that is new in the folder renumbers nothing. */
static enum clv_err take_classes(struct clv_data *d, const struct entry *entries, size_t n)
{
    const char **names = malloc((n + 1) * sizeof *names);
    if (!names)
        return clv_fail_nomem(&d->ctx->err, "the class names");
    for (size_t i = 0; i < n; i++)
        names[i] = entries[i].label;
    const size_t k = clv_data_unique(names, n);
    for (size_t i = 0; i < k; i++)
        names[i] = clv_arena_strdup(&d->arena, names[i]);
    for (size_t i = 0; i < k; i++) {
        if (!names[i]) {
            free((void *)names);
            return clv_fail_nomem(&d->ctx->err, "the class names");
        }
    }
    free((void *)d->classes);
    d->classes = names;
    d->n_classes = (int)k;
    return CLV_OK;
}

/* The line of this content: the one with the item's own path, else the first (train before test). */
static const struct entry *look_up(const struct entry *entries, size_t n,
                                   const struct clv_data_item *it)
{
    char hex[65];
    clv_digest_hex(&it->digest, hex);
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (strcmp(entries[mid].hex, hex) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct entry *found = NULL;
    for (; lo < n && !strcmp(entries[lo].hex, hex); lo++)
        if (!found || !strcmp(entries[lo].path, it->path))
            found = &entries[lo];
    return found;
}

static enum clv_err assign(struct clv_data *d, const char *path, const struct entry *entries,
                           size_t n)
{
    CLV_TRY(take_classes(d, entries, n));
    for (size_t i = 0; i < d->n_items; i++) {
        struct clv_data_item *it = &d->items[i];
        const struct entry *e = look_up(entries, n, it);
        it->split = e ? e->split : CLV_NO_SPLIT;
        it->label = clv_data_find(d->classes, d->n_classes, it->class_name);
        d->info.unknown += !e;
        if (e && it->label < 0)
            return clv_fail(&d->ctx->err, CLV_ERR_DATA,
                            "%s: its class %s is not among those of %s; was the folder renamed?",
                            it->path, it->class_name, path);
    }
    return CLV_OK;
}

/* Names the files that the list does not know, the first few of many. */
static void warn_unknown(const struct clv_data *d, const char *path)
{
    struct clv_str names = {0};
    size_t n = 0;
    for (size_t i = 0; i < d->n_items && n < NAMES; i++)
        if (d->items[i].split == CLV_NO_SPLIT)
            clv_str_addf(&names, "%s%s", n++ ? ", " : "", d->items[i].path);
    if (n < d->info.unknown)
        clv_str_addf(&names, " and %zu more", d->info.unknown - n);
    if (n)
        clv_log(d->ctx, CLV_LOG_WARN, "%s: left out, since %s does not know %s: %s", d->root, path,
                d->info.unknown == 1 ? "it" : "them", names.text ? names.text : "");
    clv_str_finish(&names);
}

enum clv_err clv_data_read_split(struct clv_data *d, const char *path)
{
    unsigned char *text = NULL;
    size_t size = 0, n = 0;
    struct entry *entries = NULL;
    CLV_TRY(clv_file_read(path, &text, &size, &d->ctx->err));
    enum clv_err e = parse((char *)text, path, &entries, &n, &d->ctx->err);
    if (!e)
        e = assign(d, path, entries, n);
    free(entries);
    free(text);
    if (!e)
        warn_unknown(d, path);
    return e;
}
