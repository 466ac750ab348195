/* What zeropadding2d, upsampling2d and adaptiveavgpool2d share: kernels that make an image of another size, channel by
 * channel, and the gradient of the first from that of the second. */
#ifndef CLV_OPS_RESIZE_H
#define CLV_OPS_RESIZE_H

#include "ops/launch.h"

/* Both kernels take state, pixels read, pixels written (backward: whether they are added to), height and width of the
 * layer's input and output, channels, `extra`, and the cells of an item. */
struct clv_resize {
    const struct clv_source *source;
    const char *forward, *backward; /* names of the kernels */
    const char *options;            /* before the launch's; "" = none */
    int extra[2], n_extra;
};

CLV_CHECK enum clv_err clv_resize_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                                       const struct clv_resize *r);

#endif
