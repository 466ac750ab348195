/* Whether a matrix unit works, found out in a process of its own: what a driver makes of an
 * instruction it does not know may be a wrong number or the process' end. For src/device only;
 * device.h has what others see. */
#ifndef CLV_DEVICE_PROBE_H
#define CLV_DEVICE_PROBE_H

#include "device/internal.h"

/* What the cache remembers of a unit. */
struct clv_probe_verdict {
    uint32_t works;
    uint32_t gain; /* its products in a second, of float's, percent */
};
struct clv_digest clv_probe_key(const struct clv_device *dev, enum clv_unit unit);
bool clv_probe_load(const struct clv_device *dev, const struct clv_digest *key,
                    struct clv_probe_verdict *ret);
void clv_probe_store(const struct clv_device *dev, const struct clv_digest *key,
                     const struct clv_probe_verdict *verdict);

/* The child's side: builds, launches, compares with plain loops, measures. Fails with a text where
 * the unit does not work, if the process is still there to say so. */
CLV_CHECK enum clv_err clv_probe_run(struct clv_device *dev, enum clv_unit unit,
                                     struct clv_probe_verdict *ret);

/* Asks the kernel for the state of AMX's tiles, without which their instructions trap, for all
 * threads of this process; false where there are none. The permission stays, and asks nothing of
 * the program but that its threads' alternate signal stacks, where it has any, hold the larger
 * frame. */
bool clv_amx_request(void);

#endif
