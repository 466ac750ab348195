/* Elementwise passes. Elements are counted densely over the batch, 0 .. n * per_sample - 1, in steps of V;
 * a work-item takes `chunk` of them: many on a CPU, one vector on a GPU. Every tensor comes as a pointer
 * and its pixel pitch. DENSE: all pitches equal the channels.
 *     KERNEL void f(IN_STATE, MAP_IN(x), MAP_OUT(y), MAP_SIZES)
 *     { AT(x); AT(y);
 *       const map_range r = map_begin(STATE->n, per_sample, chunk);
 *       for (ulong i = r.first; i < r.last; i += V)
 *           STOREV(LOADV(x, PLACE(i, x)), y, PLACE(i, y)); }                                        */
#define MAP_IN(x) IN(x), uint x##_pitch
#define MAP_OUT(x) OUT(x), uint x##_pitch
#define MAP_SIZES uint per_sample, uint c, uint chunk
#ifdef DENSE
#define PLACE(i, x) (i)
#else
#define PLACE(i, x) ((i) / c * x##_pitch + (i) % c)
#endif
typedef struct { ulong first, last; } map_range;
static inline map_range map_begin(int n, uint per_sample, uint chunk)
{
    const ulong total = (ulong)n * per_sample, first = (ulong)get_global_id(0) * chunk;
    map_range r;
    r.first = min(first, total);
    r.last = min(first + chunk, total);
    return r;
}
