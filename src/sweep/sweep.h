/* Inside of a search: sweep.c trains, sweep_file.c keeps what was reached, sweep_rank.c ranks and prints. */
#ifndef CLV_SWEEP_SWEEP_H
#define CLV_SWEEP_SWEEP_H

#include "sweep/set.h"
#include "sweep/space.h"
#include "train/fit.h"

struct clv_sweep_entry {
    char name[CLV_MEMBER_NAME];
    const struct clv_setting *settings; /* [space.n] */
    int rungs;                          /* completed */
    double value[CLV_MAX_RUNGS];        /* the best so far after each; NaN: never a number */
    int epochs, best_epoch;
    enum clv_err failed;                /* in the rung after those */
    char *failure;                      /* its text */
};

struct clv_sweep {
    struct clv_context *ctx;
    struct clv_arena arena;
    char *dir, *file, *split;           /* SWEEP, sweep.json, split.csv */
    bool begun, force;                  /* it has a sweep.json; an existing one may be replaced */
    char *space_text, *space_name;
    struct clv_space space;
    enum clv_sweep_method method;
    int n, eta;
    uint64_t seed;
    char **arguments;
    size_t n_arguments;
    struct clv_sweep_entry *entry;      /* [n] */
    char monitor[32], fingerprint[65];  /* once it is begun */
    bool rises;                         /* more of the monitored value is better */
    int epochs;                         /* of members trained to the end; RANDOM: of the first */
    size_t test_images;
    struct clv_rung rung[CLV_MAX_RUNGS];
    int n_rungs;
    json_t *test;                       /* of the winner; NULL = not measured */
    int winner;                         /* -1 = none */
    struct clv_lock lock;
};

/* sweep_file.c */
CLV_CHECK enum clv_err clv_sweep_write(const struct clv_sweep *s);
CLV_CHECK enum clv_err clv_sweep_read(struct clv_sweep *s);

/* sweep_rank.c: the `count` best of those that completed rung `rung` (counted from 0), as places in entry[], best
 * first; equal values by number, NaN last. Who failed in a later one is among them. Returns how many there are. place has room for n. */
int clv_sweep_best(const struct clv_sweep *s, int rung, int count, int *place);
/* All: by rungs completed, then value; those that failed last. Fills place[n]. */
void clv_sweep_rank(const struct clv_sweep *s, int *place);
/* The finished search. New reference; NULL when out of memory. */
json_t *clv_sweep_results(const struct clv_sweep *s, const int *place);
void clv_sweep_print(const struct clv_sweep *s, const int *place, struct clv_str *out);

#endif
