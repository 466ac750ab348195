/* The matrix schedule: tiles by a matrix unit, on brain floats or what else it takes. What its products share; for
 * src/contract/matrix*.c only. */
#ifndef CLV_CONTRACT_MATRIX_H
#define CLV_CONTRACT_MATRIX_H

#include "contract/schedule.h"

enum {
    CLV_MATRIX_COLUMNS = 32, /* output channels of a block */
    CLV_MATRIX_K = 32,       /* elements of K in a step */
};
enum { CLV_MATRIX_STRIP, CLV_MATRIX_ROWS, CLV_MATRIX_PIECE, CLV_MATRIX_BLOCKS }; /* param[] */

/* Rows of a unit's tile, and items of a work-group. */
int clv_matrix_rows(const struct clv_caps *caps);
int clv_matrix_items(const struct clv_caps *caps);
/* Bytes of an operand, and words of a step's filters. */
int clv_matrix_operand_bytes(const struct clv_caps *caps);
int clv_matrix_tile(const struct clv_caps *caps);
/* Of local memory, what a group may take. */
int64_t clv_matrix_local_bytes(const struct clv_caps *caps);
/* Of an operand: 1, or 2 where it is split. */
int clv_matrix_parts(const struct clv_emit *e);
/* "-DUNIT=1 ..."; NULL when out of memory. */
const char *clv_matrix_options(struct clv_emit *e, enum clv_act act, bool pool, bool unpool);
/* A dense layer as a convolution of one row of `batch` pixels; others as they are. */
struct clv_conv clv_matrix_conv(const struct clv_conv *c, int batch);

/* Forward, and data as the forward convolution of dz (matrix_forward.c). */
bool clv_matrix_forward_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS]);
CLV_CHECK enum clv_err clv_matrix_forward(struct clv_emit *e, const struct clv_contract *p,
                                          const int *param);
CLV_CHECK enum clv_err clv_matrix_data(struct clv_emit *e, const struct clv_contract *p,
                                       const int *param);

/* Weights (matrix_weights.c). */
bool clv_matrix_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                 int param[CLV_CHOICE_PARAMS]);
CLV_CHECK enum clv_err clv_matrix_weights(struct clv_emit *e, const struct clv_contract *p,
                                          const int *param);

#endif
