/* Mean, spread and confidence interval of repeated measurements. */
#include <clavicle/sweep.h>

#include <math.h>

/* P(|T| <= t) with t = sqrt(df) tan(angle): Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 for
 * odd and 26.7.4 for even degrees of freedom, finite sums. */
static double student_probability(double angle, int df)
{
    const double pi = 3.14159265358979323846, c = cos(angle), s = sin(angle);
    double term = df % 2 ? c : 1, sum = 0;
    for (int k = df % 2 ? 3 : 2; k <= df; k += 2) {
        sum += term;
        term *= c * c * (k - 1) / k;
    }
    return df % 2 ? 2 / pi * (angle + s * sum) : s * sum;
}

double clv_student_t(double confidence, int df)
{
    double low = 0, high = 1.57079632679489661923;
    if (df < 1 || !(confidence > 0 && confidence < 1))
        return NAN;
    for (int i = 0; i < 100; i++) { /* halving an angle, until it is one number */
        const double middle = low + (high - low) / 2;
        if (student_probability(middle, df) < confidence)
            low = middle;
        else
            high = middle;
    }
    return sqrt(df) * tan(low);
}

struct clv_summary clv_summarise(const double *x, size_t n)
{
    struct clv_summary s = {.mean = NAN, .std = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            continue;
        sum += x[i];
        s.n++;
    }
    if (s.n < 1)
        return s;
    s.mean = sum / s.n;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            squares += (x[i] - s.mean) * (x[i] - s.mean);
    if (s.n < 2)
        return s;
    s.std = sqrt(squares / (s.n - 1));
    const double half = clv_student_t(.95, s.n - 1) * s.std / sqrt(s.n);
    s.low = s.mean - half;
    s.high = s.mean + half;
    return s;
}
