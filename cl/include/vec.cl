/* Values in vectors of V = 1, 2, 4, 8 or 16: REALV and friends, loads and stores at any element. The host
 * picks a V that divides the channels, so no kernel here has a remainder loop. GROUP: the work-group
 * size, when the host fixes it. */
#define VEC_CAT_(a, b) a##b
#define VEC_CAT(a, b) VEC_CAT_(a, b)
#if V == 1
#define VEC(type) type
#define LOADV(p, i) ((p)[i])
#define STOREV(value, p, i) ((p)[i] = (value))
#else
#define VEC(type) VEC_CAT(type, V)
#define LOADV(p, i) VEC_CAT(vload, V)(0, (p) + (i))
#define STOREV(value, p, i) VEC_CAT(vstore, V)((value), 0, (p) + (i))
#endif
#define CONVERTV(type) VEC_CAT(convert_, VEC(type))
typedef VEC(float) realv;
typedef VEC(int) intv;
#ifdef GROUP
#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#else
#define KERNEL __kernel
#endif
