/* What the samplers draw: shares of classes, the same for the same key, and what they refuse. */
#include "data/sampler.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5000 };

/* 1 of 10 is class 2, 3 of 10 class 0; there is no class 1; the others are class 3. */
static int32_t label(const void *priv, size_t i)
{
    (void)priv;
    return i % 10 == 0 ? 2 : i % 10 < 4 ? 0 : 3;
}

static struct clv_sampler *create(const char *text)
{
    struct clv_sampler *s = NULL;
    struct clv_error err = {0};
    cr_assert_eq(clv_sampler_create(text, N, label, NULL, &err, &s), CLV_OK, "%s", err.text);
    return s;
}

static void shares(const char *text, double a, double b, double c)
{
    struct clv_sampler *s = create(text);
    uint32_t *order = malloc(N * sizeof *order);
    int count[4] = {0}, times[N] = {0};
    cr_assert(s && order);
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        clv_sampler_order(s, 3, epoch, order);
        for (int i = 0; i < N; i++) {
            cr_assert_lt(order[i], N);
            count[label(NULL, order[i])]++;
            times[order[i]]++;
        }
    }
    const double want[] = {a, 0, b, c};
    for (int k = 0; k < 4; k++)
        cr_expect(fabs(count[k] - 4 * N * want[k]) <= 4 * sqrt(4 * N * want[k]), "%s: class %d drawn %d times", text, k,
                  count[k]);
    /* Within a class all alike: chi-squared over the 500 of class 2 has mean 499 and variance 998. */
    double chi = 0;
    for (int i = 0; i < N; i += 10)
        chi += pow(times[i] - count[2] / 500.0, 2) / (count[2] / 500.0);
    cr_expect(fabs(chi - 499) < 4 * sqrt(998), "%s: %g", text, chi);
    free(order);
    clv_sampler_destroy(&s);
    cr_expect_null(s);
}

Test(sampler, shares_of_classes)
{
    const double root = sqrt(3) + 1 + sqrt(6);
    shares("balanced", 1 / 3.0, 1 / 3.0, 1 / 3.0);
    shares("balanced power=0.5", sqrt(3) / root, 1 / root, sqrt(6) / root);
    shares("balanced power=0", 0.3, 0.1, 0.6);
}

Test(sampler, keyed_by_seed_and_epoch)
{
    struct clv_sampler *s = create("balanced");
    static uint32_t a[N], b[N];
    clv_sampler_order(s, 1, 2, a);
    clv_sampler_order(s, 1, 2, b);
    cr_expect_arr_eq(a, b, sizeof a);
    clv_sampler_order(s, 1, 3, b);
    cr_expect_arr_neq(a, b, sizeof a);
    clv_sampler_order(s, 2, 2, b);
    cr_expect_arr_neq(a, b, sizeof a);
    clv_sampler_destroy(&s);
}

Test(sampler, texts)
{
    static const char *const bad[][2] = {{"balance", "did you mean balanced"}, {"balanced power=2", "out of range"},
                                         {"balanced x=1", "power"}, {"shuffle power=1", "shuffle"}};
    struct clv_sampler *s = create("shuffle");
    cr_expect_null(s);
    cr_expect_null(create(NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct clv_error err = {0};
        cr_expect_eq(clv_sampler_create(bad[i][0], 0, NULL, NULL, &err, &s), CLV_ERR_ARG);
        cr_expect_not_null(strstr(err.text, bad[i][1]), "%s", err.text);
    }
}
