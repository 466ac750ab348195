/* Second stage of every contraction whose K is cut into slices: adds part[slice][block][row][lanes] over
 * the slices in their order. Work-item = (column, row). */
#include "types.cl"
#include "state.cl"
#include "contract_epilogue.cl"

static DEFINE_ACTIVATE(float, activate)

static float sum_slices(__global const float *part, int row, int col, int rows, int cols, int lanes,
                        int slices)
{
    const long blocks = (cols + lanes - 1) / lanes, step = blocks * rows * lanes;
    long at = ((long)(col / lanes) * rows + row) * lanes + col % lanes;
    float sum = 0;
    for (int s = 0; s < slices; s++, at += step)
        sum += part[at];
    return sum;
}

/* Rows are output pixels of `pixels` a sample (dense: 1): y = activate(sum + bias [+ y]). */
__kernel void contract_reduce_output(IN_STATE, IN_F32(part), IN_F32(bias), OUT(y), int rows, int cols, int lanes,
                                     int slices, int pixels, int pitch, int has_bias, int flags)
{
    AT(part);
    AT(bias);
    AT(y);
    const int col = get_global_id(0), row = get_global_id(1);
    if (col >= cols || row >= rows || row / pixels >= STATE->n)
        return;
    __global real *p = y + (long)row * pitch + col;
    float sum = sum_slices(part, row, col, rows, cols, lanes, slices);
    if (has_bias)
        sum += bias[col];
    if (flags & FLAG_ACCUMULATE)
        sum += LOAD(p, 0);
    STORE(activate(sum, FLOOR_OF(flags)), p, 0);
}

/* The last row is the bias gradient, the others are dw as it lies. */
__kernel void contract_reduce_weights(IN_F32(part), OUT_F32(dw), OUT_F32(db), int rows, int cols, int lanes,
                                      int slices, int has_bias)
{
    AT(part);
    AT(dw);
    AT(db);
    const int col = get_global_id(0), row = get_global_id(1);
    if (col >= cols || row >= rows)
        return;
    const float sum = sum_slices(part, row, col, rows, cols, lanes, slices);
    if (row < rows - 1)
        dw[(long)row * cols + col] = sum;
    else if (has_bias)
        db[col] = sum;
}
