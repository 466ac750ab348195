/* Whole plans: what must not change the numbers (memory reuse, fusion, batch size, a second trainer),
 * and that the gradients of branching networks are right. */
#include "rig.h"

#include <math.h>
#include <stdio.h>

static const char cnn[] = "input 13 11 3\nconv2d 7 3 activation=relu\nmaxpool2d 2\n"
                          "skip = conv2d 7 3 padding=same activation=tanh\n"
                          "conv2d 7 3 padding=same\nadd from=skip,_\nrelu\nflatten\n"
                          "dense 9 activation=sigmoid\ndense 3 activation=softmax\n";
enum { COUNT = 13 * 11 * 3, CLASSES = 3 };

struct result { float *weights, *gradient; size_t n; double loss; };

/* Gradients are kept: tests/optim/fused.c compares that with the fused update, bit for bit. */
static struct result train(struct rig *r, const struct clv_trainer_params *params, const char *model,
                           const float *x, const int32_t *labels, int n, int steps)
{
    struct clv_trainer_params p = *params;
    p.keep_gradients = true;
    struct clv_graph *g = rig_graph(r, model);
    struct clv_trainer *t = NULL;
    struct result res = {0};
    ok(r->ctx, clv_trainer_create(r->dev, g, &p, &t));
    for (int i = 0; i < steps; i++)
        ok(r->ctx, clv_trainer_step(t, x, labels, n, &res.loss));
    res.weights = rig_weights(r, t, false, &res.n);
    res.gradient = rig_weights(r, t, true, &res.n);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    return res;
}

static void finish(struct result *r)
{
    free(r->weights);
    free(r->gradient);
}

static double distance(const float *a, const float *b, size_t n)
{
    double d = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(d / norm);
}

Test(plan, reuse_and_repetition_change_no_bit)
{
    struct rig r = rig_open(NULL);
    int32_t labels[6];
    float *x = rig_samples(6, COUNT, CLASSES, 3, labels);
    const struct clv_trainer_params p = {.batch = 6, .seed = 5}, q = {.batch = 6, .seed = 5, .separate = true};
    struct result a = train(&r, &p, cnn, x, labels, 6, 3), b = train(&r, &p, cnn, x, labels, 6, 3),
                  c = train(&r, &q, cnn, x, labels, 6, 3);
    cr_expect_arr_eq(a.weights, b.weights, a.n * sizeof *a.weights, "a second run differs");
    cr_expect_arr_eq(a.weights, c.weights, a.n * sizeof *a.weights, "the arena differs from separate buffers");
    cr_expect(a.loss > 0 && isfinite(a.loss));
    finish(&a), finish(&b), finish(&c), free(x);
    rig_close(&r);
}

Test(plan, a_short_batch_runs_the_same_program)
{
    struct rig r = rig_open(NULL);
    int32_t labels[8];
    float *x = rig_samples(8, COUNT, CLASSES, 3, labels);
    const struct clv_trainer_params exact = {.batch = 5, .seed = 5}, wide = {.batch = 8, .seed = 5};
    struct result a = train(&r, &exact, cnn, x, labels, 5, 2), b = train(&r, &wide, cnn, x, labels, 5, 2);
    cr_expect_lt(distance(a.gradient, b.gradient, a.n), 1e-5, "gradients differ by %g",
                 distance(a.gradient, b.gradient, a.n));
    cr_expect_float_eq(a.loss, b.loss, 1e-6);
    finish(&a), finish(&b), free(x);
    rig_close(&r);
}

Test(plan, gpu_path_and_clblast_agree_with_the_cpu_path)
{
    int32_t labels[6];
    float *x = rig_samples(6, COUNT, CLASSES, 3, labels);
    struct rig cpu = rig_open(""), gpu = rig_open("gpu,local=16384,wg=64");
    const struct clv_trainer_params p = {.batch = 6, .seed = 5, .optimizer = "sgd"},
                                    q = {.batch = 6, .seed = 5, .optimizer = "sgd", .gemm = CLV_GEMM_MODE_CLBLAST};
    struct result a = train(&cpu, &p, cnn, x, labels, 6, 1), b = train(&gpu, &p, cnn, x, labels, 6, 1),
                  c = train(&cpu, &q, cnn, x, labels, 6, 1);
    cr_expect_lt(distance(b.gradient, a.gradient, a.n), 1e-5);
    cr_expect_lt(distance(c.gradient, a.gradient, a.n), 1e-5);
    finish(&a), finish(&b), finish(&c), free(x);
    rig_close(&cpu), rig_close(&gpu);
}

/* kann's check: along one random direction of all weights, the loss changes by <gradient, direction>. */
Test(plan, gradient_of_a_branching_network)
{
    struct rig r = rig_open(NULL);
    static const char smooth[] = "input 9 9 2\na = conv2d 5 3 activation=tanh\nb = avgpool2d 3 from=a strides=2\n"
                                 "c = conv2d 5 3 strides=2 from=a\nadd from=b,c\nd = tanh\n"
                                 "globalavgpool2d from=a\ne = dense 4\nflatten from=d\ndense 4\nadd from=e,_\n"
                                 "dense 3 activation=softmax\n";
    enum { N = 5, SIZE = 9 * 9 * 2 };
    int32_t labels[N];
    float *x = rig_samples(N, SIZE, CLASSES, 9, labels);
    struct clv_graph *g = rig_graph(&r, smooth);
    struct clv_trainer *t = NULL;
    ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
        .batch = N, .seed = 2, .optimizer = "sgd learning_rate=0", .keep_gradients = true}, &t));
    double loss[2], slope = 0;
    size_t n;
    ok(r.ctx, clv_trainer_step(t, x, labels, N, &loss[0]));
    float *w = rig_weights(&r, t, false, &n), *grad = rig_weights(&r, t, true, &n);
    float *dir = malloc(n * sizeof *dir), *moved = malloc(n * sizeof *moved);
    struct clv_rng rng = clv_rng_init(4, 4);
    const double eps = 2e-3;
    for (size_t i = 0; i < n; i++) {
        dir[i] = (float)clv_rng_normal(&rng);
        slope += (double)dir[i] * grad[i];
    }
    for (int side = 0; side < 2; side++) {
        size_t at = 0;
        for (size_t i = 0; i < n; i++)
            moved[i] = w[i] + (float)((side ? -eps : eps) * dir[i]);
        for (size_t i = 0; i < clv_trainer_weights(t); i++) {
            struct clv_weight_info info;
            ok(r.ctx, clv_trainer_weight_info(t, i, &info));
            ok(r.ctx, clv_trainer_set_weight(t, i, moved + at));
            at += info.count;
        }
        ok(r.ctx, clv_trainer_step(t, x, labels, N, &loss[side]));
    }
    const double numeric = (loss[0] - loss[1]) / (2 * eps);
    cr_expect_float_eq(numeric, slope, 2e-3 * fabs(slope) + 1e-4, "numeric %g, gradient %g", numeric, slope);
    cr_expect_gt(fabs(slope), 1e-2, "the direction says nothing");
    free(w), free(grad), free(dir), free(moved), free(x);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    rig_close(&r);
}

/* Parts that are stored in the concatenation's memory, a chain of them, one that is read again behind it and one that
 * stands there twice, against the same values copied: dropout of nothing is never a part. Channels come in fours,
 * since some kernels sum in another order where they cannot read four at a time. */
Test(plan, concatenating_in_place_changes_no_bit)
{
    static const char parts[] = "input 9 9 2\na = conv2d 4 3 padding=same activation=tanh\n"
                                "b = conv2d 4 3 padding=same activation=relu\nc = concat from=a,b\n"
                                "d = conv2d 4 3 padding=same\ne = concat from=c,d\nf = maxpool2d 2\n"
                                "g = conv2d 5 3 padding=same from=a\nh = maxpool2d 2\ni = concat from=f,h,f\n"
                                "flatten\ndense 3 activation=softmax\n";
    static const char copies[] = "input 9 9 2\na = conv2d 4 3 padding=same activation=tanh\n"
                                 "b = conv2d 4 3 padding=same activation=relu\na0 = dropout 0 from=a\n"
                                 "b0 = dropout 0 from=b\nc = concat from=a0,b0\nd = conv2d 4 3 padding=same\n"
                                 "c0 = dropout 0 from=c\nd0 = dropout 0 from=d\ne = concat from=c0,d0\n"
                                 "f = maxpool2d 2\ng = conv2d 5 3 padding=same from=a\nh = maxpool2d 2\n"
                                 "f0 = dropout 0 from=f\nh0 = dropout 0 from=h\ni = concat from=f0,h0,f0\n"
                                 "flatten\ndense 3 activation=softmax\n";
    static const char *const caps[] = {NULL, "gpu"};
    enum { N = 3, SIZE = 9 * 9 * 2 };
    int32_t labels[N];
    float *x = rig_samples(N, SIZE, CLASSES, 9, labels);
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        struct rig r = rig_open(caps[i]);
        const struct clv_trainer_params p = {.batch = N, .seed = 5}, q = {.batch = N, .seed = 5, .separate = true};
        struct result a = train(&r, &p, parts, x, labels, N, 3), b = train(&r, &p, copies, x, labels, N, 3),
                      c = train(&r, &q, parts, x, labels, N, 3);
        cr_expect_arr_eq(a.gradient, b.gradient, a.n * sizeof *a.gradient, "parts differ from copies, caps %s", caps[i] ? caps[i] : "none");
        cr_expect_arr_eq(a.weights, b.weights, a.n * sizeof *a.weights);
        cr_expect_arr_eq(a.weights, c.weights, a.n * sizeof *a.weights, "the arena differs from separate buffers");
        finish(&a), finish(&b), finish(&c);
        rig_close(&r);
    }
    free(x);
}

Test(plan, two_trainers_share_a_device)
{
    struct rig r = rig_open(NULL);
    int32_t labels[4];
    float *x = rig_samples(4, COUNT, CLASSES, 3, labels);
    const struct clv_trainer_params p = {.batch = 4, .seed = 5};
    struct result alone = train(&r, &p, cnn, x, labels, 4, 2);
    struct clv_graph *g[2] = {rig_graph(&r, cnn), rig_graph(&r, cnn)};
    struct clv_trainer *t[2] = {0};
    double loss = 0;
    for (int i = 0; i < 2; i++)
        ok(r.ctx, clv_trainer_create(r.dev, g[i], &p, &t[i]));
    for (int step = 0; step < 2; step++)
        for (int i = 0; i < 2; i++)
            ok(r.ctx, clv_trainer_step(t[i], x, labels, 4, &loss));
    for (int i = 0; i < 2; i++) {
        size_t n;
        float *w = rig_weights(&r, t[i], false, &n);
        cr_expect_arr_eq(w, alone.weights, n * sizeof *w);
        free(w);
        clv_trainer_destroy(&t[i]);
        clv_graph_destroy(&g[i]);
    }
    finish(&alone), free(x);
    rig_close(&r);
}

Test(plan, memory_is_planned)
{
    struct rig r = rig_open(NULL);
    struct clv_graph *g = rig_graph(&r, cnn);
    struct clv_trainer *t = NULL;
    ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){.batch = 4}, &t));
    const struct clv_trainer_memory m = clv_trainer_get_memory(t);
    char *text = clv_trainer_plan_text(t, true);
    cr_expect(m.peak == m.activations + m.store + m.io && m.activations > 0 && m.store > 0);
    cr_expect(text && strstr(text, "conv2d_1 forward") && strstr(text, "update") && strstr(text, "peak"));
    free(text);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    rig_close(&r);
}

/* A diverged network must be seen: a NaN reaches the loss through every layer, with the activation fused
 * into the convolution and by itself, with the output's activation fused into the loss and clipped. */
Test(plan, a_nan_reaches_the_loss)
{
    static const struct { const char *fused, *alone, *output, *loss; } nets[] = {
        {"activation=relu", "", "softmax", NULL},
        {"", "relu\n", "softmax", NULL},
        {"activation=sigmoid", "", "softmax", NULL},
        {"", "sigmoid\n", "sigmoid", NULL},
        {"activation=tanh", "", "sigmoid", "categorical_crossentropy"},
        {"", "tanh\n", "softmax", "binary_crossentropy"},
        {"", "", "softmax", "mean_squared_error"},
    };
    static const char *const caps[] = {NULL, "gpu"};
    int32_t labels[2];
    float *x = rig_samples(2, COUNT, CLASSES, 3, labels);
    x[COUNT + (11 * 11 + 9) * 3] = NAN; /* of one pooling window it meets the last element only */
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        struct rig r = rig_open(caps[c]);
        for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
            char model[200];
            snprintf(model, sizeof model, "input 13 11 3\nconv2d 7 3 %s\nmaxpool2d 2\n%sflatten\n"
                     "dense 3 activation=%s\n", nets[i].fused, nets[i].alone, nets[i].output);
            struct clv_graph *g = rig_graph(&r, model);
            struct clv_trainer *t = NULL;
            double loss = 0;
            ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
                .batch = 2, .seed = 5, .loss = nets[i].loss}, &t));
            cr_expect_eq(clv_trainer_step(t, x, labels, 2, &loss), CLV_ERR_NONFINITE);
            cr_expect(isnan(loss), "caps %s, loss %g of\n%s", caps[c] ? caps[c] : "", loss, model);
            clv_trainer_destroy(&t);
            clv_graph_destroy(&g);
        }
        rig_close(&r);
    }
    free(x);
}
