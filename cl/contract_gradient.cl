/* Elementwise and column passes around the contractions' backward side. */
#include "types.cl"
#include "state.cl"
#include "contract_epilogue.cl"

static DEFINE_ACT_GRADIENT(float, act_gradient)

/* dy := dy * act'(y) in place; pixels of all samples. Work-item = (channel, pixel). */
__kernel void contract_act_gradient(IN_STATE, OUT(dy), IN(y), int pixels, int channels, int dy_pitch,
                                    int y_pitch, int act)
{
    AT(dy);
    AT(y);
    const long c = get_global_id(0), p = get_global_id(1);
    if (c < channels && p < (long)STATE->n * pixels)
        STORE(act_gradient(LOAD(dy, p * dy_pitch + c), LOAD(y, p * y_pitch + c), act), dy, p * dy_pitch + c);
}

/* dst = src for the samples of the batch, zero for those past it: what a plain GEMM may read. */
__kernel void contract_mask_rows(IN_STATE, IN(src), OUT(dst), int rows, int cols, int pitch)
{
    AT(src);
    AT(dst);
    const int c = get_global_id(0), r = get_global_id(1);
    if (c < cols && r < rows)
        STORE(r < STATE->n ? LOAD(src, (long)r * pitch + c) : 0.0f, dst, (long)r * cols + c);
}

/* db[c] = sum over samples of dz[n][c]. */
__kernel void contract_column_sums(IN_STATE, IN(dz), OUT_F32(db), int cols, int pitch)
{
    AT(dz);
    AT(db);
    const int c = get_global_id(0);
    if (c >= cols)
        return;
    float sum = 0;
    for (int r = 0; r < STATE->n; r++)
        sum += LOAD(dz, (long)r * pitch + c);
    db[c] = sum;
}
