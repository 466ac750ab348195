/* A trainer on samples in memory, as most tests of this room have one. */
#ifndef TESTS_TRAIN_SETTING_H
#define TESTS_TRAIN_SETTING_H

#include "rig.h"

struct setting {
    struct rig r;
    struct clv_graph *g;
    struct clv_trainer *t;
    float *x;
    int32_t *labels;
};

/* n samples of `count` numbers. */
static inline struct setting setting_open(struct rig r, const char *model, size_t n, size_t count, int classes,
                                          const struct clv_trainer_params *params)
{
    struct setting s = {.r = r, .g = rig_graph(&r, model), .labels = malloc(n * sizeof *s.labels)};
    cr_assert(s.labels);
    s.x = rig_samples(n, count, classes, 1, s.labels);
    ok(s.r.ctx, clv_trainer_create(s.r.dev, s.g, params, &s.t));
    return s;
}

static inline void setting_close(struct setting *s)
{
    free(s->x);
    free(s->labels);
    clv_trainer_destroy(&s->t);
    clv_graph_destroy(&s->g);
    rig_close(&s->r);
}

/* Both have the same weights, to the bit. */
static inline bool setting_same(struct setting *a, struct setting *b)
{
    size_t n, m;
    float *wa = rig_weights(&a->r, a->t, false, &n), *wb = rig_weights(&b->r, b->t, false, &m);
    const bool same = n == m && !memcmp(wa, wb, n * sizeof *wa);
    free(wa);
    free(wb);
    return same;
}

#endif
