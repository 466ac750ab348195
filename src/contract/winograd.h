/* The winograd schedule: what its products and forms share, and which problems they take; for src/contract only.
 *
 * Each product exists in two forms. Fused (winograd.c, winograd_weights.c): a work-item keeps its
 * tiles in local memory from the first transform to the last; CPUs only. Staged
 * (winograd_staged.c): the stages hand each other their results in memory; any device. */
#ifndef CLV_CONTRACT_WINOGRAD_H
#define CLV_CONTRACT_WINOGRAD_H

#include "contract/schedule.h"

/* Items of a work-group over channels, where neighbours in memory meet, and over rows, on GPUs. */
enum { CLV_WINOGRAD_GROUP_X = 16, CLV_WINOGRAD_GROUP_Y = 4 };

/* 3 x 3, stride 1, no dilation, one group. */
bool clv_winograd_takes(const struct clv_conv *c);

/* Backward data as a forward problem of dz; forward as it is. */
struct clv_conv clv_winograd_conv(const struct clv_conv *c, enum clv_product product);

/* The tensors of forward or backward data as those of a forward problem. Those that may be absent:
 */
struct clv_winograd_operands {
    struct clv_tensor *x, *y;
    struct clv_tensor *unpool, *bias, *mask; /* NULL: none */
    int x_pitch, y_pitch, flags;             /* of cl/include/contract_epilogue.cl */
    enum clv_act act;
};
struct clv_winograd_operands clv_winograd_operands_of(const struct clv_contract *p, bool back);

/* The filters' points, [blocks][(m + 2)^2][c->ci][lanes], vw floats a work-item. c: as a forward
 * problem. Prepared. */
CLV_CHECK enum clv_err clv_winograd_filter(struct clv_emit *e, const struct clv_contract *p,
                                           const struct clv_conv *c, int m, int vw, int lanes,
                                           bool back, struct clv_tensor **ret);

/* Fused weights. param: outputs of a tile in either direction (2 or 4), rows and vectors of the
 * register tile, tiles summed at a time, input and output channels of a block (multiples of the
 * register tile's rows and lanes). Takes p->pool; wants dz. */
bool clv_winograd_weights_supports(const struct clv_caps *caps, const struct clv_conv *c);
bool clv_winograd_weights_suits(const struct clv_caps *caps, const struct clv_conv *c);
/* m: the tile, 0 = any; false, with param as it was, where it does not fit. */
bool clv_winograd_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int m,
                                   int param[CLV_CHOICE_PARAMS]);
int clv_winograd_weights_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                                    int (*param)[CLV_CHOICE_PARAMS], int max);
CLV_CHECK enum clv_err clv_winograd_weights(struct clv_emit *e, const struct clv_contract *p,
                                            const int *param);
/* The second stage of either form: dw and dbias from part [slices][ci blocks][co blocks] of
 * [points][rows][co_block] and [co_block]. options: those of the kernel; lanes: NV * VW of them. */
struct clv_winograd_part {
    struct clv_tensor *t;
    int ci_block, co_block, rows, lanes, slices;
    size_t local[2]; /* the group */
};
CLV_CHECK enum clv_err clv_winograd_weights_sum(struct clv_emit *e, const struct clv_contract *p,
                                                const struct clv_winograd_part *part,
                                                const char *options);

/* Staged, all three products. param: the tile, rows and vectors of the register tile on CPUs, and
 * zeros, by which the form is told. */
static inline bool clv_winograd_is_staged(const int *param)
{
    return param[3] == 0;
}
bool clv_winograd_staged_supports(const struct clv_caps *caps, const struct clv_conv *c);
void clv_winograd_staged_defaults(const struct clv_caps *caps, const struct clv_conv *c, int m,
                                  int param[CLV_CHOICE_PARAMS]);
CLV_CHECK enum clv_err clv_winograd_staged(struct clv_emit *e, const struct clv_contract *p,
                                           enum clv_product product, const int *param);

#endif
