#include "check/check.h"
#include "ops/upsampling2d.h"

#include "base/util.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"nearest", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"nearest, pitch", "3x1", {{2, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"bilinear", "interpolation=bilinear", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"bilinear, odd, pitch",
     "3x4 interpolation=bilinear",
     {{4, 3, 16}},
     .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"bilinear, one pixel", "2 interpolation=bilinear", {{1, 1, 16}}},
    {"bench", "interpolation=bilinear", {{56, 56, 64}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

struct between {
    int first, second;
    double share; /* of the second */
};

static struct between place(int o, int factor, int in, bool bilinear)
{
    if (!bilinear)
        return (struct between){o / factor, o / factor, 0};
    const double at = fmin(fmax((o + .5) / factor - .5, 0), in - 1);
    return (struct between){(int)at, CLV_MIN((int)at + 1, in - 1), at - floor(at)};
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_upsampling2d_params *q = r->node->params;
    const struct clv_shape in = r->node->in[0]->shape, out = r->node->shape;
    const bool bilinear = q->interpolation == CLV_INTERPOLATE_BILINEAR;
    double *to = r->out;
    for (int s = 0; s < r->n; s++)
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++)
                for (int c = 0; c < out.c; c++) {
                    const struct between v = place(y, q->size[0], in.h, bilinear),
                                         h = place(x, q->size[1], in.w, bilinear);
                    const double *from = r->in[0] + (int64_t)s * in.h * in.w * in.c + c;
#define AT(row, column) from[((row)*in.w + (column)) * in.c]
                    const double up = AT(v.first, h.first) * (1 - h.share) + AT(v.first, h.second) * h.share;
                    const double low = AT(v.second, h.first) * (1 - h.share) + AT(v.second, h.second) * h.share;
                    *to++ = up * (1 - v.share) + low * v.share;
                }
}

const struct clv_check clv_check_upsampling2d = {
    .op = "upsampling2d", CLV_CHECK_CASES(cases), .reference = reference};
