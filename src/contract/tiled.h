/* The tiled schedule: work-group tiles, in local memory or read through the caches, for GPUs. What its choice of tiles
 * (tiled.c) and its products (tiled_emit.c) share. */
#ifndef CLV_CONTRACT_TILED_H
#define CLV_CONTRACT_TILED_H

#include "contract/schedule.h"

/* param[]: rows and columns of a work-group's tile, its step along K, rows and columns of a
 * work-item, slices of K at most. */
enum { CLV_TILED_BM, CLV_TILED_BN, CLV_TILED_BK, CLV_TILED_TM, CLV_TILED_TN, CLV_TILED_SLICES };

/* A step along K that says: no local memory, operands go from the caches to registers. */
enum { CLV_TILED_DIRECT = 4 };
static inline bool clv_tiled_is_direct(const int *param)
{
    return param[CLV_TILED_BK] == CLV_TILED_DIRECT;
}

/* Every slice is a multiple of every tile's step along K. */
enum { CLV_TILED_STEP = 16 };

static inline int clv_tiled_items(const int *param)
{
    return param[CLV_TILED_BM] / param[CLV_TILED_TM] * (param[CLV_TILED_BN] / param[CLV_TILED_TN]);
}
uint64_t clv_tiled_local_bytes(const int *param);
/* Items of the sub-groups by which a direct tile shares operands out, 1 = it does not: sub-groups of sizes that
 * the device lets kernels ask for. */
int clv_tiled_lanes(const struct clv_caps *caps, const int *param);
bool clv_tiled_fits(const struct clv_caps *caps, const int *param);
/* The best tile with at most half the items of this one, for kernels that do not get its registers;
 * false where there is none. */
bool clv_tiled_smaller(const struct clv_caps *caps, const int *param, int ret[CLV_CHOICE_PARAMS]);

CLV_CHECK enum clv_err clv_tiled_forward(struct clv_emit *e, const struct clv_contract *p,
                                         const int *param);
CLV_CHECK enum clv_err clv_tiled_data(struct clv_emit *e, const struct clv_contract *p,
                                      const int *param);
CLV_CHECK enum clv_err clv_tiled_weights(struct clv_emit *e, const struct clv_contract *p,
                                         const int *param);

#endif
