/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). The same (key, counter)
 * gives the same numbers on every machine and in cl/include/philox.cl. */
#ifndef CLV_BASE_RNG_H
#define CLV_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* 128 random bits for a 64-bit key and a 128-bit counter. */
void clv_philox(uint64_t key, const uint32_t counter[4], uint32_t out[4]);

/* A stream of numbers: key = seed, counter = (i, stream). */
struct clv_rng {
    uint64_t seed, stream, pos;
    uint32_t buf[4];
};
struct clv_rng clv_rng_init(uint64_t seed, uint64_t stream);
uint32_t clv_rng_u32(struct clv_rng *r);
double clv_rng_uniform(struct clv_rng *r);                        /* [0,1), 32 bits */
double clv_rng_range(struct clv_rng *r, double lo, double hi);    /* [lo,hi) */
/* out[i] = (float)(clv_rng_range(r, -1, 1) * scale) for n numbers, many at a time. */
void clv_rng_fill(struct clv_rng *r, double scale, float *out, size_t n);
/* The stream as it is after `numbers` draws of 32 bits: blocks of it can be made apart. */
struct clv_rng clv_rng_at(const struct clv_rng *r, uint64_t numbers);
double clv_rng_normal(struct clv_rng *r);                         /* mean 0, variance 1 */
double clv_rng_beta(struct clv_rng *r, double a, double b);       /* Beta(a, b), a and b > 0; 0..1 */
uint32_t clv_rng_below(struct clv_rng *r, uint32_t n);            /* 0..n-1, unbiased */
/* Fisher-Yates over n indices. */
void clv_rng_shuffle(struct clv_rng *r, uint32_t *index, uint32_t n);

#endif
