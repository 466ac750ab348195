/* Every allocation of reading and printing a model fails once, each in turn: the answer is
 * CLV_ERR_NOMEM or a missing text, nothing leaks, and the next try succeeds. The linker puts the
 * functions below in the place of malloc's family (--wrap, see meson.build). */
#include "model/model.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

static struct {
    long calls;   /* since the start of a run */
    long fail_at; /* the call that fails; -1 = none */
    bool stay;    /* the calls after it fail as well */
    long alive;   /* pieces not freed */
} fault = {.fail_at = -1};

static bool fails(void)
{
    const long call = fault.calls++;
    return fault.fail_at >= 0 && (call == fault.fail_at || (fault.stay && call > fault.fail_at));
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
    void *p = fails() ? NULL : __real_malloc(size);
    fault.alive += p != NULL;
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = fails() ? NULL : __real_calloc(n, size);
    fault.alive += p != NULL;
    return p;
}

void *__wrap_realloc(void *old, size_t size)
{
    void *p = fails() ? NULL : __real_realloc(old, size);
    fault.alive += p && !old;
    return p;
}

void __wrap_free(void *p)
{
    fault.alive -= p != NULL;
    __real_free(p);
}

/* Branches, activations, variables, enough layers for the arrays to grow. */
static const char text[] = "let a = 4\ninput $a $a 2\nskip = relu activation=tanh\nrelu\n"
                           "add from=skip,_\nx = dropout 0.5\ny = maxpool2d 2 strides=1\n"
                           "block b n m=2\n add from=in,_\n repeat $n\n  z = relu\n end\nend\nb 2\n"
                           "conv2d 3 2 l2=0.01\nflatten\ndense 4 activation=softmax\n";

static char *long_model(void)
{
    struct clv_str s = {0};
    clv_str_add(&s, text);
    for (int i = 0; i < 400; i++)
        clv_str_add(&s, "dropout 0.25 activation=relu\n");
    return clv_str_take(&s);
}

/* One run; true when all of it worked. */
static bool run(struct clv_context *ctx, const char *model)
{
    struct clv_graph *g = NULL;
    bool ok = true;
    const enum clv_err e = clv_model_parse(ctx, model, "m", NULL, 0, &g);
    cr_assert(e == CLV_OK || e == CLV_ERR_NOMEM, "%s", clv_error_text(ctx));
    cr_assert_eq(!g, e != CLV_OK);
    if (e)
        return false;
    for (enum clv_graph_format f = CLV_GRAPH_TABLE; f <= CLV_GRAPH_MODEL; f++) {
        char *printed = clv_graph_print(g, f);
        ok = ok && printed;
        free(printed);
    }
    clv_graph_destroy(&g);
    return ok;
}

/* Every place when there are few, every step-th of many. */
static void fail_each(const char *model, long step)
{
    struct clv_context *ctx = clv_context_create(NULL);
    cr_assert_not_null(ctx);
    fault.calls = 0;
    fault.fail_at = -1;
    cr_assert(run(ctx, model));
    const long n = fault.calls, alive = fault.alive;
    cr_assert_gt(n, 20);
    for (int stay = 0; stay < 2; stay++) {
        fault.stay = stay;
        for (long i = 0; i < n; i += step) {
            fault.fail_at = i;
            fault.calls = 0;
            const bool ok = run(ctx, model);
            fault.fail_at = -1;
            cr_expect_not(ok && stay, "allocation %ld", i);
            cr_assert_eq(fault.alive, alive, "allocation %ld: %ld left", i, fault.alive - alive);
        }
    }
    cr_assert(run(ctx, model));
    clv_context_destroy(&ctx);
}

Test(nomem, every_allocation_fails_once)
{
    fail_each(text, 1);
}

Test(nomem, long_model)
{
    char *model = long_model();
    cr_assert_not_null(model);
    fail_each(model, 97);
    free(model);
}
