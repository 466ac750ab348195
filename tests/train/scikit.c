/* Metrics equal scikit-learn's within 1e-9: tests/golden/metrics.json, made by metrics.py there. */
#include "base/json.h"
#include "golden.h"
#include <clavicle/metrics.h>
#include <math.h>

struct field {
    const char *key;
    double value;
};

static void expect_number(const json_t *want, double got, const char *name, const char *key, int i)
{
    cr_assert(want, "%s: %s[%d] is missing", name, key, i);
    if (json_is_null(want))
        cr_expect(isnan(got), "%s: %s[%d] is %.17g instead of NaN", name, key, i, got);
    else
        cr_expect(fabs(got - json_number_value(want)) <= 1e-9,
                  "%s: %s[%d] is %.17g instead of %.17g", name, key, i, got,
                  json_number_value(want));
}

static void expect_classes(const char *name, const json_t *want, const struct clv_metrics *m)
{
    const json_t *all = json_object_get(want, "per_class");
    cr_assert_eq(json_object_size(all), 8, "%s: members of per_class", name);
    for (int c = 0; c < m->n_classes; c++) {
        const struct clv_class_metrics *p = &m->per_class[c];
        const struct field fields[] = {
            {"support", (double)p->support},
            {"predicted", (double)p->predicted},
            {"true_positive", (double)p->true_positive},
            {"precision", p->precision},
            {"recall", p->recall},
            {"specificity", p->specificity},
            {"f1", p->f1},
            {"auc", p->auc},
        };
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            expect_number(json_array_get(json_object_get(all, fields[f].key), (size_t)c),
                          fields[f].value, name, fields[f].key, c);
    }
    for (int i = 0; i < m->n_classes * m->n_classes; i++)
        expect_number(json_array_get(json_object_get(want, "confusion"), (size_t)i),
                      (double)m->confusion[i], name, "confusion", i);
}

static void expect_all(const char *name, const json_t *want, const struct clv_metrics *m)
{
    const struct field fields[] = {
        {"count", (double)m->count},
        {"accuracy", m->accuracy},
        {"balanced_accuracy", m->balanced_accuracy},
        {"precision_macro", m->precision_macro},
        {"recall_macro", m->recall_macro},
        {"f1_macro", m->f1_macro},
        {"specificity_macro", m->specificity_macro},
        {"precision_weighted", m->precision_weighted},
        {"recall_weighted", m->recall_weighted},
        {"f1_weighted", m->f1_weighted},
        {"auc", m->auc},
        {"loss", m->loss},
    };
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        expect_number(json_object_get(want, fields[f].key), fields[f].value, name, fields[f].key,
                      0);
    expect_classes(name, want, m);
}

static void run_case(struct clv_context *ctx, const json_t *want)
{
    const char *name = json_string_value(json_object_get(want, "name"));
    const int classes = (int)json_integer_value(json_object_get(want, "n_classes"));
    const json_t *rows = json_object_get(want, "prob"), *truth = json_object_get(want, "labels");
    const size_t n = json_array_size(truth), cells = json_array_size(rows);
    cr_assert(name && n && cells == n * (size_t)classes, "metrics.json: sizes do not match");
    float *prob = malloc(cells * sizeof *prob);
    int32_t *labels = malloc(n * sizeof *labels);
    struct clv_metrics m;
    for (size_t i = 0; i < cells; i++)
        prob[i] = (float)json_integer_value(json_array_get(rows, i)) / 1000.f;
    for (size_t i = 0; i < n; i++)
        labels[i] = (int32_t)json_integer_value(json_array_get(truth, i));
    cr_assert_eq(clv_metrics_compute(ctx, prob, labels, n, classes, -1, &m), CLV_OK, "%s: %s", name,
                 clv_error_text(ctx));
    expect_all(name, want, &m);
    clv_metrics_finish(&m);
    free(labels);
    free(prob);
}

Test(metrics, equal_to_scikit_learn)
{
    struct clv_context *ctx = clv_context_create(NULL);
    char *path = golden_source_path("tests/golden/metrics.json");
    json_t *root = NULL;
    cr_assert_eq(clv_json_load(path, &root, NULL), CLV_OK, "%s", path);
    const json_t *cases = json_object_get(root, "cases");
    cr_assert_geq(json_array_size(cases), 9);
    for (size_t i = 0; i < json_array_size(cases); i++)
        run_case(ctx, json_array_get(cases, i));
    json_decref(root);
    free(path);
    clv_context_destroy(&ctx);
}
