#include "base/spread.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Between the two values around it. */
static double quantile(const double *sorted, int n, double q)
{
    const double at = q * (n - 1);
    const int below = (int)at;
    return below + 1 < n ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below])
                         : sorted[n - 1];
}

struct clv_spread clv_spread_of(double *values, int n, bool rates)
{
    if (n < 1)
        return (struct clv_spread){0};
    qsort(values, (size_t)n, sizeof *values, by_value);
    return (struct clv_spread){.median = quantile(values, n, .5),
                               .low = quantile(values, n, .25),
                               .high = quantile(values, n, .75),
                               .best = values[rates ? n - 1 : 0],
                               .n = n};
}

struct clv_spread clv_spread_rate(const struct clv_spread *s, double amount)
{
    if (!s->n || s->best <= 0)
        return (struct clv_spread){0};
    return (struct clv_spread){.median = amount / s->median,
                               .low = amount / s->high,
                               .high = amount / s->low,
                               .best = amount / s->best,
                               .n = s->n};
}
