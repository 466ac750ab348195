#include "check/check.h"

#include "ops/pool.h"

static const struct clv_check_case cases[] = {
    {"one", "pool_size=1", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"two", "pool_size=2", {{6, 8, 16}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    /* The last row and column belong to no window: their gradient is 0, not what was there. */
    {"odd", "pool_size=2", {{7, 5, 3}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"overlap", "pool_size=3 strides=2", {{9, 11, 8}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"gaps", "pool_size=2 strides=3", {{10, 9, 4}}},
    {"same", "pool_size=3 strides=2 padding=same", {{8, 7, 5}}, .flags = CLV_CHECK_SMALL},
    {"same dense", "pool_size=3 strides=1 padding=same", {{6, 6, 32}}},
    {"oblong", "pool_size=3x2 strides=1x2 padding=same", {{7, 9, 2}}},
    {"padding", "pool_size=3 strides=2 padding=1", {{7, 8, 5}}, .flags = CLV_CHECK_SMALL},
    {"four sides", "pool_size=3 strides=2 padding=0,2,1,0", {{6, 5, 16}}},
    /* What is asked for on the far side may reach no window: the windows are disjoint all the same. */
    {"padding in vain", "pool_size=2 padding=0,0,1,1", {{6, 4, 4}}},
    {"padding counted", "pool_size=3 strides=2 padding=1 count_padding=true", {{7, 8, 5}}, .flags = CLV_CHECK_SMALL},
    {"same counted", "pool_size=2 strides=1 padding=same count_padding=true", {{4, 5, 16}}},
    {"large window", "pool_size=17", {{34, 17, 2}}},
    {"bench", "pool_size=2", {{222, 222, 32}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

/* Mean of the window of output (oy, ox, ch), of what lies inside the image. */
static double mean(const struct clv_pool *p, const double *x, int oy, int ox, int ch)
{
    int count = 0;
    double sum = 0;
    for (int ky = 0; ky < p->size[0]; ky++)
        for (int kx = 0; kx < p->size[1]; kx++) {
            const int y = oy * p->stride[0] - p->pad[0] + ky,
                      z = ox * p->stride[1] - p->pad[1] + kx;
            if (y < 0 || y >= p->in.h || z < 0 || z >= p->in.w)
                continue;
            sum += x[((int64_t)y * p->in.w + z) * p->in.c + ch];
            count++;
        }
    return sum / (p->counted ? p->size[0] * p->size[1] : count);
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_pool p = clv_pool_of(r->node);
    double *out = r->out;
    for (int s = 0; s < r->n; s++)
        for (int oy = 0; oy < p.out.h; oy++)
            for (int ox = 0; ox < p.out.w; ox++)
                for (int ch = 0; ch < p.out.c; ch++)
                    *out++ = mean(&p, r->in[0] + s * clv_shape_count(p.in), oy, ox, ch);
}

const struct clv_check clv_check_avgpool2d = {
    .op = "avgpool2d", CLV_CHECK_CASES(cases), .reference = reference};
