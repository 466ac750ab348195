/* How the activations are checked: each brings double value(node, x) and may add cases. That the common kernel finds
 * its elements is relu's and sigmoid's to show. */
#ifndef CLV_OPS_ACTIVATION_CHECK_H
#define CLV_OPS_ACTIVATION_CHECK_H

#include "check/check.h"
#include "ops/activation.h"
#include <math.h>

#define CLV_ACTIVATION_CASES                                                                       \
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},                       \
    {                                                                                              \
        "pitch, large", "", {{5, 3, 16}}, .fill = CLV_CHECK_LARGE,                                 \
        .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL                                                 \
    }

#define CLV_ACTIVATION_CHECK(name, value)                                                          \
    static void reference(const struct clv_check_ref *r)                                           \
    {                                                                                              \
        const int64_t count = r->n * clv_shape_count(r->node->shape);                              \
        for (int64_t i = 0; i < count; i++)                                                        \
            r->out[i] = value(r->node, r->in[0][i]);                                               \
    }                                                                                              \
    const struct clv_check clv_check_##name = {                                                    \
        .op = #name, CLV_CHECK_CASES(cases), .reference = reference};

#endif
