/* Softmax over the channels of a pixel, with the maximum taken off first: one work-item per pixel.
 * dx = y (dy - sum(dy y)). */
#include "types.cl"
#include "state.cl"

__kernel void softmax_fwd(IN_STATE, IN(x), uint x_pitch, OUT(y), uint y_pitch, uint pixels, uint c)
{
    const ulong pixel = get_global_id(0);
    if (pixel >= (ulong)STATE->n * pixels)
        return;
    AT(x);
    AT(y);
    x += pixel * x_pitch;
    y += pixel * y_pitch;
    float top = x[0], sum = 0.0f;
    for (uint i = 1; i < c; i++)
        top = fmax(top, x[i]);
    for (uint i = 0; i < c; i++)
        sum += exp(x[i] - top);
    const float share = 1.0f / sum;
    for (uint i = 0; i < c; i++)
        y[i] = exp(x[i] - top) * share;
}

__kernel void softmax_bwd(IN_STATE, IN(y), uint y_pitch, IN(dy), uint dy_pitch, OUT(dx), uint dx_pitch,
                          int accumulate, uint pixels, uint c)
{
    const ulong pixel = get_global_id(0);
    if (pixel >= (ulong)STATE->n * pixels)
        return;
    AT(y);
    AT(dy);
    AT(dx);
    y += pixel * y_pitch;
    dy += pixel * dy_pitch;
    dx += pixel * dx_pitch;
    float dot = 0.0f;
    for (uint i = 0; i < c; i++)
        dot += y[i] * dy[i];
    for (uint i = 0; i < c; i++) {
        const float g = y[i] * (dy[i] - dot);
        dx[i] = accumulate ? dx[i] + g : g;
    }
}
