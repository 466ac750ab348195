/* A context and a device for tests. */
#ifndef TESTS_DEVICE_TESTDEV_H
#define TESTS_DEVICE_TESTDEV_H

#include "base/file.h"
#include "base/str.h"
#include "device/internal.h"
#include <clavicle/context.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asserts that a call with this context succeeded. */
#define ok(ctx, call) cr_assert_eq((call), CLV_OK, "%s: %s", #call, clv_error_text(ctx))

/* cache_dir NULL = no disk cache. */
static inline struct clv_context *test_context(const char *cache_dir, unsigned long long cache_bytes)
{
    const struct clv_context_params p = {.cache_dir = cache_dir ? cache_dir : "",
                                         .cache_bytes = cache_bytes};
    struct clv_context *ctx = clv_context_create(&p);
    cr_assert(ctx);
    return ctx;
}

/* Skips the test loudly where the machine has no device. */
static inline struct clv_device *test_device(struct clv_context *ctx,
                                             const struct clv_device_params *params)
{
    struct clv_device *dev = NULL;
    const enum clv_err e = clv_device_open(ctx, params, &dev);
    if (e == CLV_ERR_NODEV)
        cr_skip_test("%s", clv_error_text(ctx));
    cr_assert_eq(e, CLV_OK, "%s", clv_error_text(ctx));
    return dev;
}

static inline void test_close(struct clv_context **ctx, struct clv_device **dev)
{
    clv_device_close(dev);
    cr_assert_null(*dev);
    clv_context_destroy(ctx);
}

#endif
