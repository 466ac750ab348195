/* Options of upsampling2d, for its check as well. */
#ifndef CLV_OPS_UPSAMPLING2D_H
#define CLV_OPS_UPSAMPLING2D_H

#include "graph/op.h"

enum clv_interpolation { CLV_INTERPOLATE_NEAREST, CLV_INTERPOLATE_BILINEAR };
struct clv_upsampling2d_params {
    int size[2];
    int interpolation; /* enum clv_interpolation */
};

#endif
