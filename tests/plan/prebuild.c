#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* A training whose kernels were built by workers gives the bits of one that built them itself. */
#include "base/tmp.h"
#include "device/device.h"
#include "rig.h"

enum { COUNT = 9 * 7 * 3, BATCH = 5 };
static const char model[] = "input 9 7 3\nconv2d 6 3\nrelu\nmaxpool2d 2\ndropout 0.25\nflatten\n"
                            "dense 3 activation=softmax\n";

static bool note(void *priv, const char *what)
{
    int *lines = priv;
    *lines += !strncmp(what, "building ", 9);
    return false;
}

/* Two steps; *lines counts the progress lines of workers. */
static float *train(const char *dir, size_t *n, int *lines)
{
    const struct clv_context_params params = {.cache_dir = dir};
    struct rig r = {.ctx = clv_context_create(&params)};
    struct clv_trainer *t = NULL;
    int32_t labels[BATCH];
    float *x = rig_samples(BATCH, COUNT, 3, 11, labels);
    double loss;
    cr_assert(r.ctx);
    clv_device_share_cache(r.ctx);
    const enum clv_err e = clv_device_open(r.ctx, NULL, &r.dev);
    if (e == CLV_ERR_NODEV)
        cr_skip_test("%s", clv_error_text(r.ctx));
    cr_assert_eq(e, CLV_OK, "%s", clv_error_text(r.ctx));
    clv_device_on_build(r.dev, note, lines);
    struct clv_graph *g = rig_graph(&r, model);
    const struct clv_trainer_params p = {.batch = BATCH, .seed = 3};
    ok(r.ctx, clv_trainer_create(r.dev, g, &p, &t));
    for (int i = 0; i < 2; i++)
        ok(r.ctx, clv_trainer_step(t, x, labels, BATCH, &loss));
    float *w = rig_weights(&r, t, false, n);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    free(x);
    rig_close(&r);
    return w;
}

Test(prebuild, changes_no_bit)
{
    char alone[64], helped[64], *worker = strdup(getenv("CLAVICLE_WORKER"));
    size_t n, m;
    int lines = 0;
    tmp_dir(alone);
    tmp_dir(helped);
    setenv("CLAVICLE_WORKER", "", 1);
    float *a = train(alone, &n, &lines);
    cr_expect_eq(lines, 0);
    setenv("CLAVICLE_WORKER", worker, 1);
    float *b = train(helped, &m, &lines);
    cr_expect_gt(lines, 1);
    lines = 0;
    float *c = train(helped, &m, &lines);
    cr_expect_eq(lines, 0, "the second start built again");
    cr_assert_eq(n, m);
    cr_expect_arr_eq(a, b, n * sizeof *a);
    cr_expect_arr_eq(a, c, n * sizeof *a);
    free(a);
    free(b);
    free(c);
    free(worker);
    tmp_remove(alone);
    tmp_remove(helped);
}
