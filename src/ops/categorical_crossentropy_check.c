#include "check/check.h"

#include "ops/loss.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"logits", "", {{1, 1, 10}}, .batch = 5, .n = 3, .before = "softmax", .flags = CLV_CHECK_SMALL},
    {"large logits",
     "",
     {{1, 1, 7}},
     .before = "softmax",
     .fill = CLV_CHECK_LARGE,
     .flags = CLV_CHECK_SMALL},
    {"weights",
     "class_weight=1,2.5,0.25",
     {{1, 1, 3}},
     .batch = 8,
     .before = "softmax",
     .flags = CLV_CHECK_SMALL | CLV_CHECK_PITCH},
    {"smoothing",
     "label_smoothing=0.1 class_weight=1,3",
     {{1, 1, 2}},
     .batch = 9,
     .n = 7,
     .before = "softmax"},
    {"soft targets", "", {{1, 1, 5}}, .batch = 4, .before = "softmax", .targets = CLV_CHECK_SOFT},
    {"soft targets, weights",
     "label_smoothing=0.1 class_weight=1,2.5,0.25",
     {{1, 1, 3}},
     .batch = 4,
     .before = "softmax",
     .targets = CLV_CHECK_SOFT},
    {"probabilities",
     "",
     {{1, 1, 4}},
     .batch = 6,
     .n = 5,
     .fill = CLV_CHECK_UNIT,
     .flags = CLV_CHECK_SMALL},
    {"probabilities, weights",
     "label_smoothing=0.2 class_weight=1,2,3,4",
     {{1, 1, 4}},
     .batch = 6,
     .fill = CLV_CHECK_UNIT},
    {"unfused", "", {{1, 1, 4}}, .batch = 6, .before = "softmax", .flags = CLV_CHECK_NO_FUSE},
    {"wide", "", {{1, 1, 1000}}, .batch = 3, .before = "softmax"},
    {"evaluation",
     "",
     {{1, 1, 6}},
     .batch = 3,
     .n = 2,
     .before = "softmax",
     .flags = CLV_CHECK_EVAL},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_loss_params *q = r->node->params;
    const int c = r->node->in[0]->shape.c;
    for (int s = 0; s < r->n; s++) {
        const double *p = r->in[0] + (int64_t)s * c, *t = r->targets + (int64_t)s * c;
        double weight = q->class_weight.n ? 0 : 1, sum = 0;
        for (int i = 0; i < c && q->class_weight.n; i++)
            weight += t[i] * q->class_weight.v[i];
        for (int i = 0; i < c; i++) {
            const double want = q->class_weight.n ? t[i] * q->class_weight.v[i] : t[i];
            const double kept = r->logits ? p[i] : fmin(fmax(p[i], 1e-7), 1 - 1e-7);
            sum -= (want * (1 - q->label_smoothing) + weight * q->label_smoothing / c) * log(kept);
        }
        r->out[s] = sum;
    }
}

const struct clv_check clv_check_categorical_crossentropy = {
    .op = "categorical_crossentropy", CLV_CHECK_CASES(cases), .reference = reference};
