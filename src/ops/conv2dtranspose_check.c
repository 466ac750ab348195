#include "check/check.h"
#include "ops/conv2dtranspose.h"

enum { SMALL = CLV_CHECK_SMALL, TINY = CLV_CHECK_TINY, PITCH = CLV_CHECK_PITCH, EVAL = CLV_CHECK_EVAL };

/* The products are conv2d's, whose cases are about tiles: these are about where pixels go, and what lies behind. */
static const struct clv_check_case cases[] = {
    {"one", "filters=1 kernel_size=1", {{1, 1, 1}}, .batch = 1, .flags = SMALL},
    {"twice the size", "filters=5 kernel_size=2 strides=2", {{4, 3, 6}}, .batch = 3, .n = 2, .flags = SMALL | TINY},
    {"same", "filters=16 strides=2 padding=same activation=relu", {{4, 5, 7}}, .flags = SMALL},
    {"3x3", "filters=17 padding=same activation=relu", {{6, 7, 16}}},
    {"gaps", "filters=3 kernel_size=2 strides=3 activation=sigmoid", {{3, 2, 4}}, .flags = SMALL},
    {"gaps, same", "filters=4 kernel_size=1 strides=2 padding=same", {{3, 4, 5}}, .flags = SMALL},
    {"explicit", "filters=6 strides=2 padding=1 output_padding=1", {{4, 5, 8}}, .flags = PITCH},
    {"four sides", "filters=33 kernel_size=4x3 strides=2x1 padding=1,0,2,1 activation=tanh", {{5, 4, 16}}, .batch = 1},
    {"dilation", "filters=8 dilation_rate=2 strides=2 padding=1", {{4, 4, 3}}},
    {"groups", "filters=6 groups=3 strides=2 padding=1", {{4, 3, 9}}, .flags = SMALL},
    {"no bias", "filters=20 use_bias=false kernel_size=2 strides=2", {{5, 4, 33}}},
    {"no bias, act", "filters=8 use_bias=false kernel_size=2 strides=2 activation=relu6", {{3, 4, 4}}, .flags = PITCH},
    {"silu", "filters=8 kernel_size=2 strides=2 activation=silu", {{3, 3, 4}}},
    {"inference", "filters=12 kernel_size=2 strides=2 activation=gelu", {{3, 4, 5}}, .flags = EVAL | SMALL},
    {"bench 64", "filters=64 kernel_size=2 strides=2", {{56, 56, 128}}, .batch = 16, .flags = CLV_CHECK_BENCH},
    {"bench 3x3",
     "filters=64 strides=2 padding=same activation=relu",
     {{28, 28, 128}},
     .batch = 16,
     .flags = CLV_CHECK_BENCH},
};

/* Adds what one input pixel gives through one place of the kernel. */
static void spread(const struct clv_conv *c, const double *x, const double *w, double *y)
{
    const int in = c->co / c->groups, out = c->ci / c->groups;
    for (int g = 0; g < c->groups; g++)
        for (int f = 0; f < out; f++)
            for (int i = 0; i < in; i++)
                y[g * out + f] += x[g * in + i] * w[(int64_t)f * c->co + g * in + i];
}

static void spread_pixel(const struct clv_check_ref *r, const struct clv_conv *c, int n, int i, int j)
{
    const double *x = r->in[0] + (((int64_t)n * c->oh + i) * c->ow + j) * c->co;
    for (int h = 0; h < c->kh; h++)
        for (int w = 0; w < c->kw; w++) {
            const int row = i * c->sh - c->pt + h * c->dh, column = j * c->sw - c->pl + w * c->dw;
            if (row >= 0 && row < c->ih && column >= 0 && column < c->iw)
                spread(c, x, r->weight[0] + (int64_t)(h * c->kw + w) * (c->ci / c->groups) * c->co,
                       r->out + (((int64_t)n * c->ih + row) * c->iw + column) * c->ci);
        }
}

static void reference(const struct clv_check_ref *r)
{
    struct clv_conv c;
    if (!clv_conv2dtranspose_geometry(r->node->params, r->node->in[0]->shape, &c))
        return;
    const int64_t count = r->n * clv_shape_count(r->node->shape);
    for (int64_t i = 0; i < count; i++)
        r->out[i] = r->node->n_weights > 1 ? r->weight[1][i % c.ci] : 0;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < c.oh; i++)
            for (int j = 0; j < c.ow; j++)
                spread_pixel(r, &c, n, i, j);
}

const struct clv_check clv_check_conv2dtranspose = {.op = "conv2dtranspose",
                                                    CLV_CHECK_CASES(cases),
                                                    .reference = reference,
                                                    .atol = 3e-6,
                                                    .rtol = 1e-5,
                                                    .loose = "winograd", /* docs/winograd.md */
                                                    .loose_atol = 1e-5,
                                                    .loose_grad_atol = 5e-5};
