/* Classification metrics. Definitions: scikit-learn's user guide, section "Metrics and scoring"
 * (https://scikit-learn.org/stable/modules/model_evaluation.html), with zero_division=0 and labels
 * given as all classes. */
#include "base/context.h"
#include "base/util.h"
#include <clavicle/metrics.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* ---- area under the ROC curve ---- */

struct scored {
    float score;
    bool positive;
};

static int compare_scores(const void *a, const void *b)
{
    const float x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;
    return x < y ? -1 : x > y;
}

/* The Mann-Whitney statistic: the share of (positive, negative) pairs in which the positive has the
 * larger score, ties counting one half. Equal to the area under the trapezoids of the ROC curve
 * (Hanley and McNeil, Radiology 143, 1982). Counted in halves of a pair, so exact. */
static double area(struct scored *s, size_t n)
{
    uint64_t halves = 0, below = 0, positives = 0;
    qsort(s, n, sizeof *s, compare_scores);
    for (size_t i = 0; i < n;) {
        uint64_t pos = 0, neg = 0;
        for (const float score = s[i].score; i < n && s[i].score == score; i++) {
            pos += s[i].positive;
            neg += !s[i].positive;
        }
        halves += pos * (2 * below + neg);
        below += neg;
        positives += pos;
    }
    return positives && below ? (double)halves / 2 / (double)positives / (double)below : NAN;
}

static enum clv_err compute_areas(struct clv_context *ctx, const float *prob, const int32_t *labels,
                                  size_t n, struct clv_metrics *m)
{
    struct scored *s = malloc(n * sizeof *s);
    if (!s)
        return clv_fail_nomem(&ctx->err, "metrics");
    for (int c = 0; c < m->n_classes; c++) {
        for (size_t i = 0; i < n; i++)
            s[i] = (struct scored){prob[i * (size_t)m->n_classes + (size_t)c], labels[i] == c};
        m->per_class[c].auc = area(s, n);
    }
    free(s);
    return CLV_OK;
}

/* ---- counts ---- */

static enum clv_err check(struct clv_context *ctx, const float *prob, const int32_t *labels,
                          size_t n, int n_classes, int positive)
{
    if (n == 0 || n_classes < 2 || positive >= n_classes)
        return clv_fail(
            &ctx->err, CLV_ERR_ARG,
            "metrics of %zu samples, %d classes, positive class %d: at least one sample "
            "and two classes are needed",
            n, n_classes, positive);
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= n_classes)
            return clv_fail(&ctx->err, CLV_ERR_ARG, "label %d of sample %zu is not in 0..%d",
                            (int)labels[i], i, n_classes - 1);
    for (size_t i = 0; i < n * (size_t)n_classes; i++)
        if (!isfinite(prob[i]))
            return clv_fail(&ctx->err, CLV_ERR_NONFINITE,
                            "the probabilities of sample %zu are not finite",
                            i / (size_t)n_classes);
    return CLV_OK;
}

static int first_largest(const float *row, int n)
{
    int best = 0;
    for (int c = 1; c < n; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

static void count(const float *prob, const int32_t *labels, size_t n, struct clv_metrics *m)
{
    const size_t k = (size_t)m->n_classes;
    for (size_t i = 0; i < n; i++) {
        const double p = prob[i * k + (size_t)labels[i]];
        m->confusion[(size_t)labels[i] * k + (size_t)first_largest(prob + i * k, (int)k)]++;
        m->loss -= log(CLV_MAX(p, 1e-15));
    }
    m->loss /= (double)n;
    for (size_t t = 0; t < k; t++) {
        for (size_t p = 0; p < k; p++) {
            m->per_class[t].support += m->confusion[t * k + p];
            m->per_class[p].predicted += m->confusion[t * k + p];
        }
        m->per_class[t].true_positive = m->confusion[t * k + t];
    }
}

/* ---- what follows from the counts ---- */

static void derive_class(struct clv_class_metrics *c, uint64_t n)
{
    const uint64_t true_negative = n + c->true_positive - c->support - c->predicted;
    c->precision = ratio(c->true_positive, c->predicted);
    c->recall = ratio(c->true_positive, c->support);
    c->specificity = ratio(true_negative, n - c->support);
    c->f1 = ratio(2 * c->true_positive, c->support + c->predicted);
}

static void derive_means(struct clv_metrics *m)
{
    const double n = (double)m->count, k = m->n_classes;
    uint64_t correct = 0;
    int present = 0;
    for (int i = 0; i < m->n_classes; i++) {
        const struct clv_class_metrics *c = &m->per_class[i];
        const double share = (double)c->support / n;
        correct += c->true_positive;
        present += c->support > 0;
        m->balanced_accuracy += c->recall;
        m->precision_macro += c->precision / k;
        m->recall_macro += c->recall / k;
        m->f1_macro += c->f1 / k;
        m->specificity_macro += c->specificity / k;
        m->precision_weighted += share * c->precision;
        m->recall_weighted += share * c->recall;
        m->f1_weighted += share * c->f1;
    }
    m->accuracy = (double)correct / n;
    m->balanced_accuracy /= present; /* absent classes added 0 */
}

/* Macro over the classes that have an area; scikit-learn refuses labels that lack a class. */
static double mean_area(const struct clv_metrics *m)
{
    double sum = 0;
    int n = 0;
    if (m->n_classes == 2)
        return m->per_class[m->positive].auc;
    for (int c = 0; c < m->n_classes; c++) {
        if (isnan(m->per_class[c].auc))
            continue;
        sum += m->per_class[c].auc;
        n++;
    }
    return n ? sum / n : NAN;
}

enum clv_err clv_metrics_compute(struct clv_context *ctx, const float *prob, const int32_t *labels,
                                 size_t n, int n_classes, int positive, struct clv_metrics *ret)
{
    CLV_TRY(check(ctx, prob, labels, n, n_classes, positive));
    const size_t k = (size_t)n_classes;
    struct clv_metrics m = {
        .count = n, .n_classes = n_classes, .positive = positive < 0 ? n_classes - 1 : positive};
    enum clv_err e = CLV_OK;
    m.per_class = calloc(k, sizeof *m.per_class);
    m.confusion = calloc(k * k, sizeof *m.confusion);
    if (!m.per_class || !m.confusion)
        e = clv_fail_nomem(&ctx->err, "metrics");
    if (!e)
        e = compute_areas(ctx, prob, labels, n, &m);
    if (e) {
        clv_metrics_finish(&m);
        return e;
    }
    count(prob, labels, n, &m);
    for (int c = 0; c < n_classes; c++)
        derive_class(&m.per_class[c], n);
    derive_means(&m);
    m.auc = mean_area(&m);
    *ret = m;
    return CLV_OK;
}

void clv_metrics_finish(struct clv_metrics *m)
{
    free(m->per_class);
    free(m->confusion);
    *m = (struct clv_metrics){0};
}
