#include "check/check.h"

enum {
    SMALL = CLV_CHECK_SMALL,
    TINY = CLV_CHECK_TINY,
    PITCH = CLV_CHECK_PITCH,
    BENCH = CLV_CHECK_BENCH,
    EVAL = CLV_CHECK_EVAL,
};

/* Sizes around the register tiles, the slices of the forward sum (512) and the GPU tiles. */
static const struct clv_check_case cases[] = {
    {"one", "units=1", {{1, 1, 1}}, .batch = 1, .flags = SMALL},
    {"two classes", "units=2", {{1, 1, 37}}, .batch = 3, .n = 2, .flags = SMALL | TINY},
    {"flattened", "units=10 activation=relu", {{3, 2, 5}}, .batch = 5, .flags = SMALL},
    {"tile", "units=48 activation=relu", {{1, 1, 16}}, .batch = 8, .flags = SMALL},
    {"tile + 1", "units=49 activation=sigmoid", {{1, 1, 17}}, .batch = 9, .flags = SMALL},
    {"tile - 1", "units=47 activation=tanh", {{1, 1, 15}}, .batch = 7, .n = 3, .flags = SMALL},
    {"64", "units=64 activation=relu", {{1, 1, 64}}, .batch = 32},
    {"65", "units=65", {{1, 1, 65}}, .batch = 33, .n = 31},
    {"slices", "units=33 activation=relu", {{4, 4, 81}}, .batch = 6, .n = 5},
    {"many samples", "units=19 activation=relu", {{1, 1, 23}}, .batch = 131},
    {"many", "units=96 activation=relu", {{1, 1, 96}}, .batch = 96},
    {"many, edges", "units=101 activation=tanh", {{1, 1, 131}}, .batch = 203, .n = 199},
    {"127", "units=127 activation=relu", {{1, 1, 127}}, .batch = 127},
    {"128", "units=128", {{1, 1, 128}}, .batch = 128},
    {"129", "units=129 activation=relu", {{1, 1, 129}}, .batch = 131, .n = 129},
    {"many, pieces", "units=301", {{1, 1, 259}}, .batch = 261, .n = 100},
    {"many, long", "units=97 use_bias=false activation=relu", {{3, 3, 125}}, .batch = 99},
    {"many, pitch", "units=111", {{1, 1, 117}}, .batch = 130, .flags = PITCH},
    {"no bias", "units=7 use_bias=false activation=relu", {{1, 1, 11}}, .flags = SMALL},
    {"pitch", "units=6 activation=relu", {{2, 3, 5}}, .flags = SMALL | PITCH},
    {"pitch of one pixel", "units=17", {{1, 1, 21}}, .batch = 3, .flags = SMALL | PITCH},
    {"tutorial 1", "units=1024 activation=relu", {{1, 1, 18432}}, .batch = 32, .flags = BENCH},
    {"tutorial 2", "units=2", {{1, 1, 1024}}, .batch = 32, .flags = BENCH},
    {"tutorial 1, one image",
     "units=1024 activation=relu",
     {{1, 1, 18432}},
     .batch = 1,
     .flags = BENCH | EVAL},
    {"tutorial 2, one image", "units=2", {{1, 1, 1024}}, .batch = 1, .flags = BENCH | EVAL},
    {"gemm 512", "units=512 use_bias=false", {{1, 1, 512}}, .batch = 512, .flags = BENCH},
    {"gemm 1024", "units=1024 use_bias=false", {{1, 1, 1024}}, .batch = 1024, .flags = BENCH},
    {"gemm 2048", "units=2048 use_bias=false", {{1, 1, 2048}}, .batch = 2048, .flags = BENCH},
    {"gemm 4096", "units=4096 use_bias=false", {{1, 1, 4096}}, .batch = 4096, .flags = BENCH},
};

static void reference(const struct clv_check_ref *r)
{
    const int64_t in = clv_shape_count(r->node->in[0]->shape);
    const int units = r->node->shape.c;
    for (int n = 0; n < r->n; n++) {
        double *const out = r->out + (int64_t)n * units;
        for (int u = 0; u < units; u++)
            out[u] = r->node->n_weights > 1 ? r->weight[1][u] : 0;
        for (int64_t i = 0; i < in; i++) {
            const double x = r->in[0][n * in + i], *w = r->weight[0] + i * units;
            for (int u = 0; u < units; u++) /* innermost: it runs along memory */
                out[u] += x * w[u];
        }
    }
}

const struct clv_check clv_check_dense = {
    .op = "dense", CLV_CHECK_CASES(cases), .reference = reference, .atol = 3e-6, .rtol = 1e-5};
