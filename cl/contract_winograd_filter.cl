/* Filters of the Winograd schedule to their points: [co blocks][points][reduced][lanes], lanes past
 * `outputs` zero. Tap (h, w), reduced channel r, output channel o comes from src[base + h * step_h +
 * w * step_w + r * step_r + o * step_o], so the same kernel takes filters as they are (forward) and flipped
 * and transposed (backward data). Work-item = (vector of output channels, reduced channel), and any number more. -D VW,
 * WINO_M. */
#define NV 1
#include "types.cl"
#include "contract_tile.cl"
#include "winograd.cl"

VECTOR_KERNEL contract_winograd_filter(IN_F32(src), OUT_F32(filters), int lanes, int reduced, int outputs,
                                       int base, int step_h, int step_w, int step_r, int step_o)
{
    AT(src);
    AT(filters);
    const int o = get_global_id(0) * VW, r = get_global_id(1), count = min(VW, outputs - o);
    if (r >= reduced || o >= (outputs + lanes - 1) / lanes * lanes)
        return;
    vec g[3][3], points[WINO_T][WINO_T];
    for (int h = 0; h < 3; h++)
        for (int w = 0; w < 3; w++) {
            __global const float *p =
                src + base + h * step_h + w * step_w + (long)r * step_r + (long)o * step_o;
            float some[VW];
            for (int k = 0; k < VW; k++)
                some[k] = k < count ? p[k * step_o] : 0.0f;
            g[h][w] = VLOAD(0, some);
        }
    WINO_FILTER(g, points);
    filters += ((long)(o / lanes) * WINO_POINTS * reduced + r) * lanes + o % lanes;
    UNROLL for (int i = 0; i < WINO_T; i++)
        UNROLL for (int j = 0; j < WINO_T; j++)
            VPUT(__global, points[i][j], 0, filters + (long)(i * WINO_T + j) * reduced * lanes);
}
