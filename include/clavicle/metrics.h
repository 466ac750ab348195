/* Classification metrics in double precision, equal to scikit-learn's.
 * Definitions: https://scikit-learn.org/stable/modules/model_evaluation.html */
#ifndef CLAVICLE_METRICS_H
#define CLAVICLE_METRICS_H

#include <clavicle/context.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Per class c: one-vs-rest counts and what follows from them. A ratio whose denominator is zero is
 * 0 (scikit-learn's zero_division=0); an AUC without both kinds of sample is NaN. */
struct clv_class_metrics {
    uint64_t support, predicted, true_positive;
    double precision, recall, specificity, f1, auc;
};

struct clv_metrics {
    uint64_t count;
    int n_classes;
    int positive;              /* the class that `auc`, `recall`... of two classes refer to */
    double accuracy;
    double balanced_accuracy;  /* mean recall over classes that have samples */
    double precision_macro, recall_macro, f1_macro, specificity_macro;
    double precision_weighted, recall_weighted, f1_weighted;
    double auc;                /* two classes: of `positive`; more: one-vs-rest, mean of the classes that have one */
    double loss;               /* mean cross-entropy of the probabilities, clipped at 1e-15 */
    struct clv_class_metrics *per_class; /* [n_classes] */
    uint64_t *confusion;       /* [true][predicted], n_classes x n_classes */
};

/* Computes everything from probabilities prob[n][n_classes] (rows sum to 1) and labels[n].
 * Predicted class = first largest probability. positive < 0 = the last class.
 * Fills *ret (finish with clv_metrics_finish). Errors: CLV_ERR_ARG, CLV_ERR_NOMEM,
 * CLV_ERR_NONFINITE (names the sample); *ret is untouched then. */
CLV_API CLV_CHECK enum clv_err clv_metrics_compute(struct clv_context *ctx, const float *prob,
                                                   const int32_t *labels, size_t n, int n_classes,
                                                   int positive, struct clv_metrics *ret);
CLV_API void clv_metrics_finish(struct clv_metrics *m);

#ifdef __cplusplus
}
#endif
#endif
