/* Classification metrics in double precision, equal to scikit-learn's; accuracy and AUC are those of MedMNIST's evaluator
 * for every task (Yang et al., "MedMNIST v2", Scientific Data 10, 2023; the medmnist package's evaluator.py).
 * Definitions: https://scikit-learn.org/stable/modules/model_evaluation.html */
#ifndef CLAVICLE_METRICS_H
#define CLAVICLE_METRICS_H

#include <clavicle/context.h>
#include <clavicle/task.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Per class or label c: one-vs-rest counts and what follows from them. A ratio whose denominator is zero is
 * 0 (scikit-learn's zero_division=0); an AUC without both kinds of sample is NaN. */
struct clv_class_metrics {
    uint64_t support, predicted, true_positive;
    double precision, recall, specificity, f1, auc;
    double accuracy;           /* share of the samples in which this class was rightly predicted or rightly not */
};

struct clv_metrics {
    enum clv_task task;        /* BINARY, MULTI_CLASS, ORDINAL or MULTI_LABEL */
    uint64_t count;
    int n_classes;             /* or labels */
    int positive;              /* the class that `auc`, `recall`... of two classes refer to; -1 for labels */
    double accuracy;           /* share of samples whose class was predicted; labels: mean of the labels' accuracies */
    double balanced_accuracy;  /* mean recall over classes that have samples; labels: mean of (recall + specificity) / 2
                                * over labels that have both kinds */
    double precision_macro, recall_macro, f1_macro, specificity_macro;
    double precision_weighted, recall_weighted, f1_weighted; /* by support */
    double auc;                /* two classes: of `positive`; more: one-vs-rest, mean of the classes that have one */
    double loss;               /* mean cross-entropy of the probabilities, clipped at 1e-15; labels: binary, mean over them */
    double exact_match;        /* labels: share of the samples with every label right; else the accuracy */
    /* Where the classes are grades in order (ORDINAL), else NaN. Kappa: 1 - sum w O / sum w E with w = (i - j)^2, O the
     * confusion matrix, E what its margins give by chance (Cohen, Psychological Bulletin 70, 1968); NaN when E has one
     * class only. The mean absolute error counts grades. */
    double quadratic_kappa, mean_absolute_error;
    struct clv_class_metrics *per_class; /* [n_classes] */
    uint64_t *confusion;       /* [true][predicted], n_classes x n_classes; NULL for labels */
};

/* The class that probabilities of n_classes say: the first largest; of two classes the second where its probability
 * exceeds one half. */
CLV_API int clv_metrics_predicted(const float *prob, int n_classes);

/* Computes everything from probabilities prob[n][n_classes] (rows sum to 1) and labels[n]; task BINARY for two classes,
 * else MULTI_CLASS. positive < 0 = the last class.
 * Fills *ret (finish with clv_metrics_finish). Errors: CLV_ERR_ARG, CLV_ERR_NOMEM,
 * CLV_ERR_NONFINITE (names the sample); *ret is untouched then. */
CLV_API CLV_CHECK enum clv_err clv_metrics_compute(struct clv_context *ctx, const float *prob,
                                                   const int32_t *labels, size_t n, int n_classes,
                                                   int positive, struct clv_metrics *ret);
/* The same for grades: task ORDINAL, however many. predicted[n]: the grades predicted; NULL = the most probable. */
CLV_API CLV_CHECK enum clv_err clv_metrics_compute_ordinal(struct clv_context *ctx, const float *prob,
                                                           const int32_t *labels, const int32_t *predicted,
                                                           size_t n, int n_classes, struct clv_metrics *ret);
/* The same for independent labels: prob[n][n_labels], each in 0..1; truth[n][n_labels], 0 or 1. A label is predicted where
 * its probability exceeds one half. n_labels >= 1. */
CLV_API CLV_CHECK enum clv_err clv_metrics_compute_labels(struct clv_context *ctx, const float *prob,
                                                          const unsigned char *truth, size_t n, int n_labels,
                                                          struct clv_metrics *ret);
CLV_API void clv_metrics_finish(struct clv_metrics *m);

#ifdef __cplusplus
}
#endif
#endif
