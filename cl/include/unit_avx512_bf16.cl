/* AVX-512 BF16: vdpbf16ps adds the products of sixteen pairs to sixteen sums. Twelve rows by two vectors
 * are 24 of 32 registers. The instruction takes denormals for zero, as all units of its kind do. */
#define UNIT_ROWS 12
#define UNIT_ITEMS 1
#define UNIT_SUMS float16 unit_sum[UNIT_ROWS][2]
#define UNIT_BEGIN
#define UNIT_END
#define UNIT_ZERO                                                                                  \
    UNIT_UNROLL for (int r_ = 0; r_ < UNIT_ROWS; r_++) unit_sum[r_][0] = unit_sum[r_][1] = (float16)(0)
#define UNIT_LOAD(c)                                                                               \
    UNIT_UNROLL for (int r_ = 0; r_ < UNIT_ROWS; r_++)                                             \
    {                                                                                              \
        unit_sum[r_][0] = vload16(2 * r_, c);                                                      \
        unit_sum[r_][1] = vload16(2 * r_ + 1, c);                                                  \
    }
#define UNIT_STORE(c)                                                                              \
    UNIT_UNROLL for (int r_ = 0; r_ < UNIT_ROWS; r_++)                                             \
    {                                                                                              \
        vstore16(unit_sum[r_][0], 2 * r_, c);                                                      \
        vstore16(unit_sum[r_][1], 2 * r_ + 1, c);                                                  \
    }
#define UNIT_DOT(sum, a, b) __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#define UNIT_STEP(a, row, b)                                                                       \
    UNIT_UNROLL for (int p_ = 0; p_ < UNIT_K / 2; p_++)                                            \
    {                                                                                              \
        const uint16 b0_ = vload16(p_, b), b1_ = vload16(16 + p_, b);                              \
        UNIT_UNROLL for (int r_ = 0; r_ < UNIT_ROWS; r_++)                                         \
        {                                                                                          \
            const uint16 a_ = (uint16)(as_uint(vload2(0, (a) + r_ * (row) + 2 * p_)));             \
            UNIT_DOT(unit_sum[r_][0], a_, b0_);                                                    \
            UNIT_DOT(unit_sum[r_][1], a_, b1_);                                                    \
        }                                                                                          \
    }
