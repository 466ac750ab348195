/* What the steps of a plan take: times go in by step, one line of a report per step comes out. Where
 * the times come from (events, a clock) is the caller's business. */
#ifndef CLV_PLAN_PROFILE_H
#define CLV_PLAN_PROFILE_H

#include "step/step.h"
#include <clavicle/profile.h>

struct clv_profile_table;

/* A line per step, in their order. Labels are copied: the steps need not outlive the table. */
CLV_CHECK enum clv_err clv_profile_table_create(const struct clv_steps *steps, int batch,
                                                struct clv_error *err, struct clv_profile_table **ret);
void clv_profile_table_destroy(struct clv_profile_table **t);

/* One run of a step. Medians come from at most CLV_PROFILE_SAMPLES of them, spread evenly over the
 * whole time: a long training needs no more memory than a short one. */
enum { CLV_PROFILE_SAMPLES = 512 };
CLV_CHECK enum clv_err clv_profile_table_add(struct clv_profile_table *t, int step, double seconds,
                                             struct clv_error *err);
/* Waits for a profiling device, adds what its commands took since the last reset by step id, a step's
 * runs as equal parts of their sum, and resets. After each submission it gives one sample a step. */
CLV_CHECK enum clv_err clv_profile_table_collect(struct clv_profile_table *t, struct clv_device *dev);

/* The lines, with medians up to date; owned by the table and valid until the next call with it. */
const struct clv_timing *clv_profile_table_rows(struct clv_profile_table *t, int *n);

#endif
