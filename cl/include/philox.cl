/* Philox4x32-10 (Salmon et al., SC 2011), equal to clv_philox() of src/base/rng.c. UINT is uint or a vector
 * of it: one generator per lane. */
#ifndef UINT
#define UINT uint
#endif
typedef struct { UINT w[4]; } philox_words;
static inline philox_words philox(uint key0, uint key1, philox_words x)
{
    for (int round = 0; round < 10; round++) {
        const UINT hi0 = mul_hi((UINT)0xD2511F53u, x.w[0]), lo0 = (UINT)0xD2511F53u * x.w[0];
        const UINT hi1 = mul_hi((UINT)0xCD9E8D57u, x.w[2]), lo1 = (UINT)0xCD9E8D57u * x.w[2];
        x.w[0] = hi1 ^ x.w[1] ^ (UINT)key0;
        x.w[1] = lo1;
        x.w[2] = hi0 ^ x.w[3] ^ (UINT)key1;
        x.w[3] = lo0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return x;
}
