#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(rng, philox_known_answers)
{
    /* Random123, tests/kat_vectors: philox4x32 10. */
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t out[4];
    } cases[] = {
        {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         0xffffffffffffffff,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         0x299f31d0a4093822,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        clv_philox(cases[i].key, cases[i].counter, out);
        for (int k = 0; k < 4; k++)
            cr_assert_eq(out[k], cases[i].out[k], "case %zu word %d", i, k);
    }
}

Test(rng, stream_is_philox_of_index_and_stream)
{
    const uint64_t seed = 0x123456789abcdef0, stream = 0xfedcba9876543210;
    struct clv_rng r = clv_rng_init(seed, stream);
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t out[4];
        clv_philox(seed, (const uint32_t[]){i, 0, 0x76543210, 0xfedcba98}, out);
        for (int k = 0; k < 4; k++)
            cr_assert_eq(clv_rng_u32(&r), out[k]);
    }
    struct clv_rng other = clv_rng_init(seed, stream + 1);
    struct clv_rng again = clv_rng_init(seed, stream);
    cr_assert_neq(clv_rng_u32(&other), clv_rng_u32(&again));
}

/* Blocks of any length from any place give the bits of single draws. */
Test(rng, fill_is_many_draws)
{
    enum { N = 61 };
    const struct clv_rng start = clv_rng_init(0xfedcba9876543210, 77);
    float one[N], many[N];
    struct clv_rng r = start;
    for (int i = 0; i < N; i++)
        one[i] = (float)(clv_rng_range(&r, -1, 1) * .0123);
    for (size_t first = 0; first < N; first++)
        for (size_t n = 0; first + n <= N; n++) {
            struct clv_rng at = clv_rng_at(&start, first);
            clv_rng_fill(&at, .0123, many, n);
            cr_assert_arr_eq(many, one + first, n * sizeof *one, "%zu from %zu", n, first);
            r = clv_rng_at(&start, first + n);
            cr_assert_eq(clv_rng_u32(&at), clv_rng_u32(&r));
        }
}

Test(rng, uniform_and_range)
{
    struct clv_rng r = clv_rng_init(1, 0);
    double sum = 0, low = 1, high = 0;
    enum { N = 200000 };
    for (int i = 0; i < N; i++) {
        const double u = clv_rng_uniform(&r);
        cr_assert(u >= 0 && u < 1);
        sum += u;
        low = fmin(low, u);
        high = fmax(high, u);
        const double v = clv_rng_range(&r, -3, 5);
        cr_assert(v >= -3 && v < 5);
        cr_assert_lt(clv_rng_range(&r, 1e16, 1e16 + 2), 1e16 + 2);
    }
    cr_assert_float_eq(sum / N, 0.5, 5 * sqrt(1.0 / 12 / N));
    cr_assert(low < 1e-3 && high > 1 - 1e-3);
    cr_assert_float_eq(clv_rng_range(&r, 2, 2), 2, 0);
}

Test(rng, normal_is_the_quantile_of_the_next_word)
{
    struct clv_rng r = clv_rng_init(5, 9);
    enum { N = 200000 };
    double sum = 0, square = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        struct clv_rng word = r;
        const double p = (clv_rng_u32(&word) + 0.5) * 0x1p-32, z = clv_rng_normal(&r);
        /* Both tails through erfc, where it does not cancel. */
        const double back = 0.5 * erfc(fabs(z) / sqrt(2)), tail = z < 0 ? p : 1 - p;
        cr_assert_float_eq(back / tail, 1, 1e-13, "p %.17g z %.17g", p, z);
        sum += z;
        square += z * z;
        fourth += z * z * z * z;
    }
    cr_assert_float_eq(sum / N, 0, 5 / sqrt(N));
    cr_assert_float_eq(square / N, 1, 5 * sqrt(2.0 / N));
    cr_assert_float_eq(fourth / N, 3, 5 * sqrt(96.0 / N));
}

Test(rng, below_is_unbiased)
{
    struct clv_rng r = clv_rng_init(11, 0);
    /* 3 * 2^30: by plain modulo the first third would come twice as often. */
    const uint32_t n = 3u << 30;
    int first = 0;
    for (int i = 0; i < 30000; i++) {
        const uint32_t v = clv_rng_below(&r, n);
        cr_assert_lt(v, n);
        first += v < 1u << 30;
    }
    cr_assert_float_eq(first, 10000, 5 * sqrt(30000 * 2.0 / 9));
    int count[7] = {0};
    for (int i = 0; i < 70000; i++)
        count[clv_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_assert_float_eq(count[i], 10000, 5 * sqrt(70000 * 6.0 / 49));
    cr_assert_eq(clv_rng_below(&r, 1), 0);
    cr_assert_eq(clv_rng_below(&r, 0), 0);
}

Test(rng, shuffle_makes_every_order)
{
    struct clv_rng r = clv_rng_init(3, 0);
    int count[27] = {0};
    for (int i = 0; i < 6000; i++) {
        uint32_t x[3] = {0, 1, 2};
        clv_rng_shuffle(&r, x, 3);
        count[x[0] * 9 + x[1] * 3 + x[2]]++;
    }
    int orders = 0;
    for (int i = 0; i < 27; i++) {
        if (!count[i])
            continue;
        orders++;
        cr_assert_float_eq(count[i], 1000, 5 * sqrt(6000 * 5.0 / 36));
    }
    cr_assert_eq(orders, 6);
    clv_rng_shuffle(&r, NULL, 0);
}

/* Mean a / (a + b), variance a b / ((a + b)^2 (a + b + 1)); fourth moments are below 1. */
Test(rng, beta)
{
    static const double cases[][2] = {{1, 1}, {0.2, 0.2}, {0.01, 0.01}, {2, 5}, {40, 3}, {0.5, 4}};
    enum { N = 20000 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double a = cases[i][0], b = cases[i][1], mean = a / (a + b);
        const double variance = a * b / ((a + b) * (a + b) * (a + b + 1));
        struct clv_rng r = clv_rng_init(9, i);
        double sum = 0, squares = 0;
        for (int k = 0; k < N; k++) {
            const double x = clv_rng_beta(&r, a, b);
            cr_assert(x >= 0 && x <= 1);
            sum += x;
            squares += (x - mean) * (x - mean);
        }
        const double error = 4 * sqrt(variance / N);
        cr_expect_float_eq(sum / N, mean, error, "%g %g: %g", a, b, sum / N);
        cr_expect_float_eq(squares / N, variance, error * 2 * fmax(mean, 1 - mean), "%g %g: %g", a, b, squares / N);
    }
    struct clv_rng r = clv_rng_init(9, 7);
    const double tiny = clv_rng_beta(&r, 1e-5, 1e-5); /* exponents that no double holds */
    cr_expect(tiny == 0 || tiny == 1);
}
