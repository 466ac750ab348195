/* Types of the tensors, and the form in which every kernel takes them: a pointer and a 64-bit
 * offset in elements, so that a tensor may lie anywhere in an arena.
 *     __kernel void f(IN(x), IN_F32(w), OUT(y), int n)
 *     { AT(x); AT(w); AT(y); ... STORE(LOAD(x, i) * w[i], y, i); ... }
 * IN and OUT are activations and their gradients. They are stored as float or, with -DSTORE_F16 or
 * -DSTORE_BF16, in 16 bits, and are touched through the macros below only, which convert: a plain x[i]
 * does not compile then. Arithmetic is float throughout. IN_F32 and OUT_F32 are always float: weights, their
 * gradients, partial sums. */
#if defined(STORE_F16) || defined(STORE_BF16)
typedef struct { ushort bits; } real;
#else
typedef float real;
#endif
#define IN(x) __global const real *restrict x, ulong x##_off
#define OUT(x) __global real *restrict x, ulong x##_off
#define IN_F32(x) __global const float *restrict x, ulong x##_off
#define OUT_F32(x) __global float *restrict x, ulong x##_off
#define IN_U8(x) __global const uchar *restrict x, ulong x##_off
#define OUT_U8(x) __global uchar *restrict x, ulong x##_off
#define IN_U32(x) __global const uint *restrict x, ulong x##_off
#define AT(x) x += x##_off

/* LOAD(p, i), STORE(value, p, i): element i; LOADN(N, p, i), STOREN(N, value, p, i): the N = 2, 4, 8 or 16
 * elements from i on, at any alignment. p is a __global pointer to real. To nearest, ties to even. LOADA, STOREA:
 * the same at a multiple of the vector's size, which GPUs then read and write at once. */
#if defined(STORE_F16) || defined(STORE_BF16)
/* A vector at any element: compilers take vloadN and vstoreN of ushort apart. */
#define DEFINE_BITS(n) typedef struct __attribute__((packed, aligned(2))) { ushort##n v; } bits##n;
DEFINE_BITS(2)
DEFINE_BITS(4)
DEFINE_BITS(8)
DEFINE_BITS(16)
#define LOADN(n, p, i) float##n##_of_bits(((__global const bits##n *)((p) + (i)))->v)
#define STOREN(n, value, p, i) (((__global bits##n *)((p) + (i)))->v = bits_of_float##n(value))
#define LOADA(n, p, i) float##n##_of_bits(*(__global const ushort##n *)((p) + (i)))
#define STOREA(n, value, p, i) (*(__global ushort##n *)((p) + (i)) = bits_of_float##n(value))
#endif
#if defined(STORE_F16) /* needs no cl_khr_fp16: that is about arithmetic */
#define LOAD(p, i) vload_half(0, (__global const half *)((p) + (i)))
#define STORE(value, p, i) vstore_half_rte((value), 0, (__global half *)((p) + (i)))
/* From an aligned variable, which compilers keep in a register: PoCL 3.1's vload_halfN, which may be at any
 * half's address, reads as if it were a vector's. */
#define DEFINE_STORED(n)                                                                           \
    static inline float##n float##n##_of_bits(ushort##n bits)                                      \
    {                                                                                              \
        return vload_half##n(0, (const half *)&bits);                                              \
    }                                                                                              \
    static inline ushort##n bits_of_float##n(float##n v)                                           \
    {                                                                                              \
        ushort##n bits;                                                                            \
        vstore_half##n##_rte(v, 0, (half *)&bits);                                                 \
        return bits;                                                                               \
    }
DEFINE_STORED(2)
DEFINE_STORED(4)
DEFINE_STORED(8)
DEFINE_STORED(16)
#elif defined(STORE_BF16) /* the upper half of a float */
#define LOAD(p, i) float_of_bits((p)[i].bits)
#define STORE(value, p, i) ((p)[i].bits = bits_of_float(value))
/* Adding just below half of the last kept place carries where it has to; a NaN would carry into the sign. */
#define DEFINE_STORED(n)                                                                           \
    static inline float##n float##n##_of_bits(ushort##n bits)                                      \
    {                                                                                              \
        return as_float##n(convert_uint##n(bits) << 16);                                           \
    }                                                                                              \
    static inline ushort##n bits_of_float##n(float##n v)                                           \
    {                                                                                              \
        const uint##n u = as_uint##n(v);                                                           \
        const uint##n r = u + 0x7fffu + (u >> 16 & 1u);                                            \
        return convert_ushort##n((isnan(v) ? u | 0x400000u : r) >> 16);                            \
    }
DEFINE_STORED()
DEFINE_STORED(2)
DEFINE_STORED(4)
DEFINE_STORED(8)
DEFINE_STORED(16)
#else
#define LOAD(p, i) ((p)[i])
#define STORE(value, p, i) ((p)[i] = (value))
#define LOADN(n, p, i) vload##n(0, (p) + (i))
#define STOREN(n, value, p, i) vstore##n((value), 0, (p) + (i))
#define LOADA(n, p, i) (*(__global const float##n *)((p) + (i)))
#define STOREA(n, value, p, i) (*(__global float##n *)((p) + (i)) = (value))
#endif
