/* Scalar type of the tensors, and the form in which every kernel takes them: a pointer and a 64-bit
 * offset in elements, so that a tensor may lie anywhere in an arena.
 *     __kernel void f(IN(x), OUT(y), int n) { AT(x); AT(y); ... }                            */
typedef float real;
#define IN(x) __global const real *restrict x, ulong x##_off
#define OUT(x) __global real *restrict x, ulong x##_off
#define IN_U8(x) __global const uchar *restrict x, ulong x##_off
#define OUT_U8(x) __global uchar *restrict x, ulong x##_off
#define IN_U32(x) __global const uint *restrict x, ulong x##_off
#define AT(x) x += x##_off
