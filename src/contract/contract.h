/* The contraction behind conv2d and dense, C[m,n] = epilogue(sum_k A[m,k] B[k,n]), described once,
 * and the schedules that compute it. A problem's meaning is its geometry; a schedule says how tiles
 * of it are computed. Ops fill a problem from their node and hand it to a schedule, which appends
 * steps. */
#ifndef CLV_CONTRACT_CONTRACT_H
#define CLV_CONTRACT_CONTRACT_H

#include "step/emit.h"

/* Input [n][ih][iw][ci], output [n][oh][ow][co], filters [kh][kw][ci / groups][co];
 * input row = oh * sh - pt + kh * dh, likewise columns. Padding past the end follows from oh, ow.
 */
struct clv_conv {
    int ih, iw, ci, oh, ow, co;
    int kh, kw, sh, sw, dh, dw, pt, pl;
    int groups;
};

/* A dense layer is the 1 x 1 convolution of a 1 x 1 image. */
static inline bool clv_conv_is_dense(const struct clv_conv *c)
{
    return c->ih == 1 && c->iw == 1 && c->oh == 1 && c->ow == 1 && c->kh == 1 && c->kw == 1 &&
           c->pt == 0 && c->pl == 0 && c->groups == 1;
}

/* The last axis of the product that a filter gradient sums into: rows of [K][co]. */
static inline int64_t clv_conv_k(const struct clv_conv *c)
{
    return (int64_t)c->kh * c->kw * (c->ci / c->groups);
}

struct clv_contract {
    const struct clv_node *node; /* for labels */
    struct clv_conv conv;
    enum clv_act act;
    struct clv_tensor *x, *w, *bias, *y; /* bias may be NULL */
    /* backward: dy is overwritten by dz = dy * act'(y) where that saves a pass; dx is NULL when
     * nobody wants it; dbias is NULL without a bias. */
    struct clv_tensor *dy, *dx, *dw, *dbias;
    bool accumulate; /* dx += instead of dx = */
};

struct clv_schedule {
    const char *name;
    bool (*supports)(const struct clv_caps *caps, const struct clv_conv *c, enum clv_pass pass);
    enum clv_err (*forward)(struct clv_emit *e, const struct clv_contract *p);
    enum clv_err (*backward)(struct clv_emit *e, const struct clv_contract *p);
};
extern const struct clv_schedule clv_schedule_vector;  /* CPUs: one-item groups, register tiles */
extern const struct clv_schedule clv_schedule_tiled;   /* GPUs: tiles in local memory */
extern const struct clv_schedule clv_schedule_simple;  /* any device, any problem */
extern const struct clv_schedule clv_schedule_clblast; /* dense only, through CLBlast's GEMM */

/* Appends the problem's steps; falls back to simple where the schedule does not take this geometry.
 * CLV_ERR_SHAPE where the batch's pixels or a filter's elements are more than an int counts. */
CLV_CHECK enum clv_err clv_contract_emit(struct clv_emit *e, const struct clv_schedule *schedule,
                                         const struct clv_contract *p, enum clv_pass pass);

/* Floating-point operations of one sample in one of the three products. */
double clv_contract_flops(const struct clv_conv *c);

#endif
