/* What changes from step to step is data: a small device buffer that kernels read.
 * The layout is shared with cl/include/state.cl: 32-bit words only. It is followed by
 * uint32_t sample_index[batch], the global index of every sample, which keys dropout. */
#ifndef CLV_STEP_STATE_H
#define CLV_STEP_STATE_H

#include "base/sample.h"
#include <stdint.h>

struct clv_step_state {
    int32_t n;               /* samples in this batch, <= the plan's batch */
    float inv_n;             /* 1 / n */
    uint32_t step;           /* optimizer step, counted from 1 */
    float rate;              /* learning rate with the optimizer's own corrections folded in */
    float learning_rate;     /* the schedule's value */
    float scalar[4];         /* whatever the optimizer computes on the host */
    uint32_t seed[2];        /* low, high */
    /* With a scaler (step/scaler.h); rate is then that of a step whose predecessors were skipped `skipped` times. */
    uint32_t skipped;        /* steps that were skipped as far as the host knows */
    float rate_behind;       /* rate if it is one more */
    float loss_scale;        /* written on the device, */
    uint32_t skip;           /* and so is this: the updates of this step do nothing */
    struct clv_mix mix;      /* plans for training that mix */
};

#endif
