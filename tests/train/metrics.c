/* Metrics by hand, and against scikit-learn's numbers in tests/golden/metrics.json. */
#include "base/context.h"
#include "base/str.h"
#include <clavicle/metrics.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect_near(double got, double want, const char *what)
{
    if (isnan(want))
        cr_expect(isnan(got), "%s: %.17g instead of NaN", what, got);
    else
        cr_expect(fabs(got - want) <= 1e-9, "%s: %.17g instead of %.17g", what, got, want);
}

/* Two classes; prob[i] is that of class 1. */
static struct clv_metrics two_classes(const float *prob, const int32_t *labels, size_t n,
                                      int positive)
{
    struct clv_context *ctx = clv_context_create(NULL);
    struct clv_metrics m;
    float *both = malloc(2 * n * sizeof *both);
    for (size_t i = 0; i < n; i++) {
        both[2 * i] = 1 - prob[i];
        both[2 * i + 1] = prob[i];
    }
    cr_assert_eq(clv_metrics_compute(ctx, both, labels, n, 2, positive, &m), CLV_OK, "%s",
                 clv_error_text(ctx));
    free(both);
    clv_context_destroy(&ctx);
    return m;
}

/* The example of scikit-learn's documentation of roc_auc_score: 0.75. */
Test(metrics, two_classes_by_hand)
{
    const float prob[] = {.1f, .4f, .35f, .8f};
    struct clv_metrics m = two_classes(prob, (int32_t[]){0, 0, 1, 1}, 4, -1);
    expect_near(m.auc, .75, "auc");
    expect_near(m.accuracy, .75, "accuracy");
    expect_near(m.per_class[1].precision, 1, "precision");
    expect_near(m.per_class[1].recall, .5, "recall");
    expect_near(m.per_class[1].specificity, 1, "specificity");
    expect_near(m.per_class[1].f1, 2. / 3, "f1");
    cr_expect_eq(m.confusion[0], 2);
    cr_expect_eq(m.confusion[1], 0);
    cr_expect_eq(m.confusion[2], 1, "confusion[true][predicted]");
    cr_expect_eq(m.confusion[3], 1);
    cr_expect_eq(m.positive, 1);
    clv_metrics_finish(&m);
    m = two_classes(prob, (int32_t[]){0, 0, 1, 0}, 4, 0);
    expect_near(m.auc, 1. / 3, "auc of the other class");
    cr_expect_eq(m.positive, 0);
    clv_metrics_finish(&m);
}

Test(metrics, ties_count_one_half)
{
    struct clv_metrics m =
        two_classes((float[]){.5f, .5f, .5f, .5f}, (int32_t[]){0, 1, 1, 0}, 4, -1);
    expect_near(m.auc, .5, "all equal");
    expect_near(m.accuracy, .5, "the first of equal classes is predicted");
    cr_expect_eq(m.per_class[0].predicted, 4);
    expect_near(m.per_class[1].precision, 0, "never predicted");
    clv_metrics_finish(&m);
    m = two_classes((float[]){.25f, .25f, .75f, .75f}, (int32_t[]){0, 1, 0, 1}, 4, -1);
    expect_near(m.auc, .5, "two pairs of ties");
    clv_metrics_finish(&m);
}

Test(metrics, one_kind_of_sample)
{
    struct clv_metrics m = two_classes((float[]){.9f, .2f}, (int32_t[]){1, 1}, 2, -1);
    expect_near(m.auc, NAN, "auc");
    expect_near(m.balanced_accuracy, .5, "only classes with samples count");
    expect_near(m.per_class[0].recall, 0, "recall of an absent class");
    expect_near(m.per_class[1].specificity, 0, "specificity without negatives");
    clv_metrics_finish(&m);
    cr_expect_null(m.per_class);
}

Test(metrics, bad_arguments)
{
    struct clv_context *ctx = clv_context_create(NULL);
    struct clv_metrics m = {.count = 77};
    const float prob[] = {.5f, .5f, NAN, .5f};
    const int32_t good[] = {0, 1}, bad[] = {0, 2}, negative[] = {-1, 0};
    cr_expect_eq(clv_metrics_compute(ctx, prob, good, 0, 2, -1, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute(ctx, prob, good, 1, 1, -1, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute(ctx, prob, good, 1, 2, 2, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute(ctx, prob, bad, 2, 2, -1, &m), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(ctx), "label 2 of sample 1"), "%s", clv_error_text(ctx));
    cr_expect_eq(clv_metrics_compute(ctx, prob, negative, 1, 2, -1, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute(ctx, prob, good, 2, 2, -1, &m), CLV_ERR_NONFINITE);
    cr_expect(strstr(clv_error_text(ctx), "sample 1"), "%s", clv_error_text(ctx));
    cr_expect_eq(m.count, 77, "untouched on failure");
    clv_context_destroy(&ctx);
}
