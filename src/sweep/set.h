/* What folders of several runs share: members, their metrics, tables. */
#ifndef CLV_SWEEP_SET_H
#define CLV_SWEEP_SET_H

#include "base/json.h"
#include "base/str.h"
#include "train/run.h"
#include <clavicle/sweep.h>

enum { CLV_MEMBER_NAME = 48 };

/* Whether the member has been trained to the end that `fit` asks for: epochs, patience, max_steps. */
bool clv_member_finished(const struct clv_run_paths *p, const struct clv_fit_params *fit);
/* RUN/metrics.json, whole. New reference. */
CLV_CHECK enum clv_err clv_member_metrics(struct clv_context *ctx, const char *run, json_t **ret);
/* Measures the run's best checkpoint on its test split: the keys of `clavicle eval --json`; null without test images. New
 * reference. */
CLV_CHECK enum clv_err clv_member_test(struct clv_context *ctx, const char *run, const struct clv_run_params *params,
                                       json_t **ret);

/* {"loss": {"n":, "mean":, "std":, "low":, "high":}, ...} for each number in every member's object `section`. New reference;
 * NULL when out of memory. */
json_t *clv_members_summary(const json_t *members, const char *section);

/* RUN/results.json and .txt. The report may be NULL. Takes neither text nor json over. */
CLV_CHECK enum clv_err clv_results_write(struct clv_context *ctx, const char *dir, const json_t *json, struct clv_str *text,
                                         struct clv_report *report);

/* The text of repeats.c's results. */
void clv_repeat_print(const json_t *results, struct clv_str *out);

/* A number as wide as its column, "-" for what is none. */
void clv_table_number(struct clv_str *out, int width, const json_t *value);

#endif
