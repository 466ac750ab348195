#include "data/sampler.h"
#include "base/opt.h"
#include "base/rng.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>

static const uint64_t sampler_key = 0x73616d706c6572u; /* "sampler" */

struct clv_sampler {
    double power;     /* a sample's weight: the size of its class to the power of -power */
    size_t n;
    int n_classes;    /* up to the largest label */
    size_t *begin;    /* [n_classes + 1]: of each class in member */
    uint32_t *member; /* [n]: samples by class, in their order */
    double *weight;   /* [n_classes]: sums up to each class, of all its samples' weights */
};

static const struct clv_opt balanced_opts[] = {
    {"power", "each class has a share as its number of images to the power of 1 - this: 1 equal shares, 0 as they are",
     CLV_OPT_DOUBLE, offsetof(struct clv_sampler, power), "1", 0, 1},
    {0}};
static const struct { const char *name, *help; const struct clv_opt *opts; } kinds[] = {
    {"shuffle", "every image once, in a new order", NULL},
    {"balanced", "as many draws, with replacement, from classes in equal shares", balanced_opts},
};

static void sort_by_class(struct clv_sampler *s, int32_t (*label)(const void *priv, size_t i), const void *priv)
{
    size_t before = 0;
    for (size_t i = 0; i < s->n; i++)
        s->begin[label(priv, i) + 1]++;
    for (int c = 0; c < s->n_classes; c++)
        s->begin[c + 1] += s->begin[c];
    for (size_t i = 0; i < s->n; i++)
        s->member[s->begin[label(priv, i)]++] = (uint32_t)i;
    for (int c = 0; c <= s->n_classes; c++) { /* they have moved on to the next class's */
        const size_t end = s->begin[c];
        s->begin[c] = before;
        before = end;
    }
}

static void add_weights(struct clv_sampler *s)
{
    double sum = 0;
    for (int c = 0; c < s->n_classes; c++) {
        const double count = (double)(s->begin[c + 1] - s->begin[c]);
        if (count > 0)
            sum += pow(count, 1 - s->power); /* exactly 1 for power 1 */
        s->weight[c] = sum;
    }
}

enum clv_err clv_sampler_create(const char *text, size_t n, int32_t (*label)(const void *priv, size_t i),
                                const void *priv, struct clv_error *err, struct clv_sampler **ret)
{
    const char *const names[] = {kinds[0].name, kinds[1].name}, *options;
    struct clv_sampler parsed = {.n = n};
    size_t kind;
    *ret = NULL;
    CLV_TRY(clv_opt_choose("sampler", text && *text ? text : names[0], names, CLV_COUNT(names), &kind, &options, err));
    CLV_TRY(clv_opt_parse(kinds[kind].opts ? kinds[kind].opts : &balanced_opts[1], &parsed, names[kind], options, err));
    if (!kinds[kind].opts || !n)
        return CLV_OK;
    for (size_t i = 0; i < n; i++)
        parsed.n_classes = CLV_MAX(parsed.n_classes, (int)label(priv, i) + 1);
    struct clv_sampler *s = malloc(sizeof *s);
    if (!s)
        return clv_fail_nomem(err, "the sampler");
    *s = parsed;
    s->begin = calloc((size_t)s->n_classes + 1, sizeof *s->begin);
    s->member = malloc(n * sizeof *s->member);
    s->weight = malloc((size_t)s->n_classes * sizeof *s->weight);
    if (!s->begin || !s->member || !s->weight) {
        clv_sampler_destroy(&s);
        return clv_fail_nomem(err, "the sampler");
    }
    sort_by_class(s, label, priv);
    add_weights(s);
    *ret = s;
    return CLV_OK;
}

void clv_sampler_destroy(struct clv_sampler **sampler)
{
    struct clv_sampler *s = *sampler;
    if (!s)
        return;
    free(s->begin);
    free(s->member);
    free(s->weight);
    free(s);
    *sampler = NULL;
}

void clv_sampler_order(const struct clv_sampler *s, uint64_t seed, uint64_t epoch, uint32_t *order)
{
    struct clv_rng rng = clv_rng_init(seed ^ sampler_key, epoch);
    for (size_t i = 0; i < s->n; i++) {
        const double at = clv_rng_range(&rng, 0, s->weight[s->n_classes - 1]);
        int c = 0;
        while (at >= s->weight[c]) /* a class without samples adds nothing and is passed */
            c++;
        const uint32_t size = (uint32_t)(s->begin[c + 1] - s->begin[c]);
        order[i] = s->member[s->begin[c] + clv_rng_below(&rng, size)];
    }
}

void clv_sampler_help(struct clv_str *out)
{
    for (size_t i = 0; i < CLV_COUNT(kinds); i++) {
        clv_str_addf(out, "%s: %s\n", kinds[i].name, kinds[i].help);
        if (kinds[i].opts)
            clv_opt_help(kinds[i].opts, out);
    }
}
