/* Clipping by global norm: squares per chunk, then one work-item adds them in order and leaves
 * min(1, limit / norm). -DCHUNK=elements */
#include "update.cl"

__kernel void clip_squares(IN_STATE, IN(value), IN(grad), IN(chunks), OUT(sums), int first, int n)
{
    AT(value); AT(grad); AT(chunks); AT(sums);
    const size_t chunk = get_global_id(0);
    if (chunk >= (size_t)n)
        return;
    const chunk_constants c = chunk_at(chunks, chunk, STATE);
    float16 sum = 0.0f;
    for (int i = 0; i < CHUNK / 16; i++) {
        const size_t at = chunk * (CHUNK / 16) + i;
        const float16 g = penalised(vload16(at, grad), vload16(at, value), c);
        sum += g * g;
    }
    const float8 s8 = sum.lo + sum.hi;
    const float4 s4 = s8.lo + s8.hi;
    sums[first + chunk] = c.rate == 0.0f ? 0.0f : s4.x + s4.y + s4.z + s4.w;
}

__kernel void clip_factor(IN(sums), OUT(control), int n, float limit)
{
    AT(sums); AT(control);
    /* Kahan: the order is fixed, and a large net has many chunks. */
    float sum = 0.0f, lost = 0.0f;
    for (int i = 0; i < n; i++) {
        const float y = sums[i] - lost, t = sum + y;
        lost = (t - sum) - y;
        sum = t;
    }
    const float norm = sqrt(sum);
    control[0] = norm > limit ? limit / norm : 1.0f;
}
