/* Who appears twice: equal contents and persons, within and across splits. */
#include "base/str.h"
#include "data/dataset.h"
#include <regex.h>
#include <stdlib.h>
#include <string.h>

static int compare_content(const void *a, const void *b)
{
    const struct clv_data_item *x = *(const struct clv_data_item *const *)a;
    const struct clv_data_item *y = *(const struct clv_data_item *const *)b;
    const int c = memcmp(&x->digest, &y->digest, sizeof x->digest);
    return c ? c : strcmp(x->path, y->path);
}

enum clv_err clv_data_by_content(const struct clv_data *d, uint32_t **ret)
{
    const struct clv_data_item **p = malloc((d->n_items + 1) * sizeof *p);
    uint32_t *order = malloc((d->n_items + 1) * sizeof *order);
    if (!p || !order) {
        free((void *)p);
        free(order);
        return clv_fail_nomem(&d->ctx->err, "sorting the data set");
    }
    for (size_t i = 0; i < d->n_items; i++)
        p[i] = &d->items[i];
    qsort((void *)p, d->n_items, sizeof *p, compare_content);
    for (size_t i = 0; i < d->n_items; i++)
        order[i] = (uint32_t)(p[i] - d->items);
    free((void *)p);
    *ret = order;
    return CLV_OK;
}

/* The person that the path names, in the arena; NULL without *failed = the path names none. */
static const char *name_group(struct clv_data *d, const regex_t *re, const char *path, bool *failed)
{
    regmatch_t m[2];
    if (regexec(re, path, 2, m, 0))
        return NULL;
    const int k = re->re_nsub > 0 && m[1].rm_so >= 0 ? 1 : 0;
    const char *name = clv_arena_printf(&d->arena, "%.*s", (int)(m[k].rm_eo - m[k].rm_so),
                                        path + m[k].rm_so);
    *failed = !name;
    return name;
}

static enum clv_err number_groups(struct clv_data *d, const regex_t *re, const char *regex)
{
    struct clv_error *err = &d->ctx->err;
    const char **of_item = calloc(d->n_items + 1, sizeof *of_item);
    d->groups = malloc((d->n_items + 1) * sizeof *d->groups);
    enum clv_err e = CLV_OK;
    bool failed = !of_item || !d->groups;
    size_t n = 0;
    for (size_t i = 0; i < d->n_items && !failed; i++) {
        of_item[i] = name_group(d, re, d->items[i].path, &failed);
        if (of_item[i])
            d->groups[n++] = of_item[i];
    }
    if (failed) {
        e = clv_fail_nomem(err, "the list of groups");
    } else if (n == 0) {
        e = clv_fail(err, CLV_ERR_ARG,
                     "group-by '%s' matches none of the %zu paths; the first is %s", regex,
                     d->n_items, d->items[0].path);
    } else {
        d->n_groups = (int)clv_data_unique(d->groups, n);
        for (size_t i = 0; i < d->n_items; i++)
            if (of_item[i])
                d->items[i].group = clv_data_find(d->groups, d->n_groups, of_item[i]);
    }
    free((void *)of_item);
    return e;
}

enum clv_err clv_data_find_groups(struct clv_data *d, const char *regex)
{
    regex_t re;
    if (!regex || !regex[0])
        return CLV_OK;
    const int code = regcomp(&re, regex, REG_EXTENDED);
    if (code) {
        char why[128];
        regerror(code, &re, why, sizeof why);
        return clv_fail(&d->ctx->err, CLV_ERR_ARG, "group-by '%s': %s", regex, why);
    }
    const enum clv_err e = number_groups(d, &re, regex);
    regfree(&re);
    d->info.groups = (size_t)d->n_groups;
    return e;
}

static bool several(unsigned bits) { return bits & (bits - 1); }

static enum clv_err count_contents(struct clv_data *d)
{
    uint32_t *order = NULL;
    size_t n_torn = 0;
    CLV_TRY(clv_data_by_content(d, &order));
    for (size_t i = 0; i < d->n_items;) {
        const struct clv_digest *digest = &d->items[order[i]].digest;
        const int label = d->items[order[i]].label;
        unsigned splits = 0;
        size_t n = 0;
        bool torn = false;
        for (; i < d->n_items && !memcmp(&d->items[order[i]].digest, digest, sizeof *digest);
             i++, n++) {
            torn = torn || d->items[order[i]].label != label;
            if (d->items[order[i]].split != CLV_NO_SPLIT)
                splits |= 1u << d->items[order[i]].split;
        }
        n_torn += torn;
        d->info.duplicates += n > 1 ? n : 0;
        d->info.leaked_images += several(splits);
    }
    free(order);
    if (n_torn)
        clv_log(d->ctx, CLV_LOG_WARN, "%s: %zu image%s more than one class", d->root, n_torn,
                n_torn == 1 ? " lies in" : "s lie in");
    return CLV_OK;
}

static enum clv_err count_groups(struct clv_data *d)
{
    unsigned char *splits = calloc((size_t)d->n_groups + 1, 1);
    if (!splits)
        return clv_fail_nomem(&d->ctx->err, "the list of groups");
    for (size_t i = 0; i < d->n_items; i++) {
        const struct clv_data_item *it = &d->items[i];
        if (it->group != CLV_NO_GROUP && it->split != CLV_NO_SPLIT)
            splits[it->group] |= (unsigned char)(1u << it->split);
    }
    for (int g = 0; g < d->n_groups; g++)
        d->info.leaked_groups += several(splits[g]);
    free(splits);
    return CLV_OK;
}

enum clv_err clv_data_find_leaks(struct clv_data *d, bool refuse)
{
    CLV_TRY(count_contents(d));
    CLV_TRY(count_groups(d));
    if (!d->info.leaked_images && !d->info.leaked_groups)
        return CLV_OK;
    struct clv_str what = {0};
    clv_str_addf(&what, "%s: the given split leaks: %zu image%s", d->root, d->info.leaked_images,
                 d->info.leaked_images == 1 ? "" : "s");
    if (d->n_groups)
        clv_str_addf(&what, " and %zu person%s", d->info.leaked_groups,
                     d->info.leaked_groups == 1 ? "" : "s");
    clv_str_add(&what, d->info.leaked_images + d->info.leaked_groups == 1
                           ? " lies in more than one of train, val and test"
                           : " lie in more than one of train, val and test");
    enum clv_err e = CLV_OK;
    if (what.failed)
        e = clv_fail_nomem(&d->ctx->err, "a message");
    else if (refuse)
        e = clv_fail(&d->ctx->err, CLV_ERR_LEAK, "%s; remove the copies, or go on without "
                     "--refuse-leaks", what.text);
    else
        clv_log(d->ctx, CLV_LOG_WARN, "%s; test results may be too good (--refuse-leaks stops here)",
                what.text);
    clv_str_finish(&what);
    return e;
}
