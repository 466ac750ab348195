#include "check/check.h"

#include "ops/loss.h"
#include <math.h>

static const struct clv_check_case cases[] = {
    {"logits", "", {{1, 1, 1}}, .batch = 5, .n = 3, .before = "sigmoid", .flags = CLV_CHECK_SMALL},
    {"labels",
     "label_smoothing=0.1",
     {{1, 1, 14}},
     .batch = 3,
     .before = "sigmoid",
     .flags = CLV_CHECK_SMALL | CLV_CHECK_PITCH},
    /* Deviation 30: log(1 - p) of a float p would be -inf. */
    {"large logits",
     "",
     {{1, 1, 7}},
     .before = "sigmoid",
     .fill = CLV_CHECK_LARGE,
     .flags = CLV_CHECK_SMALL},
    {"weights", "class_weight=0.5,3", {{1, 1, 1}}, .batch = 8, .before = "sigmoid"},
    {"soft targets", "", {{1, 1, 5}}, .batch = 4, .before = "sigmoid", .targets = CLV_CHECK_SOFT},
    {"soft targets, weights",
     "label_smoothing=0.1 class_weight=0.5,3",
     {{1, 1, 1}},
     .batch = 4,
     .before = "sigmoid",
     .targets = CLV_CHECK_SOFT},
    {"probabilities",
     "label_smoothing=0.2",
     {{1, 1, 4}},
     .batch = 6,
     .n = 5,
     .fill = CLV_CHECK_UNIT,
     .flags = CLV_CHECK_SMALL},
    {"evaluation", "", {{1, 1, 6}}, .batch = 3, .before = "sigmoid", .flags = CLV_CHECK_EVAL},
};

/* From the logit when the loss has it: near p = 1 even a double p has lost log(1 - p). */
static double term(const struct clv_check_ref *r, int64_t i, double want)
{
    if (r->logits) {
        const double x = r->logits[i];
        return fmax(x, 0) - x * want + log1p(exp(-fabs(x)));
    }
    const double p = fmin(fmax(r->in[0][i], 1e-7), 1 - 1e-7);
    return -(want * log(p) + (1 - want) * log1p(-p));
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_loss_params *q = r->node->params;
    const int c = r->node->in[0]->shape.c;
    for (int s = 0; s < r->n; s++) {
        const double *t = r->targets + (int64_t)s * c;
        const double smoothing = q->label_smoothing;
        double sum = 0;
        for (int i = 0; i < c && !q->class_weight.n; i++)
            sum += term(r, (int64_t)s * c + i, t[i] * (1 - smoothing) + 0.5 * smoothing);
        if (q->class_weight.n) /* the mean of what the two classes would give */
            sum = t[0] * q->class_weight.v[1] * term(r, s, 1 - 0.5 * smoothing) +
                  (1 - t[0]) * q->class_weight.v[0] * term(r, s, 0.5 * smoothing);
        r->out[s] = sum / c;
    }
}

const struct clv_check clv_check_binary_crossentropy = {
    .op = "binary_crossentropy", CLV_CHECK_CASES(cases), .reference = reference};
