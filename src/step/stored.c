#include "step/stored.h"

#include <string.h>

float clv_stored_get(enum clv_dtype type, const void *memory, int64_t i)
{
    uint16_t bits;
    float v;
    if (!clv_dtype_is_16(type)) {
        memcpy(&v, (const char *)memory + i * (int64_t)sizeof v, sizeof v);
        return v;
    }
    memcpy(&bits, (const char *)memory + i * (int64_t)sizeof bits, sizeof bits);
    return type == CLV_F16 ? clv_float_of_f16(bits) : clv_float_of_bf16(bits);
}

void clv_stored_put(enum clv_dtype type, void *memory, int64_t i, float v)
{
    if (!clv_dtype_is_16(type)) {
        memcpy((char *)memory + i * (int64_t)sizeof v, &v, sizeof v);
        return;
    }
    const uint16_t bits = type == CLV_F16 ? clv_f16_of_float(v) : clv_bf16_of_float(v);
    memcpy((char *)memory + i * (int64_t)sizeof bits, &bits, sizeof bits);
}

float clv_stored_round(enum clv_dtype type, float v)
{
    char memory[sizeof v];
    clv_stored_put(type, memory, 0, v);
    return clv_stored_get(type, memory, 0);
}

double clv_stored_roundoff(enum clv_dtype type)
{
    return type == CLV_F16 ? 0x1p-11 : type == CLV_BF16 ? 0x1p-8 : 0;
}

uint32_t clv_stored_nan(enum clv_dtype type, uint32_t word)
{
    return clv_dtype_is_16(type) ? type == CLV_F16 ? 0x7eef7eefu : 0x7fef7fefu : word;
}
