/* Buffers, kernels, marks and profiling on the machine's default device. */
#include "base/util.h"
#include "testdev.h"

static const struct clv_source scale = {
    "scale", "kernel void scale(global float *x, float f, int n, local float *tmp)\n"
             "{\n"
             "    int i = get_global_id(0);\n"
             "    tmp[get_local_id(0)] = i < n ? x[i] : 0.0f;\n"
             "    barrier(CLK_LOCAL_MEM_FENCE);\n"
             "    if (i < n)\n"
             "        x[i] = tmp[get_local_id(0)] * f + ADD;\n"
             "}\n"};
static const struct clv_source broken = {"broken", "kernel void broken(global float *x)\n"
                                                   "{\n    x[0] = no_such_name;\n}\n"};

enum { N = 1000, WG = 16 };
static const size_t global_size = (N + WG - 1) / WG * WG, local_size = WG;

static struct clv_kernel *scale_kernel(struct clv_device *dev, struct clv_buffer *buf, float f)
{
    struct clv_context *ctx = clv_device_context(dev);
    struct clv_kernel *k = NULL;
    const int n = N;
    ok(ctx, clv_kernel_create(dev, &scale, "scale", "-DADD=1", "node", &k));
    ok(ctx, clv_kernel_set_buffer(k, 0, buf));
    ok(ctx, clv_kernel_set_value(k, 1, sizeof(f), &f));
    ok(ctx, clv_kernel_set_value(k, 2, sizeof(n), &n));
    ok(ctx, clv_kernel_set_local(k, 3, WG * sizeof(float)));
    return k;
}

Test(queue, write_run_fill_read)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    struct clv_buffer *a = NULL, *b = NULL;
    struct clv_mark *m = NULL;
    float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)i;
    ok(ctx, clv_buffer_create(dev, sizeof(x), &a));
    ok(ctx, clv_buffer_create(dev, sizeof(x), &b));
    cr_expect_eq(clv_buffer_bytes(a), sizeof(x));
    struct clv_kernel *k = scale_kernel(dev, a, 2.0f);
    cr_expect_geq(clv_kernel_max_work_group(k), 1);
    ok(ctx, clv_queue_write(dev, a, 0, x, sizeof(x)));
    ok(ctx, clv_queue_kernel(dev, k, 1, &global_size, &local_size, -1));
    ok(ctx, clv_queue_fill(dev, a, 0, 400, 0x40490fdb, -1));
    ok(ctx, clv_queue_read(dev, a, 0, y, sizeof(y)));
    ok(ctx, clv_queue_mark(dev, &m));
    ok(ctx, clv_mark_wait(dev, m));
    for (int i = 0; i < N; i++)
        cr_assert_eq(y[i], i < 100 ? 3.14159274f : 2.0f * (float)i + 1.0f, "%d: %g", i, y[i]);
    ok(ctx, clv_queue_write_wait(dev, b, 8, x, 8));
    ok(ctx, clv_queue_read_wait(dev, b, 8, y, 8));
    cr_expect(!memcmp(x, y, 8));
    clv_mark_destroy(&m);
    clv_mark_destroy(&m);
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&a);
    clv_buffer_destroy(&b);
    test_close(&ctx, &dev);
}

Test(queue, programs_are_built_once)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    static const char *const options[] = {"-DADD=1", "-DADD=1", "-DADD=2", "-DADD=1"};
    struct clv_kernel *k[CLV_COUNT(options)] = {0};
    for (size_t i = 0; i < CLV_COUNT(k); i++)
        ok(ctx, clv_kernel_create(dev, &scale, "scale", options[i], "node", &k[i]));
    const struct clv_program_stats s = clv_device_program_stats(dev);
    cr_expect_eq(s.built, 2);
    cr_expect_eq(s.loaded, 0);
    cr_expect_eq(s.reused, 2);
    for (size_t i = 0; i < CLV_COUNT(k); i++)
        clv_kernel_destroy(&k[i]);
    test_close(&ctx, &dev);
}

static bool note_build(void *priv, const char *what)
{
    snprintf(priv, 200, "%s", what);
    return false;
}

static bool stop_build(void *priv, const char *what)
{
    (void)priv;
    (void)what;
    return true;
}

Test(queue, build_failure_is_explained)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    struct clv_kernel *k = NULL;
    char what[200] = "";
    clv_device_on_build(dev, stop_build, NULL);
    cr_expect_eq(clv_kernel_create(dev, &broken, "broken", "-DX=7", "conv_1 forward", &k),
                 CLV_ERR_CANCELLED);
    clv_device_on_build(dev, note_build, what);
    cr_expect_eq(clv_kernel_create(dev, &broken, "broken", "-DX=7", "conv_1 forward", &k),
                 CLV_ERR_BUILD);
    cr_expect_null(k);
    const char *text = clv_error_text(ctx);
    static const char *const parts[] = {"conv_1 forward", "kernel broken", "cl/broken.cl", "-DX=7",
                                        "no_such_name",   "CL_BUILD_PROGRAM_FAILURE"};
    for (size_t i = 0; i < CLV_COUNT(parts); i++)
        cr_expect(strstr(text, parts[i]), "%s lacks %s", text, parts[i]);
    cr_expect(!strchr(text, '\n'));
    cr_expect(strstr(what, "conv_1 forward"));
    cr_expect_eq(clv_device_program_stats(dev).built, 0);
    test_close(&ctx, &dev);
}

Test(queue, errors_say_what_and_where)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, &(struct clv_device_params){.caps = "alloc=1M,wg=32"});
    struct clv_kernel *k = NULL;
    struct clv_buffer *buf = NULL;
    cr_expect_eq(clv_kernel_create(dev, &scale, "elacs", "-DADD=1", "n", &k), CLV_ERR_CL);
    cr_expect(strstr(clv_error_text(ctx),
                     "n: kernel elacs: clCreateKernel failed: CL_INVALID_KERNEL_NAME (-46)"),
              "%s", clv_error_text(ctx));
    cr_expect_null(k);
    cr_expect_eq(clv_buffer_create(dev, (1 << 20) + 1, &buf), CLV_ERR_DEVMEM);
    cr_expect_eq(clv_buffer_create(dev, 0, &buf), CLV_ERR_ARG);
    cr_expect_null(buf);
    ok(ctx, clv_buffer_create(dev, 64, &buf));
    uint32_t v;
    cr_expect_eq(clv_queue_read_wait(dev, buf, 64, &v, sizeof(v)), CLV_ERR_CL);
    ok(ctx, clv_kernel_create(dev, &scale, "scale", "-DADD=1", "n", &k));
    cr_expect_leq(clv_kernel_max_work_group(k), 32);
    const float f = 0;
    cr_expect_eq(clv_kernel_set_value(k, 17, sizeof(f), &f), CLV_ERR_CL);
    cr_expect(strstr(clv_error_text(ctx), "argument 17"), "%s", clv_error_text(ctx));
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&buf);
    test_close(&ctx, &dev);
}

Test(queue, profile_counts_commands)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, &(struct clv_device_params){.profile = true});
    struct clv_buffer *a = NULL;
    struct clv_profile_row rows[8];
    ok(ctx, clv_buffer_create(dev, N * sizeof(float), &a));
    struct clv_kernel *k = scale_kernel(dev, a, 1.0f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++)
            ok(ctx, clv_queue_kernel(dev, k, 1, &global_size, &local_size, 6));
        ok(ctx, clv_queue_fill(dev, a, 0, N * sizeof(float), 0, 2));
        ok(ctx, clv_queue_fill(dev, a, 0, N * sizeof(float), 0, -1));
        ok(ctx, clv_profile_collect(dev, rows, CLV_COUNT(rows)));
        for (size_t i = 0; i < CLV_COUNT(rows); i++)
            cr_expect_eq(rows[i].count, i == 6 ? 5u : i == 2 ? 1u : 0u);
        cr_expect_gt(rows[6].seconds, 0.0);
        cr_expect_geq(rows[6].seconds, 5 * rows[6].min_seconds * 0.999);
        clv_profile_reset(dev);
    }
    /* More commands than are kept waiting; none gets lost. */
    for (int i = 0; i < 10000; i++)
        ok(ctx, clv_queue_fill(dev, a, 0, 64, 0, 1));
    ok(ctx, clv_profile_collect(dev, rows, CLV_COUNT(rows)));
    cr_expect_eq(rows[1].count, 10000);
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&a);
    test_close(&ctx, &dev);
}

struct times { int n; struct clv_profile_time last; bool ordered; };

static enum clv_err take(void *priv, const struct clv_profile_time *t)
{
    struct times *times = priv;
    times->ordered = times->ordered && t->end_ns >= t->begin_ns && t->begin_ns >= times->last.end_ns &&
                     t->id == times->n % 3;
    times->last = *t;
    times->n++;
    return times->n == 9 ? CLV_ERR_CANCELLED : CLV_OK;
}

Test(queue, profile_sends_every_command_in_order)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, &(struct clv_device_params){.profile = true});
    struct clv_buffer *a = NULL;
    struct clv_profile_row rows[3];
    struct times times = {.ordered = true};
    int64_t offset;
    ok(ctx, clv_buffer_create(dev, N * sizeof(float), &a));
    clv_profile_send(dev, take, &times);
    ok(ctx, clv_profile_clock(dev, &offset));
    const double begin = clv_now();
    for (int i = 0; i < 8; i++)
        ok(ctx, clv_queue_fill(dev, a, 0, N * sizeof(float), 0, i % 3));
    ok(ctx, clv_queue_finish(dev));
    const double end = clv_now();
    cr_expect_eq(times.n, 0, "read before anybody asked");
    ok(ctx, clv_profile_poll(dev));
    cr_expect_eq(times.n, 8);
    cr_expect(times.ordered);
    /* The last command ran when the host says so, as exactly as a round trip tells. */
    const double last = (double)((int64_t)times.last.end_ns + offset) * 1e-9;
    cr_expect(last > begin - .01 && last < end + .01, "%.6f is not in %.6f..%.6f", last, begin, end);
    ok(ctx, clv_queue_fill(dev, a, 0, 64, 0, 2));
    ok(ctx, clv_queue_finish(dev));
    cr_expect_eq(clv_profile_poll(dev), CLV_ERR_CANCELLED, "what the receiver says is lost");
    clv_profile_send(dev, NULL, NULL);
    ok(ctx, clv_queue_fill(dev, a, 0, 64, 0, 1));
    ok(ctx, clv_profile_collect(dev, rows, 3));
    cr_expect_eq(rows[1].count, 1);
    cr_expect_eq(rows[0].count + rows[2].count, 0, "sent and summed, too");
    clv_buffer_destroy(&a);
    test_close(&ctx, &dev);
    ctx = test_context(NULL, 0);
    dev = test_device(ctx, NULL);
    cr_expect_eq(clv_profile_clock(dev, &offset), CLV_ERR_ARG, "a clock without profiling");
    test_close(&ctx, &dev);
}

Test(queue, foreign_queues_are_checked)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *own = test_device(ctx, NULL), *dev = NULL;
    cl_int status;
    struct clv_device_params p = {.cl_context = own->context, .cl_device = own->id};
    cr_expect_eq(clv_device_open(ctx, &p, &dev), CLV_ERR_ARG, "two of three were taken");
    p.cl_queue = own->queue;
    p.profile = true;
    cr_expect_eq(clv_device_open(ctx, &p, &dev), CLV_ERR_ARG, "a queue without times was taken");
    p.profile = false;
    cl_command_queue wild = clCreateCommandQueue(own->context, own->id,
                                                 CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &status);
    if (wild) {
        p.cl_queue = wild;
        cr_expect_eq(clv_device_open(ctx, &p, &dev), CLV_ERR_ARG, "an unordered queue was taken");
        clReleaseCommandQueue(wild);
    }
    cr_expect_null(dev);
    test_close(&ctx, &own);
}

Test(queue, lives_in_an_existing_context)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *own = test_device(ctx, NULL), *dev = NULL;
    cl_int status;
    struct clv_device_params p = {.cl_context = own->context, .cl_device = own->id};
    p.cl_queue = clCreateCommandQueue(own->context, own->id, 0, &status);
    cr_assert_eq(status, CL_SUCCESS);
    ok(ctx, clv_device_open(ctx, &p, &dev));
    cr_expect_str_eq(clv_device_get_info(dev)->name, clv_device_get_info(own)->name);
    cr_expect_eq(clv_device_get_info(dev)->platform, clv_device_get_info(own)->platform);
    /* Both were retained: the caller may let go of his. */
    clReleaseCommandQueue(p.cl_queue);
    clv_device_close(&own);
    struct clv_buffer *a = NULL;
    uint32_t v = 0;
    ok(ctx, clv_buffer_create(dev, sizeof(v), &a));
    ok(ctx, clv_queue_fill(dev, a, 0, sizeof(v), 77, -1));
    ok(ctx, clv_queue_read_wait(dev, a, 0, &v, sizeof(v)));
    cr_expect_eq(v, 77u);
    clv_buffer_destroy(&a);
    test_close(&ctx, &dev);
}
