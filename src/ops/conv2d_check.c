#include "check/check.h"
#include "ops/conv2d.h"

enum {
    SMALL = CLV_CHECK_SMALL,
    TINY = CLV_CHECK_TINY,
    PITCH = CLV_CHECK_PITCH,
    EVAL = CLV_CHECK_EVAL,
    BENCH = CLV_CHECK_BENCH
};
#define POOL "maxpool2d"

/* Sizes lie around the edges of the register tiles (4 to 16 pixels, 16 to 64 channels), of the
 * strips and of the GPU tiles (32, 64). Cases with n below batch have NaN in the samples past n. */
static const struct clv_check_case cases[] = {
    {"one", "filters=1 kernel_size=1", {{1, 1, 1}}, .batch = 1, .flags = SMALL},
    {"image is kernel", "filters=5", {{3, 3, 2}}, .n = 1, .flags = SMALL | TINY},
    {"first layer", "filters=32 activation=relu", {{9, 10, 3}}},
    {"one channel",
     "filters=6 kernel_size=5 activation=tanh",
     {{9, 8, 1}},
     .batch = 3,
     .flags = SMALL},
    {"channels 5 to 17",
     "filters=17 activation=sigmoid",
     {{5, 7, 5}},
     .batch = 3,
     .n = 2,
     .flags = SMALL},
    {"channels 16 to 16", "filters=16 padding=same activation=relu", {{6, 15, 16}}},
    {"channels 17 to 31", "filters=31 padding=same", {{4, 13, 17}}},
    {"channels 31 to 33", "filters=33 activation=relu", {{5, 9, 31}}, .batch = 3, .n = 2},
    {"channels 33 to 48", "filters=48 padding=same activation=relu", {{5, 9, 33}}},
    {"channels 48 to 64", "filters=64 activation=relu", {{8, 8, 48}}, .batch = 1},
    {"channels 32 to 65", "filters=65", {{5, 8, 32}}, .batch = 1},
    {"pieces", "filters=64 padding=same activation=relu", {{5, 29, 67}}, .batch = 2, .n = 1},
    {"wide", "filters=8 kernel_size=1x3", {{2, 300, 4}}, .batch = 1},
    {"tall", "filters=8 kernel_size=5x1 padding=same", {{67, 2, 4}}, .batch = 1},
    {"short batch", "filters=32 activation=relu", {{7, 8, 16}}, .batch = 32, .n = 3},
    {"same 2x2", "filters=4 kernel_size=2 padding=same", {{5, 6, 3}}},
    {"same 4x3 stride 2",
     "filters=7 kernel_size=4x3 strides=2 padding=same",
     {{9, 8, 3}},
     .flags = SMALL},
    {"explicit", "filters=9 padding=2,1 activation=relu", {{4, 6, 3}}},
    {"explicit, wider than the kernel", "filters=3 kernel_size=2 padding=3", {{3, 4, 2}}},
    {"four sides", "filters=5 padding=0,1,2,0", {{5, 4, 3}}, .flags = SMALL | TINY},
    {"stride 2", "filters=16 strides=2 activation=relu", {{9, 10, 8}}},
    {"stride 2 same", "filters=33 strides=2 padding=same activation=relu", {{8, 11, 16}}},
    {"stride 3x1", "filters=6 kernel_size=2x3 strides=3x1", {{11, 7, 5}}},
    {"stride past the kernel", "filters=5 kernel_size=1 strides=3x2", {{8, 9, 6}}},
    {"dilation 2", "filters=16 dilation_rate=2 activation=relu", {{8, 9, 5}}, .flags = SMALL},
    {"dilation 2x3 same", "filters=12 dilation_rate=2x3 padding=same", {{7, 10, 4}}},
    {"stride and dilation", "filters=9 strides=2 dilation_rate=1x2 padding=1", {{9, 12, 3}}},
    {"groups 2", "filters=6 groups=2 padding=same activation=relu", {{5, 6, 4}}, .flags = SMALL},
    {"groups 3, stride", "filters=9 groups=3 strides=2", {{7, 7, 6}}},
    {"depthwise", "filters=5 groups=5 padding=same", {{6, 7, 5}}},
    {"depthwise, two each", "filters=10 groups=5 dilation_rate=2 padding=same", {{6, 7, 5}}},
    {"no bias", "filters=17 use_bias=false activation=relu", {{6, 6, 7}}},
    {"1x1", "filters=31 kernel_size=1 activation=relu", {{5, 7, 33}}, .n = 1},
    {"pitch", "filters=20 padding=same activation=relu", {{5, 6, 7}}, .flags = PITCH},
    {"pitch, stride",
     "filters=5 strides=2 activation=sigmoid",
     {{7, 8, 3}},
     .flags = SMALL | PITCH},
    /* Winograd's tiles are 4 x 4 or 2 x 2 outputs: one less, one more, a row, channels around
       vectors. */
    {"3x3, 1 row", "filters=16 padding=1", {{1, 13, 16}}, .batch = 1},
    {"3x3, 1 column", "filters=17 padding=same activation=relu", {{12, 1, 17}}, .batch = 1},
    {"3x3, 3 to 1", "filters=33", {{3, 3, 16}}, .batch = 3, .n = 2},
    {"3x3, 4 and 5", "filters=16 padding=same activation=relu", {{4, 5, 3}}},
    {"3x3, 6 and 7", "filters=64 activation=relu", {{6, 7, 33}}, .batch = 1},
    {"3x3, 8 and 11, many", "filters=48 padding=same", {{8, 11, 64}}, .batch = 9, .n = 7},
    {"3x3, wide padding", "filters=18 padding=3 activation=tanh", {{5, 4, 18}}},
    {"3x3, four sides", "filters=32 padding=0,2,1,0", {{9, 6, 20}}},
    /* With a 2 x 2 max-pool behind it, which schedules take over. */
    {"pool 6 to 2",
     "filters=16 activation=relu",
     {{6, 6, 3}},
     .fill = CLV_CHECK_DISTINCT,
     .after = POOL,
     .flags = SMALL | TINY},
    {"pool 7 to 2", "filters=17", {{7, 7, 16}}, .batch = 3, .n = 2, .after = POOL},
    {"pool 9x8 same", "filters=33 padding=same activation=relu", {{9, 8, 17}}, .after = POOL},
    {"pool 13x11", "filters=64 activation=relu", {{13, 11, 33}}, .after = POOL},
    {"pool 12x13 same",
     "filters=40 padding=same activation=relu",
     {{12, 13, 32}},
     .batch = 5,
     .n = 3,
     .after = POOL},
    {"pool, sigmoid", "filters=16 activation=sigmoid", {{8, 9, 16}}, .after = POOL},
    {"pool, tanh, same", "filters=19 padding=same activation=tanh", {{5, 10, 5}}, .after = POOL},
    {"pool, four sides",
     "filters=20 padding=1,0,0,2 activation=relu",
     {{9, 10, 16}},
     .after = POOL},
    {"pool, one row left", "filters=8 padding=0,1,0,1", {{4, 9, 4}}, .batch = 1, .after = POOL},
    {"pool, pitch", "filters=20 activation=relu", {{10, 11, 16}}, .after = POOL, .flags = PITCH},
    {"pool, no gradient mask",
     "filters=33 activation=relu",
     {{10, 11, 16}},
     .after = POOL,
     .flags = EVAL},
    {"pool, strips",
     "filters=32 activation=relu",
     {{10, 16, 3}},
     .batch = 3,
     .n = 2,
     .after = POOL},
    {"pool, linear", "filters=16 padding=same", {{7, 6, 5}}, .after = POOL, .flags = SMALL | TINY},
    {"pool, few channels", "filters=5 activation=relu", {{8, 7, 2}}, .after = POOL, .flags = SMALL},
    {"pool, 1x1", "filters=48 kernel_size=1 activation=relu", {{6, 7, 17}}, .after = POOL},
    {"pool, stride",
     "filters=32 strides=2 padding=same activation=relu",
     {{9, 14, 8}},
     .after = POOL},
    {"pool, dilation",
     "filters=8 dilation_rate=2 padding=1 activation=relu",
     {{9, 8, 3}},
     .after = POOL},
    {"pool, pieces", "filters=32 padding=same activation=relu", {{5, 29, 67}}, .after = POOL},
    {"pool, wide", "filters=8 kernel_size=2x3", {{3, 300, 4}}, .batch = 1, .after = POOL},
    {"pool, tall", "filters=16 activation=relu", {{70, 5, 8}}, .batch = 1, .after = POOL},
    {"elu", "filters=20 activation=elu", {{6, 5, 3}}},
    {"silu", "filters=20 activation=silu", {{6, 5, 3}}, .batch = 1},
    {"silu, inference, pool", "filters=20 activation=silu", {{6, 7, 3}}, .after = "maxpool2d 2", .flags = EVAL},
    {"tutorial 1", "filters=32 activation=relu", {{224, 224, 3}}, .batch = 32, .flags = BENCH},
    {"tutorial 2", "filters=64 activation=relu", {{111, 111, 32}}, .batch = 32, .flags = BENCH},
    {"tutorial 3", "filters=128 activation=relu", {{54, 54, 64}}, .batch = 32, .flags = BENCH},
    {"tutorial 4", "filters=128 activation=relu", {{26, 26, 128}}, .batch = 32, .flags = BENCH},
    {"tutorial pool 1",
     "filters=32 activation=relu",
     {{224, 224, 3}},
     .batch = 32,
     .after = POOL,
     .flags = BENCH},
    {"tutorial pool 2",
     "filters=64 activation=relu",
     {{111, 111, 32}},
     .batch = 32,
     .after = POOL,
     .flags = BENCH},
    {"tutorial pool 3",
     "filters=128 activation=relu",
     {{54, 54, 64}},
     .batch = 32,
     .after = POOL,
     .flags = BENCH},
    {"tutorial pool 4",
     "filters=128 activation=relu",
     {{26, 26, 128}},
     .batch = 32,
     .after = POOL,
     .flags = BENCH},
    {"tutorial 1, one image",
     "filters=32 activation=relu",
     {{224, 224, 3}},
     .batch = 1,
     .flags = BENCH | EVAL},
    {"tutorial 2, one image",
     "filters=64 activation=relu",
     {{111, 111, 32}},
     .batch = 1,
     .flags = BENCH | EVAL},
    {"tutorial 3, one image",
     "filters=128 activation=relu",
     {{54, 54, 64}},
     .batch = 1,
     .flags = BENCH | EVAL},
    {"tutorial 4, one image",
     "filters=128 activation=relu",
     {{26, 26, 128}},
     .batch = 1,
     .flags = BENCH | EVAL},
    {"tutorial 1, pooled, one image",
     "filters=32 activation=relu",
     {{224, 224, 3}},
     .batch = 1,
     .after = "maxpool2d 2",
     .flags = BENCH | EVAL},
    {"tutorial 2, pooled, one image",
     "filters=64 activation=relu",
     {{111, 111, 32}},
     .batch = 1,
     .after = "maxpool2d 2",
     .flags = BENCH | EVAL},
    {"tutorial 3, pooled, one image",
     "filters=128 activation=relu",
     {{54, 54, 64}},
     .batch = 1,
     .after = "maxpool2d 2",
     .flags = BENCH | EVAL},
    {"tutorial 4, pooled, one image",
     "filters=128 activation=relu",
     {{26, 26, 128}},
     .batch = 1,
     .after = "maxpool2d 2",
     .flags = BENCH | EVAL},
};

/* Adds what one input pixel and one place of the kernel give to all channels of an output pixel. */
static void add_tap(const struct clv_conv *c, const double *p, const double *k, double *out)
{
    const int cig = c->ci / c->groups, cog = c->co / c->groups;
    for (int g = 0; g < c->groups; g++)
        for (int i = 0; i < cig; i++) {
            const double x = p[g * cig + i], *w = k + (int64_t)i * c->co + g * cog;
            double *y = out + g * cog;
            for (int f = 0; f < cog; f++) /* innermost: it runs along memory */
                y[f] += x * w[f];
        }
}

/* One output pixel: sample n, (y, x). */
static void convolve(const struct clv_check_ref *r, const struct clv_conv *c, int n, int y, int x, double *out)
{
    for (int f = 0; f < c->co; f++)
        out[f] = r->node->n_weights > 1 ? r->weight[1][f] : 0;
    for (int h = 0; h < c->kh; h++) {
        const int row = y * c->sh - c->pt + h * c->dh;
        for (int w = 0; w < c->kw; w++) {
            const int col = x * c->sw - c->pl + w * c->dw;
            if (row >= 0 && row < c->ih && col >= 0 && col < c->iw)
                add_tap(c, r->in[0] + (((int64_t)n * c->ih + row) * c->iw + col) * c->ci,
                        r->weight[0] + (int64_t)(h * c->kw + w) * (c->ci / c->groups) * c->co, out);
        }
    }
}

static void reference(const struct clv_check_ref *r)
{
    struct clv_conv c;
    if (!clv_conv2d_geometry(r->node->params, r->node->in[0]->shape, &c))
        return;
    double *out = r->out;
    for (int n = 0; n < r->n; n++)
        for (int y = 0; y < c.oh; y++)
            for (int x = 0; x < c.ow; x++, out += c.co)
                convolve(r, &c, n, y, x, out);
}

const struct clv_check clv_check_conv2d = {.op = "conv2d",
                                           CLV_CHECK_CASES(cases),
                                           .reference = reference,
                                           .atol = 3e-6,
                                           .rtol = 1e-5,
                                           .loose = "winograd", /* docs/winograd.md */
                                           .loose_atol = 1e-5,
                                           .loose_grad_atol = 5e-5};
