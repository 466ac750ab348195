/* Many runs over one data set: folds of a cross-validation, repeated trials, searches, and what their numbers say together.
 *
 * Folds and trials:
 *
 *   RUN/config.json        what the members share, as in a run, with "folds" and "trials"
 *   RUN/split.csv          the images, and which of them are test; val is fold 1
 *   RUN/fold-1, ...        a whole run each (run.h)
 *   RUN/results.json       every member's validation and test metrics, and their summary
 *   RUN/results.txt        the same as a table
 *
 * Everything can be killed at any moment and gone on with; the results are the same, bit for bit. */
#ifndef CLAVICLE_SWEEP_H
#define CLAVICLE_SWEEP_H

#include <clavicle/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what repeated measurements say ---- */

/* Of the finite ones among them: how many; mean; standard deviation of a sample (divisor n - 1); low and high end of
 * the 95 % confidence interval of the mean by Student's t, mean -+ t(0.975, n - 1) std / sqrt(n). NaN where n is too small:
 * 1 for the mean, 2 for the others. docs/sweep.md says what the interval assumes. */
struct clv_summary { int n; double mean, std, low, high; };
CLV_API struct clv_summary clv_summarise(const double *x, size_t n);
/* Quantile of Student's t distribution: t with P(|T| <= t) = confidence for df >= 1 degrees of freedom and
 * 0 < confidence < 1, else NaN. */
CLV_API double clv_student_t(double confidence, int df);

/* ---- members ---- */

enum clv_member_stage {
    CLV_MEMBER_TRAIN, /* its training begins, or goes on */
    CLV_MEMBER_KEPT,  /* it had been trained before */
    CLV_MEMBER_TEST,  /* its best checkpoint is measured on the test split */
};

struct clv_member {
    const char *name, *path;  /* "fold-2", "RUN/fold-2" */
    int number, members;      /* counted from 1 */
    int fold, trial;          /* counted from 1; fold 0: no folds */
    uint64_t seed;            /* of weights, order, augmentation and dropout */
    enum clv_member_stage stage;
};

/* Results as text for people and as JSON; malloc'ed, finish with clv_report_finish(). */
struct clv_report { char *text, *json; };
CLV_API void clv_report_finish(struct clv_report *r);

/* ---- folds and trials ---- */

struct clv_repeat_params {
    /* As for clv_run_train(); with resume, RUN is a folder of repeated runs. Members are told to fit.on_event like single runs. */
    struct clv_run_params run;
    int folds;  /* 2..CLV_MAX_FOLDS; 0 = none. What is not test is divided; a fold's member validates on it and trains on the others */
    int trials; /* 1..CLV_MAX_TRIALS; 0 = 1. Trial t trains with seed + t - 1, on the same splits; with folds, each of them */
    /* Before each member's training and test; nonzero cancels. May be NULL. */
    int (*on_member)(void *priv, const struct clv_member *member);
    void *priv;
};
enum { CLV_MAX_TRIALS = 1000 };

/* Trains the members one after the other, then measures the best checkpoint of each on the test split, once. result is
 * that of the member at work, as clv_run_train() fills it; may be NULL, as may report, which is filled on success.
 * Errors: those of clv_run_train(), at the first member that fails; with params->run.resume it goes on there. */
CLV_API CLV_CHECK enum clv_err clv_repeat_train(struct clv_context *ctx, const struct clv_repeat_params *params,
                                                struct clv_run_result *result, struct clv_report *report);
/* Whether the folder is one of repeated runs. */
CLV_API bool clv_repeat_is(const char *run);

/* ---- searching ----
 *
 *   SWEEP/sweep.json       ranges, choices, what each member reached
 *   SWEEP/split.csv        the images and their splits
 *   SWEEP/trial-1, ...     a whole run each
 *   SWEEP/results.json, SWEEP/results.txt   the ranked table */

enum clv_sweep_method {
    CLV_SWEEP_RANDOM,  /* every member is trained to its end */
    CLV_SWEEP_HALVING, /* successive halving: after each rung the best 1/eta go on, from where they stand */
};
enum { CLV_MAX_SWEEP = 10000, CLV_MAX_RUNGS = 32 };

struct clv_sweep_params {
    const char *space, *space_name; /* the ranges' text (docs/sweep.md), and what messages call it; NULL = "ranges" */
    const char *out;
    bool force;                     /* replace an existing SWEEP */
    enum clv_sweep_method method;
    int trials;                     /* members; 0 = 20 */
    int eta;                        /* HALVING: 2..100; 0 = 3 */
    uint64_t seed;                  /* of the drawn settings */
    const char *const *arguments;   /* the caller's own, kept in sweep.json for who resumes; n_arguments of them */
    size_t n_arguments;
};

struct clv_setting { const char *name, *value; };

struct clv_sweep_member {
    const char *name, *path;        /* "trial-7", "SWEEP/trial-7" */
    int number, members;            /* counted from 1 */
    const struct clv_setting *settings;
    size_t n_settings;
    int rung, rungs;                /* counted from 1; 1 of 1 for RANDOM */
    int epochs;                     /* it is trained to in this rung; 0 = to its end */
};

struct clv_sweep_run_params {
    /* Fills in the training of a member from its settings; data, split, monitor and so on must be the same for all. out, resume,
     * force and fit.pause are the sweep's. What ret points to must live until the next call. Not CLV_OK: the sweep ends with it. */
    enum clv_err (*configure)(void *priv, const struct clv_setting *settings, size_t n, struct clv_run_params *ret);
    /* Before each training; nonzero cancels. May be NULL. */
    int (*on_member)(void *priv, const struct clv_sweep_member *member);
    void *priv;
    bool test; /* at the end measure the best member on the test split, unless that was done */
};

struct clv_sweep;
/* A new search: reads the ranges and draws the members; writes nothing yet. CLV_ERR_ARG names the line. */
CLV_API CLV_CHECK enum clv_err clv_sweep_create(struct clv_context *ctx, const struct clv_sweep_params *params,
                                                struct clv_sweep **ret);
/* One that was begun, to go on with. CLV_ERR_MISMATCH: by another version. */
CLV_API CLV_CHECK enum clv_err clv_sweep_open(struct clv_context *ctx, const char *dir, struct clv_sweep **ret);
CLV_API void clv_sweep_close(struct clv_sweep **sweep);
/* As they were given; borrowed. */
CLV_API const char *const *clv_sweep_arguments(const struct clv_sweep *sweep, size_t *n);
/* After clv_sweep_run(): the best member; false when none was trained. Borrowed. */
CLV_API bool clv_sweep_winner(const struct clv_sweep *sweep, struct clv_sweep_member *ret);

/* Checks every member's settings, then trains. Members are chosen by what they monitor, which must be measured on validation images. One that
 * fails by its settings (CLV_ERR_NONFINITE, _DEVMEM, _SHAPE, _BUILD, _UNSUPPORTED) is recorded and ranked last; other
 * errors, and CLV_ERR_CANCELLED, end the search, which can be gone on with. When all failed it ends with the first one's error. */
CLV_API CLV_CHECK enum clv_err clv_sweep_run(struct clv_sweep *sweep, const struct clv_sweep_run_params *params,
                                             struct clv_run_result *result, struct clv_report *report);

#ifdef __cplusplus
}
#endif
#endif
