/* Where a tile goes: columns n .. n + 3 of a row, those below n_count. Include after tiled.cl. */
#if VC == 4
static inline void put4(__global real *p, float4 v, int n, int n_count)
{
    if (n < n_count)
        *(__global float4 *)p = v;
}
static inline float4 get4(__global const real *p, int n, int n_count)
{
    return n < n_count ? *(__global const float4 *)p : (float4)(0.0f);
}
static inline void put_mask4(__global uchar *p, int4 v, int n, int n_count)
{
    if (n < n_count)
        *(__global uchar4 *)p = convert_uchar4(v);
}
#else
static inline void put4(__global real *p, float4 v, int n, int n_count)
{
    if (n < n_count)
        p[0] = v.x;
    if (n + 1 < n_count)
        p[1] = v.y;
    if (n + 2 < n_count)
        p[2] = v.z;
    if (n + 3 < n_count)
        p[3] = v.w;
}
static inline float4 get4(__global const real *p, int n, int n_count)
{
    float4 v = (float4)(0.0f);
    if (n < n_count)
        v.x = p[0];
    if (n + 1 < n_count)
        v.y = p[1];
    if (n + 2 < n_count)
        v.z = p[2];
    if (n + 3 < n_count)
        v.w = p[3];
    return v;
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
static inline __global real *part_row(__global real *part, const tile *t, int m, int m_total, int n_count)
{
    return part + ((long)t->slice * m_total + m) * n_count;
}
