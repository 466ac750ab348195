#include "base/half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

uint16_t clv_bf16_of_float(float v)
{
    const uint32_t u = bits_of(v);
    if (isnan(v))
        return (uint16_t)((u | 0x400000u) >> 16);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

float clv_float_of_bf16(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t clv_f16_of_float(float v)
{
    const uint32_t u = bits_of(v), sign = u >> 16 & 0x8000u;
    const float size = fabsf(v);
    if (isnan(v))
        return (uint16_t)(sign | 0x7e00u);
    if (size >= 65520.0f) /* halfway between the greatest number and what would follow it */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x1p-14f) /* subnormal: multiples of 2^-24, which the sum with 0.5 rounds to */
        return (uint16_t)(sign | (bits_of(size + 0.5f) - bits_of(0.5f)));
    const uint32_t m = u & 0x7fffffffu;
    return (uint16_t)(sign | ((m + 0xfffu + (m >> 13 & 1u) - (112u << 23)) >> 13));
}

float clv_float_of_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0)
        return float_of(sign | bits_of((float)fraction * 0x1p-24f));
    return float_of(sign | (exponent + 112u) << 23 | fraction << 13);
}
