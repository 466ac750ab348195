/* The register tile of the vector schedule: MR rows by NV vectors of VW floats, all accumulators in
 * registers. -D VW (1, 4, 8, 16), MR, NV; MIN_VECTOR_WIDTH where the compiler takes the attribute that
 * keeps 512-bit registers in use. */
#if VW == 16
typedef float16 vec;
#define VLOAD vload16
#define VSTORE vstore16
#elif VW == 8
typedef float8 vec;
#define VLOAD vload8
#define VSTORE vstore8
#elif VW == 1
typedef float vec;
#define VLOAD(i, p) ((p)[i])
#define VSTORE(value, i, p) ((p)[i] = (value))
#else
typedef float4 vec;
#define VLOAD vload4
#define VSTORE vstore4
#endif
#define NL (NV * VW)
/* LOADV, STOREV: a vector of activations, which may be stored in 16 bits. */
#define V VW
#include "vec.cl"
/* A store to an address that is a multiple of the vector's size: compilers split vstore16, which need not
 * be aligned, into several stores. Space is __local or __global. */
#define VPUT(space, value, v, p) (((space vec *)(p))[v] = (value))
#define IS_ALIGNED(p) (((size_t)(p) & (sizeof(vec) - 1)) == 0)
/* The same of activations, at vector v from p on, where PUTS_AT(p); in 16 bits that is anywhere. */
#if defined(STORE_F16) || defined(STORE_BF16)
#define VPUT_STORED(value, v, p) STOREV(value, p, (v) * VW)
#define PUTS_AT(p) true
#else
#define VPUT_STORED(value, v, p) VPUT(__global, value, v, p)
#define PUTS_AT(p) IS_ALIGNED(p)
#endif
#define UNROLL _Pragma("unroll")

#if VW == 1 /* on GPUs, where the host chooses the group */
#define VECTOR_KERNEL __kernel void
#elif defined MIN_VECTOR_WIDTH
#define VECTOR_KERNEL                                                                              \
    __attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((min_vector_width(512))) __kernel void
#else
#define VECTOR_KERNEL __attribute__((reqd_work_group_size(1, 1, 1))) __kernel void
#endif

/* acc[r][v] += sum over k < count of a[r * a_row + k * a_step] * b[k * b_step + v * VW ..]. With the
 * three strides it serves every pass. A macro, because OpenCL C 1.2 has no generic address space. */
#define TILE_ACCUMULATE(acc, a, a_row, a_step, b, b_step, count)                                   \
    do {                                                                                           \
        for (int k_ = 0; k_ < (count); k_++) {                                                     \
            vec b_[NV];                                                                            \
            UNROLL for (int v_ = 0; v_ < NV; v_++) b_[v_] = VLOAD(v_, (b) + k_ * (b_step));        \
            UNROLL for (int r_ = 0; r_ < MR; r_++)                                                 \
            {                                                                                      \
                const vec a_ = (vec)((a)[r_ * (a_row) + k_ * (a_step)]);                           \
                UNROLL for (int v_ = 0; v_ < NV; v_++) acc[r_][v_] = fma(a_, b_[v_], acc[r_][v_]); \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define TILE_ZERO(acc)                                                                             \
    do {                                                                                           \
        UNROLL for (int r_ = 0; r_ < MR; r_++)                                                     \
            UNROLL for (int v_ = 0; v_ < NV; v_++) acc[r_][v_] = (vec)(0.0f);                      \
    } while (0)
/* Rows lie `step` elements apart. */
#define TILE_LOAD(acc, p, step)                                                                    \
    do {                                                                                           \
        UNROLL for (int r_ = 0; r_ < MR; r_++)                                                     \
            UNROLL for (int v_ = 0; v_ < NV; v_++) acc[r_][v_] = VLOAD(v_, (p) + r_ * (step));     \
    } while (0)
/* Aligned rows. */
#define TILE_STORE(space, acc, p, step)                                                                   \
    do {                                                                                           \
        UNROLL for (int r_ = 0; r_ < MR; r_++)                                                     \
            UNROLL for (int v_ = 0; v_ < NV; v_++)                                                 \
                VPUT(space, acc[r_][v_], v_, (p) + r_ * (step));                                   \
    } while (0)

/* Into the second-level cache, and into the first what is changed soon. PoCL's prefetch() does nothing; where the compiler's target is the CPU itself,
 * as its is, there is a builtin: else memory is left to the hardware. An address beyond the tensor is harmless. */
#if defined(__x86_64__) || defined(__aarch64__)
#define PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#define PREFETCH_TO_CHANGE(p) __builtin_prefetch((const void *)(size_t)(p), 1, 3)
#else
#define PREFETCH(p)
#define PREFETCH_TO_CHANGE(p)
#endif
