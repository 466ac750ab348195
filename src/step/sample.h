/* The step in front of every plan: from a staging slot to the input tensor. */
#ifndef CLV_STEP_SAMPLE_H
#define CLV_STEP_SAMPLE_H

#include "base/sample.h"
#include "step/emit.h"

/* Appends the sampling pass (base/sample.h): sample i of the batch comes from record i of
 * staging, a slot of bytes (U8). out: F32 [batch][h][w][c]; samples at and beyond STATE->n are left alone. Channels from the
 * fifth on are not normalised. */
CLV_CHECK enum clv_err clv_emit_sample(struct clv_emit *e, struct clv_tensor *staging,
                                       struct clv_tensor *out, const struct clv_normalise *normalise);

/* Appends the mixing of a batch behind it: the step's state says how (struct clv_mix). x: [batch][h][w][c], in place. */
CLV_CHECK enum clv_err clv_emit_mix(struct clv_emit *e, struct clv_tensor *x);

#endif
