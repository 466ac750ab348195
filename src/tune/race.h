/* The choices for one problem against each other. */
#ifndef CLV_TUNE_RACE_H
#define CLV_TUNE_RACE_H

#include "base/spread.h"
#include "tune/trial.h"

enum { CLV_RACE_MAX = 192 };

struct clv_race_params {
    bool clblast; /* CLBlast takes part: its kernels are built, which takes long on CPU devices */
    /* Asked before each choice; true ends the race with CLV_ERR_CANCELLED. on_choice: before each.
     */
    bool (*should_stop)(void *priv);
    void (*on_choice)(void *priv, const struct clv_choice *c);
    void *priv;
    /* For tests: change a result before it is compared; stand in for the clock. */
    clv_trial_spoil *spoil;
    double (*seconds)(void *hook, const struct clv_choice *c, double measured);
    void *hook;
};

struct clv_raced {
    struct clv_choice choice, fallback;          /* the winner; what is taken without a tuner */
    struct clv_spread seconds, fallback_seconds; /* n = 0: it does not run, or is wrong */
    int tried, wrong, failed; /* choices; with wrong answers; that do not run here */
    bool clblast;             /* it took part and was right: */
    struct clv_choice clblast_choice;
    struct clv_spread clblast_seconds;
    double clblast_first[CLV_GEMM_SETS]; /* seconds of each set's first launch here; 0 = not
                                            launched */
};

/* Every candidate is compared with the reference and timed once; the best few and the fallback
 * again in turns. Another than the fallback wins only by more than the noise. CLV_ERR_UNSUPPORTED:
 * none runs, or none is right. */
CLV_CHECK enum clv_err clv_race(struct clv_device *dev, const struct clv_problem *p,
                                const struct clv_race_params *params, struct clv_raced *ret);

#endif
