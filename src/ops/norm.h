/* The passes over pixels of batchnorm and groupnorm (cl/norm.cl). */
#ifndef CLV_OPS_NORM_H
#define CLV_OPS_NORM_H

#include "ops/launch.h"

/* One node in one pass. Tables are F32 [sets][2][channels]. */
struct clv_norm {
    const struct clv_node *node;
    const struct clv_node *add;      /* the sum that is part of it; NULL */
    int operand;                     /* which of its inputs is added */
    enum clv_act act;
    bool whole;                      /* one set of pixels: the batch; else a set for each sample */
    int slices, span;                /* slices of a set, pixels of a slice */
    struct clv_launch launch;        /* over slices and blocks of channels */
    int block;                       /* W */
    struct clv_tensor *x, *other, *y; /* other: x where nothing is added */
    struct clv_tensor *gamma, *beta;
};

/* wide: as CLV_LAUNCH_VARIANTS hands it to emit(). */
struct clv_norm clv_norm_of(struct clv_emit *e, const struct clv_node *node, bool whole, bool wide);
/* F32 for the partial sums of all slices, scratch; NULL: out of memory. */
struct clv_tensor *clv_norm_part(struct clv_emit *e, const struct clv_norm *q);

/* part: each slice's mean and sum of squared deviations. */
CLV_CHECK enum clv_err clv_norm_emit_stats(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *part);
CLV_CHECK enum clv_err clv_norm_emit_apply(struct clv_emit *e, const struct clv_norm *q, struct clv_tensor *table);

/* Backward, in two halves: sums of dz and dz * (x - mean) into part; then, once they were made the means of `means`,
 * the gradients of the inputs. */
struct clv_norm_gradient {
    struct clv_tensor *dy, *dx, *dother; /* NULL: not wanted */
    bool accumulate, accumulate_other;
    bool kept;                           /* the first half leaves dz in dother */
};
CLV_CHECK enum clv_err clv_norm_begin_gradient(struct clv_emit *e, const struct clv_norm *q,
                                               struct clv_norm_gradient *ret);
CLV_CHECK enum clv_err clv_norm_emit_sums(struct clv_emit *e, const struct clv_norm *q,
                                          const struct clv_norm_gradient *g, struct clv_tensor *table,
                                          struct clv_tensor *part);
CLV_CHECK enum clv_err clv_norm_emit_gradient(struct clv_emit *e, const struct clv_norm *q,
                                              const struct clv_norm_gradient *g, struct clv_tensor *table,
                                              struct clv_tensor *means);

/* Declares gamma (ones) and beta (zeros) for each of the channels. */
CLV_CHECK enum clv_err clv_norm_weights(struct clv_graph *g, struct clv_node *node);
void clv_norm_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);

#endif
