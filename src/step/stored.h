/* Numbers of a tensor as its memory holds them, on the host. */
#ifndef CLV_STEP_STORED_H
#define CLV_STEP_STORED_H

#include "base/half.h"
#include "step/tensor.h"

/* Element i of memory that holds CLV_F32, CLV_F16 or CLV_BF16. */
float clv_stored_get(enum clv_dtype type, const void *memory, int64_t i);
void clv_stored_put(enum clv_dtype type, void *memory, int64_t i, float v);
/* v as it comes back. */
float clv_stored_round(enum clv_dtype type, float v);
/* Half the distance of neighbouring numbers around 1: the relative error of storing a number that is neither
 * tiny nor huge. 0 for CLV_F32. */
double clv_stored_roundoff(enum clv_dtype type);
/* Four bytes whose every element is a NaN; for the other types the bytes `word`. */
uint32_t clv_stored_nan(enum clv_dtype type, uint32_t word);

#endif
