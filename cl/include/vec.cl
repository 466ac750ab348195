/* Values in vectors of V = 1, 2, 4, 8 or 16: realv and friends, loads and stores at any element. The host
 * picks a V that divides the channels, so no kernel here has a remainder loop. LOADV, STOREV: of activations
 * (types.cl). GETV, PUTV: of plain arrays. -D ALIGNED: activations are taken at multiples of V only. GROUP: the
 * work-group size, when the host fixes it. */
#define VEC_CAT_(a, b) a##b
#define VEC_CAT(a, b) VEC_CAT_(a, b)
#if V == 1
#define VEC(type) type
#define GETV(p, i) ((p)[i])
#define PUTV(value, p, i) ((p)[i] = (value))
#define LOADV LOAD
#define STOREV STORE
#else
#define VEC(type) VEC_CAT(type, V)
#define GETV(p, i) VEC_CAT(vload, V)(0, (p) + (i))
#define PUTV(value, p, i) VEC_CAT(vstore, V)((value), 0, (p) + (i))
#ifdef ALIGNED
#define LOADV_OF(n, p, i) LOADA(n, p, i)
#define STOREV_OF(n, value, p, i) STOREA(n, value, p, i)
#else
#define LOADV_OF(n, p, i) LOADN(n, p, i)
#define STOREV_OF(n, value, p, i) STOREN(n, value, p, i)
#endif
#define LOADV(p, i) LOADV_OF(V, p, i)
#define STOREV(value, p, i) STOREV_OF(V, value, p, i)
#endif
#define CONVERTV(type) VEC_CAT(convert_, VEC(type))
typedef VEC(float) realv;
typedef VEC(int) intv;
#ifdef GROUP
#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#else
#define KERNEL __kernel
#endif
