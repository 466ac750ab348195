/* Every kind of task is measured by MedMNIST's rules: tests/golden/medmnist_rules.json, made by its own evaluator. */
#include "base/json.h"
#include "golden.h"
#include <clavicle/metrics.h>
#include <math.h>

struct golden_case {
    const char *name, *task;
    const json_t *json;
    size_t n, columns; /* samples; scores of each */
    int k;
    float *score;
    int *truth;
};

static struct golden_case read_case(const json_t *j)
{
    const json_t *score = json_object_get(j, "score"), *truth = json_object_get(j, "truth");
    struct golden_case c = {.name = json_string_value(json_object_get(j, "name")),
                            .task = json_string_value(json_object_get(j, "task")), .json = j,
                            .k = (int)json_integer_value(json_object_get(j, "n_classes"))};
    const size_t n_truth = json_array_size(truth), n_score = json_array_size(score);
    cr_assert(c.name && c.task && c.k > 0 && n_truth && n_score);
    c.n = strcmp(c.task, "multi-label, binary-class") ? n_truth : n_truth / (size_t)c.k;
    c.columns = n_score / c.n;
    c.score = malloc(n_score * sizeof *c.score);
    c.truth = malloc(n_truth * sizeof *c.truth);
    for (size_t i = 0; i < n_score; i++)
        c.score[i] = (float)json_integer_value(json_array_get(score, i)) / 1000.f;
    for (size_t i = 0; i < n_truth; i++)
        c.truth[i] = (int)json_integer_value(json_array_get(truth, i));
    return c;
}

static void expect(const struct golden_case *c, const json_t *want, double got, const char *key)
{
    cr_assert(json_is_number(want), "%s: %s is missing", c->name, key);
    cr_expect(fabs(got - json_number_value(want)) <= 1e-9, "%s: %s is %.17g instead of %.17g", c->name, key, got,
              json_number_value(want));
}

static void expect_key(const struct golden_case *c, double got, const char *key)
{
    expect(c, json_object_get(c->json, key), got, key);
}

static void run_labels(struct clv_context *ctx, const struct golden_case *c)
{
    struct clv_metrics m;
    unsigned char *truth = malloc(c->n * (size_t)c->k);
    for (size_t i = 0; i < c->n * (size_t)c->k; i++)
        truth[i] = (unsigned char)c->truth[i];
    cr_assert_eq(clv_metrics_compute_labels(ctx, c->score, truth, c->n, c->k, &m), CLV_OK, "%s", clv_error_text(ctx));
    const json_t *each = json_object_get(c->json, "per_label");
    for (int i = 0; i < c->k; i++) {
        const struct clv_class_metrics *p = &m.per_class[i];
        const struct { const char *key; double value; } fields[] = {
            {"precision", p->precision}, {"recall", p->recall},       {"f1", p->f1},
            {"auc", p->auc},             {"accuracy", p->accuracy}, {"specificity", p->specificity}};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            expect(c, json_array_get(json_object_get(each, fields[f].key), (size_t)i), fields[f].value, fields[f].key);
    }
    cr_expect_eq(m.task, CLV_TASK_MULTI_LABEL);
    cr_expect_null(m.confusion);
    expect_key(c, m.auc, "auc");
    expect_key(c, m.accuracy, "acc");
    expect_key(c, m.exact_match, "exact");
    expect_key(c, m.f1_macro, "f1_macro");
    expect_key(c, m.f1_weighted, "f1_weighted");
    expect_key(c, m.precision_weighted, "precision_weighted");
    clv_metrics_finish(&m);
    free(truth);
}

static void run_classes(struct clv_context *ctx, const struct golden_case *c)
{
    struct clv_metrics m;
    const bool grades = !strcmp(c->task, "ordinal-regression");
    float *prob = malloc(c->n * (size_t)c->k * sizeof *prob);
    for (size_t i = 0; i < c->n * (size_t)c->k; i++)
        prob[i] = c->columns == 1 ? (i % 2 ? c->score[i / 2] : 1 - c->score[i / 2]) : c->score[i];
    if (grades)
        cr_assert_eq(clv_metrics_compute_ordinal(ctx, prob, c->truth, NULL, c->n, c->k, &m), CLV_OK);
    else
        cr_assert_eq(clv_metrics_compute(ctx, prob, c->truth, c->n, c->k, -1, &m), CLV_OK);
    expect_key(c, m.auc, "auc");
    expect_key(c, m.accuracy, "acc");
    cr_expect_eq(m.task, grades ? CLV_TASK_ORDINAL : c->k == 2 ? CLV_TASK_BINARY : CLV_TASK_MULTI_CLASS);
    if (grades) {
        expect_key(c, m.quadratic_kappa, "kappa");
        expect_key(c, m.mean_absolute_error, "absolute");
    } else {
        cr_expect(isnan(m.quadratic_kappa) && isnan(m.mean_absolute_error));
    }
    clv_metrics_finish(&m);
    free(prob);
}

Test(metrics, equal_to_the_evaluator_of_medmnist)
{
    struct clv_context *ctx = clv_context_create(NULL);
    char *path = golden_source_path("tests/golden/medmnist_rules.json");
    json_t *root = NULL;
    cr_assert_eq(clv_json_load(path, &root, NULL), CLV_OK, "%s", path);
    const json_t *cases = json_object_get(root, "cases");
    cr_assert_geq(json_array_size(cases), 7);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct golden_case c = read_case(json_array_get(cases, i));
        if (!strcmp(c.task, "multi-label, binary-class"))
            run_labels(ctx, &c);
        else
            run_classes(ctx, &c);
        free(c.score);
        free(c.truth);
    }
    json_decref(root);
    free(path);
    clv_context_destroy(&ctx);
}

/* Grades that are not the most probable: kappa and accuracy go by them, the areas by the scores. */
Test(metrics, grades_may_be_predicted_otherwise)
{
    struct clv_context *ctx = clv_context_create(NULL);
    const float prob[] = {.4f, .3f, .3f, .4f, .3f, .3f, .1f, .2f, .7f};
    const int32_t truth[] = {1, 0, 2}, predicted[] = {1, 1, 2}, wrong[] = {1, 3, 0};
    struct clv_metrics m;
    cr_assert_eq(clv_metrics_compute_ordinal(ctx, prob, truth, predicted, 3, 3, &m), CLV_OK);
    cr_expect(fabs(m.accuracy - 2. / 3) < 1e-12);
    cr_expect(fabs(m.mean_absolute_error - 1. / 3) < 1e-12);
    cr_expect(fabs(m.quadratic_kappa - (1 - 1. / 3)) < 1e-12, "%g", m.quadratic_kappa);
    clv_metrics_finish(&m);
    cr_assert_eq(clv_metrics_compute_ordinal(ctx, prob, truth, (int32_t[]){2, 2, 2}, 3, 3, &m), CLV_OK);
    cr_expect(fabs(m.quadratic_kappa) < 1e-12, "one answer for all is no better than chance");
    clv_metrics_finish(&m);
    cr_assert_eq(clv_metrics_compute_ordinal(ctx, prob, (int32_t[]){2, 2, 2}, (int32_t[]){2, 2, 2}, 3, 3, &m), CLV_OK);
    cr_expect(isnan(m.quadratic_kappa), "nothing to tell apart");
    clv_metrics_finish(&m);
    cr_expect_eq(clv_metrics_compute_ordinal(ctx, prob, truth, wrong, 3, 3, &m), CLV_ERR_ARG);
    clv_context_destroy(&ctx);
}

Test(metrics, labels_without_both_kinds_and_bad_arguments)
{
    struct clv_context *ctx = clv_context_create(NULL);
    const float prob[] = {.9f, .2f, .6f, .1f}, bad[] = {.9f, .2f, NAN, .1f};
    const unsigned char truth[] = {1, 0, 0, 0}, two[] = {1, 2, 0, 0};
    struct clv_metrics m = {.count = 77};
    cr_expect_eq(clv_metrics_compute_labels(ctx, prob, truth, 0, 2, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute_labels(ctx, prob, two, 2, 2, &m), CLV_ERR_ARG);
    cr_expect_eq(clv_metrics_compute_labels(ctx, bad, truth, 2, 2, &m), CLV_ERR_NONFINITE);
    cr_expect_eq(m.count, 77, "untouched on failure");
    cr_assert_eq(clv_metrics_compute_labels(ctx, prob, truth, 2, 2, &m), CLV_OK);
    cr_expect(isnan(m.per_class[1].auc));
    cr_expect(fabs(m.auc - 1) < 1e-12, "the mean of the labels that have one");
    cr_expect(fabs(m.balanced_accuracy - .5) < 1e-12);
    cr_expect(fabs(m.accuracy - .75) < 1e-12);
    cr_expect(fabs(m.exact_match - .5) < 1e-12);
    clv_metrics_finish(&m);
    clv_context_destroy(&ctx);
}
