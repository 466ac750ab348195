/* What metrics of classes and of labels share. */
#ifndef CLV_TRAIN_METRICS_H
#define CLV_TRAIN_METRICS_H

#include "base/context.h"
#include <clavicle/metrics.h>
#include <stdbool.h>

struct clv_scored {
    float score;
    bool positive;
};

/* Area under the ROC curve; sorts s. NaN without both kinds. */
double clv_metrics_area(struct clv_scored *s, size_t n);
/* What follows from support, predicted and true_positive among n samples. */
void clv_metrics_derive_class(struct clv_class_metrics *c, uint64_t n);
/* Macro and weighted means over the classes, and the mean of the areas that there are. */
void clv_metrics_derive_means(struct clv_metrics *m);
CLV_CHECK enum clv_err clv_metrics_check_finite(struct clv_context *ctx, const float *prob, size_t n, int n_classes);

#endif
