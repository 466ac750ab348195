/* Tiles of the tiled schedule: whatever a device has in local memory and work-items, one fits, and none that is
 * offered asks for more. */
#include "contract/selection.h"
#include "contract/tiled.h"

#include <criterion/criterion.h>

static const struct clv_conv convs[] = {
    {.ih = 224, .iw = 224, .ci = 3, .oh = 222, .ow = 222, .co = 32, .kh = 3, .kw = 3, .sh = 1, .sw = 1, .dh = 1,
     .dw = 1, .groups = 1},
    {.ih = 54, .iw = 54, .ci = 64, .oh = 27, .ow = 27, .co = 128, .kh = 3, .kw = 3, .sh = 2, .sw = 2, .dh = 1,
     .dw = 1, .pt = 1, .pl = 1, .groups = 1},
    {.ih = 1, .iw = 1, .ci = 18432, .oh = 1, .ow = 1, .co = 1024, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1,
     .dw = 1, .groups = 1},
    {.ih = 1, .iw = 1, .ci = 1, .oh = 1, .ow = 1, .co = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1,
     .groups = 1},
};

/* As the kernels declare it: both operands' parts of a step, twice, four floats past each row. */
static size_t local_bytes(const int *p)
{
    const int rows = p[CLV_TILED_BM] + 4 + p[CLV_TILED_BN] + 4;
    return p[CLV_TILED_BK] == CLV_TILED_DIRECT ? 0 : (size_t)(2 * p[CLV_TILED_BK] * rows) * sizeof(float);
}

static void expect_fits(const struct clv_caps *caps, const int *p)
{
    const int items = p[CLV_TILED_BM] / p[CLV_TILED_TM] * (p[CLV_TILED_BN] / p[CLV_TILED_TN]);
    const bool local = caps->features & CLV_FEAT_LOCAL;
    cr_expect_leq((size_t)items, caps->max_work_group, "%d items, limit %zu", items, caps->max_work_group);
    cr_expect_leq(local_bytes(p), local ? caps->local_bytes : 0, "%zu bytes of local memory", local_bytes(p));
    cr_expect_gt(items, 0);
    cr_expect_geq(p[CLV_TILED_SLICES], 1);
    const int lanes = clv_tiled_lanes(caps, p);
    cr_expect(lanes == 1 || caps->sub_groups & (unsigned)lanes, "%d lanes", lanes);
    cr_expect_eq(p[CLV_TILED_BN] / p[CLV_TILED_TN] % lanes, 0, "%d lanes", lanes);
    /* The loaders of tiles in local memory let an item have one row, or one place in K. */
    if (local_bytes(p))
        cr_expect(items >= p[CLV_TILED_BM] && items >= p[CLV_TILED_BN] && items >= p[CLV_TILED_BK]);
}

static void expect_tiles(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    const struct clv_schedule *s = &clv_schedule_tiled;
    int param[CLV_SCHEDULE_CANDIDATES][CLV_CHOICE_PARAMS], first[CLV_CHOICE_PARAMS] = {0};
    int smaller[CLV_CHOICE_PARAMS];
    cr_assert(s->supports(caps, c, product), "%zu items, %llu bytes", caps->max_work_group,
              (unsigned long long)caps->local_bytes);
    s->defaults(caps, c, product, 32, first);
    expect_fits(caps, first);
    const int n = s->candidates(caps, c, product, 32, param, CLV_SCHEDULE_CANDIDATES);
    cr_expect_geq(n, 1);
    cr_expect_lt(n, CLV_SCHEDULE_CANDIDATES, "some are never offered");
    for (int i = 0; i < n; i++) {
        expect_fits(caps, param[i]);
        if (clv_tiled_smaller(caps, param[i], smaller))
            expect_fits(caps, smaller);
    }
}

Test(tiles, one_fits_every_device_and_none_asks_for_more)
{
    static const size_t groups[] = {32, 64, 100, 128, 224, 256, 512, 1024};
    static const uint64_t locals[] = {0, 1 << 10, 16 << 10, 32 << 10, 48 << 10, 64 << 10};
    for (size_t g = 0; g < CLV_COUNT(groups); g++)
        for (size_t l = 0; l < 2 * CLV_COUNT(locals); l++) {
            const struct clv_caps caps = {.features = l % 2 ? CLV_FEAT_LOCAL : 0,
                                          .gpu_path = true,
                                          .max_work_group = groups[g],
                                          .sub_groups = l % 4 ? 8 + 16 + 32 : 0,
                                          .local_bytes = locals[l / 2]};
            for (size_t i = 0; i < CLV_COUNT(convs); i++)
                for (int product = 0; product < CLV_PRODUCTS; product++)
                    expect_tiles(&caps, &convs[i], (enum clv_product)product);
        }
}

/* Where there is much to do, what a device has is used. */
Test(tiles, large_products_take_the_largest_tile_that_fits)
{
    static const struct {
        size_t items;
        uint64_t local;
        int bm, bn, bk;
    } rows[] = {
        {256, 64 << 10, 128, 128, 16}, {1024, 48 << 10, 128, 128, 16}, {256, 32 << 10, 128, 128, 8},
        {224, 32 << 10, 128, 64, 8},   {128, 16 << 10, 128, 64, 8},    {64, 16 << 10, 64, 64, 8},
        {256, 0, 64, 64, 4},           {100, 0, 64, 32, 4},            {32, 0, 32, 32, 4},
    };
    for (size_t i = 0; i < CLV_COUNT(rows); i++) {
        const struct clv_caps caps = {.features = rows[i].local ? CLV_FEAT_LOCAL : 0,
                                      .gpu_path = true,
                                      .max_work_group = rows[i].items,
                                      .local_bytes = rows[i].local};
        int p[CLV_CHOICE_PARAMS] = {0};
        clv_schedule_tiled.defaults(&caps, &convs[1], CLV_PRODUCT_FORWARD, 1024, p);
        cr_expect(p[CLV_TILED_BM] == rows[i].bm && p[CLV_TILED_BN] == rows[i].bn && p[CLV_TILED_BK] == rows[i].bk,
                  "%zu items, %llu bytes: %dx%dx%d", rows[i].items, (unsigned long long)rows[i].local,
                  p[CLV_TILED_BM], p[CLV_TILED_BN], p[CLV_TILED_BK]);
    }
}
