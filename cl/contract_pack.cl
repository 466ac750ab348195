/* Filters into the vector schedule's panels: [blocks][taps][reduced][lanes], each block followed by a
 * row of biases; lanes past `outputs` are zero. Tap (h, w), reduced channel r, output channel o comes
 * from src[base + h * step_h + w * step_w + r * step_r + o * step_o], so the same kernel packs filters
 * as they are (forward) and flipped and transposed (backward data). Work-item = (lane, row, block). */
#include "types.cl"

__kernel void contract_pack(IN_F32(src), IN_F32(bias), OUT_F32(panel), int lanes, int kh, int kw, int reduced,
                            int outputs, int base, int step_h, int step_w, int step_r, int step_o,
                            int has_bias)
{
    AT(src);
    AT(bias);
    AT(panel);
    const int lane = get_global_id(0), k = get_global_id(1), block = get_global_id(2);
    const int rows = kh * kw * reduced + 1, o = block * lanes + lane;
    if (lane >= lanes || k >= rows)
        return;
    float value = 0;
    if (o < outputs) {
        const int r = k % reduced, tap = k / reduced;
        if (k < rows - 1)
            value = src[base + (tap / kw) * step_h + (tap % kw) * step_w + r * step_r + o * step_o];
        else if (has_bias)
            value = bias[o];
    }
    panel[((long)block * rows + k) * lanes + lane] = value;
}
