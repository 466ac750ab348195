/* Median and quartiles of measurements. */
#ifndef CLV_BASE_SPREAD_H
#define CLV_BASE_SPREAD_H

#include <clavicle/profile.h>

/* Sorts `values`. rates: the highest is the best one, otherwise the lowest. */
struct clv_spread clv_spread_of(double *values, int n, bool rates);
/* amount / time: times become rates. */
struct clv_spread clv_spread_rate(const struct clv_spread *seconds, double amount);

#endif
