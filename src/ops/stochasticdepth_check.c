#include "check/check.h"

#include "base/rng.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"tail", "rate=0.4", {{3, 5, 7}}, .batch = 5, .n = 4, .flags = CLV_CHECK_SMALL},
    {"pitch", "rate=0.5", {{3, 3, 16}}, .batch = 4, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"row", "rate=0.2", {{1, 1, 100}}, .batch = 8},
};

/* The random bits of a sample: those of its first element in cl/dropout.cl. */
static uint32_t bits_of(const struct clv_check_ref *r, int sample)
{
    const uint32_t counter[4] = {0, r->sample_index[sample], r->step, 0x64726f70};
    uint32_t words[4];
    clv_philox(r->seed ^ r->node->name_hash, counter, words);
    return words[0];
}

static void reference(const struct clv_check_ref *r)
{
    const double rate = *(const double *)r->node->params;
    const int64_t count = clv_shape_count(r->node->shape);
    for (int s = 0; s < r->n; s++) {
        const bool kept = !r->training || bits_of(r, s) >= floor(rate * 4294967296.0);
        const double factor = kept ? 1 / (r->training ? 1 - rate : 1) : 0;
        for (int64_t i = s * count; i < (s + 1) * count; i++)
            r->out[i] = r->in[0][i] * factor;
    }
}

const struct clv_check clv_check_stochasticdepth = {
    .op = "stochasticdepth", CLV_CHECK_CASES(cases), .reference = reference};
