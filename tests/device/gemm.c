/* CLBlast's GEMM against plain loops in double. */
#include "testdev.h"
#include <math.h>

enum { MAX = 300 * 300, SCRATCH_OFF = 1024 };

static void reference(const struct clv_gemm *g, const float *a, const float *b, float *c)
{
    const int64_t a0 = (int64_t)g->a_off, b0 = (int64_t)g->b_off;
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += (double)a[a0 + (g->trans_a ? k * g->lda + i : i * g->lda + k)] *
                       (double)b[b0 + (g->trans_b ? j * g->ldb + k : k * g->ldb + j)];
            float *out = &c[(int64_t)g->c_off + i * g->ldc + j];
            const double old = g->beta == 0.0f ? 0.0 : (double)g->beta * (double)*out;
            *out = (float)((double)g->alpha * sum + old);
        }
}

static void try_gemm(struct clv_device *dev, struct clv_gemm g)
{
    struct clv_context *ctx = clv_device_context(dev);
    float *host = malloc(4 * MAX * sizeof(float));
    float *a = host, *b = host + MAX, *c = host + 2 * MAX, *want = host + 3 * MAX;
    const size_t bytes = MAX * sizeof(float);
    size_t scratch = 0;
    cr_assert(host);
    for (int i = 0; i < 3 * MAX; i++)
        host[i] = (float)((i * 37 + i / 7) % 17 - 8) / 8.0f;
    memcpy(want, c, bytes);
    for (int64_t i = 0; g.beta == 0.0f && i < g.m; i++)
        for (int64_t j = 0; j < g.n; j++)
            c[(int64_t)g.c_off + i * g.ldc + j] = NAN;
    reference(&g, a, b, want);
    ok(ctx, clv_gemm_scratch(dev, &g, &scratch));
    ok(ctx, clv_buffer_create(dev, bytes, &g.a));
    ok(ctx, clv_buffer_create(dev, bytes, &g.b));
    ok(ctx, clv_buffer_create(dev, bytes, &g.c));
    struct clv_buffer *whole = NULL;
    if (scratch) {
        const size_t size = (SCRATCH_OFF + scratch) * sizeof(float);
        ok(ctx, clv_buffer_create(dev, size, &whole));
        ok(ctx, clv_buffer_part(whole, SCRATCH_OFF * sizeof(float), scratch * sizeof(float),
                                &g.scratch));
    }
    ok(ctx, clv_queue_write(dev, g.a, 0, a, bytes));
    ok(ctx, clv_queue_write(dev, g.b, 0, b, bytes));
    ok(ctx, clv_queue_write(dev, g.c, 0, c, bytes));
    ok(ctx, clv_queue_gemm(dev, &g, 3));
    ok(ctx, clv_queue_read_wait(dev, g.c, 0, c, bytes));
    /* Outside of C nothing may change, so everything is compared. */
    for (int i = 0; i < MAX; i++)
        cr_assert_float_eq(c[i], want[i], 1e-3f, "%d: %g, not %g", i, (double)c[i],
                           (double)want[i]);
    clv_buffer_destroy(&g.a);
    clv_buffer_destroy(&g.b);
    clv_buffer_destroy(&g.c);
    clv_buffer_destroy(&g.scratch);
    clv_buffer_destroy(&whole);
    free(host);
}

Test(gemm, equals_plain_loops)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, &(struct clv_device_params){.profile = true});
    size_t scratch = 0;
    if (!clv_gemm_available()) {
        cr_expect_eq(clv_gemm_scratch(dev, &(struct clv_gemm){.m = 1}, &scratch),
                     CLV_ERR_UNSUPPORTED);
        cr_expect(strstr(clv_error_text(ctx), "clblast=enabled"));
        test_close(&ctx, &dev);
        return;
    }
    /* Each pair of flags costs CLBlast a build; these two tell A's from B's. */
    for (int t = 1; t < 3; t++) {
        struct clv_gemm g = {.m = 7, .n = 13, .k = 29, .alpha = 1.5f, .beta = 0.5f, .a_off = 3,
                             .b_off = 5, .c_off = 2, .ldc = 17, .trans_a = t & 1, .trans_b = t & 2};
        g.lda = g.trans_a ? 9 : 31;
        g.ldb = g.trans_b ? 30 : 14;
        try_gemm(dev, g);
        /* With beta 0 what lay in C does not matter, not even NaN. */
        g.beta = 0.0f;
        try_gemm(dev, g);
    }
    struct clv_profile_row rows[4];
    ok(ctx, clv_profile_collect(dev, rows, 4));
    cr_expect_eq(rows[3].count, 4);
    cr_expect_gt(rows[3].seconds, 0.0);
    struct clv_gemm bad = {.m = 0, .n = 1, .k = 1, .lda = 1, .ldb = 1, .ldc = 1};
    ok(ctx, clv_buffer_create(dev, 64, &bad.a));
    bad.b = bad.c = bad.a;
    cr_expect_eq(clv_queue_gemm(dev, &bad, 3), CLV_ERR_CL);
    cr_expect(strstr(clv_error_text(ctx), "gemm 0x1x1"), "%s", clv_error_text(ctx));
    clv_buffer_destroy(&bad.a);
    test_close(&ctx, &dev);
}
