/* A context, a device and small networks for tests of everything above the device room. */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "base/rng.h"
#include <clavicle/clavicle.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Asserts that a call with this context succeeded. */
#define ok(ctx, call) cr_assert_eq((call), CLV_OK, "%s: %s", #call, clv_error_text(ctx))

struct rig {
    struct clv_context *ctx;
    struct clv_device *dev;
};

/* $CLAVICLE_TEST_DEVICE and $CLAVICLE_TEST_CAPS choose what a test binary runs on. Skips loudly where
 * the machine has no device. caps NULL = the environment's. */
static inline struct rig rig_open_as(const char *caps, bool profile)
{
    struct rig r = {.ctx = clv_context_create(NULL)};
    const struct clv_device_params p = {.select = getenv("CLAVICLE_TEST_DEVICE"),
                                        .caps = caps ? caps : getenv("CLAVICLE_TEST_CAPS"),
                                        .profile = profile};
    cr_assert(r.ctx);
    const enum clv_err e = clv_device_open(r.ctx, &p, &r.dev);
    if (e == CLV_ERR_NODEV)
        cr_skip_test("%s", clv_error_text(r.ctx));
    cr_assert_eq(e, CLV_OK, "%s", clv_error_text(r.ctx));
    return r;
}

static inline struct rig rig_open(const char *caps) { return rig_open_as(caps, false); }

static inline void rig_close(struct rig *r)
{
    clv_device_close(&r->dev);
    clv_context_destroy(&r->ctx);
}

static inline struct clv_graph *rig_graph(const struct rig *r, const char *text)
{
    struct clv_graph *g = NULL;
    ok(r->ctx, clv_model_parse(r->ctx, text, "test", NULL, 0, &g));
    return g;
}

/* n samples of `count` numbers whose mean tells the class: learnable, and different for each seed. */
static inline float *rig_samples(size_t n, size_t count, int classes, uint64_t seed, int32_t *labels)
{
    float *x = malloc(n * count * sizeof *x);
    struct clv_rng rng = clv_rng_init(seed, 1);
    cr_assert(x);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)clv_rng_below(&rng, (uint32_t)classes);
        for (size_t k = 0; k < count; k++)
            x[i * count + k] = (float)(clv_rng_uniform(&rng) * .5 + .5 * labels[i] / classes);
    }
    return x;
}

/* All weights of a trainer, one behind the other; caller frees. */
static inline float *rig_weights(const struct rig *r, struct clv_trainer *t, bool gradient, size_t *n)
{
    struct clv_weight_info info;
    *n = 0;
    for (size_t i = 0; i < clv_trainer_weights(t); i++) {
        ok(r->ctx, clv_trainer_weight_info(t, i, &info));
        *n += info.count;
    }
    float *all = malloc(*n * sizeof *all), *at = all;
    cr_assert(all);
    for (size_t i = 0; i < clv_trainer_weights(t); i++) {
        ok(r->ctx, clv_trainer_weight_info(t, i, &info));
        ok(r->ctx, gradient ? clv_trainer_get_gradient(t, i, at) : clv_trainer_get_weight(t, i, at));
        at += info.count;
    }
    return all;
}

#endif
