/* Matrix units as cl/include/unit_*.cl have them. */
#include "device/device.h"

static const struct {
    const char *name;
    int rows, items;
    enum clv_operand operand;
} units[CLV_UNITS] = {
    [CLV_UNIT_NONE] = {"none", 0, 0, CLV_OPERAND_BF16},
    [CLV_UNIT_EMULATED] = {"emulated", 32, 1, CLV_OPERAND_BF16},
    [CLV_UNIT_EMULATED_F16] = {"emulated-f16", 32, 1, CLV_OPERAND_F16},
    [CLV_UNIT_EMULATED_TF32] = {"emulated-tf32", 32, 1, CLV_OPERAND_TF32},
    [CLV_UNIT_AVX512_BF16] = {"avx512-bf16", 12, 1, CLV_OPERAND_BF16},
    [CLV_UNIT_AMX] = {"amx", 32, 1, CLV_OPERAND_BF16},
    [CLV_UNIT_MMA] = {"mma", 32, 32, CLV_OPERAND_BF16},
    [CLV_UNIT_MMA_F16] = {"mma-f16", 32, 32, CLV_OPERAND_F16},
    [CLV_UNIT_MMA_TF32] = {"mma-tf32", 32, 32, CLV_OPERAND_TF32},
    [CLV_UNIT_DPAS] = {"dpas", 32, 16, CLV_OPERAND_BF16},
};

const char *clv_unit_name(enum clv_unit unit)
{
    return units[unit].name;
}

int clv_unit_rows(enum clv_unit unit)
{
    return units[unit].rows;
}

int clv_unit_items(enum clv_unit unit, bool gpu_path)
{
    enum { EMULATED_GROUP = 32 };
    const bool emulated = unit >= CLV_UNIT_EMULATED && unit <= CLV_UNIT_EMULATED_TF32;
    return emulated && gpu_path ? EMULATED_GROUP : units[unit].items;
}

enum clv_operand clv_unit_operand(enum clv_unit unit)
{
    return units[unit].operand;
}

int clv_unit_operand_bytes(enum clv_unit unit)
{
    return units[unit].operand == CLV_OPERAND_TF32 ? 4 : 2;
}
