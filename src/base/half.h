/* The two 16-bit floating-point formats on the host: IEEE 754 binary16, and bfloat16, the upper half of a
 * float. To nearest, ties to even; a NaN stays one. */
#ifndef CLV_BASE_HALF_H
#define CLV_BASE_HALF_H

#include <stdint.h>

uint16_t clv_f16_of_float(float v);
float clv_float_of_f16(uint16_t bits);
uint16_t clv_bf16_of_float(float v);
float clv_float_of_bf16(uint16_t bits);

#endif
