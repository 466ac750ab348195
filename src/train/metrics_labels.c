/* Metrics of independent labels: each is a problem of two classes of its own, as scikit-learn's multilabel-indicator and
 * MedMNIST's "multi-label, binary-class" have it. */
#include "train/metrics.h"

#include "base/util.h"
#include <math.h>
#include <stdlib.h>

static enum clv_err check(struct clv_context *ctx, const float *prob, const unsigned char *truth, size_t n,
                          int n_labels)
{
    if (n == 0 || n_labels < 1)
        return clv_fail(&ctx->err, CLV_ERR_ARG,
                        "metrics of %zu samples and %d labels: at least one of each is needed", n, n_labels);
    for (size_t i = 0; i < n * (size_t)n_labels; i++)
        if (truth[i] > 1)
            return clv_fail(&ctx->err, CLV_ERR_ARG, "label %zu of sample %zu is %d, not 0 or 1",
                            i % (size_t)n_labels, i / (size_t)n_labels, truth[i]);
    return clv_metrics_check_finite(ctx, prob, n, n_labels);
}

static void count_label(const float *prob, const unsigned char *truth, size_t n, int n_labels, int label,
                        struct clv_scored *s, struct clv_metrics *m)
{
    struct clv_class_metrics *c = &m->per_class[label];
    for (size_t i = 0; i < n; i++) {
        const size_t at = i * (size_t)n_labels + (size_t)label;
        const bool predicted = prob[at] > .5f, positive = truth[at];
        const double p = positive ? prob[at] : 1 - (double)prob[at];
        c->support += positive;
        c->predicted += predicted;
        c->true_positive += positive && predicted;
        m->loss -= log(CLV_MAX(p, 1e-15));
        s[i] = (struct clv_scored){prob[at], positive};
    }
    c->auc = clv_metrics_area(s, n);
    clv_metrics_derive_class(c, n);
}

static bool all_right(const float *prob, const unsigned char *truth, int n_labels)
{
    for (int c = 0; c < n_labels; c++)
        if ((prob[c] > .5f) != truth[c])
            return false;
    return true;
}

static void derive(const float *prob, const unsigned char *truth, struct clv_metrics *m)
{
    uint64_t right = 0;
    int both = 0;
    for (uint64_t i = 0; i < m->count; i++)
        right += all_right(prob + i * (uint64_t)m->n_classes, truth + i * (uint64_t)m->n_classes, m->n_classes);
    m->exact_match = (double)right / (double)m->count;
    m->loss /= (double)m->count * m->n_classes;
    for (int c = 0; c < m->n_classes; c++) {
        const struct clv_class_metrics *p = &m->per_class[c];
        m->accuracy += p->accuracy / m->n_classes;
        if (p->support == 0 || p->support == m->count)
            continue;
        m->balanced_accuracy += (p->recall + p->specificity) / 2;
        both++;
    }
    m->balanced_accuracy = both ? m->balanced_accuracy / both : NAN;
    clv_metrics_derive_means(m);
}

enum clv_err clv_metrics_compute_labels(struct clv_context *ctx, const float *prob, const unsigned char *truth,
                                        size_t n, int n_labels, struct clv_metrics *ret)
{
    CLV_TRY(check(ctx, prob, truth, n, n_labels));
    struct clv_metrics m = {.task = CLV_TASK_MULTI_LABEL, .count = n, .n_classes = n_labels, .positive = -1,
                            .quadratic_kappa = NAN, .mean_absolute_error = NAN};
    struct clv_scored *s = malloc(n * sizeof *s);
    m.per_class = calloc((size_t)n_labels, sizeof *m.per_class);
    if (!s || !m.per_class) {
        free(s);
        clv_metrics_finish(&m);
        return clv_fail_nomem(&ctx->err, "metrics");
    }
    for (int c = 0; c < n_labels; c++)
        count_label(prob, truth, n, n_labels, c, s, &m);
    derive(prob, truth, &m);
    free(s);
    *ret = m;
    return CLV_OK;
}
