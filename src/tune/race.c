#include "tune/race.h"

#include "base/util.h"
#include <string.h>

enum { HEATS = 2, FINALS = 7, FINALISTS = 3 };

static const double least_seconds = .01; /* of one measurement */
static const double hopeless = 1.5;      /* times the best: out after the first round */
static const double worthwhile =
    .98; /* of the fallback's time: less gain is not worth a difference */

struct runner {
    struct clv_choice choice;
    double seconds[1 + HEATS + FINALS];
    int n;
    bool out; /* does not run, is wrong, or too slow */
    struct clv_spread spread;
};

struct race {
    struct clv_device *dev;
    const struct clv_race_params *params;
    struct clv_trial *trial;
    struct runner runner[CLV_RACE_MAX]; /* [0] is the fallback */
    int n;
};

static bool is_clblast(const struct runner *u)
{
    return u->choice.schedule == &clv_schedule_clblast;
}

static enum clv_err next(const struct race *r, const struct runner *u)
{
    const struct clv_race_params *p = r->params;
    if (p->should_stop && p->should_stop(p->priv))
        return clv_fail(clv_device_error(r->dev), CLV_ERR_CANCELLED, "tuning was cancelled");
    if (p->on_choice)
        p->on_choice(p->priv, &u->choice);
    return CLV_OK;
}

static enum clv_err measure(struct race *r, struct runner *u)
{
    double seconds = 0;
    CLV_TRY(clv_trial_time(r->trial, &u->choice, least_seconds, &seconds));
    if (r->params->seconds)
        seconds = r->params->seconds(r->params->hook, &u->choice, seconds);
    u->seconds[u->n++] = seconds;
    double sorted[CLV_COUNT(u->seconds)];
    memcpy(sorted, u->seconds, sizeof sorted);
    u->spread = clv_spread_of(sorted, u->n, false);
    return CLV_OK;
}

/* A choice that the device refuses leaves the race; what says that the device is gone ends it. */
static enum clv_err forgive(const struct race *r, struct runner *u, enum clv_err e, int *failed)
{
    char text[CLV_CHOICE_TEXT];
    if (!e || e == CLV_ERR_NOMEM || e == CLV_ERR_CANCELLED)
        return e;
    clv_choice_text(&u->choice, text);
    clv_log(clv_device_context(r->dev), CLV_LOG_DEBUG, "tune: %s does not run: %s", text,
            clv_device_error(r->dev)->text);
    u->out = true;
    ++*failed;
    return CLV_OK;
}

static enum clv_err try_one(struct race *r, struct runner *u, struct clv_raced *ret)
{
    bool right = false;
    char text[CLV_CHOICE_TEXT];
    CLV_TRY(next(r, u));
    ret->tried++;
    enum clv_err e = CLV_OK;
    if (is_clblast(u)) /* which builds its kernels */
        e = clv_trial_first(r->trial, &u->choice, &ret->clblast_first[u->choice.param[0]]);
    if (!e)
        e = clv_trial_check(r->trial, &u->choice, r->params->spoil, r->params->hook, &right);
    if (!e && right)
        e = measure(r, u);
    if (e || right)
        return forgive(r, u, e, &ret->failed);
    clv_choice_text(&u->choice, text);
    clv_log(clv_device_context(r->dev), CLV_LOG_WARN,
            "tune: %s computes something else than the reference and is left out", text);
    u->out = true;
    ret->wrong++;
    return CLV_OK;
}

static struct runner *best_of(struct race *r)
{
    struct runner *best = NULL;
    for (int i = 0; i < r->n; i++)
        if (!r->runner[i].out && (!best || r->runner[i].spread.median < best->spread.median))
            best = &r->runner[i];
    return best;
}

static enum clv_err rounds(struct race *r, int n, int *failed)
{
    for (int k = 0; k < n; k++)
        for (int i = 0; i < r->n; i++) {
            struct runner *u = &r->runner[i];
            if (u->out)
                continue;
            CLV_TRY(next(r, u));
            CLV_TRY(forgive(r, u, measure(r, u), failed));
        }
    return CLV_OK;
}

static const struct runner *best_clblast(const struct race *r)
{
    const struct runner *best = NULL;
    for (int i = 0; i < r->n; i++) {
        const struct runner *u = &r->runner[i];
        if (!u->out && is_clblast(u) && (!best || u->spread.median < best->spread.median))
            best = u;
    }
    return best;
}

/* The fallback and CLBlast's best stay: they are what the winner is measured against. */
static bool stays(const struct race *r, const struct runner *u)
{
    return u == r->runner || u == best_clblast(r);
}

static void drop_slow(struct race *r)
{
    const struct runner *best = best_of(r);
    for (int i = 0; i < r->n && best; i++)
        if (!stays(r, &r->runner[i]) && r->runner[i].spread.median > hopeless * best->spread.median)
            r->runner[i].out = true;
}

static void keep_finalists(struct race *r)
{
    bool final[CLV_RACE_MAX] = {false};
    for (int k = 0; k < FINALISTS; k++) {
        int best = -1;
        for (int i = 0; i < r->n; i++)
            if (!r->runner[i].out && !final[i] &&
                (best < 0 || r->runner[i].spread.median < r->runner[best].spread.median))
                best = i;
        if (best >= 0)
            final[best] = true;
    }
    for (int i = 0; i < r->n; i++)
        if (!final[i] && !stays(r, &r->runner[i]))
            r->runner[i].out = true;
}

static int still_in(const struct race *r)
{
    int n = 0;
    for (int i = 0; i < r->n; i++)
        n += !r->runner[i].out;
    return n;
}

static void decide(struct race *r, struct clv_raced *ret)
{
    const struct runner *fallback = &r->runner[0], *best = NULL;
    for (int i = 0; i < r->n; i++) {
        const struct runner *u = &r->runner[i];
        if (!u->out && !is_clblast(u) && (!best || u->spread.median < best->spread.median))
            best = u;
    }
    const struct runner *clblast = best_clblast(r);
    if (clblast) {
        ret->clblast = true;
        ret->clblast_choice = clblast->choice;
        ret->clblast_seconds = clblast->spread;
    }
    if (!fallback->out)
        ret->fallback_seconds = fallback->spread;
    if (!best)
        return;
    const bool clear =
        fallback->out || (best->spread.high < fallback->spread.low &&
                          best->spread.median < worthwhile * fallback->spread.median);
    best = clear ? best : fallback;
    ret->choice = best->choice;
    ret->seconds = best->spread;
}

static enum clv_err run(struct race *r, const struct clv_problem *p, struct clv_raced *ret)
{
    struct clv_choice found[CLV_RACE_MAX];
    CLV_TRY(clv_trial_open(r->dev, p, &r->trial));
    r->n = clv_contract_candidates(&r->trial->emit, p, r->params->clblast, found, CLV_RACE_MAX);
    for (int i = 0; i < r->n; i++)
        r->runner[i].choice = found[i];
    ret->choice = ret->fallback = found[0];
    for (int i = 0; i < r->n; i++)
        CLV_TRY(try_one(r, &r->runner[i], ret));
    drop_slow(r);
    CLV_TRY(rounds(r, HEATS, &ret->failed));
    keep_finalists(r);
    if (still_in(r) > 1)
        CLV_TRY(rounds(r, FINALS, &ret->failed));
    decide(r, ret);
    if (ret->seconds.n)
        return CLV_OK;
    return clv_fail(clv_device_error(r->dev), CLV_ERR_UNSUPPORTED,
                    "none of %d choices runs here with a right answer", r->n);
}

enum clv_err clv_race(struct clv_device *dev, const struct clv_problem *p,
                      const struct clv_race_params *params, struct clv_raced *ret)
{
    struct race r = {.dev = dev, .params = params};
    *ret = (struct clv_raced){0};
    const enum clv_err e = run(&r, p, ret);
    clv_trial_close(&r.trial);
    return e;
}
