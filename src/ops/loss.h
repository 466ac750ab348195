/* What the losses share: they differ in their options and in -DLOSS of cl/loss.cl. */
#ifndef CLV_OPS_LOSS_H
#define CLV_OPS_LOSS_H

#include "ops/launch.h"

enum clv_loss_kind { CLV_LOSS_CATEGORICAL = 1, CLV_LOSS_BINARY = 2, CLV_LOSS_SQUARED = 3 };

struct clv_loss_params {
    double label_smoothing;           /* 0..1 */
    struct clv_opt_list class_weight; /* n = 0: all 1 */
};

extern const char *const clv_loss_weight_names[]; /* balanced: to be replaced by numbers before */

/* One number per sample, from a 1 x 1 x c input. */
enum clv_err clv_loss_infer(struct clv_graph *g, struct clv_node *node);
void clv_loss_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);
/* p may be NULL: no options. */
enum clv_err clv_loss_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass,
                           enum clv_loss_kind kind, const struct clv_loss_params *p);

#define CLV_LOSS_OPTS                                                                              \
    {"label_smoothing", "share of the target spread evenly over the classes", CLV_OPT_DOUBLE,      \
     offsetof(struct clv_loss_params, label_smoothing), "0", 0, 1},                                \
    {"class_weight", "factor of each class's samples in the loss, comma-separated; balanced: images / " \
     "(classes * images of the class), of the training split", CLV_OPT_LIST,                       \
     offsetof(struct clv_loss_params, class_weight), "", 0, 1e6, clv_loss_weight_names},           \
    {NULL}

#endif
