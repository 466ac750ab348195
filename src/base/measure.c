#include "base/measure.h"

#include "base/spread.h"
#include "base/util.h"
#include <stdlib.h>

#define MANY 1.0 /* seconds of a run that need no second opinion on how often to repeat it */

static enum clv_err timed(const struct clv_measure *m, int count, double *seconds)
{
    const double begin = clv_now();
    CLV_TRY(m->run(m->priv, count));
    *seconds = CLV_MAX(clv_now() - begin, 1e-9);
    return CLV_OK;
}

/* How many runs make a measurement. */
static enum clv_err warm_up(const struct clv_measure *m, int *count)
{
    double seconds = 0;
    *count = 1;
    if (!m->warm)
        CLV_TRY(timed(m, 1, &seconds)); /* loads and compiles, so it says nothing */
    if (m->single || seconds > MANY)
        return CLV_OK;
    CLV_TRY(timed(m, 1, &seconds));
    while (seconds < CLV_MEASURE_SECONDS) {
        const double wanted = *count * CLV_MEASURE_SECONDS / seconds;
        *count = (int)CLV_MIN(CLV_MAX(wanted * 1.1, *count * 1.5 + 1), 1e6);
        CLV_TRY(timed(m, *count, &seconds));
        if (*count >= 1000000)
            break;
    }
    return CLV_OK;
}

enum clv_err clv_measure(const struct clv_measure *m, struct clv_measured *ret, struct clv_error *err)
{
    const int repeat = m->repeat > 0 ? CLV_MIN(m->repeat, CLV_MEASURE_REPEAT_MAX) : CLV_MEASURE_REPEAT;
    const double limit = m->limit > 0 ? m->limit : 1;
    int count, n = 0;
    double *sample = malloc((size_t)repeat * sizeof *sample);
    *ret = (struct clv_measured){0};
    if (!sample)
        return clv_fail_nomem(err, "measurements");
    enum clv_err e = warm_up(m, &count);
    while (!e && n < repeat && (n == 0 || ret->total < limit)) {
        double seconds;
        e = timed(m, count, &seconds);
        if (e)
            break;
        ret->total += seconds;
        ret->runs += (uint64_t)count;
        sample[n++] = seconds / count;
    }
    if (!e)
        ret->seconds = clv_spread_of(sample, n, false);
    free(sample);
    return e;
}
