#include "check/check.h"
#include "ops/batchnorm.h"

#include <math.h>

/* Slices are at least 256 pixels of 64 channels on CPUs, 64 pixels elsewhere; groups of pixels are 8. */
static const struct clv_check_case cases[] = {
    {"one", "epsilon=0.01", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"pixel", "", {{1, 1, 5}}, .batch = 7, .n = 6, .flags = CLV_CHECK_SMALL},
    {"sample", "momentum=0.25 epsilon=0.001", {{3, 3, 4}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL | CLV_CHECK_TINY},
    {"pitch", "activation=relu", {{5, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"far from 0", "", {{9, 7, 6}}, .batch = 3, .fill = CLV_CHECK_LARGE, .flags = CLV_CHECK_SMALL},
    {"slices", "activation=relu", {{17, 16, 64}}, .batch = 3, .n = 2},
    {"blocks", "activation=tanh", {{3, 4, 192}}, .batch = 3},
    {"silu", "activation=silu", {{5, 4, 12}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"frozen", "frozen=true activation=relu", {{6, 5, 8}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"running", "activation=relu", {{6, 5, 24}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"folded", "activation=relu", {{8, 9, 5}}, .before = "conv2d filters=12 kernel_size=3",
     .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"folded, no bias", "", {{8, 9, 16}}, .before = "conv2d filters=32 padding=same use_bias=false",
     .after = "maxpool2d", .flags = CLV_CHECK_EVAL},
    {"folded into dense", "", {{1, 1, 21}}, .batch = 3, .n = 2, .before = "dense units=10",
     .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"behind a convolution", "activation=relu", {{6, 7, 3}}, .before = "conv2d filters=8 use_bias=false"},
    {"resnet18-28, first stage", "activation=relu", {{28, 28, 64}}, .batch = 128, .flags = CLV_CHECK_BENCH},
    {"resnet18-28, last stage", "activation=relu", {{4, 4, 512}}, .batch = 128, .flags = CLV_CHECK_BENCH},
};

static void moments(const struct clv_check_ref *r, int64_t pixels, int c, int ch, double *mean, double *variance)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < pixels; i++)
        sum += r->in[0][i * c + ch];
    *mean = sum / (double)pixels;
    for (int64_t i = 0; i < pixels; i++)
        square += (r->in[0][i * c + ch] - *mean) * (r->in[0][i * c + ch] - *mean);
    *variance = square / (double)pixels;
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_batchnorm_params *p = r->node->params;
    const struct clv_shape s = r->node->shape;
    const int64_t pixels = (int64_t)r->n * s.h * s.w;
    for (int ch = 0; ch < s.c; ch++) {
        double mean = r->weight[CLV_NORM_RUNNING_MEAN][ch], variance = r->weight[CLV_NORM_RUNNING_VARIANCE][ch];
        if (r->training && !p->frozen) {
            double *to_mean = &r->state[CLV_NORM_RUNNING_MEAN][ch], *to = &r->state[CLV_NORM_RUNNING_VARIANCE][ch];
            moments(r, pixels, s.c, ch, &mean, &variance);
            *to_mean += p->momentum * (mean - *to_mean);
            *to += p->momentum * (variance * (double)pixels / (double)(pixels > 1 ? pixels - 1 : 1) - *to);
        }
        const double factor = r->weight[CLV_NORM_GAMMA][ch] / sqrt(variance + p->epsilon);
        for (int64_t i = 0; i < pixels; i++)
            r->out[i * s.c + ch] = (r->in[0][i * s.c + ch] - mean) * factor + r->weight[CLV_NORM_BETA][ch];
    }
}

const struct clv_check clv_check_batchnorm = {
    .op = "batchnorm", CLV_CHECK_CASES(cases), .reference = reference, .atol = 4e-6};
