#include "check/check.h"

#include "ops/pool.h"

static const struct clv_check_case cases[] = {
    {"one",
     "pool_size=1",
     {{1, 1, 1}},
     .batch = 1,
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
    {"two",
     "pool_size=2",
     {{6, 8, 16}},
     .batch = 3,
     .n = 2,
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
    /* The last row and column belong to no window: their gradient is 0, not what was there. */
    {"odd",
     "pool_size=2",
     {{7, 5, 3}},
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"overlap",
     "pool_size=3 strides=2",
     {{9, 11, 8}},
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"gaps", "pool_size=2 strides=3", {{10, 9, 4}}, .fill = CLV_CHECK_DISTINCT},
    {"same",
     "pool_size=3 strides=2 padding=same",
     {{8, 7, 5}},
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
    {"same dense", "pool_size=3 strides=1 padding=same", {{6, 6, 32}}, .fill = CLV_CHECK_DISTINCT},
    {"oblong", "pool_size=3x2 strides=1x2 padding=same", {{7, 9, 2}}, .fill = CLV_CHECK_DISTINCT},
    {"padding", "pool_size=3 strides=2 padding=1", {{7, 8, 5}}, .fill = CLV_CHECK_DISTINCT, .flags = CLV_CHECK_SMALL},
    {"four sides", "pool_size=3 strides=2 padding=0,2,1,0", {{6, 5, 16}}, .fill = CLV_CHECK_DISTINCT},
    /* What is asked for on the far side may reach no window: the windows are disjoint all the same. */
    {"padding in vain", "pool_size=2 padding=0,0,1,1", {{6, 4, 4}}, .fill = CLV_CHECK_DISTINCT},
    {"large window", "pool_size=17", {{34, 17, 2}}, .fill = CLV_CHECK_DISTINCT},
    /* The first of equal values wins: a kernel that takes the last one sends gradients elsewhere.
     */
    {"ties", "pool_size=2", {{8, 8, 16}}, .fill = CLV_CHECK_TIES, .flags = CLV_CHECK_SMALL},
    {"evaluation", "pool_size=2", {{6, 6, 16}}, .flags = CLV_CHECK_EVAL},
    {"bench", "pool_size=2", {{222, 222, 32}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

/* Greatest value of the window of output (s, oy, ox, ch). */
static double greatest(const struct clv_pool *p, const double *x, int oy, int ox, int ch)
{
    bool found = false;
    double best = 0;
    for (int ky = 0; ky < p->size[0]; ky++)
        for (int kx = 0; kx < p->size[1]; kx++) {
            const int y = oy * p->stride[0] - p->pad[0] + ky,
                      z = ox * p->stride[1] - p->pad[1] + kx;
            if (y < 0 || y >= p->in.h || z < 0 || z >= p->in.w)
                continue;
            const double v = x[((int64_t)y * p->in.w + z) * p->in.c + ch];
            if (!found || v > best)
                best = v;
            found = true;
        }
    return best;
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_pool p = clv_pool_of(r->node);
    double *out = r->out;
    for (int s = 0; s < r->n; s++)
        for (int oy = 0; oy < p.out.h; oy++)
            for (int ox = 0; ox < p.out.w; ox++)
                for (int ch = 0; ch < p.out.c; ch++)
                    *out++ = greatest(&p, r->in[0] + s * clv_shape_count(p.in), oy, ox, ch);
}

/* Unpadded windows without overlap, as in the case "ties": the first greatest value gets it all. */
static void gradient(const struct clv_check_ref *r, const double *dy, double *dx)
{
    const struct clv_pool p = clv_pool_of(r->node);
    const int64_t outputs = r->n * clv_shape_count(p.out);
    for (int64_t o = 0; o < outputs; o++) {
        const int ch = (int)(o % p.out.c), ox = (int)(o / p.out.c % p.out.w);
        const int64_t row = o / p.out.c / p.out.w, s = row / p.out.h;
        int64_t best = -1;
        for (int k = 0; k < p.size[0] * p.size[1]; k++) {
            const int64_t y = row % p.out.h * p.stride[0] + k / p.size[1];
            const int64_t x = ox * p.stride[1] + k % p.size[1];
            const int64_t at = ((s * p.in.h + y) * p.in.w + x) * p.in.c + ch;
            if (best < 0 || r->in[0][at] > r->in[0][best])
                best = at;
        }
        dx[best] += dy[o];
    }
}

const struct clv_check clv_check_maxpool2d = {
    .op = "maxpool2d", CLV_CHECK_CASES(cases), .reference = reference, .gradient = gradient};
