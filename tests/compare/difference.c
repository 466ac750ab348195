/* How far two arrays are apart. */
#include "compare/compare.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 4 };

static struct clv_compare_value measure(enum clv_compare_pass pass, const float *a, const float *b, const float *start)
{
    struct clv_compare_value v = {.pass = pass};
    clv_compare_measure(a, b, start, N, &v);
    cr_expect_eq(v.count, N);
    return v;
}

static void near(double got, double want)
{
    cr_expect(fabs(got - want) <= 1e-6 * want, "%g, not %g", got, want);
}

Test(difference, outputs_by_their_largest_value)
{
    const float a[N] = {1, -8, 2, 0}, b[N] = {1, -8, 2.5f, 0};
    const struct clv_compare_value v = measure(CLV_COMPARE_FORWARD, a, b, NULL);
    near(v.difference, .5 / 8);
    cr_expect_eq(v.at, 2);
    cr_expect(v.value[0] == 2 && v.value[1] == 2.5f);
}

Test(difference, gradients_by_their_length)
{
    const float a[N] = {3, 4, 0, 0}, b[N] = {3, 4, .3f, .4f};
    near(measure(CLV_COMPARE_BACKWARD, a, b, NULL).difference, .5 / sqrt(25.25));
}

Test(difference, weights_by_how_far_they_moved)
{
    const float start[N] = {100, 0, 0, 0}, a[N] = {101, 0, 0, 0}, b[N] = {100.5f, 0, 0, 0};
    /* A ten-thousandth of the weights counts as movement. */
    near(measure(CLV_COMPARE_UPDATE, a, b, start).difference, .5 / 1.01);
    cr_expect_eq(measure(CLV_COMPARE_UPDATE, start, start, start).difference, 0);
}

Test(difference, what_is_no_number)
{
    const float a[N] = {1, NAN, INFINITY, 0}, b[N] = {1, 2, INFINITY, 0};
    for (int pass = CLV_COMPARE_FORWARD; pass <= CLV_COMPARE_UPDATE; pass++) {
        const struct clv_compare_value v = measure((enum clv_compare_pass)pass, a, b, NULL);
        cr_expect(isinf(v.difference) && v.at == 1, "pass %d: %g at %zu", pass, v.difference, v.at);
        cr_expect_eq(measure((enum clv_compare_pass)pass, a, a, NULL).difference, 0);
    }
}

Test(difference, zeros)
{
    const float zero[N] = {0}, b[N] = {0, 0, 1e-30f, 0};
    cr_expect_eq(measure(CLV_COMPARE_FORWARD, zero, zero, NULL).difference, 0);
    cr_expect_eq(measure(CLV_COMPARE_BACKWARD, zero, zero, NULL).difference, 0);
    near(measure(CLV_COMPARE_FORWARD, zero, b, NULL).difference, 1);
    near(measure(CLV_COMPARE_BACKWARD, zero, b, NULL).difference, 1);
}

Test(difference, derivatives_from_outputs)
{
    const float y[N] = {-1, 0, .5f, 2};
    const struct { enum clv_act act; float want[N]; } cases[] = {
        {CLV_ACT_LINEAR, {3, 3, 3, 3}},
        {CLV_ACT_RELU, {0, 0, 3, 3}},
        {CLV_ACT_SIGMOID, {-6, 0, .75f, -6}},
        {CLV_ACT_TANH, {0, 3, 2.25f, -9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float g[N] = {3, 3, 3, 3};
        clv_compare_apply_act(cases[i].act, y, g, N);
        for (int k = 0; k < N; k++)
            cr_expect(g[k] == cases[i].want[k], "activation %zu, element %d: %g", i, k, (double)g[k]);
    }
}
