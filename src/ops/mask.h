/* Layers that drop whole parts of a sample: spatialdropout2d, stochasticdepth. Bits are drawn as dropout's (cl/dropout.cl). */
#ifndef CLV_OPS_MASK_H
#define CLV_OPS_MASK_H

#include "ops/launch.h"

struct clv_mask_params {
    double rate; /* share of parts set to zero, below 1; the others are divided by 1 - rate */
};

/* x to y, or dy to dx, by a kernel of cl/dropout.cl over rows of `width` pixels of all channels. */
CLV_CHECK enum clv_err clv_mask_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                                     const char *kernel, int width);

#endif
