#include "check/check.h"

#include "base/rng.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"one", "rate=0.5", {{1, 1, 1}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"tail", "rate=0.25", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "rate=0.5", {{3, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"quads", "rate=0.5", {{1, 1, 100}}, .flags = CLV_CHECK_SMALL},
    {"blocks", "rate=0.7", {{64, 67, 8}}},
    {"none", "rate=0", {{1, 1, 65}}},
    {"bench", "rate=0.5", {{1, 1, 18432}}, .batch = 32, .flags = CLV_CHECK_BENCH},
};

/* The random bits of element e, as cl/dropout.cl places them. */
static uint32_t bits_of(const struct clv_check_ref *r, int sample, uint32_t e)
{
    const uint32_t counter[4] = {e / 64 * 16 + e % 16, r->sample_index[sample], r->step,
                                 0x64726f70};
    uint32_t words[4];
    clv_philox(r->seed ^ r->node->name_hash, counter, words);
    return words[e % 64 / 16];
}

static void reference(const struct clv_check_ref *r)
{
    const double rate = *(const double *)r->node->params;
    const int64_t per_sample = clv_shape_count(r->node->shape);
    for (int s = 0; s < r->n; s++)
        for (int64_t i = 0; i < per_sample; i++) {
            const int64_t at = s * per_sample + i;
            const bool kept =
                !r->training || bits_of(r, s, (uint32_t)i) >= floor(rate * 4294967296.0);
            r->out[at] = kept ? r->in[0][at] / (r->training ? 1 - rate : 1) : 0;
        }
}

const struct clv_check clv_check_dropout = {
    .op = "dropout", CLV_CHECK_CASES(cases), .reference = reference};
