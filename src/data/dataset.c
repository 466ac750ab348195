/* Opens a data set of any format: items, groups, splits, leaks, summary. */
#include "data/dataset.h"
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

/* The first whose probe says yes reads it; folder takes any folder, so it is last. */
static const struct clv_data_format *const formats[] = {&clv_data_npz, &clv_data_idx,
                                                        &clv_data_folder};

const char *clv_split_name(enum clv_split split)
{
    static const char *const names[] = {"train", "val", "test"};
    return (unsigned)split < CLV_SPLIT_COUNT ? names[split] : "?";
}

struct clv_data_item *clv_data_add(struct clv_data *d)
{
    if (d->n_items == d->cap_items) {
        const size_t cap = d->cap_items ? 2 * d->cap_items : 256;
        struct clv_data_item *items = realloc(d->items, cap * sizeof *items);
        if (!items)
            return NULL;
        d->items = items;
        d->cap_items = cap;
    }
    struct clv_data_item *it = &d->items[d->n_items++];
    *it = (struct clv_data_item){
        .given = CLV_NO_SPLIT, .split = CLV_NO_SPLIT, .group = CLV_NO_GROUP};
    return it;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t clv_data_unique(const char **names, size_t n)
{
    if (n < 2)
        return n;
    qsort(names, n, sizeof *names, compare_names);
    size_t k = 1;
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i], names[k - 1]))
            names[k++] = names[i];
    return k;
}

int clv_data_find(const char *const *names, int n, const char *name)
{
    if (n == 0)
        return -1;
    const char *const *p = bsearch(&name, names, (size_t)n, sizeof *names, compare_names);
    return p ? (int)(p - names) : -1;
}

enum clv_err clv_data_number_classes(struct clv_data *d)
{
    const char **names = malloc((d->n_items + 1) * sizeof *names);
    if (!names)
        return clv_fail_nomem(&d->ctx->err, "the class names");
    size_t n = 0;
    for (size_t i = 0; i < d->n_items; i++)
        if (n == 0 || strcmp(names[n - 1], d->items[i].class_name))
            names[n++] = d->items[i].class_name;
    free((void *)d->classes);
    d->classes = names;
    d->n_classes = (int)clv_data_unique(names, n);
    for (size_t i = 0; i < d->n_items; i++)
        d->items[i].label = clv_data_find(names, d->n_classes, d->items[i].class_name);
    return CLV_OK;
}

/* Fills index[] and class_count[] from item.split. */
static enum clv_err index_splits(struct clv_data *d)
{
    struct clv_error *err = &d->ctx->err;
    for (int s = 0; s < CLV_SPLIT_COUNT; s++) {
        size_t n = 0;
        for (size_t i = 0; i < d->n_items; i++)
            n += d->items[i].split == s;
        d->info.count[s] = n;
        d->index[s] = malloc((n + 1) * sizeof *d->index[s]);
        d->class_count[s] = calloc((size_t)d->n_classes + 1, sizeof *d->class_count[s]);
        if (!d->index[s] || !d->class_count[s])
            return clv_fail_nomem(err, "the data set's index");
        d->info.class_count[s] = d->class_count[s];
        n = 0;
        for (size_t i = 0; i < d->n_items; i++) {
            if (d->items[i].split != s)
                continue;
            d->index[s][n++] = (uint32_t)i;
            d->class_count[s][d->items[i].label]++;
        }
    }
    return CLV_OK;
}

static void summarise_sizes(struct clv_data *d)
{
    struct clv_data_info *in = &d->info;
    for (size_t i = 0; i < d->n_items; i++) {
        const struct clv_data_item *it = &d->items[i];
        const int w = (int)it->width, h = (int)it->height;
        in->min_width = i ? CLV_MIN(in->min_width, w) : w;
        in->max_width = CLV_MAX(in->max_width, w);
        in->min_height = i ? CLV_MIN(in->min_height, h) : h;
        in->max_height = CLV_MAX(in->max_height, h);
        in->channels = CLV_MAX(in->channels, it->channels);
        in->bits = CLV_MAX(in->bits, 8 * it->value_bytes);
    }
}

/* Copies of one content differ in split and class only. */
static int compare_lines(const void *a, const void *b)
{
    const struct clv_data_item *x = *(const struct clv_data_item *const *)a;
    const struct clv_data_item *y = *(const struct clv_data_item *const *)b;
    const int c = memcmp(&x->digest, &y->digest, sizeof x->digest);
    return c ? c : x->split != y->split ? x->split - y->split : x->label - y->label;
}

/* SHA-256 over the sorted lines "content split class": neither names nor order of files matter. */
static enum clv_err make_fingerprint(struct clv_data *d)
{
    const struct clv_data_item **p = malloc((d->n_items + 1) * sizeof *p);
    struct clv_sha256 sum;
    size_t n = 0;
    if (!p)
        return clv_fail_nomem(&d->ctx->err, "the data set's fingerprint");
    for (size_t i = 0; i < d->n_items; i++)
        if (d->items[i].split != CLV_NO_SPLIT)
            p[n++] = &d->items[i];
    qsort((void *)p, n, sizeof *p, compare_lines);
    clv_sha256_init(&sum);
    for (size_t i = 0; i < n; i++) {
        const char *split = clv_split_name((enum clv_split)p[i]->split);
        const char *class = d->classes[p[i]->label];
        char hex[65];
        clv_digest_hex(&p[i]->digest, hex);
        clv_sha256_add(&sum, hex, 64);
        clv_sha256_add(&sum, " ", 1);
        clv_sha256_add(&sum, split, strlen(split));
        clv_sha256_add(&sum, " ", 1);
        clv_sha256_add(&sum, class, strlen(class));
        clv_sha256_add(&sum, "\n", 1);
    }
    free((void *)p);
    const struct clv_digest digest = clv_sha256_finish(&sum);
    clv_digest_hex(&digest, d->info.fingerprint);
    return CLV_OK;
}

/* A class that training never sees can only be predicted by accident. */
static void warn_untrained(const struct clv_data *d)
{
    for (int c = 0; c < d->n_classes && d->info.count[CLV_SPLIT_TRAIN]; c++)
        if (!d->class_count[CLV_SPLIT_TRAIN][c] &&
            d->class_count[CLV_SPLIT_VAL][c] + d->class_count[CLV_SPLIT_TEST][c])
            clv_log(d->ctx, CLV_LOG_WARN, "%s: class %s has no image in train", d->root,
                    d->classes[c]);
}

static enum clv_err find_format(struct clv_data *d)
{
    for (size_t i = 0; i < CLV_COUNT(formats); i++) {
        if (formats[i]->probe(d->root)) {
            d->format = formats[i];
            return CLV_OK;
        }
    }
    if (!clv_file_exists(d->root))
        return clv_fail(&d->ctx->err, CLV_ERR_IO, "%s: no such file or folder", d->root);
    return clv_fail(&d->ctx->err, CLV_ERR_DATA,
                    "%s: not a data set; give a folder of class folders with PNG files, a MedMNIST "
                    ".npz file, or a folder of IDX files",
                    d->root);
}

static enum clv_err open_steps(struct clv_data *d, const struct clv_data_params *params)
{
    CLV_TRY(find_format(d));
    d->info.path = d->root;
    d->info.format = d->format->name;
    CLV_TRY(d->format->open(d, params));
    if (d->n_items == 0)
        return clv_fail(&d->ctx->err, CLV_ERR_DATA, "%s: no readable image in it", d->root);
    if (d->n_items > UINT32_MAX)
        return clv_fail(&d->ctx->err, CLV_ERR_DATA, "%s: more than 2^32 images", d->root);
    CLV_TRY(clv_data_find_groups(d, params->group_by));
    CLV_TRY(clv_data_assign(d, params));
    CLV_TRY(clv_data_find_leaks(d, params->refuse_leaks));
    CLV_TRY(index_splits(d));
    warn_untrained(d);
    d->info.n_classes = d->n_classes;
    d->info.classes = d->classes;
    summarise_sizes(d);
    return make_fingerprint(d);
}

enum clv_err clv_data_open(struct clv_context *ctx, const char *path,
                           const struct clv_data_params *params, struct clv_data **ret)
{
    static const struct clv_data_params defaults = {0};
    struct clv_data *d = calloc(1, sizeof *d);
    if (!d)
        return clv_fail_nomem(&ctx->err, "a data set");
    d->ctx = ctx;
    enum clv_err e;
    d->root = clv_strdupf("%s", path);
    if (!d->root) {
        e = clv_fail_nomem(&ctx->err, "a data set");
        goto fail;
    }
    e = open_steps(d, params ? params : &defaults);
    if (e)
        goto fail;
    *ret = d;
    return CLV_OK;
fail:
    clv_data_close(&d);
    return e;
}

void clv_data_close(struct clv_data **data)
{
    struct clv_data *d = data ? *data : NULL;
    if (!d)
        return;
    if (d->format)
        d->format->close(d);
    for (int s = 0; s < CLV_SPLIT_COUNT; s++) {
        free(d->index[s]);
        free(d->class_count[s]);
    }
    free(d->items);
    free((void *)d->classes);
    free((void *)d->groups);
    free(d->root);
    clv_arena_finish(&d->arena);
    free(d);
    *data = NULL;
}

const struct clv_data_info *clv_data_get_info(const struct clv_data *data) { return &data->info; }

size_t clv_data_count(const struct clv_data *data, enum clv_split split)
{
    return (unsigned)split < CLV_SPLIT_COUNT ? data->info.count[split] : 0;
}

const struct clv_data_item *clv_data_item_at(const struct clv_data *d, enum clv_split split,
                                             size_t index)
{
    return &d->items[d->index[split][index]];
}

enum clv_err clv_data_sample(const struct clv_data *data, enum clv_split split, size_t index,
                             struct clv_sample_info *ret)
{
    if (index >= clv_data_count(data, split))
        return clv_fail(&data->ctx->err, CLV_ERR_ARG, "sample %zu of %s: it has %zu", index,
                        clv_split_name(split), clv_data_count(data, split));
    const struct clv_data_item *it = clv_data_item_at(data, split, index);
    *ret = (struct clv_sample_info){
        .path = it->path,
        .split = split,
        .label = it->label,
        .group = it->group == CLV_NO_GROUP ? NULL : data->groups[it->group],
    };
    clv_digest_hex(&it->digest, ret->sha256);
    return CLV_OK;
}
