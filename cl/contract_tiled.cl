/* Convolution as an implicit matrix product C[m][n] = sum_k A[m][k] * B[k][n] on work-group tiles in
 * local memory; any stride, dilation and padding, groups = 1. A dense layer is a 1 x 1 image.
 *
 *   PASS 0 forward   m = (image, oh, ow), k = (kh, kw, ci), n = co: A gathers x, B = w
 *   PASS 1 data      m = (image, ih, iw), k = (kh, kw, co), n = ci: A gathers dz, B = w transposed
 *   PASS 2 weights   m = (kh, kw, ci) and one row of ones for the bias, k = (image, oh, ow), n = co
 *
 * Work-group = WM x WN items, each of which computes RM x RN elements of a TM x TN tile; K goes by in
 * steps of TK, the next step being fetched into registers while this one is multiplied. Group (i, j, s)
 * = (tile of n, tile of m, slice of k). With more than one slice, and always for weights, sums go to
 * part[slice][m][n] for contract_reduce; slices are slice_k long, which comes from the problem and
 * the tile, never from compute units or load.
 * -D PASS, WM, WN, RM, RN, TK, ACT; WM * WN must be a multiple of TK and of TM or TN. */
#include "types.cl"
#include "state.cl"
#include "contract_geometry.cl"
#include "contract_epilogue.cl"

#define TM (WM * RM)
#define TN (WN * RN)
#define ITEMS (WM * WN)
#define A_PER (TM * TK / ITEMS)
#define B_PER (TN * TK / ITEMS)
/* Which index runs along neighbouring items while a tile is fetched: the one contiguous in memory. */
#if PASS == 2
#define A_M(i) (item % TM)
#define A_K(i) (item / TM + (i) * (ITEMS / TM))
#else
#define A_M(i) (item / TK + (i) * (ITEMS / TK))
#define A_K(i) (item % TK)
#endif
#if PASS == 1
#define B_N(i) (item / TK + (i) * (ITEMS / TK))
#define B_K(i) (item % TK)
#else
#define B_N(i) (item % TN)
#define B_K(i) (item / TN + (i) * (ITEMS / TN))
#endif

static DEFINE_ACTIVATE(float, activate)

/* Work-groups of more items than the device allows never get here: the host chooses the table's row. */
__attribute__((reqd_work_group_size(WN, WM, 1))) __kernel void
contract_tiled(IN_STATE, IN(a), IN(b), IN(bias), OUT(c), GEOMETRY, int m_count, int slice_k, int to_part,
               int has_bias, int flags)
{
    AT(a);
    AT(b);
    AT(bias);
    AT(c);
    __local float as[TK][TM + 1], bs[TK][TN + 1];
    const int item = get_local_id(1) * WN + get_local_id(0);
    const int m0 = get_group_id(1) * TM, n0 = get_group_id(0) * TN, slice = get_group_id(2);
    const int batch = STATE->n;
#if PASS == 0
    const int n_count = co, depth = kh * kw * ci;
#elif PASS == 1
    const int n_count = ci, depth = kh * kw * co;
#else
    const int n_count = co, depth = batch * oh * ow;
#endif
    const int k_first = slice * slice_k, k_last = min(k_first + slice_k, depth);

    /* What A's rows mean does not change along k. */
#if PASS == 2
    const int m = m0 + A_M(0), tap = m / ci, tap_h = tap / kw * dil_h - pad_top;
    const int tap_w = tap % kw * dil_w - pad_left, channel = m % ci;
#else
    int image[A_PER], row[A_PER], col[A_PER];
    for (int i = 0; i < A_PER; i++) {
        const int m = m0 + A_M(i);
#if PASS == 0
        image[i] = m / (oh * ow);
        row[i] = m / ow % oh * stride_h - pad_top;
        col[i] = m % ow * stride_w - pad_left;
#else
        image[i] = m / (ih * iw);
        row[i] = m / iw % ih + pad_top;
        col[i] = m % iw + pad_left;
#endif
    }
#endif

    float sum[RM][RN];
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < RN; j++)
            sum[i][j] = 0;
    for (int k0 = k_first; k0 < k_last; k0 += TK) {
        float fetched_a[A_PER], fetched_b[B_PER];
#if PASS != 2
        const int k = k0 + A_K(0);
#if PASS == 0
        const int tap = k / ci, channel = k % ci;
#else
        const int tap = k / co, channel = k % co;
#endif
        const int tap_h = tap / kw * dil_h, tap_w = tap % kw * dil_w;
#endif
        for (int i = 0; i < A_PER; i++) {
            float value = 0;
#if PASS == 0
            const int r = row[i] + tap_h, q = col[i] + tap_w;
            if (k < k_last && image[i] < batch && r >= 0 && r < ih && q >= 0 && q < iw)
                value = a[(((long)image[i] * ih + r) * iw + q) * x_pitch + channel];
#elif PASS == 1
            const int r = row[i] - tap_h, q = col[i] - tap_w, y = r / stride_h, x = q / stride_w;
            if (k < k_last && image[i] < batch && r >= 0 && q >= 0 && y * stride_h == r &&
                x * stride_w == q && y < oh && x < ow)
                value = a[(((long)image[i] * oh + y) * ow + x) * y_pitch + channel];
#else
            const int k = k0 + A_K(i), r = k / ow % oh * stride_h + tap_h;
            const int q = k % ow * stride_w + tap_w;
            if (k < k_last && m == m_count - 1)
                value = 1;
            else if (k < k_last && m < m_count && r >= 0 && r < ih && q >= 0 && q < iw)
                value = a[(((long)(k / (oh * ow)) * ih + r) * iw + q) * x_pitch + channel];
#endif
            fetched_a[i] = value;
        }
        for (int i = 0; i < B_PER; i++) {
            const int n = n0 + B_N(i), kb = k0 + B_K(i);
            float value = 0;
            if (n < n_count && kb < k_last)
#if PASS == 0
                value = b[(long)kb * co + n];
#elif PASS == 1
                value = b[((long)(kb / co) * ci + n) * co + kb % co];
#else
                value = b[(long)kb * y_pitch + n];
#endif
            fetched_b[i] = value;
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* the previous step has been multiplied */
        for (int i = 0; i < A_PER; i++)
            as[A_K(i)][A_M(i)] = fetched_a[i];
        for (int i = 0; i < B_PER; i++)
            bs[B_K(i)][B_N(i)] = fetched_b[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < TK; k++) {
            float va[RM], vb[RN];
            for (int i = 0; i < RM; i++)
                va[i] = as[k][get_local_id(1) + i * WM];
            for (int j = 0; j < RN; j++)
                vb[j] = bs[k][get_local_id(0) + j * WN];
            for (int i = 0; i < RM; i++)
                for (int j = 0; j < RN; j++)
                    sum[i][j] = fma(va[i], vb[j], sum[i][j]);
        }
    }

    for (int i = 0; i < RM; i++) {
        const int m = m0 + get_local_id(1) + i * WM;
        for (int j = 0; j < RN; j++) {
            const int n = n0 + get_local_id(0) + j * WN;
            if (m >= m_count || n >= n_count)
                continue;
            if (to_part) {
                c[((long)slice * m_count + m) * n_count + n] = sum[i][j];
                continue;
            }
#if PASS == 0
            if (m / (oh * ow) < batch)
                c[(long)m * y_pitch + n] = activate(sum[i][j] + (has_bias ? bias[n] : 0.0f), FLOOR_OF(flags));
#elif PASS == 1
            if (m / (ih * iw) < batch) {
                __global real *p = c + (long)m * x_pitch + n;
                *p = flags & FLAG_ACCUMULATE ? *p + sum[i][j] : sum[i][j];
            }
#endif
        }
    }
}
