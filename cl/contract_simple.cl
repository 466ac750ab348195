/* Convolution on any device, with groups, strides, dilation and any padding: one work-item per output
 * element, plain loops. Filters [kh][kw][ci / groups][co]. Longer sums are cut where a row of the kernel
 * ends, which keeps their rounding error small. */
#include "types.cl"
#include "state.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(float, activate)

/* Work-item = (output channel, output pixel, image). */
__kernel void contract_simple_forward(IN_STATE, IN(x), IN_F32(w), IN_F32(bias), OUT(y), GEOMETRY, int groups,
                                      int has_bias, int flags)
{
    AT(x);
    AT(w);
    AT(bias);
    AT(y);
    const int c = get_global_id(0), pixel = get_global_id(1), image = get_global_id(2);
    if (c >= co || pixel >= oh * ow || image >= STATE->n)
        return;
    const int cig = ci / groups, first = c / (co / groups) * cig;
    float sum = has_bias ? bias[c] : 0.0f;
    for (int h = 0; h < kh; h++) {
        const int r = pixel / ow * stride_h - pad_top + h * dil_h;
        if (r < 0 || r >= ih)
            continue;
        float part = 0;
        for (int s = 0; s < kw; s++) {
            const int q = pixel % ow * stride_w - pad_left + s * dil_w;
            if (q < 0 || q >= iw)
                continue;
            __global const real *p = x + (((long)image * ih + r) * iw + q) * x_pitch + first;
            __global const float *f = w + (long)(h * kw + s) * cig * co + c;
            for (int i = 0; i < cig; i++)
                part = fma(LOAD(p, i), f[(long)i * co], part);
        }
        sum += part;
    }
    STORE(activate(sum, FLOOR_OF(flags)), y, ((long)image * oh * ow + pixel) * y_pitch + c);
}

/* Bias and activation are those of a transposed convolution. Work-item = (input channel, input pixel, image). */
__kernel void contract_simple_data(IN_STATE, IN(dz), IN_F32(w), IN_F32(bias), OUT(dx), GEOMETRY, int groups,
                                   int has_bias, int flags)
{
    AT(dz);
    AT(w);
    AT(bias);
    AT(dx);
    const int c = get_global_id(0), pixel = get_global_id(1), image = get_global_id(2);
    if (c >= ci || pixel >= ih * iw || image >= STATE->n)
        return;
    const int cig = ci / groups, cog = co / groups, first = c / cig * cog;
    float sum = has_bias ? bias[c] : 0.0f;
    for (int h = 0; h < kh; h++) {
        const int r = pixel / iw + pad_top - h * dil_h;
        if (r < 0 || r % stride_h || r / stride_h >= oh)
            continue;
        float part = 0;
        for (int s = 0; s < kw; s++) {
            const int q = pixel % iw + pad_left - s * dil_w;
            if (q < 0 || q % stride_w || q / stride_w >= ow)
                continue;
            __global const real *p =
                dz + (((long)image * oh + r / stride_h) * ow + q / stride_w) * y_pitch + first;
            __global const float *f = w + ((long)(h * kw + s) * cig + c % cig) * co + first;
            for (int o = 0; o < cog; o++)
                part = fma(LOAD(p, o), f[o], part);
        }
        sum += part;
    }
    __global real *p = dx + ((long)image * ih * iw + pixel) * x_pitch + c;
    STORE(activate(flags & FLAG_ACCUMULATE ? LOAD(p, 0) + sum : sum, FLOOR_OF(flags)), p, 0);
}

/* First stage: part[slice][kh * kw * ci / groups + 1][co], the last row for the bias; a slice is an equal
 * part of all output rows of the full batch. Work-item = (output channel, row of part, slice). */
__kernel void contract_simple_weights(IN_STATE, IN(x), IN(dz), OUT_F32(part), GEOMETRY, int groups, int batch,
                                      int slices)
{
    AT(x);
    AT(dz);
    AT(part);
    const int c = get_global_id(0), k = get_global_id(1), slice = get_global_id(2);
    const int cig = ci / groups, rows = kh * kw * cig + 1;
    if (c >= co || k >= rows || slice >= slices)
        return;
    const bool bias = k == rows - 1;
    const int tap = k / cig, h = tap / kw, s = tap % kw, i = c / (co / groups) * cig + k % cig;
    const int end = (long)(slice + 1) * batch * oh / slices;
    float sum = 0;
    for (int row = (long)slice * batch * oh / slices; row < end && row / oh < STATE->n; row++) {
        const int r = bias ? 0 : row % oh * stride_h - pad_top + h * dil_h;
        if (r < 0 || r >= ih)
            continue;
        __global const real *d = dz + (long)row * ow * y_pitch + c;
        __global const real *p = x + ((long)(row / oh) * ih + r) * iw * x_pitch + i;
        float line = 0;
        for (int o = 0; o < ow; o++) {
            const int q = o * stride_w - pad_left + s * dil_w;
            if (bias)
                line += LOAD(d, (long)o * y_pitch);
            else if (q >= 0 && q < iw)
                line = fma(LOAD(p, (long)q * x_pitch), LOAD(d, (long)o * y_pitch), line);
        }
        sum += line;
    }
    part[((long)slice * rows + k) * co + c] = sum;
}
