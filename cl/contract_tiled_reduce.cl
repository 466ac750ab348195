/* Second stage of a tiled product whose K is cut into slices: adds part[slice][rows][cols] over the slices.
 * A work-group has LANES neighbouring elements; each of its LINES lines of items adds up every LINES-th
 * slice, and the first line adds the lines' sums in order. -D LINES, POOL, ACT */
#include "types.cl"
#include "state.cl"
#include "contract_epilogue.cl"
#include "pool4.cl"
#define LANES 32

static DEFINE_ACTIVATE(float, activate)

/* The sum at part[at], valid in line 0. All items of a group call it together. */
static float sum_slices(__global const float *part, long at, bool there, long step, int slices,
                        __local float *scratch)
{
    const int lane = get_local_id(0), line = get_local_id(1);
    float sum = 0;
    for (int s = line; there && s < slices; s += LINES)
        sum += part[s * step + at];
#if LINES > 1
    scratch[line * LANES + lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 1; line == 0 && i < LINES; i++)
        sum += scratch[i * LANES + lane];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    return sum;
}

/* y = activate(sum + bias), or y += sum. Rows are pixels, `per_sample` a sample; -D POOL: rows come four by
 * four, the windows of a 2 x 2 max-pool, and y's pixels are those. Work-item = (element of y, line). */
__attribute__((reqd_work_group_size(LANES, LINES, 1))) __kernel void
contract_tiled_reduce_output(IN_STATE, IN_F32(part), IN_F32(bias), OUT(y), OUT_U8(mask), int rows, int cols, int slices,
                             int per_sample, int pitch, int has_bias, int flags)
{
    AT(part);
    AT(bias);
    AT(y);
    AT(mask);
    __local float scratch[LINES * LANES];
    const int row = get_global_id(0) / cols, col = get_global_id(0) % cols;
    const long step = (long)rows * cols;
#ifdef POOL
    const bool there = row < rows / 4 && row / (per_sample / 4) < STATE->n;
    float q[4];
    for (int i = 0; i < 4; i++)
        q[i] = sum_slices(part, (long)(4 * row + i) * cols + col, there, step, slices, scratch);
#else
    const bool there = row < rows && row / per_sample < STATE->n;
    float sum = sum_slices(part, (long)row * cols + col, there, step, slices, scratch);
#endif
    if (!there || get_local_id(1) != 0)
        return;
    const float start = has_bias ? bias[col] : 0.0f;
    __global real *p = y + (long)row * pitch + col;
#ifdef POOL
    int4 place;
    const float sum = pool4((float4)(q[0] + start), (float4)(q[1] + start), (float4)(q[2] + start),
                            (float4)(q[3] + start), FLOOR_OF(flags), &place).x;
    if (flags & FLAG_SAVE)
        mask[(long)row * cols + col] = (uchar)place.x;
#else
    sum += start;
    if (flags & FLAG_ACCUMULATE)
        sum += LOAD(p, 0);
#endif
    STORE(activate(sum, FLOOR_OF(flags)), p, 0);
}

/* The last row is the bias gradient, the others are dw as it lies. Work-item = (element, line). */
__attribute__((reqd_work_group_size(LANES, LINES, 1))) __kernel void
contract_tiled_reduce_weights(IN_F32(part), OUT_F32(dw), OUT_F32(db), int rows, int cols, int slices, int has_bias)
{
    AT(part);
    AT(dw);
    AT(db);
    __local float scratch[LINES * LANES];
    const int row = get_global_id(0) / cols, col = get_global_id(0) % cols;
    const bool there = row < rows - 1 || (row == rows - 1 && has_bias);
    const float sum =
        sum_slices(part, (long)row * cols + col, there, (long)rows * cols, slices, scratch);
    if (!there || get_local_id(1) != 0)
        return;
    if (row < rows - 1)
        dw[(long)row * cols + col] = sum;
    else
        db[col] = sum;
}
