#include "check/check.h"

#include "base/rng.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"tail", "rate=0.25", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "rate=0.5", {{3, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"blocks", "rate=0.7", {{3, 5, 200}}},
};

/* The random bits of channel c, as cl/dropout.cl places an element's. */
static uint32_t bits_of(const struct clv_check_ref *r, int sample, uint32_t c)
{
    const uint32_t counter[4] = {c / 64 * 16 + c % 16, r->sample_index[sample], r->step, 0x64726f70};
    uint32_t words[4];
    clv_philox(r->seed ^ r->node->name_hash, counter, words);
    return words[c % 64 / 16];
}

static void reference(const struct clv_check_ref *r)
{
    const double rate = *(const double *)r->node->params;
    const struct clv_shape shape = r->node->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int s = 0; s < r->n; s++)
        for (int c = 0; c < shape.c; c++) {
            const bool kept = !r->training || bits_of(r, s, (uint32_t)c) >= floor(rate * 4294967296.0);
            const double factor = kept ? 1 / (r->training ? 1 - rate : 1) : 0;
            for (int64_t p = 0; p < pixels; p++)
                r->out[(s * pixels + p) * shape.c + c] = r->in[0][(s * pixels + p) * shape.c + c] * factor;
        }
}

const struct clv_check clv_check_spatialdropout2d = {
    .op = "spatialdropout2d", CLV_CHECK_CASES(cases), .reference = reference};
