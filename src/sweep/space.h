/* The ranges of a search, a line each: NAME log|uniform|int LOW HIGH, or NAME choice A B "C D". # begins a comment. */
#ifndef CLV_SWEEP_SPACE_H
#define CLV_SWEEP_SPACE_H

#include "base/arena.h"
#include "base/error.h"
#include <clavicle/sweep.h>

enum { CLV_MAX_RANGES = 64, CLV_MAX_CHOICES = 256 };

enum clv_range_kind { CLV_RANGE_LOG, CLV_RANGE_UNIFORM, CLV_RANGE_INT, CLV_RANGE_CHOICE };

struct clv_range {
    const char *name;
    enum clv_range_kind kind;
    double low, high;    /* inclusive */
    const char **choice; /* CHOICE: n of them */
    int n;
};

struct clv_space {
    struct clv_range range[CLV_MAX_RANGES];
    int n;
};

/* Strings lie in the arena. CLV_ERR_ARG names file and line. */
CLV_CHECK enum clv_err clv_space_parse(const char *text, const char *name, struct clv_arena *arena, struct clv_space *ret,
                                       struct clv_error *err);

/* n draws of space->n settings each, settings[draw * space->n + range]. Draw i does not depend on n, and no draw repeats an earlier
 * one. Numbers have four digits. CLV_ERR_ARG: there are fewer combinations. */
CLV_CHECK enum clv_err clv_space_draw(const struct clv_space *space, uint64_t seed, int n, struct clv_arena *arena,
                                      struct clv_setting *settings, struct clv_error *err);

/* Rungs of successive halving (Jamieson and Talwalkar, AISTATS 2016; with eta as in Li et al., Hyperband, JMLR 18, 2018, algorithm 1,
 * lines 4 to 9): rung k of s + 1 trains floor(n / eta^k) members to floor(epochs / eta^(s - k)) epochs, with s the largest
 * number whose eta^s is neither above n nor above epochs. Returns s + 1. */
struct clv_rung { int members, epochs; };
int clv_halving_rungs(int n, int epochs, int eta, struct clv_rung *rungs); /* CLV_MAX_RUNGS at most */

#endif
