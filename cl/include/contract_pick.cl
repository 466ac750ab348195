/* Weights' gradient behind a pool, by windows. Of a window's four pixels one has a gradient, another for each
 * channel: instead of four products, three of them with zero, the input under that pixel is picked out of a
 * register, for sixteen channels in one instruction, and multiplied once. Include after contract_pool.cl.
 * -D PICK: channels of the input; PICK_STEP: inputs from one pixel to the next, PICK + PICK_STEP <= 8;
 * PICK_ROWS: rows of the filter summed at a time. */
#if defined(PICK) && VW == 16 && defined(__AVX512F__)
#define PICKS
#define PICK_ROW 8 /* a register holds two rows of this many inputs */

static vec pick(vec from, ivec at)
{
    vec v;
    __asm__("vpermps %2, %1, %0" : "=v"(v) : "v"(at), "v"(from));
    return v;
}

/* A window in local memory: NL gradients, then the places in such a register of what they are for. Returns the
 * gradient where it passes. */
#define PICK_WINDOW (2 * NL)
static vec put_window(__local float *dst, vec d, ivec mask)
{
    const vec dz = AS_VEC(AS_IVEC(d) & (mask < (ivec)(POOL_DEAD)));
    VPUT(__local, dz, 0, dst);
    VPUT(__local, AS_VEC((mask >> 1) * PICK_ROW + (mask & 1) * PICK_STEP), 0, dst + NL);
    return dz;
}

/* acc[row of the filter][channel] += `count` windows' gradients at d, times inputs at x: rows of the filter x_row
 * apart, a window's second row `below` its first, windows 2 * PICK_STEP apart. */
#define PICK_WINDOWS(acc, x, x_row, below, d, count)                                               \
    for (int p_ = 0; p_ < (count); p_++) {                                                         \
        vec from_[PICK_ROWS];                                                                      \
        UNROLL for (int h_ = 0; h_ < PICK_ROWS; h_++)                                              \
        {                                                                                          \
            __local const float *a_ = (x) + h_ * (x_row) + p_ * 2 * PICK_STEP;                     \
            from_[h_] = (vec)(vload8(0, a_), vload8(0, a_ + (below)));                             \
        }                                                                                          \
        UNROLL for (int v_ = 0; v_ < NV; v_++)                                                     \
        {                                                                                          \
            const vec d_ = VLOAD(v_, (d) + p_ * PICK_WINDOW);                                      \
            const ivec at_ = AS_IVEC(VLOAD(v_, (d) + p_ * PICK_WINDOW + NL));                      \
            UNROLL for (int c_ = 0; c_ < PICK; c_++)                                               \
                UNROLL for (int h_ = 0; h_ < PICK_ROWS; h_++) acc[h_][c_][v_] =                    \
                    fma(pick(from_[h_], at_ + (ivec)(c_)), d_, acc[h_][c_][v_]);                   \
        }                                                                                          \
    }
#endif
