/* Options of batchnorm, for its check and for who folds it. */
#ifndef CLV_OPS_BATCHNORM_H
#define CLV_OPS_BATCHNORM_H

#include "step/emit.h"

struct clv_batchnorm_params {
    double epsilon, momentum;
    bool frozen;
};
enum { CLV_NORM_GAMMA, CLV_NORM_BETA, CLV_NORM_RUNNING_MEAN, CLV_NORM_RUNNING_VARIANCE }; /* weights */

/* Appends the step that folds `norm` (of the fusion of whoever calls) into filters w, whose last axis is the channels,
 * and bias (may be NULL); both are replaced by what came out. */
CLV_CHECK enum clv_err clv_batchnorm_fold(struct clv_emit *e, const struct clv_node *norm, struct clv_tensor **w,
                                          struct clv_tensor **bias);

#endif
