/* Mean, spread and interval beside scipy 1.x:
 *
 *     from scipy import stats
 *     stats.t.ppf((1 + confidence) / 2, df)
 *     x = [.91, .934, .902, .948, .925]
 *     numpy.mean(x), numpy.std(x, ddof=1), stats.t.interval(.95, len(x) - 1, numpy.mean(x), stats.sem(x)) */
#include <clavicle/sweep.h>

#include <criterion/criterion.h>
#include <math.h>

Test(summary, quantiles)
{
    static const struct { int df; double half, usual, high; } known[] = {
        {1, 1.0000000000000002, 12.706204736174694, 63.656741162871526},
        {2, 0.8164965809277261, 4.302652729749462, 9.924843200918287},
        {3, 0.7648923284043444, 3.1824463052837078, 5.840909309733355},
        {4, 0.7406970841126829, 2.7764451051977934, 4.604094871349992},
        {5, 0.7266868438004226, 2.5705818356363146, 4.032142983555228},
        {9, 0.7027221467513264, 2.262157162798205, 3.249835541592126},
        {10, 0.6998120613124317, 2.228138851986274, 3.16927267261695},
        {29, 0.6830438608216131, 2.045229642132703, 2.756385903670605},
        {100, 0.6769510430114717, 1.9839715185235518, 2.6258905214380173},
        {999, 0.6747354103467192, 1.9623414611334493, 2.5807596372676365},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_expect_float_eq(clv_student_t(.5, known[i].df), known[i].half, 1e-10);
        cr_expect_float_eq(clv_student_t(.95, known[i].df), known[i].usual, 1e-10 * known[i].usual);
        cr_expect_float_eq(clv_student_t(.99, known[i].df), known[i].high, 1e-10 * known[i].high);
    }
    cr_expect(isnan(clv_student_t(.95, 0)) && isnan(clv_student_t(0, 3)) && isnan(clv_student_t(1, 3)));
}

static void expect(const double *x, size_t n, struct clv_summary want)
{
    const struct clv_summary s = clv_summarise(x, n);
    cr_expect_eq(s.n, want.n);
    cr_expect_float_eq(s.mean, want.mean, 1e-13);
    cr_expect_float_eq(s.std, want.std, 1e-13);
    cr_expect_float_eq(s.low, want.low, 1e-11);
    cr_expect_float_eq(s.high, want.high, 1e-11);
}

Test(summary, intervals)
{
    expect((double[]){.91, .934, .902, .948, .925}, 5,
           (struct clv_summary){5, 0.9238, 0.018417383093154122, 0.9009317984721038, 0.9466682015278961});
    expect((double[]){1e-3, 2.5}, 2, (struct clv_summary){2, 1.2505, 1.7670598461851823, -14.625902817850278, 17.12690281785028});
    expect((double[]){1e-3, NAN, 2.5, INFINITY}, 4,
           (struct clv_summary){2, 1.2505, 1.7670598461851823, -14.625902817850278, 17.12690281785028});
}

Test(summary, too_few)
{
    const struct clv_summary one = clv_summarise((double[]){.5}, 1), none = clv_summarise(NULL, 0);
    cr_expect(one.n == 1 && one.mean == .5 && isnan(one.std) && isnan(one.low) && isnan(one.high));
    cr_expect(none.n == 0 && isnan(none.mean) && isnan(none.std));
}
