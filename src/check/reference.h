/* A whole graph in double, composed of the ops' references: what a device's answers are compared with. */
#ifndef CLV_CHECK_REFERENCE_H
#define CLV_CHECK_REFERENCE_H

#include "check/check.h"

/* Plain arrays; whoever creates it fills the values of inputs, weights, targets and loss gradient. */
struct clv_reference {
    const struct clv_graph *graph;
    const struct clv_fusion *fusion;
    const struct clv_node *root;       /* of the objective */
    int n;                             /* samples */
    bool training;
    uint64_t seed;
    uint32_t step;
    const uint32_t *sample_index;      /* [n], borrowed */
    double **value;                    /* by node id: [n][h][w][c], owned; NULL for dead nodes */
    double *(*weight)[CLV_MAX_WEIGHTS];/* by node id, owned */
    double *(*state)[CLV_MAX_WEIGHTS]; /* by node id, owned: what forward made of weights that are state */
    double *targets;                   /* [n] of the shape of the loss's input, owned; NULL without a loss */
    double *root_grad;                 /* [n][h][w][c] of the root, owned; NULL under a loss (1/n each) */
};

/* Allocates everything zeroed, for the nodes that fusion does not call dead. */
CLV_CHECK enum clv_err clv_reference_init(struct clv_reference *r, const struct clv_graph *g,
                                          const struct clv_fusion *fusion,
                                          const struct clv_node *root, int n, struct clv_error *err);
void clv_reference_finish(struct clv_reference *r);

/* Computes every node's value from the inputs'. */
void clv_reference_forward(struct clv_reference *r);
/* Forward, then sum(root_grad * root), or the mean loss. */
double clv_reference_objective(struct clv_reference *r);

#endif
