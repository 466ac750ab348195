/* Which split an item belongs to: as given, by an earlier run's list, or stratified by class. */
#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include "data/dataset.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPLIT_STREAM = 0x73706c74 }; /* of random numbers: "splt" */
static const char default_split[] = "70/15/15";

/* What items are divided into: parts first..first+n-1, written to their split. Folds are numbered behind the splits,
 * so that none is mistaken for what stays as it is. */
struct parts {
    int first, n;
    double share[CLV_MAX_FOLDS]; /* sum 1 */
};
_Static_assert((int)CLV_SPLIT_COUNT <= (int)CLV_MAX_FOLDS, "the splits are parts, too");

/* Items that must stay together: they share content or a group. */
struct unit {
    uint32_t first, n; /* run in members[] */
    uint32_t rank;     /* place after shuffling */
};

struct divider {
    struct clv_data *d;
    const struct parts *parts;
    uint32_t *item;                /* the n items that are divided */
    uint32_t *parent;              /* union-find over them */
    uint32_t *members;             /* their places in item[], unit by unit */
    struct unit *units;
    double *missing;               /* [class][part]: target minus what is there */
    size_t n, n_units;
};

static uint32_t find_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* The smaller root wins, so units are numbered in order of their first item. */
static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = find_root(parent, a);
    b = find_root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* Joins items of equal content and of equal group. place[] maps an item to its place in item[],
 * UINT32_MAX for those that are not divided. */
static enum clv_err join_equals(struct divider *v, const uint32_t *place)
{
    struct clv_data *d = v->d;
    uint32_t *order = NULL;
    CLV_TRY(clv_data_by_content(d, &order));
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < d->n_items; i++) {
        const uint32_t at = order[i];
        if (place[at] == UINT32_MAX)
            continue;
        if (last != UINT32_MAX && !memcmp(&d->items[last].digest, &d->items[at].digest,
                                          sizeof(struct clv_digest)))
            join(v->parent, place[last], place[at]);
        last = at;
    }
    free(order);

    uint32_t *first = malloc(((size_t)d->n_groups + 1) * sizeof *first);
    if (!first)
        return clv_fail_nomem(&d->ctx->err, "splitting the data set");
    for (int g = 0; g < d->n_groups; g++)
        first[g] = UINT32_MAX;
    for (size_t i = 0; i < v->n; i++) {
        const int g = d->items[v->item[i]].group;
        if (g == CLV_NO_GROUP)
            continue;
        if (first[g] == UINT32_MAX)
            first[g] = (uint32_t)i;
        else
            join(v->parent, first[g], (uint32_t)i);
    }
    free(first);
    return CLV_OK;
}

/* Large units first, since small ones can even out; otherwise in shuffled order. */
static int compare_units(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static enum clv_err make_units(struct divider *v, uint64_t seed)
{
    uint32_t *number = malloc((v->n + 1) * 2 * sizeof *number);
    if (!number)
        return clv_fail_nomem(&v->d->ctx->err, "splitting the data set");
    for (size_t i = 0; i < v->n; i++) { /* a root comes before its members */
        const uint32_t root = find_root(v->parent, (uint32_t)i);
        if (root == i) {
            number[i] = (uint32_t)v->n_units;
            v->units[v->n_units++] = (struct unit){0};
        }
        v->units[number[root]].n++;
    }
    uint32_t start = 0;
    for (size_t u = 0; u < v->n_units; u++) {
        v->units[u].first = start;
        start += v->units[u].n;
        v->units[u].n = 0;
    }
    for (size_t i = 0; i < v->n; i++) {
        struct unit *u = &v->units[number[find_root(v->parent, (uint32_t)i)]];
        v->members[u->first + u->n++] = (uint32_t)i;
    }
    uint32_t *rank = number + v->n + 1;
    for (size_t u = 0; u < v->n_units; u++)
        rank[u] = (uint32_t)u;
    struct clv_rng rng = clv_rng_init(seed, SPLIT_STREAM + (uint64_t)v->parts->first);
    clv_rng_shuffle(&rng, rank, (uint32_t)v->n_units);
    for (size_t u = 0; u < v->n_units; u++)
        v->units[u].rank = rank[u];
    qsort(v->units, v->n_units, sizeof *v->units, compare_units);
    free(number);
    return CLV_OK;
}

/* The part that lacks most of the unit's classes; between equals, most images altogether. */
static int choose_part(const struct divider *v, const struct unit *u, const double *total)
{
    const struct parts *parts = v->parts;
    int best = 0;
    double best_score = -HUGE_VAL;
    for (int s = 0; s < parts->n; s++) {
        if (parts->share[s] <= 0)
            continue;
        double score = 0;
        for (uint32_t k = 0; k < u->n; k++) {
            const int c = v->d->items[v->item[v->members[u->first + k]]].label;
            score += v->missing[c * parts->n + s];
        }
        /* 1e-9: sums of shares are not exact. */
        if (score > best_score + 1e-9 ||
            (score > best_score - 1e-9 && total[s] > total[best] + 1e-9)) {
            best_score = score;
            best = s;
        }
    }
    return best;
}

static void place_units(struct divider *v)
{
    struct clv_data *d = v->d;
    const struct parts *parts = v->parts;
    double total[CLV_MAX_FOLDS];
    for (int s = 0; s < parts->n; s++)
        total[s] = parts->share[s] * (double)v->n;
    for (size_t i = 0; i < v->n; i++)
        for (int s = 0; s < parts->n; s++)
            v->missing[d->items[v->item[i]].label * parts->n + s] += parts->share[s];
    for (size_t k = 0; k < v->n_units; k++) {
        const struct unit *u = &v->units[k];
        const int s = choose_part(v, u, total);
        total[s] -= u->n;
        for (uint32_t j = 0; j < u->n; j++) {
            struct clv_data_item *it = &d->items[v->item[v->members[u->first + j]]];
            it->split = parts->first + s;
            v->missing[it->label * parts->n + s] -= 1;
        }
    }
}

/* Divides the items whose split is `from`. */
static enum clv_err divide(struct clv_data *d, int from, const struct parts *parts, uint64_t seed)
{
    enum clv_err e;
    struct divider v = {.d = d, .parts = parts};
    const size_t n = d->n_items;
    uint32_t *place = malloc((n + 1) * sizeof *place);
    v.item = malloc((n + 1) * sizeof *v.item);
    v.parent = malloc((n + 1) * sizeof *v.parent);
    v.members = malloc((n + 1) * sizeof *v.members);
    v.units = malloc((n + 1) * sizeof *v.units);
    v.missing = calloc((size_t)d->n_classes * (size_t)parts->n + 1, sizeof *v.missing);
    if (!place || !v.item || !v.parent || !v.members || !v.units || !v.missing) {
        e = clv_fail_nomem(&d->ctx->err, "splitting the data set");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        place[i] = UINT32_MAX;
        if (d->items[i].split != from)
            continue;
        place[i] = (uint32_t)v.n;
        v.parent[v.n] = (uint32_t)v.n;
        v.item[v.n++] = (uint32_t)i;
    }
    e = join_equals(&v, place);
    if (!e)
        e = make_units(&v, seed);
    if (!e)
        place_units(&v);
out:
    free(place);
    free(v.item);
    free(v.parent);
    free(v.members);
    free(v.units);
    free(v.missing);
    return e;
}

/* "70/15/15" to shares with sum 1. */
static enum clv_err parse_shares(const char *text, double share[CLV_SPLIT_COUNT],
                                 struct clv_error *err)
{
    const char *at = text ? text : default_split;
    double sum = 0;
    for (int s = 0; s < CLV_SPLIT_COUNT; s++) {
        char part[32];
        double v;
        const size_t n = strcspn(at, "/");
        const bool last = s == CLV_SPLIT_COUNT - 1;
        if (n == 0 || n >= sizeof part || (at[n] == '/') == last)
            goto bad;
        memcpy(part, at, n);
        part[n] = '\0';
        if (!clv_parse_double(part, &v) || v < 0)
            goto bad;
        share[s] = v;
        sum += v;
        at += n + !last;
    }
    if (share[CLV_SPLIT_TRAIN] <= 0 || !isfinite(sum))
        goto bad;
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        share[s] /= sum;
    return CLV_OK;
bad:
    return clv_fail(err, CLV_ERR_ARG,
                    "split '%s': expected the shares of train/val/test, such as 70/15/15", text);
}

static void count_splits(const struct clv_data *d, size_t count[CLV_SPLIT_COUNT])
{
    memset(count, 0, CLV_SPLIT_COUNT * sizeof *count);
    for (size_t i = 0; i < d->n_items; i++)
        if (d->items[i].split != CLV_NO_SPLIT)
            count[d->items[i].split]++;
}

static void warn_if_empty(const struct clv_data *d, const double share[CLV_SPLIT_COUNT])
{
    size_t count[CLV_SPLIT_COUNT];
    count_splits(d, count);
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        if (share[s] > 0 && count[s] == 0)
            clv_log(d->ctx, CLV_LOG_WARN, "%s: too few images (or persons) to fill %s", d->root,
                    clv_split_name(s));
}

/* By the shares, or val out of a given train. */
static enum clv_err assign_splits(struct clv_data *d, const struct clv_data_params *params)
{
    struct clv_error *err = &d->ctx->err;
    const double f = params->val_fraction == 0 ? 0.15 : params->val_fraction;
    struct parts parts = {.n = CLV_SPLIT_COUNT};
    if (!(f > 0 && f < 1))
        return clv_fail(err, CLV_ERR_ARG, "val_fraction %g: expected more than 0, less than 1", f);
    CLV_TRY(parse_shares(params->split, parts.share, err));

    for (size_t i = 0; i < d->n_items; i++) {
        d->items[i].split = d->items[i].given;
        d->info.given_split |= d->items[i].given != CLV_NO_SPLIT;
    }
    if (params->split_list)
        return clv_data_read_split(d, params->split_list);
    if (!d->info.given_split) {
        CLV_TRY(divide(d, CLV_NO_SPLIT, &parts, params->seed));
        warn_if_empty(d, parts.share);
        return CLV_OK;
    }
    if (params->split && strcmp(params->split, default_split))
        clv_log(d->ctx, CLV_LOG_WARN, "%s: its own train, val and test folders or arrays are used, "
                "split %s is not", d->root, params->split);
    size_t count[CLV_SPLIT_COUNT];
    count_splits(d, count);
    if (count[CLV_SPLIT_VAL] || !count[CLV_SPLIT_TRAIN])
        return CLV_OK;
    const struct parts of_train = {.n = CLV_SPLIT_COUNT, .share = {1 - f, f, 0}};
    CLV_TRY(divide(d, CLV_SPLIT_TRAIN, &of_train, params->seed));
    warn_if_empty(d, of_train.share);
    return CLV_OK;
}

/* Train and val together become folds; one of them is val, the others train. */
static enum clv_err assign_fold(struct clv_data *d, const struct clv_data_params *params)
{
    const int folds = params->folds;
    struct parts parts = {.first = CLV_SPLIT_COUNT, .n = folds};
    size_t count[CLV_MAX_FOLDS] = {0};
    if (folds < 2 || folds > CLV_MAX_FOLDS || params->fold < 1 || params->fold > folds)
        return clv_fail(&d->ctx->err, CLV_ERR_ARG, "fold %d of %d: expected 2 to %d folds, counted from 1",
                        params->fold, folds, CLV_MAX_FOLDS);
    for (int k = 0; k < folds; k++)
        parts.share[k] = 1. / folds;
    for (size_t i = 0; i < d->n_items; i++)
        if (d->items[i].split == CLV_SPLIT_VAL)
            d->items[i].split = CLV_SPLIT_TRAIN;
    CLV_TRY(divide(d, CLV_SPLIT_TRAIN, &parts, params->seed));
    for (size_t i = 0; i < d->n_items; i++) {
        const int k = d->items[i].split - parts.first;
        if (k < 0)
            continue;
        count[k]++;
        d->items[i].split = k == params->fold - 1 ? CLV_SPLIT_VAL : CLV_SPLIT_TRAIN;
    }
    for (int k = 0; k < folds; k++)
        if (!count[k])
            return clv_fail(&d->ctx->err, CLV_ERR_DATA,
                            "%s: too few images (or persons) outside of test for %d folds", d->root, folds);
    return CLV_OK;
}

enum clv_err clv_data_assign(struct clv_data *d, const struct clv_data_params *params)
{
    CLV_TRY(assign_splits(d, params));
    return params->folds ? assign_fold(d, params) : CLV_OK;
}
