/* Tuning a list of problems into the database. */
#ifndef CLV_TUNE_TUNE_H
#define CLV_TUNE_TUNE_H

#include "tune/database.h"
#include "tune/race.h"
#include <clavicle/tune.h>

/* Races for those of the problems that the database lacks (all, with params->again) and writes it
 * after each. must_save: fails at once where it cannot be written; else warns, and results[] (may
 * be NULL) receives the lines all the same. hooks (tests; may be NULL): spoil, seconds and hook are
 * taken. */
CLV_CHECK enum clv_err clv_tune_problems(struct clv_device *dev, const struct clv_choices *problems,
                                         const struct clv_tune_params *params, bool must_save,
                                         const struct clv_race_params *hooks,
                                         struct clv_tuning *results);

#endif
