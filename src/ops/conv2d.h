/* Options and geometry of conv2d, for its check as well. */
#ifndef CLV_OPS_CONV2D_H
#define CLV_OPS_CONV2D_H

#include "contract/contract.h"

struct clv_conv2d_params {
    int filters;
    int kernel_size[2], strides[2], dilation[2];
    char padding[CLV_OPT_STRING_MAX];
    int groups;
    bool use_bias;
    int kernel_initializer; /* enum clv_init */
    double l1, l2;
};

/* False when the padding's text cannot be read; the output's height and width may come out below 1.
 */
bool clv_conv2d_geometry(const struct clv_conv2d_params *q, struct clv_shape in,
                         struct clv_conv *ret);

#endif
