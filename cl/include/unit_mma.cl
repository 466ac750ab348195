/* NVIDIA's mma (compute capability 8.0 and later): m16n8k16 with brain floats or halves, m16n8k8 with TF32.
 * 32 items, each with the parts of the fragments that the PTX ISA, "Matrix Fragments for mma.m16n8k16" and
 * "mma.m16n8k8", gives it: g = item / 4, t = item % 4; a: rows g and g + 8, words t and t + 4; b: column g, words
 * t and t + 4; sums: rows g and g + 8, columns 2 t and 2 t + 1. A word is a pair of K, or one of K with TF32. */
#define UNIT_ROWS 32
#define UNIT_ITEMS 32
#define UNIT_LANE ((int)get_local_id(0))
#define UNIT_SUMS float unit_sum[2][4][4]
#define UNIT_BEGIN
#define UNIT_END
#define UNIT_EACH                                                                                  \
    UNIT_UNROLL for (int m_ = 0; m_ < 2; m_++)                                                     \
        UNIT_UNROLL for (int n_ = 0; n_ < 4; n_++)                                                 \
            UNIT_UNROLL for (int i_ = 0; i_ < 4; i_++)
#define UNIT_AT(c)                                                                                 \
    (c)[(m_ * 16 + UNIT_LANE / 4 + i_ / 2 * 8) * UNIT_COLUMNS + n_ * 8 + UNIT_LANE % 4 * 2 + i_ % 2]
#define UNIT_ZERO UNIT_EACH unit_sum[m_][n_][i_] = 0
#define UNIT_LOAD(c) UNIT_EACH unit_sum[m_][n_][i_] = UNIT_AT(c)
#define UNIT_STORE(c) UNIT_EACH UNIT_AT(c) = unit_sum[m_][n_][i_]
#define UNIT_WORDS (UNIT_TILE / 32) /* of K in a step */
/* Word p of a row; loads of 16 bits, because a row may start at any element. */
#ifdef OPERAND_TF32
#define UNIT_WORD(a, p) ((a)[p])
#define UNIT_SHAPE "m16n8k8.row.col.f32.tf32.tf32.f32 "
#else
#define UNIT_WORD(a, p) ((uint)(a)[2 * (p)] | (uint)(a)[2 * (p) + 1] << 16)
#ifdef OPERAND_F16
#define UNIT_SHAPE "m16n8k16.row.col.f32.f16.f16.f32 "
#else
#define UNIT_SHAPE "m16n8k16.row.col.f32.bf16.bf16.f32 "
#endif
#endif
#define UNIT_MMA(c, a, b0, b1)                                                                     \
    __asm__ volatile("mma.sync.aligned." UNIT_SHAPE                                                \
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"             \
                     : "+f"((c)[0]), "+f"((c)[1]), "+f"((c)[2]), "+f"((c)[3])                      \
                     : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "r"(b0), "r"(b1))
#define UNIT_STEP(a, row, b)                                                                       \
    do {                                                                                           \
        const int g_ = UNIT_LANE / 4, t_ = UNIT_LANE % 4;                                          \
        UNIT_UNROLL for (int k_ = 0; k_ < UNIT_WORDS / 8; k_++)                                    \
        {                                                                                          \
            uint a_[2][4];                                                                         \
            UNIT_UNROLL for (int m_ = 0; m_ < 2; m_++)                                             \
                UNIT_UNROLL for (int i_ = 0; i_ < 4; i_++)                                         \
                    a_[m_][i_] = UNIT_WORD((a) + (m_ * 16 + g_ + i_ % 2 * 8) * (row),              \
                                           k_ * 8 + t_ + i_ / 2 * 4);                              \
            UNIT_UNROLL for (int n_ = 0; n_ < 4; n_++)                                             \
            {                                                                                      \
                const int at_ = n_ / 2 * UNIT_HALF + (k_ * 8 + t_) * 16 + n_ % 2 * 8 + g_;         \
                const uint b0_ = (b)[at_], b1_ = (b)[at_ + 4 * 16];                                \
                UNIT_MMA(unit_sum[0][n_], a_[0], b0_, b1_);                                        \
                UNIT_MMA(unit_sum[1][n_], a_[1], b0_, b1_);                                        \
            }                                                                                      \
        }                                                                                          \
    } while (0)
