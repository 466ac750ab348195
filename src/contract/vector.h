/* The vector schedule: work-groups of one item, each with a register tile of mr rows by nv vectors,
 * fed from panels in local memory, which is that item's own, cache-resident scratch. What its
 * products share; for src/contract/vector*.c only. */
#ifndef CLV_CONTRACT_VECTOR_H
#define CLV_CONTRACT_VECTOR_H

#include "contract/schedule.h"

/* Whether a register tile leaves registers for what it is fed from. */
bool clv_vector_tile_fits(const struct clv_caps *caps, const struct clv_tile *tile);
/* Local memory that a work-item may take: leaves the filters room in the second-level cache. */
int64_t clv_vector_local_bytes(const struct clv_caps *caps);

/* Forward, and data as the forward convolution of dz (vector_forward.c). */
bool clv_vector_forward_supports(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product);
void clv_vector_forward_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS]);
int clv_vector_forward_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                                  enum clv_product product, int batch,
                                  int (*param)[CLV_CHOICE_PARAMS], int max);
CLV_CHECK enum clv_err clv_vector_forward(struct clv_emit *e, const struct clv_contract *p,
                                          const int *param);
CLV_CHECK enum clv_err clv_vector_data(struct clv_emit *e, const struct clv_contract *p,
                                       const int *param);

/* Weights (vector_weights.c). */
bool clv_vector_weights_supports(const struct clv_caps *caps, const struct clv_conv *c);
void clv_vector_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                 int param[CLV_CHOICE_PARAMS]);
int clv_vector_weights_candidates(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                  int (*param)[CLV_CHOICE_PARAMS], int max);
CLV_CHECK enum clv_err clv_vector_weights(struct clv_emit *e, const struct clv_contract *p,
                                          const int *param);

/* Dense layers with many samples (vector_gemm.c). param: vectors and rows of the register tile; rows of
 * the result in a work-item, 0 = weights are streamed instead (vector_dense.c); terms summed at a time;
 * blocks of columns in a work-item. False, with param as it was, for other layers. */
enum { CLV_VECTOR_ROWS = 3 };
bool clv_vector_gemm_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                              enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS]);
int clv_vector_gemm_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                               enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS],
                               int max);
CLV_CHECK enum clv_err clv_vector_gemm_forward(struct clv_emit *e, const struct clv_contract *p,
                                               const int *param);
CLV_CHECK enum clv_err clv_vector_gemm_data(struct clv_emit *e, const struct clv_contract *p,
                                            const int *param);
CLV_CHECK enum clv_err clv_vector_gemm_weights(struct clv_emit *e, const struct clv_contract *p,
                                               const int *param);

#endif
