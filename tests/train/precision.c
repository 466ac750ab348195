/* Training with activations stored in 16 bits, and with split operands. */
#define _XOPEN_SOURCE 700 /* mkstemp */
#include "setting.h"

#include <math.h>
#include <unistd.h>

static const char cnn[] = "input 12 12 3\nconv2d 8 3 activation=relu\nmaxpool2d 2\nconv2d 8 3 activation=relu\nflatten\n"
                          "dense 16 activation=relu\ndense 3 activation=softmax\n";
static const char wide[] = "input 12 12 3\nconv2d 32 3 activation=relu\nconv2d 32 5 activation=relu\nflatten\n"
                           "dense 3 activation=softmax\n";
static const char line[] = "input 12 12 3\nflatten\ndense 9 activation=sigmoid\ndense 3 activation=softmax\n";
static const char normal[] = "input 12 12 3\nflatten\ndense 8\nbatchnorm\nrelu\ndense 3 activation=softmax\n";
static const char *const both[] = {NULL, "gpu"};
enum { COUNT = 12 * 12 * 3, CLASSES = 3, BATCH = 16, STEPS = 24 };

static struct setting begin_as(const char *caps, const char *model, struct clv_trainer_params p)
{
    p.batch = BATCH;
    p.seed = 3;
    p.optimizer = "adam learning_rate=0.003";
    return setting_open(rig_open(caps), model, BATCH, COUNT, CLASSES, &p);
}

static struct setting begin(const char *caps, const char *model, enum clv_precision precision)
{
    return begin_as(caps, model, (struct clv_trainer_params){.precision = precision});
}

static double step(struct setting *s)
{
    double loss = 0;
    ok(s->r.ctx, clv_trainer_step(s->t, s->x, s->labels, BATCH, &loss));
    return loss;
}

/* Every activation is off by 2^-8 of itself at most, so a loss is by a few times that at first; steps of adam
 * carry differences on. 0.02 of fp32's first loss is what docs/precision.md says. */
static void follow(const char *caps, enum clv_precision precision)
{
    struct setting a = begin(caps, cnn, CLV_PRECISION_FP32), b = begin(caps, cnn, precision);
    double first = 0, full = 0, mixed = 0, worst = 0;
    for (int i = 0; i < STEPS; i++) {
        full = step(&a);
        mixed = step(&b);
        first = i ? first : full;
        worst = fmax(worst, fabs(full - mixed));
    }
    cr_log_info("caps %s: %g to %g, mixed %g, off by %g\n", caps ? caps : "", first, full, mixed, worst);
    cr_expect_gt(worst, 0, "nothing was rounded");
    cr_expect_leq(worst, .02 * first, "%g of a loss of %g", worst, first);
    cr_expect_lt(mixed, .7 * first);
    cr_expect_eq(clv_trainer_skipped(b.t), 0u);
    cr_expect_eq(clv_trainer_loss_scale(b.t), precision == CLV_PRECISION_MIXED ? 1 : 65536);
    setting_close(&a);
    setting_close(&b);
}

Test(precision, mixed_follows_fp32)
{
    for (size_t c = 0; c < sizeof both / sizeof *both; c++)
        follow(both[c], CLV_PRECISION_MIXED);
}

Test(precision, mixed_fp16_follows_fp32)
{
    for (size_t c = 0; c < sizeof both / sizeof *both; c++)
        follow(both[c], CLV_PRECISION_MIXED_FP16);
}

/* From a scale at which everything overflows it falls until nothing does; the steps before that might as well never
 * have been: weights, moments and corrections by step are those of a training that begins there. */
Test(precision, skipped_steps_leave_no_trace)
{
    for (size_t c = 0; c < sizeof both / sizeof *both; c++) {
        struct setting a = begin_as(both[c], cnn, (struct clv_trainer_params){
            .precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 0x1p30, .check_finite = c == 1}); /* minds none of them */
        size_t n;
        float *before = rig_weights(&a.r, a.t, false, &n), *after;
        uint64_t skipped = 0;
        while (step(&a), clv_trainer_skipped(a.t) > skipped) {
            cr_expect_eq(clv_trainer_skipped(a.t), ++skipped);
            cr_expect_eq(clv_trainer_loss_scale(a.t), ldexp(1, 30 - (int)skipped));
            after = rig_weights(&a.r, a.t, false, &n);
            cr_expect_eq(memcmp(before, after, n * sizeof *before), 0);
            free(after);
        }
        free(before);
        cr_assert(skipped > 3 && skipped < 30, "%d skipped", (int)skipped);
        struct setting b = begin_as(both[c], cnn, (struct clv_trainer_params){
            .precision = CLV_PRECISION_MIXED_FP16, .loss_scale = clv_trainer_loss_scale(a.t)});
        (void)step(&b);
        for (int i = 0; i < 3; i++)
            cr_expect_eq(step(&a), step(&b));
        cr_expect(setting_same(&a, &b));
        cr_expect_eq(clv_trainer_skipped(b.t), 0u);
        setting_close(&a);
        setting_close(&b);
    }
}

Test(precision, the_scale_grows_and_gradients_do_not_carry_it)
{
    struct setting a = begin_as(NULL, line, (struct clv_trainer_params){
        .precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 4, .loss_scale_steps = 3, .keep_gradients = true});
    struct setting b = begin_as(NULL, line, (struct clv_trainer_params){.keep_gradients = true});
    const double want[] = {4, 4, 8, 8, 8, 16};
    clv_trainer_set_learning_rate(a.t, 0);
    clv_trainer_set_learning_rate(b.t, 0);
    for (int i = 0; i < 6; i++) {
        (void)step(&a);
        (void)step(&b);
        cr_expect_eq(clv_trainer_loss_scale(a.t), want[i], "%g after step %d", clv_trainer_loss_scale(a.t), i + 1);
        size_t n;
        float *ga = rig_weights(&a.r, a.t, true, &n), *gb = rig_weights(&b.r, b.t, true, &n);
        for (size_t k = 0; k < n; k++)
            cr_expect_float_eq(ga[k], gb[k], 2e-3, "%g, without %g", (double)ga[k], (double)gb[k]);
        free(ga);
        free(gb);
    }
    setting_close(&a);
    setting_close(&b);
}

/* What no scale helps against ends the training, whatever it is stored as; running statistics stay what they were, too. */
Test(precision, gradients_that_never_are_finite_end_it)
{
    const struct { struct clv_trainer_params p; int steps; const char *text; } cases[] = {
        {{.precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 4}, 3, "step 3: the loss scale has fallen below 1"},
        {{.precision = CLV_PRECISION_MIXED}, 17, "step 17: the gradients of 17 steps in a row are not finite"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct setting s = begin_as(NULL, normal, cases[c].p);
        size_t n;
        float *before = rig_weights(&s.r, s.t, false, &n), *after;
        double loss;
        s.x[5] = NAN;
        for (int i = 1; i < cases[c].steps; i++)
            ok(s.r.ctx, clv_trainer_step(s.t, s.x, s.labels, BATCH, &loss));
        cr_expect_eq(clv_trainer_step(s.t, s.x, s.labels, BATCH, &loss), CLV_ERR_NONFINITE);
        cr_expect(strstr(clv_error_text(s.r.ctx), cases[c].text), "%s", clv_error_text(s.r.ctx));
        cr_expect_eq(clv_trainer_skipped(s.t), (uint64_t)cases[c].steps);
        after = rig_weights(&s.r, s.t, false, &n);
        cr_expect_eq(memcmp(before, after, n * sizeof *before), 0);
        free(before);
        free(after);
        setting_close(&s);
    }
}

Test(precision, refuses_scales_that_are_none)
{
    const struct clv_trainer_params wrong[] = {
        {.precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 3}, {.precision = CLV_PRECISION_MIXED_FP16, .loss_scale = .5},
        {.precision = CLV_PRECISION_MIXED_FP16, .loss_scale_steps = -1}, {.precision = CLV_PRECISION_MIXED, .loss_scale = 4},
        {.loss_scale_steps = 9}};
    struct rig r = rig_open(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct clv_graph *g = rig_graph(&r, line);
        struct clv_trainer *t = NULL;
        cr_expect_eq(clv_trainer_create(r.dev, g, &wrong[i], &t), CLV_ERR_ARG);
        clv_graph_destroy(&g);
    }
    rig_close(&r);
}

Test(precision, mixed_goes_on_from_a_file_bit_for_bit)
{
    const struct clv_trainer_params p = {.precision = CLV_PRECISION_MIXED_FP16, .loss_scale = 0x1p30, .loss_scale_steps = 2};
    struct setting a = begin_as(NULL, cnn, p), b = begin_as(NULL, cnn, p);
    char path[] = "/tmp/clavicle-precision-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    for (int i = 0; i < 3; i++)
        (void)step(&a);
    ok(a.r.ctx, clv_trainer_save(a.t, path, NULL));
    ok(b.r.ctx, clv_trainer_load(b.t, path));
    for (int i = 0; i < 3; i++)
        cr_expect_eq(step(&a), step(&b));
    cr_expect(setting_same(&a, &b));
    unlink(path);
    setting_close(&a);
    setting_close(&b);
}

Test(precision, split_without_a_unit_is_fp32)
{
    struct setting a = begin("unit=none", cnn, CLV_PRECISION_FP32), b = begin("unit=none", cnn, CLV_PRECISION_SPLIT);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(step(&a), step(&b));
    cr_expect(setting_same(&a, &b));
    setting_close(&a);
    setting_close(&b);
}

static void expect_matrix(struct setting *s)
{
    char *text = clv_trainer_plan_text(s->t, true);
    cr_expect(text && strstr(text, " matrix "), "%s", text ? text : "");
    free(text);
}

/* Operands off by 2^-16, or with TF32 by 2^-11; steps of adam carry differences on. */
Test(precision, split_on_a_unit_follows_fp32_closely)
{
    static const struct {
        const char *caps;
        double off;
    } units[] = {{"unit=emulated", 1e-4}, {"unit=emulated-tf32", .02}};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct setting a = begin(units[u].caps, wide, CLV_PRECISION_FP32), b = begin(units[u].caps, wide, CLV_PRECISION_SPLIT);
        expect_matrix(&b);
        for (int i = 0; i < 3; i++)
            cr_expect_float_eq(step(&a), step(&b), units[u].off);
        setting_close(&a);
        setting_close(&b);
    }
}

Test(precision, mixed_on_a_unit_follows_fp32)
{
    struct setting a = begin("unit=emulated", wide, CLV_PRECISION_FP32), b = begin("unit=emulated", wide, CLV_PRECISION_MIXED);
    expect_matrix(&b);
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq(step(&a), step(&b), .02);
    setting_close(&a);
    setting_close(&b);
}
