/* contract_vector_dense_weights with the optimizer's update as its epilogue: a gradient lives in local
 * memory from the product that makes it to the step that uses it. Sums run as they do there, so that
 * both ways give the same bits. */
#include "contract_tile.cl"
#include "contract_load.cl"
#include "contract_dense.cl"

static float16 load_some(__global const float *p, int count)
{
    float v[16] = {0};
    for (int i = 0; i < count; i++)
        v[i] = p[i];
    return vload16(0, v);
}

static void store_some(float16 value, __global float *p, int count)
{
    float v[16];
    vstore16(value, 0, v);
    for (int i = 0; i < count; i++)
        p[i] = v[i];
}

/* update16() for count < 16 elements. */
static void update_some(__global float *value, __global float *slot0, __global float *slot1,
                        __local const float *grad, int count, __global const step_state *st,
                        chunk_constants c)
{
    float16 w = load_some(value, count), s0 = 0.0f, s1 = 0.0f;
#if SLOTS > 0
    s0 = load_some(slot0, count);
#endif
#if SLOTS > 1
    s1 = load_some(slot1, count);
#endif
    step16(&w, penalised(vload16(0, grad), w, c), &s0, &s1, st, c);
    store_some(w, value, count);
#if SLOTS > 0
    store_some(s0, slot0, count);
#endif
#if SLOTS > 1
    store_some(s1, slot1, count);
#endif
}

/* g[MR][NL] = sum over `rows` samples of xs[m][i] * ds[m][NL], or += it. */
static void gradient_tile(__local float *g, int g_step, __local const float *xs, int in_step,
                          __local const float *ds, int rows, int add)
{
    vec acc[MR][NV];
    TILE_ZERO(acc);
    TILE_ACCUMULATE(acc, xs, 1, in_step, ds, NL, rows);
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int v = 0; v < NV; v++)
        {
            const vec sum = add ? VLOAD(v, g + r * g_step) + acc[r][v] : acc[r][v];
            VPUT(__local, sum, v, g + r * g_step);
        }
}

/* MR rows of NL floats, `step` apart. */
static void fetch_tile(__global const float *p, int step)
{
    UNROLL for (int r = 0; r < MR; r++)
        UNROLL for (int j = 0; j < NL; j += 16) PREFETCH(p + (long)r * step + j);
}

/* Work-item as in contract_vector_dense_weights, but cut into strips of `strip` inputs: while a strip's gradient is
 * summed, and used, the next strip's weights and slots come, which then wait for neither. chunk: of the weight's constants. scratch:
 * [blocks_per_item][row_step][NL] of dz, [strip][blocks_per_item][NL] of the gradient, [row_step][in_step] of x.
 * in_step is a multiple of strip, which is one of MR; they are the same where a batch may exceed row_step. */
VECTOR_KERNEL contract_vector_dense_update(IN_STATE, IN(x), IN(dz), OUT_F32(value), OUT_F32(slot0),
                                           OUT_F32(slot1), IN_F32(chunks), OUT_F32(db), int in, int out, int x_pitch, int dz_pitch,
                                           int in_step, int strip, int blocks_per_item, int row_step, int has_bias,
                                           int chunk, __local float *scratch)
{
    AT(x);
    AT(dz);
    AT(value);
    AT(slot0);
    AT(slot1);
    AT(chunks);
    AT(db);
    const chunk_constants c = chunk_at(chunks, chunk, STATE);
    const int i0 = get_global_id(0) * in_step, inputs = min(in_step, in - i0), n = STATE->n;
    const int j0 = get_global_id(1) * blocks_per_item * NL;
    const int cols = min(blocks_per_item * NL, out - j0), blocks = (cols + NL - 1) / NL;
    const int g_step = blocks_per_item * NL;
    __local float *ds = scratch, *g = ds + blocks_per_item * row_step * NL, *xs = g + strip * g_step;
    for (int s = 0; s < inputs; s += strip) {
        const int some = min(strip, inputs - s), next = min(strip, inputs - s - some);
        const size_t first = (size_t)(i0 + s) * out + j0, ahead = first + (size_t)some * out;
        for (int m0 = 0; m0 < n; m0 += row_step) {
            const int rows = min(row_step, n - m0);
            if (s == 0) {
                load_panel(xs, rows, in_step, x + (long)m0 * x_pitch + i0, x_pitch, rows, inputs);
                load_blocks(ds, blocks, row_step, dz + (long)m0 * dz_pitch + j0, dz_pitch, rows, out - j0);
            }
            for (int b = 0; b < blocks; b++) /* its dz stays in the first-level cache */
                for (int i = 0; i < some; i += MR) {
                    if (next && m0 == 0) {
                        const size_t tile = ahead + (cols == out ? (size_t)(b * strip + i) * NL : (size_t)i * out + b * NL);
                        fetch_tile(value + tile, cols == out ? NL : out);
#if SLOTS > 0
                        fetch_tile(slot0 + tile, cols == out ? NL : out);
#endif
                    }
                    gradient_tile(g + i * g_step + b * NL, g_step, xs + s + i, in_step, ds + b * row_step * NL, rows,
                                  m0);
                }
            if (has_bias && i0 + s == 0)
                sum_bias(db + j0, ds, row_step, rows, cols, m0);
        }
        for (int i = 0; c.rate != 0.0f && i < some; i++) {
            const size_t at = first + (size_t)i * out;
            int j = 0;
            for (; j + 16 <= cols; j += 16) {
#if SLOTS > 1
                PREFETCH(slot1 + at + (size_t)strip * out + j);
#endif
                update16(value, slot0, slot1, at + j, vload16(0, g + i * g_step + j), 1.0f, STATE, c);
            }
            if (j < cols)
                update_some(value + at + j, slot0 + at + j, slot1 + at + j, g + i * g_step + j, cols - j, STATE, c);
        }
    }
}
