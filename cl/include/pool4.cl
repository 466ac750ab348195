/* The maximum of a 2 x 2 window's pixels in four channels, the first among equals; a NaN wins. *place:
 * where it was, dead where it is not above floor_ (enum clv_pool_mask in src/contract/contract.h). */
static inline float4 pool4(float4 q0, float4 q1, float4 q2, float4 q3, float floor_, int4 *place)
{
    const int4 take1 = (q1 > q0) | (q1 != q1);
    float4 best = select(q0, q1, take1);
    const int4 take2 = (q2 > best) | (q2 != q2);
    best = select(best, q2, take2);
    const int4 take3 = (q3 > best) | (q3 != q3);
    best = select(best, q3, take3);
    int4 at = select((int4)(0), (int4)(1), take1);
    at = select(at, (int4)(2), take2);
    at = select(at, (int4)(3), take3);
    *place = select(at, (int4)(4), best <= (float4)(floor_));
    return best;
}
