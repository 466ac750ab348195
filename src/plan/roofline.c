/* How long a step must take on a device whose ceilings are known (the roofline model: Williams, Waterman
 * and Patterson, 2009). */
#include <clavicle/profile.h>

#include "base/util.h"

const char *clv_bound_name(enum clv_bound bound)
{
    static const char *const names[] = {"", "compute", "memory"};
    return (unsigned)bound < CLV_COUNT(names) ? names[bound] : "";
}

/* A step that fits the smaller working set has its rates: what it touches was touched just before. */
static const struct clv_bandwidth *bandwidth_of(const struct clv_ceilings *c, double bytes)
{
    const struct clv_bandwidth *b = &c->memory[0];
    for (int i = 1; i < CLV_BANDWIDTHS; i++)
        if (c->memory[i].bytes && (!b->bytes || bytes > (double)b->bytes))
            b = &c->memory[i];
    return b;
}

static double seconds_of(double bytes, const struct clv_spread *rate)
{
    return rate->best > 0 ? bytes / rate->best : 0;
}

static double longer(double compute, double memory, enum clv_bound *bound)
{
    if (bound)
        *bound = compute <= 0 && memory <= 0 ? CLV_BOUND_NONE
                 : compute >= memory         ? CLV_BOUND_COMPUTE
                                             : CLV_BOUND_MEMORY;
    return CLV_MAX(compute, memory);
}

double clv_ceilings_seconds(const struct clv_ceilings *c, double flops, double read, double written,
                            enum clv_bound *bound)
{
    const struct clv_bandwidth *b = bandwidth_of(c, read + written);
    const double compute = seconds_of(flops, &c->flops), both = CLV_MIN(read, written);
    /* Bytes read and written in equal parts move at the copy's rate, the rest at its own. */
    const double memory = seconds_of(2 * both, &b->copy) +
                          (read > written ? seconds_of(read - written, &b->read)
                                          : seconds_of(written - read, &b->write));
    return longer(compute, memory, bound);
}

double clv_timing_floor(const struct clv_timing *row, const struct clv_ceilings *c, enum clv_bound *bound)
{
    return row->memory > 0 ? longer(seconds_of(row->flops, &c->flops), row->memory, bound)
                           : clv_ceilings_seconds(c, row->flops, row->read, row->written, bound);
}
