/* The step that turns a staging slot into the network's input: see base/sample.h. */
#ifndef CLV_STEP_SAMPLE_H
#define CLV_STEP_SAMPLE_H

#include "base/sample.h"
#include "step/emit.h"

/* Appends the sampling pass: slot (U8: e->batch records, then pixels) -> input (F32 NHWC). */
CLV_CHECK enum clv_err clv_emit_sample(struct clv_emit *e, struct clv_tensor *slot,
                                       struct clv_tensor *input, const struct clv_normalise *norm);

#endif
