/* What the vector kernels of a dense layer share. Include after contract_load.cl. */

/* rows x cols of src at dst, dst rows `dst_cols` long; what lies outside the valid part is zero. */
static void load_panel(__local float *dst, int dst_rows, int dst_cols, __global const real *src,
                       long src_step, int rows, int cols)
{
    for (int r = 0; r < dst_rows; r++, dst += dst_cols) {
        const int valid = r < rows ? min(cols, dst_cols) : 0;
        if (valid)
            load_run(dst, src + r * src_step, valid);
        load_zeros(dst + valid, dst_cols - valid);
    }
}

/* rows x (blocks * NL) of src as panels [blocks][dst_rows][NL], zeros from column cols on: of activations, and
 * of weights. Read row by row: the rows of w and dz are long and lie one behind the other, which is how memory
 * delivers them fastest. */
#define DEFINE_LOAD_BLOCKS(name, type, load, loadv)                                                \
    static void name(__local float *dst, int blocks, int dst_rows, __global const type *src,       \
                     long src_step, int rows, int cols)                                            \
    {                                                                                              \
        for (int r = 0; r < rows; r++, src += src_step, dst += NL) {                               \
            for (int b = 0; b < blocks; b++) {                                                     \
                __local float *d = dst + b * dst_rows * NL;                                        \
                if (cols >= (b + 1) * NL) {                                                        \
                    UNROLL for (int v = 0; v < NV; v++)                                            \
                        VPUT(__local, loadv(src, b * NL + v * VW), v, d);                          \
                } else {                                                                           \
                    for (int c = 0; c < NL; c++)                                                   \
                        d[c] = b * NL + c < cols ? load(src, b * NL + c) : 0.0f;                   \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#define GET(p, i) ((p)[i])
DEFINE_LOAD_BLOCKS(load_blocks, real, LOAD, LOADV)
DEFINE_LOAD_BLOCKS(load_weights, float, GET, GETV)

/* db[j] = sum over the rows of ds, added to what earlier rows left there. ds as load_blocks() makes it. */
static void sum_bias(__global float *db, __local const float *ds, int panel_rows, int rows, int cols, int add)
{
    for (int j = 0; j < cols; j++) {
        float sum = add ? db[j] : 0.0f;
        for (int m = 0; m < rows; m++)
            sum += ds[(j / NL * panel_rows + m) * NL + j % NL];
        db[j] = sum;
    }
}
