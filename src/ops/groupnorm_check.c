#include "check/check.h"
#include "ops/groupnorm.h"

#include <math.h>

/* Slices are at least 256 pixels of 64 channels on CPUs, 64 pixels elsewhere; they end with their sample. */
static const struct clv_check_case cases[] = {
    {"one group", "groups=1", {{3, 2, 3}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"pixel", "groups=2", {{1, 1, 6}}, .batch = 3, .flags = CLV_CHECK_SMALL},
    {"tail", "groups=7", {{3, 5, 14}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL | CLV_CHECK_TINY},
    {"pitch", "groups=4 activation=relu", {{5, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"far from 0", "groups=3 epsilon=0.001", {{9, 7, 6}}, .batch = 2, .fill = CLV_CHECK_LARGE, .flags = CLV_CHECK_SMALL},
    {"slices", "activation=relu", {{19, 15, 64}}, .batch = 2, .n = 1},
    {"evaluation", "groups=4 activation=silu", {{6, 5, 8}}, .batch = 3, .n = 2,
     .flags = CLV_CHECK_SMALL | CLV_CHECK_EVAL},
    {"resnet18-28, first stage", "activation=relu", {{28, 28, 64}}, .batch = 128, .flags = CLV_CHECK_BENCH},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_groupnorm_params *p = r->node->params;
    const struct clv_shape s = r->node->shape;
    const int64_t pixels = (int64_t)s.h * s.w;
    const int width = s.c / p->groups;
    for (int64_t k = 0; k < (int64_t)r->n * p->groups; k++) {
        const int64_t begin = k / p->groups * pixels * s.c;
        const int first = (int)(k % p->groups) * width;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < pixels * width; i++)
            mean += r->in[0][begin + i / width * s.c + first + i % width];
        mean /= (double)(pixels * width);
        for (int64_t i = 0; i < pixels * width; i++) {
            const double d = r->in[0][begin + i / width * s.c + first + i % width] - mean;
            variance += d * d / (double)(pixels * width);
        }
        for (int64_t i = 0; i < pixels * width; i++) {
            const int ch = first + (int)(i % width);
            const int64_t at = begin + i / width * s.c + ch;
            r->out[at] = (r->in[0][at] - mean) / sqrt(variance + p->epsilon) * r->weight[0][ch] + r->weight[1][ch];
        }
    }
}

const struct clv_check clv_check_groupnorm = {
    .op = "groupnorm", CLV_CHECK_CASES(cases), .reference = reference, .atol = 4e-6};
