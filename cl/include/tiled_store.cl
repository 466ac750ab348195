/* Where a tile goes: columns n .. n + 3 of a row, those below n_count. Activations, or with -D PART partial
 * sums, or with RESULT_F32 filters; the last two are float. Include after tiled_load.cl. */
#if defined(PART) || defined(RESULT_F32)
typedef float result;
#define PUT(width, value, p) (*(__global TILED_CAT(vec, width) *)(p) = (value))
#else
typedef real result;
#define PUT(width, value, p) TILED_CAT(PUT, width)(value, p)
#define PUT1(value, p) STORE(value, p, 0)
#define PUT4(value, p) STOREA(4, value, p, 0)
#endif
#define RESULT(y) __global result *restrict y, ulong y##_off
#if VC == 4
static inline void put4(__global result *p, float4 v, int n, int n_count)
{
    if (n < n_count)
        PUT(4, v, p);
}
#define DEFINE_GET4(name, type, get)                                                               \
    static inline float4 name(__global const type *p, int n, int n_count)                          \
    {                                                                                              \
        return n < n_count ? get(4, p) : (float4)(0.0f);                                           \
    }
static inline void put_mask4(__global uchar *p, int4 v, int n, int n_count)
{
    if (n < n_count)
        *(__global uchar4 *)p = convert_uchar4(v);
}
#else
static inline void put4(__global result *p, float4 v, int n, int n_count)
{
    if (n < n_count)
        PUT(1, v.x, p);
    if (n + 1 < n_count)
        PUT(1, v.y, p + 1);
    if (n + 2 < n_count)
        PUT(1, v.z, p + 2);
    if (n + 3 < n_count)
        PUT(1, v.w, p + 3);
}
#define DEFINE_GET4(name, type, get)                                                               \
    static inline float4 name(__global const type *p, int n, int n_count)                          \
    {                                                                                              \
        float4 v = (float4)(0.0f);                                                                 \
        if (n < n_count)                                                                           \
            v.x = get(1, p);                                                                       \
        if (n + 1 < n_count)                                                                       \
            v.y = get(1, p + 1);                                                                   \
        if (n + 2 < n_count)                                                                       \
            v.z = get(1, p + 2);                                                                   \
        if (n + 3 < n_count)                                                                       \
            v.w = get(1, p + 3);                                                                   \
        return v;                                                                                  \
    }
static inline void put_mask4(__global uchar *p, int4 v, int n, int n_count)
{
    if (n < n_count)
        p[0] = (uchar)v.x;
    if (n + 1 < n_count)
        p[1] = (uchar)v.y;
    if (n + 2 < n_count)
        p[2] = (uchar)v.z;
    if (n + 3 < n_count)
        p[3] = (uchar)v.w;
}
#endif

/* part[slice][m_total][n_count]: row m of the tile's slice. */
static inline __global float *part_row(__global float *part, const tile *t, int m, int m_total, int n_count)
{
    return part + ((long)t->slice * m_total + m) * n_count;
}
