/* Measuring how long something takes, as often as its user has patience for. */
#ifndef CLV_BASE_MEASURE_H
#define CLV_BASE_MEASURE_H

#include "base/error.h"
#include <clavicle/profile.h>

/* Short things are run so often in a row that a measurement takes CLV_MEASURE_SECONDS at least: then
 * neither the clock nor the wait for the end matters. */
#define CLV_MEASURE_SECONDS 4e-3
enum { CLV_MEASURE_REPEAT = 15, CLV_MEASURE_REPEAT_MAX = 100000 };

struct clv_measure {
    int repeat;          /* measurements at most; 0 = CLV_MEASURE_REPEAT */
    double limit;        /* seconds for all of them, one is made in any case; 0 = 1 */
    bool warm;           /* it has run before: no run to warm up */
    bool single;         /* one run a measurement, however short it is */
    /* Does it `count` times and waits for the end. */
    enum clv_err (*run)(void *priv, int count);
    void *priv;
};
struct clv_measured {
    struct clv_spread seconds; /* of one run */
    uint64_t runs;       /* measured ones */
    double total;        /* their seconds */
};
/* Runs once or more to warm up, then measures. Errors are those of run, and CLV_ERR_NOMEM. */
CLV_CHECK enum clv_err clv_measure(const struct clv_measure *m, struct clv_measured *ret,
                                   struct clv_error *err);

#endif
