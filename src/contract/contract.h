/* The contraction behind conv2d and dense, C[m,n] = epilogue(sum_k A[m,k] B[k,n]), described once,
 * and the schedules that compute it. A problem's meaning is its geometry; a schedule says how tiles
 * of it are computed. Ops fill a problem from their node; each of its products goes to the schedule
 * chosen for it, which appends steps. */
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

/* The three products of a layer: y from x and w, dx from dy and w, dw from x and dy. */
enum clv_product { CLV_PRODUCT_FORWARD, CLV_PRODUCT_DATA, CLV_PRODUCT_WEIGHTS, CLV_PRODUCTS };

struct clv_contract {
    const struct clv_node *node; /* for labels */
    struct clv_conv conv;
    enum clv_act act;
    enum clv_dtype dtype;        /* of x, y and their gradients; the others are CLV_F32 */
    struct clv_tensor *x, *w, *bias, *y; /* bias may be NULL */
    /* A 2 x 2 max-pool (stride 2, an odd last row or column dropped) lies behind the activation and is
     * part of the problem: y and dy are [n][oh / 2][ow / 2][co], and the full-resolution output is
     * never stored. Forward leaves in mask (U8, shape of y; NULL outside training) where each
     * maximum was, enum clv_pool_mask. */
    bool pool;
    struct clv_tensor *mask;
    /* backward: dx is NULL when nobody wants it; dbias is NULL without a bias. What data() and weights()
     * read in dy is dz = dy * act'(y): see clv_schedule.folds_act. */
    struct clv_tensor *dy, *dx, *dw, *dbias;
    bool accumulate; /* dx += instead of dx = */
    /* Of a transposed convolution, whose output is dx: bias (of ci channels) and act belong to the data product and the
     * forward product has neither. Without a pool; not for dense layers. */
    bool transposed;
};

/* (row & 1) * 2 + (column & 1) of the first greatest value in that order, or that ReLU cut it off:
 * dz(r, c) = mask(r / 2, c / 2) == (r & 1) * 2 + (c & 1) ? dy(r / 2, c / 2) : 0. */
enum clv_pool_mask { CLV_POOL_MASK_DEAD = 4 };

/* A schedule and its parameters for one product: what a tuner varies and a run records. */
enum { CLV_CHOICE_PARAMS = 6 };
struct clv_choice {
    const struct clv_schedule *schedule;
    int param[CLV_CHOICE_PARAMS]; /* named by schedule->params; what they mean is the schedule's */
};

struct clv_schedule {
    const char *name;
    const char *params[CLV_CHOICE_PARAMS + 1]; /* ends with NULL */
    bool (*supports)(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product);
    /* Whether it takes activations that are stored in 16 bits; NULL = never. */
    bool (*stores16)(const struct clv_conv *c, enum clv_product product);
    /* Whether it is the one to take where nothing was measured; NULL = always. */
    bool (*suits)(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product,
                  int batch);
    /* Whether it takes a problem with p->pool; NULL = never. */
    bool (*pools)(const struct clv_conv *c, enum clv_product product);
    /* Whether weights() multiplies dy by act'(y) itself and, where p->dx is wanted, leaves dz in dy's
     * place; it then runs before data(). NULL = never: dy is dz before either runs, data() first. Not
     * asked when p->pool: the mask knows ReLU, and act' of the others has been applied to the pooled dy. */
    bool (*folds_act)(const struct clv_conv *c);
    /* Parameters where nothing was measured. NULL = it has none. */
    void (*defaults)(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product,
                     int batch, int param[CLV_CHOICE_PARAMS]);
    /* Parameter sets worth timing, the defaults first; returns their number. NULL = only the defaults. */
    int (*candidates)(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product,
                      int batch, int (*param)[CLV_CHOICE_PARAMS], int max);
    enum clv_err (*emit[CLV_PRODUCTS])(struct clv_emit *e, const struct clv_contract *p,
                                       const int *param);
};
extern const struct clv_schedule clv_schedule_matrix;  /* matrix units, where precision allows */
extern const struct clv_schedule clv_schedule_vector;  /* CPUs: one-item groups, register tiles */
extern const struct clv_schedule clv_schedule_winograd; /* 3 x 3, stride 1: fewer products */
extern const struct clv_schedule clv_schedule_tiled;   /* GPUs: tiles in local memory */
extern const struct clv_schedule clv_schedule_depthwise; /* a group for each channel */
extern const struct clv_schedule clv_schedule_simple;  /* any device, any problem */
extern const struct clv_schedule clv_schedule_clblast; /* dense only, through CLBlast's GEMM */

/* The winograd schedule's defaults with a tile of m x m outputs (2 or 4), or any if that does not fit; the
 * tile of one of its choices. */
void clv_winograd_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                           enum clv_product product, int batch, int m,
                           int param[CLV_CHOICE_PARAMS]);
int clv_winograd_tile(const struct clv_choice *choice);

/* Appends the steps of the problem's pass. Each product has a choice of its own: e->force_variant's
 * schedule where it takes the product, then what e->selection says (contract/selection.h), else the first
 * of the schedules that supports and suits it. e->choices receives what was chosen.
 * CLV_ERR_SHAPE where the batch's pixels or a filter's elements are more than an int counts. */
CLV_CHECK enum clv_err clv_contract_emit(struct clv_emit *e, const struct clv_contract *p,
                                         enum clv_pass pass);
/* One product by itself: of a transposed convolution. Of x and dx, y and dy, which may be the same tensor, all are set
 * but dx of a weight product. */
CLV_CHECK enum clv_err clv_contract_emit_product(struct clv_emit *e, const struct clv_contract *p,
                                                 enum clv_product product);
/* One product by one choice, with act'(y) applied to dy before weights() where it does not do that
 * itself: for who times choices. */
CLV_CHECK enum clv_err clv_contract_emit_choice(struct clv_emit *e, const struct clv_contract *p,
                                                enum clv_product product,
                                                const struct clv_choice *choice);
/* Whether every product that the emitter will ask for can take a fused max-pool. */
bool clv_contract_takes_pool(const struct clv_emit *e, const struct clv_conv *c, enum clv_act act,
                             enum clv_dtype dtype);
/* The schedules, best first; the last takes everything. NULL behind it. */
const struct clv_schedule *clv_contract_schedule(size_t i);

/* Floating-point operations of one sample in one of the three products. */
double clv_contract_flops(const struct clv_conv *c);

#endif
