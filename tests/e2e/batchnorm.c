/* A small residual network with batch normalisation against PyTorch: tests/golden/batchnorm.py made the fixture and
 * says what is in it. */
#include "golden.h"
#include "rig.h"

#include <jansson.h>
#include <math.h>
#include <unistd.h>

enum { BATCH = 5, PIXELS = 6 * 6 * 2, STEPS = 3, CLASSES = 2 };
static const int samples[STEPS] = {5, 5, 3};
static const double tolerance = 1e-5; /* of an array's norm */

struct net {
    struct rig r;
    json_t *fixture;
    struct clv_graph *g;
    struct clv_trainer *t;
};

/* ---- numbers ---- */

static void make_values(float *out, size_t count, uint64_t tensor, float more)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = (float)((i * i * 37 + i * 101 + tensor * 239) % 1021) / 1024 - .5f + more;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static struct clv_trainer *start(const struct net *q)
{
    struct clv_trainer *t = NULL;
    ok(q->r.ctx, clv_trainer_create(q->r.dev, q->g, &(struct clv_trainer_params){
        .batch = BATCH, .optimizer = "sgd learning_rate=0.125", .keep_gradients = true}, &t));
    for (size_t i = 0; i < clv_trainer_weights(t); i++) {
        struct clv_weight_info info;
        ok(q->r.ctx, clv_trainer_weight_info(t, i, &info));
        cr_expect_eq(info.state, strstr(info.name, "running") != NULL, "%s", info.name);
        float *w = malloc(info.count * sizeof *w);
        cr_assert(w);
        make_values(w, info.count, i, ends_with(info.name, "gamma") || ends_with(info.name, "variance"));
        ok(q->r.ctx, clv_trainer_set_weight(t, i, w));
        free(w);
    }
    return t;
}

static struct net open_net(const char *options)
{
    struct net q = {.r = rig_open(NULL)};
    char text[512];
    json_error_t fault;
    char *path = golden_source_path("tests/golden/batchnorm.json");
    q.fixture = json_load_file(path, 0, &fault);
    cr_assert_not_null(q.fixture, "%s: %s", path, fault.text);
    free(path);
    snprintf(text, sizeof text,
             "input 6 6 2\n"
             "c1 = conv2d 4 3 padding=same use_bias=no\n"
             "b1 = batchnorm activation=relu %s\n"
             "c2 = conv2d 4 3 padding=same use_bias=no\n"
             "b2 = batchnorm %s\n"
             "add from=b2,b1 activation=relu\n"
             "globalavgpool2d\n"
             "d = dense 2 activation=softmax\n", options, options);
    q.g = rig_graph(&q.r, text);
    q.t = start(&q);
    return q;
}

static void close_net(struct net *q)
{
    clv_trainer_destroy(&q->t);
    clv_graph_destroy(&q->g);
    json_decref(q->fixture);
    rig_close(&q->r);
}

static double step(const struct net *q, struct clv_trainer *t, int s)
{
    float x[BATCH * PIXELS];
    int32_t labels[BATCH];
    double loss = NAN;
    make_values(x, (size_t)samples[s] * PIXELS, 100 + (uint64_t)s, 0);
    for (int i = 0; i < samples[s]; i++)
        labels[i] = (i + s) % 2;
    ok(q->r.ctx, clv_trainer_step(t, x, labels, samples[s], &loss));
    return loss;
}

/* ---- comparing ---- */

static void expect_array(const char *what, const float *got, size_t n, const json_t *want)
{
    double square = 0, distance = 0;
    cr_assert_eq(json_array_size(want), n, "%s", what);
    for (size_t i = 0; i < n; i++) {
        const double v = json_number_value(json_array_get(want, i));
        square += v * v;
        distance += ((double)got[i] - v) * ((double)got[i] - v);
    }
    cr_expect(sqrt(distance) < tolerance * fmax(sqrt(square), 1e-3), "%s is off by %.2g of its norm %.3g", what,
              sqrt(distance / square), sqrt(square));
}

/* Gradients, or, of what is state, values. */
static void expect_weights(const struct net *q, bool state, const json_t *want)
{
    size_t n = 0;
    for (size_t i = 0; i < clv_trainer_weights(q->t); i++) {
        struct clv_weight_info info;
        ok(q->r.ctx, clv_trainer_weight_info(q->t, i, &info));
        if (info.state != state)
            continue;
        float *v = malloc(info.count * sizeof *v);
        cr_assert(v);
        ok(q->r.ctx, (state ? clv_trainer_get_weight : clv_trainer_get_gradient)(q->t, i, v));
        expect_array(info.name, v, info.count, json_object_get(want, info.name));
        free(v);
        n++;
    }
    cr_expect_eq(json_object_size(want), n);
}

static void expect_loss(double loss, const json_t *want)
{
    cr_expect(fabs(loss / json_number_value(want) - 1) < tolerance, "loss %.8g, PyTorch %.8g", loss,
              json_number_value(want));
}

Test(batchnorm, as_pytorch)
{
    struct net q = open_net("");
    float x[BATCH * PIXELS], p[BATCH * CLASSES];
    for (int s = 0; s < STEPS; s++) {
        expect_loss(step(&q, q.t, s), json_array_get(json_object_get(q.fixture, "losses"), (size_t)s));
        if (!s)
            expect_weights(&q, false, json_object_get(q.fixture, "gradients"));
    }
    expect_weights(&q, true, json_object_get(q.fixture, "running"));
    make_values(x, BATCH * PIXELS, 100, 0);
    ok(q.r.ctx, clv_trainer_predict(q.t, x, BATCH, p));
    expect_array("probabilities", p, BATCH * CLASSES, json_object_get(q.fixture, "probabilities"));
    float no_gradient[4];
    cr_expect_eq(clv_trainer_get_gradient(q.t, clv_trainer_weights(q.t) - 1, no_gradient), CLV_ERR_ARG);
    close_net(&q);
}

Test(batchnorm, frozen)
{
    struct net q = open_net("frozen=yes");
    const json_t *want = json_object_get(q.fixture, "frozen");
    float before[4], after[4];
    const size_t last = clv_trainer_weights(q.t) - 1;
    ok(q.r.ctx, clv_trainer_get_weight(q.t, last, before));
    expect_loss(step(&q, q.t, 0), json_object_get(want, "loss"));
    expect_weights(&q, false, json_object_get(want, "gradients"));
    ok(q.r.ctx, clv_trainer_get_weight(q.t, last, after));
    cr_expect_arr_eq(before, after, sizeof before);
    close_net(&q);
}

/* Two steps, saved and loaded, and the third: the bits of three. */
Test(batchnorm, resumed)
{
    struct net q = open_net("");
    char file[64];
    snprintf(file, sizeof file, "batchnorm-%ld.safetensors", (long)getpid());
    struct clv_trainer *other = start(&q);
    for (int s = 0; s < 2; s++)
        (void)step(&q, q.t, s);
    ok(q.r.ctx, clv_trainer_save(q.t, file, NULL));
    ok(q.r.ctx, clv_trainer_load(other, file));
    remove(file);
    cr_expect_eq(step(&q, q.t, 2), step(&q, other, 2));
    for (size_t i = 0; i < clv_trainer_weights(q.t); i++) {
        float a[4 * 36], b[4 * 36];
        struct clv_weight_info info;
        ok(q.r.ctx, clv_trainer_weight_info(q.t, i, &info));
        ok(q.r.ctx, clv_trainer_get_weight(q.t, i, a));
        ok(q.r.ctx, clv_trainer_get_weight(other, i, b));
        cr_expect_arr_eq(a, b, info.count * sizeof *a, "%s", info.name);
    }
    clv_trainer_destroy(&other);
    close_net(&q);
}
