/* Every optimizer against its formula in double (Keras 3: keras.io/api/optimizers), on the real update
 * kernels: a linear model whose gradient is known is stepped several times. */
#include "optim/optim.h"
#include "rig.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

enum { IN = 37, OUT = 3, N = 4, STEPS = 5, SIZE = IN * OUT };

struct state { double w, s0, s1; };
typedef void rule(struct state *s, double g, double lr, int t);

static void adam(struct state *s, double g, double lr, int t)
{
    s->s0 += (g - s->s0) * .1;
    s->s1 += (g * g - s->s1) * .001;
    s->w -= lr * sqrt(1 - pow(.999, t)) / (1 - pow(.9, t)) * s->s0 / (sqrt(s->s1) + 1e-7);
}

static void adamw(struct state *s, double g, double lr, int t)
{
    s->w -= s->w * lr * .05;
    adam(s, g, lr, t);
}

static void sgd(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->w -= lr * g;
}

static void momentum(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 - lr * g;
    s->w += s->s0;
}

static void nesterov(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 - lr * g;
    s->w += .9 * s->s0 - lr * g;
}

static void rmsprop(struct state *s, double g, double lr, int t)
{
    (void)t;
    s->s0 = .9 * s->s0 + .1 * g * g;
    s->s1 = .5 * s->s1 + lr * g / sqrt(s->s0 + 1e-7);
    s->w -= s->s1;
}

/* One dense layer without bias under mean squared error; gradients are read back from the device, so
 * that only the update is under test. penalties: l1 = .01, l2 = .02. */
static void compare(const char *optimizer, rule *step, double lr, bool penalties, double clip)
{
    struct rig r = rig_open(NULL);
    char model[128];
    snprintf(model, sizeof model, "input 1 1 %d\ndense %d use_bias=false%s\n", IN, OUT,
             penalties ? " l1=0.01 l2=0.02" : "");
    struct clv_graph *g = rig_graph(&r, model);
    struct clv_trainer *t = NULL;
    ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
        .batch = N, .seed = 1, .optimizer = optimizer, .clip_norm = clip,
        .keep_gradients = true}, &t));
    int32_t labels[N];
    float *x = rig_samples(N, IN, 3, 8, labels), targets[N * OUT], w[SIZE], grad[SIZE];
    for (int i = 0; i < N * OUT; i++)
        targets[i] = (float)(i % 5) - 2;
    struct state s[SIZE] = {{0}};
    ok(r.ctx, clv_trainer_get_weight(t, 0, w));
    for (int i = 0; i < SIZE; i++)
        s[i].w = w[i];
    for (int k = 1; k <= STEPS; k++) {
        double sum = 0, full[SIZE];
        ok(r.ctx, clv_trainer_step_targets(t, x, targets, N, NULL));
        ok(r.ctx, clv_trainer_get_gradient(t, 0, grad));
        for (int i = 0; i < SIZE; i++) {
            full[i] = grad[i];
            if (penalties)
                full[i] += .01 * (s[i].w > 0 ? 1 : -1) + 2 * .02 * s[i].w;
            sum += full[i] * full[i];
        }
        const double factor = clip > 0 && sqrt(sum) > clip ? clip / sqrt(sum) : 1;
        for (int i = 0; i < SIZE; i++)
            step(&s[i], full[i] * factor, lr, k);
        ok(r.ctx, clv_trainer_get_weight(t, 0, w));
        for (int i = 0; i < SIZE; i++)
            cr_assert_float_eq(w[i], s[i].w, 2e-6 + 2e-5 * fabs(s[i].w), "%s, step %d, weight %d: %.9g, not %.9g",
                               optimizer, k, i, w[i], s[i].w);
    }
    free(x);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    rig_close(&r);
}

Test(optim, adam) { compare("adam", adam, .001, false, 0); }
Test(optim, adamw) { compare("adamw weight_decay=0.05 learning_rate=0.01", adamw, .01, false, 0); }
Test(optim, sgd) { compare("sgd", sgd, .01, false, 0); }
Test(optim, sgd_momentum) { compare("sgd momentum=0.9", momentum, .01, false, 0); }
Test(optim, sgd_nesterov) { compare("sgd momentum=0.9 nesterov=true", nesterov, .01, false, 0); }
Test(optim, rmsprop) { compare("rmsprop momentum=0.5", rmsprop, .001, false, 0); }
Test(optim, penalties) { compare("sgd learning_rate=0.1", sgd, .1, true, 0); }
Test(optim, clipping_by_norm) { compare("sgd learning_rate=0.1", sgd, .1, true, .25); }

Test(optim, errors_name_the_option)
{
    const struct clv_optim *o;
    void *p;
    struct clv_error err = {0};
    cr_expect_eq(clv_optim_parse("adamm", &o, &p, &err), CLV_ERR_ARG);
    cr_expect(strstr(err.text, "adamm") && strstr(err.text, "rmsprop"), "%s", err.text);
    cr_expect_eq(clv_optim_parse("adam beta_3=1", &o, &p, &err), CLV_ERR_ARG);
    cr_expect(strstr(err.text, "beta_3"), "%s", err.text);
    cr_expect_eq(clv_optim_parse("sgd learning_rate=-1", &o, &p, &err), CLV_ERR_ARG);
}
