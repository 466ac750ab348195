/* check_finite: the same numbers, and where the first one arises that is not finite. */
#define _XOPEN_SOURCE 700 /* mkstemp */
#include "setting.h"

#include <math.h>
#include <unistd.h>

static const char cnn[] = "input 9 8 3\nconv2d 7 3 activation=relu\nmaxpool2d 2\nskip = conv2d 7 3 padding=same\n"
                          "relu\nadd from=skip,_\nflatten\ndense 9\ndense 3 activation=softmax\n";
static const char line[] = "input 1 1 4\ndense 5\ndense 3\n";
enum { COUNT = 9 * 8 * 3, CLASSES = 3, BATCH = 4 };

static struct setting begin(const char *caps, const char *model, size_t count, bool check)
{
    return setting_open(rig_open(caps), model, BATCH, count, CLASSES, &(struct clv_trainer_params){
        .batch = BATCH, .seed = 3, .optimizer = "sgd", .check_finite = check});
}

static void set(struct setting *s, const char *name, float first, float others)
{
    struct clv_weight_info info = {0};
    size_t i = 0;
    while (!info.name || strcmp(info.name, name))
        ok(s->r.ctx, clv_trainer_weight_info(s->t, i++, &info));
    float *w = malloc(info.count * sizeof *w);
    cr_assert(w);
    for (size_t k = 0; k < info.count; k++)
        w[k] = k ? others : first;
    ok(s->r.ctx, clv_trainer_set_weight(s->t, i - 1, w));
    free(w);
}

static void expect(struct setting *s, const char *text)
{
    double loss;
    cr_expect_eq(clv_trainer_step(s->t, s->x, s->labels, BATCH, &loss), CLV_ERR_NONFINITE);
    cr_expect(strstr(clv_error_text(s->r.ctx), text), "\"%s\" does not say \"%s\"", clv_error_text(s->r.ctx), text);
}

static const char *const caps[] = {NULL, "gpu"};

Test(finite, checking_changes_no_bit)
{
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        struct setting a = begin(caps[c], cnn, COUNT, false), b = begin(caps[c], cnn, COUNT, true);
        double losses[2];
        for (int i = 0; i < 3; i++) {
            const int n = i == 1 ? BATCH - 1 : BATCH; /* what lies behind a short batch is not looked at */
            ok(a.r.ctx, clv_trainer_step(a.t, a.x, a.labels, n, &losses[0]));
            ok(b.r.ctx, clv_trainer_step(b.t, b.x, b.labels, n, &losses[1]));
            cr_expect_eq(losses[0], losses[1]);
        }
        size_t n;
        float *wa = rig_weights(&a.r, a.t, false, &n), *wb = rig_weights(&b.r, b.t, false, &n);
        cr_expect_eq(memcmp(wa, wb, n * sizeof *wa), 0);
        free(wa);
        free(wb);
        setting_close(&a);
        setting_close(&b);
    }
}

Test(finite, names_inputs_weights_and_outputs)
{
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        struct setting s = begin(caps[c], cnn, COUNT, true);
        s.x[COUNT + 5] = NAN;
        expect(&s, "step 1: the network's input is the first");
        setting_close(&s);
        s = begin(caps[c], cnn, COUNT, true);
        set(&s, "skip/kernel", INFINITY, .1f);
        expect(&s, "step 1: the weight skip/kernel, before the step, is the first");
        setting_close(&s);
        s = begin(caps[c], cnn, COUNT, true);
        set(&s, "dense_1/kernel", 3e38f, 3e38f);
        set(&s, "dense_1/bias", 3e38f, 3e38f);
        set(&s, "conv2d_1/bias", 9, 9);
        expect(&s, "step 1: the output of dense_1, in the forward pass, is the first");
        setting_close(&s);
        s = begin(caps[c], cnn, COUNT, true);
        clv_trainer_set_learning_rate(s.t, INFINITY);
        expect(&s, "step 1: the weight conv2d_1/kernel, as the update left it, is the first");
        setting_close(&s);
    }
}

/* The output and its gradient are finite; the gradient times the second layer's weights is not. */
Test(finite, names_gradients)
{
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        struct setting s = begin(caps[c], line, 4, true);
        set(&s, "dense_1/kernel", 1e-30f, 1e-30f);
        set(&s, "dense_2/kernel", 3e38f, 3e38f);
        expect(&s, "step 1: the gradient of dense_1's output, in dense_2's backward pass, is the first");
        setting_close(&s);
    }
}

Test(finite, what_is_not_finite_replaces_no_file)
{
    struct setting s = begin(NULL, line, 4, false);
    char path[] = "/tmp/clavicle-finite-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    ok(s.r.ctx, clv_trainer_save(s.t, path, NULL));
    set(&s, "dense_2/bias", 0, NAN);
    cr_expect_eq(clv_trainer_save(s.t, path, NULL), CLV_ERR_NONFINITE);
    cr_expect(strstr(clv_error_text(s.r.ctx), "dense_2/bias"), "%s", clv_error_text(s.r.ctx));
    ok(s.r.ctx, clv_trainer_load(s.t, path));
    double loss;
    ok(s.r.ctx, clv_trainer_step(s.t, s.x, s.labels, BATCH, &loss));
    unlink(path);
    setting_close(&s);
}
