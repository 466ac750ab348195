/* Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011. Everything here is integer arithmetic or + - * / sqrt on doubles, so the
 * numbers are the same wherever doubles are IEEE 754: no library function that may round
 * differently. */
#include "base/rng.h"
#include "base/util.h"

#include <math.h>

void clv_philox(uint64_t key, const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

struct clv_rng clv_rng_init(uint64_t seed, uint64_t stream)
{
    return (struct clv_rng){.seed = seed, .stream = stream};
}

uint32_t clv_rng_u32(struct clv_rng *r)
{
    if (r->pos % 4 == 0) {
        const uint64_t i = r->pos / 4;
        const uint32_t counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), (uint32_t)r->stream,
                                     (uint32_t)(r->stream >> 32)};
        clv_philox(r->seed, counter, r->buf);
    }
    return r->buf[r->pos++ % 4];
}

double clv_rng_uniform(struct clv_rng *r)
{
    return clv_rng_u32(r) * 0x1p-32;
}

double clv_rng_range(struct clv_rng *r, double lo, double hi)
{
    const double v = lo + (hi - lo) * clv_rng_uniform(r);
    return v < hi ? v : lo; /* the sum may round up to hi */
}

struct clv_rng clv_rng_at(const struct clv_rng *r, uint64_t numbers)
{
    struct clv_rng at = {.seed = r->seed, .stream = r->stream, .pos = numbers / 4 * 4};
    for (uint64_t i = numbers % 4; i; i--)
        (void)clv_rng_u32(&at);
    return at;
}

void clv_rng_fill(struct clv_rng *r, double scale, float *out, size_t n)
{
    size_t i = 0;
    for (; i < n && r->pos % 4; i++)
        out[i] = (float)(clv_rng_range(r, -1, 1) * scale);
    const uint32_t s0 = (uint32_t)r->stream, s1 = (uint32_t)(r->stream >> 32);
    for (; n - i >= 8; i += 8) {
        /* Two counters at a time: their products do not wait for each other. */
        const uint64_t c = r->pos / 4;
        uint32_t w[8];
        clv_philox(r->seed, (const uint32_t[]){(uint32_t)c, (uint32_t)(c >> 32), s0, s1}, w);
        clv_philox(r->seed, (const uint32_t[]){(uint32_t)(c + 1), (uint32_t)((c + 1) >> 32), s0, s1},
                   w + 4);
        /* The range is exact in doubles: 2 u / 2^32 - 1 = (u - 2^31) / 2^31. */
        for (int k = 0; k < 8; k++)
            out[i + (size_t)k] = (float)((int32_t)(w[k] ^ 0x80000000u) * 0x1p-31 * scale);
        r->pos += 8;
    }
    for (; i < n; i++)
        out[i] = (float)(clv_rng_range(r, -1, 1) * scale);
}

/* ln of x > 0: ln(m 2^e) = e ln 2 + 2 atanh((m - 1) / (m + 1)), m within [1/sqrt 2, sqrt
 * 2): the argument of atanh stays below 0.172 and 12 terms leave less than 1e-19. */
static double portable_log(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    const double t = (m - 1) / (m + 1), t2 = t * t;
    double sum = 0;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * t2 + 1.0 / k;
    return e * 0.69314718055994530942 + 2 * t * sum;
}

static double polynomial(const double *c, size_t n, double x)
{
    double v = 0;
    while (n--)
        v = v * x + c[n];
    return v;
}

/* Normal quantile, relative error 1e-16: M. Wichura, algorithm AS 241 (PPND16), Applied Statistics
 * 37 (1988). Its third branch, for p below 1.4e-11, cannot be reached from 32 random bits. */
static double normal_quantile(double p)
{
    static const double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                               1.9715909503065514427e+3, 1.3731693765509461125e+4,
                               4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[] = {1.0,
                               4.2313330701600911252e+1,
                               6.8718700749205790830e+2,
                               5.3941960214247511077e+3,
                               2.1213794301586595867e+4,
                               3.9307895800092710610e+4,
                               2.8729085735721942674e+4,
                               5.2264952788528545610e+3};
    static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                               5.76949722146069140550e0,  3.64784832476320460504e0,
                               1.27045825245236838258e0,  2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0,
                               2.05319162663775882187e0,
                               1.67638483018380384940e0,
                               6.89767334985100004550e-1,
                               1.48103976427480074590e-1,
                               1.51986665636164571966e-2,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, CLV_COUNT(a), r) / polynomial(b, CLV_COUNT(b), r);
    }
    const double r = sqrt(-portable_log(q < 0 ? p : 1 - p)) - 1.6;
    const double v = polynomial(c, CLV_COUNT(c), r) / polynomial(d, CLV_COUNT(d), r);
    return q < 0 ? -v : v;
}

double clv_rng_normal(struct clv_rng *r)
{
    return normal_quantile((clv_rng_u32(r) + 0.5) * 0x1p-32);
}

/* e^x for |x| < 700: 2^k e^t with |t| <= ln 2 / 2, where 18 terms of the series leave less than 1e-16. */
static double portable_exp(double x)
{
    const double k = floor(x / 0.69314718055994530942 + 0.5), t = x - k * 0.69314718055994530942;
    double sum = 1;
    for (int i = 18; i >= 1; i--)
        sum = 1 + sum * t / i;
    return ldexp(sum, (int)k);
}

/* Logarithm of a Gamma(a, 1) number: G. Marsaglia, W. Tsang, "A simple method for generating gamma variables", ACM TOMS
 * 26 (2000); a < 1 by Gamma(a + 1) u^(1 / a), whose logarithm does not underflow. */
static double draw_log_gamma(struct clv_rng *r, double a)
{
    const double boost = a < 1 ? portable_log((clv_rng_u32(r) + 0.5) * 0x1p-32) / a : 0;
    const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = clv_rng_normal(r), cube = 1 + c * x;
        const double u = (clv_rng_u32(r) + 0.5) * 0x1p-32;
        if (cube <= 0)
            continue;
        const double v = cube * cube * cube, log_v = portable_log(v);
        if (portable_log(u) < 0.5 * x * x + d - d * v + d * log_v)
            return portable_log(d) + log_v + boost;
    }
}

double clv_rng_beta(struct clv_rng *r, double a, double b)
{
    const double x = draw_log_gamma(r, a), y = draw_log_gamma(r, b);
    if (fabs(y - x) > 690)
        return y < x;
    return 1 / (1 + portable_exp(y - x));
}

/* D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019). */
uint32_t clv_rng_below(struct clv_rng *r, uint32_t n)
{
    if (n < 2)
        return 0;
    uint64_t product = (uint64_t)clv_rng_u32(r) * n;
    const uint32_t threshold = (0u - n) % n;
    while ((uint32_t)product < threshold)
        product = (uint64_t)clv_rng_u32(r) * n;
    return (uint32_t)(product >> 32);
}

void clv_rng_shuffle(struct clv_rng *r, uint32_t *index, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = clv_rng_below(r, i), t = index[i - 1];
        index[i - 1] = index[j];
        index[j] = t;
    }
}
