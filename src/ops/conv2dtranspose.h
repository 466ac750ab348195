/* Options and geometry of conv2dtranspose, for its check as well. */
#ifndef CLV_OPS_CONV2DTRANSPOSE_H
#define CLV_OPS_CONV2DTRANSPOSE_H

#include "contract/contract.h"

struct clv_conv2dtranspose_params {
    int filters;
    int kernel_size[2], strides[2], dilation[2];
    char padding[CLV_OPT_STRING_MAX];
    int output_padding[2];
    int groups;
    bool use_bias;
    int kernel_initializer; /* enum clv_init */
    double l1, l2;
};

/* The convolution that the layer transposes: its input (ih, iw, ci) is the layer's output. False when the padding's
 * text cannot be read; ih and iw may come out below 1. */
bool clv_conv2dtranspose_geometry(const struct clv_conv2dtranspose_params *q, struct clv_shape in,
                                  struct clv_conv *ret);

#endif
