/* The schedule for GPUs: which tile and how many slices of K for which product. Its products are in
 * tiled_emit.c. */
#include "contract/tiled.h"

#include <string.h>

/* An item of 8 x 8 reads a byte of local memory for two operations, one of 4 x 4 for one: `speed`
 * is what a tile may reach, in percent, when it fills the device (docs/gpu.md). Neither side of a
 * tile is longer than the number of its items. Those with a bk of CLV_TILED_DIRECT need no local memory. */
static const struct tile {
    int bm, bn, bk, tm, tn, speed;
} tiles[] = {
    {128, 128, 16, 8, 8, 100}, {128, 128, 8, 8, 8, 99}, {128, 64, 8, 8, 8, 95},
    {64, 64, 8, 8, 8, 86},     {128, 64, 16, 8, 4, 84}, {128, 32, 16, 8, 4, 82},
    {128, 32, 8, 8, 4, 80},    {64, 64, 16, 8, 4, 80},  {64, 32, 16, 4, 4, 62},
    {32, 64, 16, 4, 4, 62},    {32, 32, 16, 4, 4, 55},  {16, 64, 16, 4, 4, 50},
    {32, 32, 8, 4, 4, 50},     {32, 32, 8, 8, 4, 40},  {64, 64, 4, 8, 4, 50},
    {64, 32, 4, 8, 4, 48},     {32, 64, 4, 4, 4, 40},  {32, 32, 4, 4, 4, 38},
    {32, 32, 4, 8, 4, 36},
};

enum {
    ITEMS_WANTED = 1 << 16, /* below that many items, k is cut into slices */
    SLICE_K = 256,          /* fewest elements of k in a slice */
    MAX_SLICES = 1024,
    PART_FLOATS = 4 << 20, /* of all slices together: the second stage must stay cheap */
};

struct size {
    int64_t m, n, k;
};

static struct size size_of(const struct clv_conv *c, enum clv_product product, int batch)
{
    const int64_t in = (int64_t)batch * c->ih * c->iw, out = (int64_t)batch * c->oh * c->ow;
    const int64_t taps = (int64_t)c->kh * c->kw;
    if (product == CLV_PRODUCT_FORWARD)
        return (struct size){out, c->co, taps * c->ci};
    if (product == CLV_PRODUCT_WEIGHTS)
        return (struct size){taps * c->ci, c->co, out};
    /* Of a strided layer's taps, a pixel of dx sees some. */
    return (struct size){in, c->ci, clv_div_up(c->kh, c->sh) * clv_div_up(c->kw, c->sw) * c->co};
}

static void params_of(const struct tile *t, int slices, int param[CLV_CHOICE_PARAMS])
{
    const int row[CLV_CHOICE_PARAMS] = {t->bm, t->bn, t->bk, t->tm, t->tn, slices};
    memcpy(param, row, sizeof row);
}

bool clv_tiled_fits(const struct clv_caps *caps, const int *param)
{
    return (size_t)clv_tiled_items(param) <= caps->max_work_group &&
           (clv_tiled_is_direct(param) ||
            (caps->features & CLV_FEAT_LOCAL && clv_tiled_local_bytes(param) <= caps->local_bytes));
}

uint64_t clv_tiled_local_bytes(const int *param)
{
    const int row = param[CLV_TILED_BM] + 4 + param[CLV_TILED_BN] + 4;
    return clv_tiled_is_direct(param) ? 0 : sizeof(float) * 2 * (uint64_t)(param[CLV_TILED_BK] * row);
}

/* The widest that a row of items consists of: more than 16 would have less to share out. */
int clv_tiled_lanes(const struct clv_caps *caps, const int *param)
{
    const int row = param[CLV_TILED_BN] / param[CLV_TILED_TN];
    for (int lanes = 16; lanes > 1 && clv_tiled_is_direct(param); lanes /= 2)
        if (caps->sub_groups & (unsigned)lanes && row % lanes == 0)
            return lanes;
    return 1;
}

static bool fits(const struct clv_caps *caps, const struct tile *t)
{
    int param[CLV_CHOICE_PARAMS];
    params_of(t, 1, param);
    return clv_tiled_fits(caps, param);
}

bool clv_tiled_smaller(const struct clv_caps *caps, const int *param, int ret[CLV_CHOICE_PARAMS])
{
    int best = 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++) {
        int other[CLV_CHOICE_PARAMS];
        params_of(&tiles[i], param[CLV_TILED_SLICES], other);
        if (tiles[i].speed <= best || !clv_tiled_fits(caps, other) ||
            2 * clv_tiled_items(other) > clv_tiled_items(param) ||
            clv_tiled_is_direct(other) != clv_tiled_is_direct(param))
            continue;
        best = tiles[i].speed;
        memcpy(ret, other, sizeof other);
    }
    return best > 0;
}

static bool supports(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product)
{
    (void)product;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        if (fits(caps, &tiles[i]))
            return c->groups == 1;
    return false;
}

static bool pools(const struct clv_conv *c, enum clv_product product)
{
    (void)product;
    return c->groups == 1;
}

static int64_t tiles_in(const struct size *s, const struct tile *t)
{
    return clv_div_up(s->m, t->bm) * clv_div_up(s->n, t->bn);
}

static int64_t items_of(const struct size *s, const struct tile *t)
{
    return tiles_in(s, t) * (t->bm / t->tm) * (t->bn / t->tn);
}

static int slices_of(const struct size *s, const struct tile *t)
{
    const int64_t by_items = ITEMS_WANTED / items_of(s, t), by_k = s->k / SLICE_K;
    const int64_t by_size = PART_FLOATS / (s->m * s->n);
    return (int)CLV_MAX(CLV_MIN(CLV_MIN(by_items, by_k), CLV_MIN(by_size, MAX_SLICES)), 1);
}

/* What the tile computes, padding included, over what it may reach; more where it leaves the device
 * partly idle. */
static double cost(const struct size *s, const struct tile *t)
{
    const int64_t items = items_of(s, t) * slices_of(s, t);
    const double busy = CLV_MIN((double)items / ITEMS_WANTED, 1.0);
    return (double)tiles_in(s, t) * t->bm * t->bn / t->speed / busy;
}

static void defaults(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    const struct size s = size_of(c, product, batch);
    const struct tile *best = NULL;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        if (fits(caps, &tiles[i]) && (!best || cost(&s, &tiles[i]) < cost(&s, best)))
            best = &tiles[i];
    if (best)
        params_of(best, slices_of(&s, best), param);
}

/* Beside local memory those without it are worth timing where sub-groups share operands out. */
static bool may_be_direct(const struct clv_caps *caps)
{
    return !(caps->features & CLV_FEAT_LOCAL) || caps->sub_groups;
}

static int candidates(const struct clv_caps *caps, const struct clv_conv *c,
                      enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS], int max)
{
    const struct size s = size_of(c, product, batch);
    int n = 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++) {
        const int slices = slices_of(&s, &tiles[i]);
        const int tried[] = {slices, slices * 4, slices / 4};
        const bool try_it = fits(caps, &tiles[i]) && (tiles[i].bk != CLV_TILED_DIRECT || may_be_direct(caps));
        for (size_t j = 0; j < CLV_COUNT(tried) && n < max && try_it; j++)
            if (tried[j] >= 1 && tried[j] <= CLV_MIN(clv_div_up(s.k, CLV_TILED_STEP), MAX_SLICES))
                params_of(&tiles[i], tried[j], param[n++]);
    }
    return n;
}

const struct clv_schedule clv_schedule_tiled = {
    .name = "tiled",
    .params = {"bm", "bn", "bk", "tm", "tn", "slices"},
    .supports = supports,
    .stores16 = clv_contract_takes_all,
    .pools = pools,
    .defaults = defaults,
    .candidates = candidates,
    .emit = {clv_tiled_forward, clv_tiled_data, clv_tiled_weights},
};
