/* Classification metrics. Definitions: scikit-learn's user guide, section "Metrics and scoring"
 * (https://scikit-learn.org/stable/modules/model_evaluation.html), with zero_division=0 and labels
 * given as all classes. */
#include "train/metrics.h"

#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* ---- area under the ROC curve ---- */

static int compare_scores(const void *a, const void *b)
{
    const float x = ((const struct clv_scored *)a)->score, y = ((const struct clv_scored *)b)->score;
    return x < y ? -1 : x > y;
}

/* The Mann-Whitney statistic: the share of (positive, negative) pairs in which the positive has the
 * larger score, ties counting one half. Equal to the area under the trapezoids of the ROC curve
 * (Hanley and McNeil, Radiology 143, 1982). Counted in halves of a pair, so exact. */
double clv_metrics_area(struct clv_scored *s, size_t n)
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
    struct clv_scored *s = malloc(n * sizeof *s);
    if (!s)
        return clv_fail_nomem(&ctx->err, "metrics");
    for (int c = 0; c < m->n_classes; c++) {
        for (size_t i = 0; i < n; i++)
            s[i] = (struct clv_scored){prob[i * (size_t)m->n_classes + (size_t)c], labels[i] == c};
        m->per_class[c].auc = clv_metrics_area(s, n);
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
    return clv_metrics_check_finite(ctx, prob, n, n_classes);
}

enum clv_err clv_metrics_check_finite(struct clv_context *ctx, const float *prob, size_t n, int n_classes)
{
    for (size_t i = 0; i < n * (size_t)n_classes; i++)
        if (!isfinite(prob[i]))
            return clv_fail(&ctx->err, CLV_ERR_NONFINITE,
                            "the probabilities of sample %zu are not finite",
                            i / (size_t)n_classes);
    return CLV_OK;
}

int clv_metrics_predicted(const float *prob, int n_classes)
{
    int best = 0;
    if (n_classes == 2)
        return prob[1] > .5f;
    for (int c = 1; c < n_classes; c++)
        if (prob[c] > prob[best])
            best = c;
    return best;
}

/* predicted NULL: what the probabilities say. */
static void count(const float *prob, const int32_t *labels, const int32_t *predicted, size_t n,
                  struct clv_metrics *m)
{
    const size_t k = (size_t)m->n_classes;
    for (size_t i = 0; i < n; i++) {
        const double p = prob[i * k + (size_t)labels[i]];
        const int guess = predicted ? predicted[i] : clv_metrics_predicted(prob + i * k, (int)k);
        m->confusion[(size_t)labels[i] * k + (size_t)guess]++;
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

void clv_metrics_derive_class(struct clv_class_metrics *c, uint64_t n)
{
    const uint64_t true_negative = n + c->true_positive - c->support - c->predicted;
    c->precision = ratio(c->true_positive, c->predicted);
    c->recall = ratio(c->true_positive, c->support);
    c->specificity = ratio(true_negative, n - c->support);
    c->f1 = ratio(2 * c->true_positive, c->support + c->predicted);
    c->accuracy = ratio(c->true_positive + true_negative, n);
}

/* scikit-learn refuses the AUC of labels that lack a class; here the mean is over those that have one. */
void clv_metrics_derive_means(struct clv_metrics *m)
{
    const double k = m->n_classes;
    uint64_t all = 0;
    double areas = 0;
    int n_areas = 0;
    for (int i = 0; i < m->n_classes; i++)
        all += m->per_class[i].support;
    for (int i = 0; i < m->n_classes; i++) {
        const struct clv_class_metrics *c = &m->per_class[i];
        const double share = ratio(c->support, all);
        m->precision_macro += c->precision / k;
        m->recall_macro += c->recall / k;
        m->f1_macro += c->f1 / k;
        m->specificity_macro += c->specificity / k;
        m->precision_weighted += share * c->precision;
        m->recall_weighted += share * c->recall;
        m->f1_weighted += share * c->f1;
        areas += isnan(c->auc) ? 0 : c->auc;
        n_areas += !isnan(c->auc);
    }
    m->auc = n_areas ? areas / n_areas : NAN;
}

static void derive_accuracies(struct clv_metrics *m)
{
    uint64_t correct = 0;
    int present = 0;
    for (int i = 0; i < m->n_classes; i++) {
        correct += m->per_class[i].true_positive;
        present += m->per_class[i].support > 0;
        m->balanced_accuracy += m->per_class[i].recall;
    }
    m->accuracy = m->exact_match = ratio(correct, m->count);
    m->balanced_accuracy /= present; /* absent classes added 0 */
}

/* From the confusion matrix, with the weights (i - j)^2 of Cohen 1968. */
static void derive_ordinal(struct clv_metrics *m)
{
    double observed = 0, expected = 0, absolute = 0;
    for (int i = 0; i < m->n_classes; i++) {
        for (int j = 0; j < m->n_classes; j++) {
            const double d = i - j, cell = (double)m->confusion[(size_t)i * (size_t)m->n_classes + (size_t)j];
            observed += d * d * cell;
            absolute += fabs(d) * cell;
            expected += d * d * (double)m->per_class[i].support * (double)m->per_class[j].predicted /
                        (double)m->count;
        }
    }
    m->quadratic_kappa = expected > 0 ? 1 - observed / expected : NAN;
    m->mean_absolute_error = absolute / (double)m->count;
}

/* What may fail comes before *m is used; labels and predicted are checked. */
static enum clv_err compute(struct clv_context *ctx, const float *prob, const int32_t *labels,
                            const int32_t *predicted, size_t n, struct clv_metrics *m)
{
    const size_t k = (size_t)m->n_classes;
    m->count = n;
    m->quadratic_kappa = m->mean_absolute_error = NAN;
    m->per_class = calloc(k, sizeof *m->per_class);
    m->confusion = calloc(k * k, sizeof *m->confusion);
    if (!m->per_class || !m->confusion)
        return clv_fail_nomem(&ctx->err, "metrics");
    CLV_TRY(compute_areas(ctx, prob, labels, n, m));
    count(prob, labels, predicted, n, m);
    for (int c = 0; c < m->n_classes; c++)
        clv_metrics_derive_class(&m->per_class[c], n);
    clv_metrics_derive_means(m);
    derive_accuracies(m);
    if (m->task == CLV_TASK_BINARY)
        m->auc = m->per_class[m->positive].auc;
    if (m->task == CLV_TASK_ORDINAL)
        derive_ordinal(m);
    return CLV_OK;
}

static enum clv_err compute_as(struct clv_context *ctx, const float *prob, const int32_t *labels,
                               const int32_t *predicted, size_t n, struct clv_metrics m,
                               struct clv_metrics *ret)
{
    const enum clv_err e = compute(ctx, prob, labels, predicted, n, &m);
    if (e)
        clv_metrics_finish(&m);
    else
        *ret = m;
    return e;
}

enum clv_err clv_metrics_compute(struct clv_context *ctx, const float *prob, const int32_t *labels,
                                 size_t n, int n_classes, int positive, struct clv_metrics *ret)
{
    CLV_TRY(check(ctx, prob, labels, n, n_classes, positive));
    return compute_as(ctx, prob, labels, NULL, n,
                      (struct clv_metrics){.task = n_classes == 2 ? CLV_TASK_BINARY : CLV_TASK_MULTI_CLASS,
                                           .n_classes = n_classes,
                                           .positive = positive < 0 ? n_classes - 1 : positive},
                      ret);
}

enum clv_err clv_metrics_compute_ordinal(struct clv_context *ctx, const float *prob, const int32_t *labels,
                                         const int32_t *predicted, size_t n, int n_classes,
                                         struct clv_metrics *ret)
{
    CLV_TRY(check(ctx, prob, labels, n, n_classes, -1));
    for (size_t i = 0; i < n && predicted; i++)
        if (predicted[i] < 0 || predicted[i] >= n_classes)
            return clv_fail(&ctx->err, CLV_ERR_ARG, "prediction %d of sample %zu is not in 0..%d",
                            (int)predicted[i], i, n_classes - 1);
    return compute_as(ctx, prob, labels, predicted, n,
                      (struct clv_metrics){.task = CLV_TASK_ORDINAL, .n_classes = n_classes,
                                           .positive = n_classes - 1},
                      ret);
}

void clv_metrics_finish(struct clv_metrics *m)
{
    free(m->per_class);
    free(m->confusion);
    *m = (struct clv_metrics){0};
}
