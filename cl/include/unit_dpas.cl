/* Intel GPUs with cl_intel_subgroup_matrix_multiply_accumulate and sub-groups of 16 items:
 * 8 rows by 16 columns, 16 of K at a time. Item i holds element i of each row of a, column i of b as pairs,
 * and column i of the sums, as that extension's specification has it for a minimum sub-group size of 16. */
#define UNIT_ROWS 32
#define UNIT_ITEMS 16
#define UNIT_SUB_GROUP __attribute__((intel_reqd_sub_group_size(16)))
#define UNIT_LANE ((int)get_local_id(0))
#define UNIT_SUMS float8 unit_sum[4][2]
#define UNIT_BEGIN
#define UNIT_END
#define UNIT_EACH                                                                                  \
    UNIT_UNROLL for (int m_ = 0; m_ < 4; m_++)                                                     \
        UNIT_UNROLL for (int n_ = 0; n_ < 2; n_++)
#define UNIT_AT(c, r) (c)[(m_ * 8 + (r)) * UNIT_COLUMNS + n_ * 16 + UNIT_LANE]
#define UNIT_ZERO UNIT_EACH unit_sum[m_][n_] = (float8)(0)
#define UNIT_LOAD(c)                                                                               \
    UNIT_EACH unit_sum[m_][n_] = (float8)(UNIT_AT(c, 0), UNIT_AT(c, 1), UNIT_AT(c, 2),             \
                                          UNIT_AT(c, 3), UNIT_AT(c, 4), UNIT_AT(c, 5),             \
                                          UNIT_AT(c, 6), UNIT_AT(c, 7))
#define UNIT_STORE(c)                                                                              \
    UNIT_EACH                                                                                      \
    {                                                                                              \
        UNIT_AT(c, 0) = unit_sum[m_][n_].s0;                                                       \
        UNIT_AT(c, 1) = unit_sum[m_][n_].s1;                                                       \
        UNIT_AT(c, 2) = unit_sum[m_][n_].s2;                                                       \
        UNIT_AT(c, 3) = unit_sum[m_][n_].s3;                                                       \
        UNIT_AT(c, 4) = unit_sum[m_][n_].s4;                                                       \
        UNIT_AT(c, 5) = unit_sum[m_][n_].s5;                                                       \
        UNIT_AT(c, 6) = unit_sum[m_][n_].s6;                                                       \
        UNIT_AT(c, 7) = unit_sum[m_][n_].s7;                                                       \
    }
/* Element k + item of eight rows; pairs k .. k + 7 of the item's column. */
#define UNIT_A(a, row, k, i) as_short((a)[(i) * (row) + (k) + UNIT_LANE])
#define UNIT_A8(a, row, k)                                                                         \
    (short8)(UNIT_A(a, row, k, 0), UNIT_A(a, row, k, 1), UNIT_A(a, row, k, 2),                     \
             UNIT_A(a, row, k, 3), UNIT_A(a, row, k, 4), UNIT_A(a, row, k, 5),                     \
             UNIT_A(a, row, k, 6), UNIT_A(a, row, k, 7))
#define UNIT_B(b, i) as_int((b)[(i) * 16 + UNIT_LANE])
#define UNIT_B8(b)                                                                                 \
    (int8)(UNIT_B(b, 0), UNIT_B(b, 1), UNIT_B(b, 2), UNIT_B(b, 3), UNIT_B(b, 4), UNIT_B(b, 5),     \
           UNIT_B(b, 6), UNIT_B(b, 7))
#define UNIT_STEP(a, row, b)                                                                       \
    UNIT_UNROLL for (int k_ = 0; k_ < 2; k_++)                                                     \
    {                                                                                              \
        const int8 b0_ = UNIT_B8((b) + k_ * 128), b1_ = UNIT_B8((b) + 256 + k_ * 128);             \
        UNIT_UNROLL for (int m_ = 0; m_ < 4; m_++)                                                 \
        {                                                                                          \
            const short8 a_ = UNIT_A8((a) + m_ * 8 * (row), row, k_ * 16);                         \
            unit_sum[m_][0] = intel_sub_group_bf16_bf16_matrix_mad_k16(a_, b0_, unit_sum[m_][0]);  \
            unit_sum[m_][1] = intel_sub_group_bf16_bf16_matrix_mad_k16(a_, b1_, unit_sum[m_][1]);  \
        }                                                                                          \
    }
