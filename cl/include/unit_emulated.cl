/* A matrix unit in plain OpenCL C, of brain floats, halves or TF32: what the others compute, on any device. The
 * items of a group share a block's columns. -D ITEMS: 1, or the 32 of a GPU's group. */
#define UNIT_ROWS 32
#define UNIT_ITEMS ITEMS
#define UNIT_OWN (UNIT_COLUMNS / UNIT_ITEMS) /* columns of an item: lid, lid + UNIT_ITEMS, ... */
#define UNIT_COLUMN(i) ((int)get_local_id(0) + (i) * UNIT_ITEMS)
#define UNIT_SUMS float unit_sum[UNIT_ROWS][UNIT_OWN]
#define UNIT_BEGIN
#define UNIT_END
#define UNIT_EACH                                                                                  \
    for (int r_ = 0; r_ < UNIT_ROWS; r_++)                                                         \
        for (int n_ = 0; n_ < UNIT_OWN; n_++)
#define UNIT_ZERO UNIT_EACH unit_sum[r_][n_] = 0
#define UNIT_LOAD(c) UNIT_EACH unit_sum[r_][n_] = (c)[r_ * UNIT_COLUMNS + UNIT_COLUMN(n_)]
#define UNIT_STORE(c) UNIT_EACH (c)[r_ * UNIT_COLUMNS + UNIT_COLUMN(n_)] = unit_sum[r_][n_]
/* K of a column, even or odd half of its pair. */
#ifdef OPERAND_TF32
#define UNIT_B(b, col, p, odd) as_float((b)[(col) / 16 * UNIT_HALF + (2 * (p) + (odd)) * 16 + (col) % 16])
#else
#define UNIT_B(b, col, p, odd)                                                                     \
    of_operand((ushort)((b)[(col) / 16 * UNIT_HALF + (p) * 16 + (col) % 16] >> 16 * (odd)))
#endif
#define UNIT_STEP(a, row, b)                                                                       \
    do {                                                                                           \
        for (int n_ = 0; n_ < UNIT_OWN; n_++)                                                      \
            for (int p_ = 0; p_ < UNIT_K / 2; p_++) {                                              \
                const int col_ = UNIT_COLUMN(n_);                                                  \
                const float low_ = UNIT_B(b, col_, p_, 0), high_ = UNIT_B(b, col_, p_, 1);         \
                for (int r_ = 0; r_ < UNIT_ROWS; r_++) {                                           \
                    const float even_ = of_operand((a)[r_ * (row) + 2 * p_]);                      \
                    const float odd_ = of_operand((a)[r_ * (row) + 2 * p_ + 1]);                   \
                    unit_sum[r_][n_] = fma(odd_, high_, fma(even_, low_, unit_sum[r_][n_]));       \
                }                                                                                  \
            }                                                                                      \
    } while (0)
