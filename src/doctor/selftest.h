/* The self-test: whether the kernels of a plan compute what they should on this device. The network is made again
 * for a small image, with the choices of the plan, so that it runs the plan's own programs; what comes out is
 * compared with all its layers in double, and what the step did to the weights with differences of the loss. */
#ifndef CLV_DOCTOR_SELFTEST_H
#define CLV_DOCTOR_SELFTEST_H

#include "plan/plan.h"

struct clv_self_test {
    const struct clv_graph *graph;
    const struct clv_plan *plan;           /* whose kernels are in question */
    const struct clv_plan_params *params;  /* of that plan */
    const void *optim_params;              /* training */
};

/* CLV_ERR_WRONG names the kernel. cached: a verdict on the same kernels, device, driver and host is believed, good or
 * bad; the new one is kept in any case. What is too large for plain C is not tested. */
CLV_CHECK enum clv_err clv_self_test_run(struct clv_device *dev, const struct clv_self_test *t, bool cached);

#endif
