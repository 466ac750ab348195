/* Every op, every variant, every pass against plain loops in double, on whatever device the
 * environment names: CLAVICLE_TEST_CAPS      masks ("gpu": the kernels' GPU path)
 *   CLAVICLE_TEST_CASES     "small": only cases for an interpreter (Oclgrind); "tiny": fewer of
 * them CLAVICLE_TEST_CASE, CLAVICLE_TEST_VARIANT, CLAVICLE_TEST_SEED   to repeat one failure (a variant alone:
 * all its cases):
 *       CLAVICLE_TEST_CASE=odd CLAVICLE_TEST_SEED=7 test_ops --filter ops/maxpool2d
 *   CLAVICLE_TEST_WITHOUT   a variant that is left out
 *   CLAVICLE_TEST_WINOGRAD  2 or 4: the winograd schedule's tile, where it would choose itself
 *   CLAVICLE_TEST_MATRIX    1 or 2: products on the matrix unit that the caps name, of operands in so many
 * parts
 *   CLAVICLE_TEST_STORE     f16 or bf16: how activations are stored
 *   CLAVICLE_TEST_OCLGRIND  a folder for Oclgrind's reports, of which there must be none
 * (oclgrind.h) */
#include "base/context.h"
#include "base/file.h"
#include "base/str.h"
#include "check/check.h"
#include "oclgrind.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct tally {
    const char *op;
    uint64_t seed;
    int passed, skipped, failed, numbers;
};

static struct clv_device *open_device(struct clv_context *ctx)
{
    struct clv_device *dev = NULL;
    const struct clv_device_params params = {.caps = getenv("CLAVICLE_TEST_CAPS")};
    const enum clv_err e = clv_device_open(ctx, &params, &dev);
    if (e == CLV_ERR_NODEV)
        cr_skip_test("no device: %s", clv_error_text(ctx));
    cr_assert_eq(e, CLV_OK, "%s", clv_error_text(ctx));
    return dev;
}

static void count(void *priv, const struct clv_check_case *c, const char *variant,
                  const struct clv_check_result *result)
{
    struct tally *t = priv;
    (void)c;
    (void)variant;
    t->passed += result->status == CLV_CHECK_PASSED;
    t->skipped += result->status == CLV_CHECK_SKIPPED;
    t->failed += result->status == CLV_CHECK_FAILED;
    t->numbers += result->n_compared;
}

static void report(void *priv, const struct clv_check_case *c, const char *variant,
                   const struct clv_check_result *result)
{
    count(priv, c, variant, result);
    cr_expect_neq(result->status, CLV_CHECK_FAILED, "%s", result->text);
}

/* One case only, as the environment says. */
static void run_one(struct clv_device *dev, const struct clv_check *check, const char *name,
                    const struct clv_check_options *options, struct tally *t)
{
    struct clv_check_result result;
    for (size_t i = 0; i < check->n_cases; i++) {
        const struct clv_check_case *c = &check->cases[i];
        const char *variant = getenv("CLAVICLE_TEST_VARIANT");
        if (strcmp(c->name, name))
            continue;
        cr_assert_eq(clv_check_run(dev, check, c, variant, options, &result), CLV_OK, "%s",
                     clv_device_error(dev)->text);
        report(t, c, variant, &result);
    }
}

static unsigned case_flags(const struct clv_check *check, const char *cases)
{
    if (!cases || !*cases)
        return 0;
    for (size_t i = 0; i < check->n_cases && !strcmp(cases, "tiny"); i++)
        if (check->cases[i].flags & CLV_CHECK_TINY)
            return CLV_CHECK_TINY;
    return CLV_CHECK_SMALL;
}

static void check_op(const struct clv_check *check)
{
    struct tally t = {.op = check->op};
    const char *seed = getenv("CLAVICLE_TEST_SEED"), *one = getenv("CLAVICLE_TEST_CASE");
    const char *cases = getenv("CLAVICLE_TEST_CASES");
    /* An interpreter is slow, and what it looks for shows in the first run. */
    struct clv_check_options options = {.seed = 1, .once = getenv("CLAVICLE_TEST_OCLGRIND")};
    if (seed)
        cr_assert(clv_parse_u64(seed, &options.seed), "CLAVICLE_TEST_SEED=%s is no number", seed);
    if (getenv("CLAVICLE_TEST_WINOGRAD"))
        options.winograd = atoi(getenv("CLAVICLE_TEST_WINOGRAD"));
    if (getenv("CLAVICLE_TEST_MATRIX"))
        options.matrix_parts = atoi(getenv("CLAVICLE_TEST_MATRIX"));
    options.only = getenv("CLAVICLE_TEST_VARIANT");
    options.without = getenv("CLAVICLE_TEST_WITHOUT");
    const char *store = getenv("CLAVICLE_TEST_STORE");
    if (store)
        options.activation = !strcmp(store, "f16") ? CLV_F16 : CLV_BF16;
    oclgrind_log_open(check->op);
    struct clv_context *ctx = clv_context_create(NULL);
    cr_assert(ctx);
    struct clv_device *dev = open_device(ctx);
    if (one) {
        run_one(dev, check, one, &options, &t);
    } else {
        const enum clv_err e =
            clv_check_sweep(dev, check, case_flags(check, cases), &options, report, &t);
        cr_assert_eq(e, CLV_OK, "%s: %s", check->op, clv_error_text(ctx));
    }
    clv_device_close(&dev);
    clv_context_destroy(&ctx);
    oclgrind_log_check();
    cr_expect_gt(t.passed, 0, "%s: no case ran", check->op);
    cr_expect_gt(t.numbers, 0, "%s: nothing was compared", check->op);
}

#define CLV_OP_X(name)                                                                             \
    extern const struct clv_check clv_check_##name;                                                \
    Test(ops, name)                                                                                \
    {                                                                                              \
        check_op(&clv_check_##name);                                                               \
    }
#include "ops/op_list.h"
#undef CLV_OP_X

/* A check that passes although no kernel ran would prove nothing. */
Test(ops_mutation, every_check_fails_without_kernels)
{
    struct clv_context *ctx = clv_context_create(NULL);
    cr_assert(ctx);
    struct clv_device *dev = open_device(ctx);
    const struct clv_check_options options = {.no_kernels = true};
    for (const struct clv_check *const *check = clv_checks; *check; check++) {
        struct tally t = {.op = (*check)->op};
        cr_assert_eq(clv_check_sweep(dev, *check, CLV_CHECK_SMALL, &options, count, &t), CLV_OK,
                     "%s: %s", (*check)->op, clv_error_text(ctx));
        cr_expect_eq(t.passed, 0, "%s: %d cases pass without kernels", t.op, t.passed);
        cr_expect_gt(t.failed, 0, "%s: no small case", t.op);
    }
    clv_device_close(&dev);
    clv_context_destroy(&ctx);
}

/* What a check keeps of the reference for the next variant is what it would compute anew, and is forgotten with the case. */
Test(ops_known, says_what_the_reference_says)
{
    struct clv_context *ctx = clv_context_create(NULL);
    cr_assert(ctx);
    struct clv_device *dev = open_device(ctx);
    const struct clv_check *check = &clv_check_dense;
    struct clv_check_options kept = {.known = clv_check_known_create()};
    const struct clv_check_options without = {.known = kept.known, .no_kernels = true};
    struct clv_check_result fresh, first, again, wrong;
    for (size_t i = 0; i < check->n_cases; i++) {
        const struct clv_check_case *c = &check->cases[i];
        if (!(c->flags & CLV_CHECK_SMALL))
            continue;
        cr_assert_eq(clv_check_run(dev, check, c, NULL, NULL, &fresh), CLV_OK);
        cr_assert_eq(clv_check_run(dev, check, c, NULL, &kept, &first), CLV_OK);
        cr_assert_eq(clv_check_run(dev, check, c, NULL, &kept, &again), CLV_OK);
        cr_assert_eq(clv_check_run(dev, check, c, NULL, &without, &wrong), CLV_OK);
        cr_expect(first.max_error == fresh.max_error && again.max_error == fresh.max_error, "%s: %g, %g, %g", c->name,
                  fresh.max_error, first.max_error, again.max_error);
        cr_expect(first.n_compared == fresh.n_compared && again.n_compared == fresh.n_compared, "%s", c->name);
        cr_expect_eq(wrong.status, CLV_CHECK_FAILED, "%s passes without kernels", c->name);
    }
    clv_check_known_destroy(&kept.known);
    clv_device_close(&dev);
    clv_context_destroy(&ctx);
}
