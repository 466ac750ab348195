/* One training step of narrow networks against PyTorch: tests/golden/resnet.py made the fixtures. */
#include "golden.h"
#include "rig.h"

#include <jansson.h>
#include <math.h>

enum { BATCH = 4, PRODUCTS = 4, MAX_VARIABLES = 16 };
/* Of a gradient's norm: single precision through 20 layers, where some values cross ReLU's kink. Where normalisation
 * frees what follows of a factor, all of its gradient cancels but a small part: `least` counts as norm then. */
static const double tolerance = 1e-3, least = 1e-2;

struct network {
    const char *name; /* a built-in model, and of the fixture */
    int size;         /* of the images, which have one channel */
    struct clv_variable variables[MAX_VARIABLES];
    int mask;         /* classes of its pixels, which are the targets; 0: the label is the sample's number, odd or even */
    struct clv_graph *(*make)(const struct rig *r, const struct network *n); /* NULL: the model with the variables */
};

static void make_values(float *out, size_t count, uint64_t tensor, float scale, float more)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = (float)(((double)((i * i * 37 + i * 101 + tensor * 239) % 1021) / 1024 - .5) * (double)scale + (double)more);
}

static void add_block(struct clv_str *s, int i, int filters, int stride)
{
    clv_str_addf(s, "s%dc1 = conv2d %d 3 strides=%d padding=1 use_bias=no\n", i, filters, stride);
    clv_str_addf(s, "s%db1 = batchnorm activation=relu\n", i);
    clv_str_addf(s, "s%dc2 = conv2d %d 3 padding=1 use_bias=no\ns%db2 = batchnorm\n", i, filters, i);
    if (stride > 1)
        clv_str_addf(s, "s%dc3 = conv2d %d 1 strides=%d use_bias=no from=x%d\ns%db3 = batchnorm\n", i, filters, stride, i, i);
    clv_str_addf(s, stride > 1 ? "x%d = add from=s%db2,s%db3 activation=relu\n" : "x%d = add from=s%db2,x%d activation=relu\n",
                 i + 1, i, i);
}

static struct clv_graph *make_resnet(const struct rig *r, const struct network *n)
{
    const int width = 8;
    struct clv_str s = {0};
    clv_str_addf(&s, "input %d %d 1\nc0 = conv2d %d 3 padding=1 use_bias=no\nx0 = batchnorm activation=relu\n", n->size,
                 n->size, width);
    for (int i = 0; i < 8; i++)
        add_block(&s, i, width << i / 2, i == 2 || i == 4 || i == 6 ? 2 : 1);
    clv_str_add(&s, "globalavgpool2d\nd = dense 2 activation=softmax\n");
    cr_assert_not(s.failed);
    struct clv_graph *g = rig_graph(r, s.text);
    clv_str_finish(&s);
    return g;
}

static struct clv_graph *make_graph(const struct rig *r, const struct network *n)
{
    struct clv_graph *g = NULL;
    size_t given = 0;
    if (n->make)
        return n->make(r, n);
    while (given < MAX_VARIABLES && n->variables[given].name)
        given++;
    ok(r->ctx, clv_model_load(r->ctx, n->name, n->variables, given, &g));
    return g;
}

static void set_weight(const struct rig *r, struct clv_trainer *t, size_t i)
{
    struct clv_weight_info info;
    ok(r->ctx, clv_trainer_weight_info(t, i, &info));
    if (info.state)
        return;
    float *w = malloc(info.count * sizeof *w), scale = .5f;
    cr_assert(w);
    if (info.n_dims == 4)
        scale = (float)(4 / sqrt((double)info.dims[0] * info.dims[1] * info.dims[2]));
    else if (!strncmp(info.name, "d/", 2) || !strncmp(info.name, "dense", 5))
        scale = 1;
    make_values(w, info.count, i, scale, strstr(info.name, "gamma") ? 1 : 0);
    ok(r->ctx, clv_trainer_set_weight(t, i, w));
    free(w);
}

/* A product with a vector of random numbers differs, in the mean, by the difference's norm times theirs. */
static void expect_gradient(const struct rig *r, struct clv_trainer *t, size_t i, const json_t *want)
{
    struct clv_weight_info info;
    ok(r->ctx, clv_trainer_weight_info(t, i, &info));
    const double norm = json_number_value(json_array_get(want, 1));
    float *g = malloc(2 * info.count * sizeof *g), *v = g + info.count;
    cr_assert(g);
    ok(r->ctx, clv_trainer_get_gradient(t, i, g));
    double square = 0;
    for (size_t k = 0; k < info.count; k++)
        square += (double)g[k] * (double)g[k];
    cr_expect(fabs(sqrt(square) - norm) < tolerance * fmax(norm, least), "%s: norm %.7g, PyTorch %.7g", info.name, sqrt(square), norm);
    for (int p = 0; p < PRODUCTS; p++) {
        double product = 0, length = 0;
        make_values(v, info.count, 2000 + (uint64_t)p, 1, 0);
        for (size_t k = 0; k < info.count; k++) {
            product += (double)g[k] * (double)v[k];
            length += (double)v[k] * (double)v[k] / (double)info.count;
        }
        const double off = fabs(product - json_number_value(json_array_get(want, 2 + (size_t)p)));
        cr_expect(off < 3 * tolerance * fmax(norm, least) * sqrt(length), "%s: product %d is %.7g, off by %.2g of the norm", info.name, p,
                  product, off / norm);
    }
    free(g);
}

static json_t *load_fixture(const char *name)
{
    char file[64];
    json_error_t fault;
    snprintf(file, sizeof file, "tests/golden/%s.json", name);
    char *path = golden_source_path(file);
    json_t *fixture = json_load_file(path, 0, &fault);
    cr_assert_not_null(fixture, "%s: %s", path, fault.text);
    free(path);
    return fixture;
}

static float *make_targets(const struct network *n)
{
    const int classes = n->mask ? n->mask : 2, size = n->mask ? n->size : 1;
    float *t = calloc((size_t)(BATCH * size * size * classes), sizeof *t);
    cr_assert(t);
    for (int s = 0; s < BATCH; s++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++) {
                const int class = n->mask ? (s * 5 + y / 4 * 3 + x / 5 * 7) % 11 % classes : s % 2;
                t[((s * size + y) * size + x) * classes + class] = 1;
            }
    return t;
}

static void expect_step(const struct network *n)
{
    struct rig r = rig_open(NULL);
    struct clv_graph *g = make_graph(&r, n);
    struct clv_trainer *t = NULL;
    json_t *fixture = load_fixture(n->name);
    const json_t *gradients = json_object_get(fixture, "gradients");
    ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
        .batch = BATCH, .optimizer = "sgd learning_rate=0.1", .keep_gradients = true}, &t));
    for (size_t i = 0; i < clv_trainer_weights(t); i++)
        set_weight(&r, t, i);
    const size_t count = (size_t)(BATCH * n->size * n->size);
    float *x = malloc(count * sizeof *x);
    float *targets = make_targets(n);
    double loss = NAN;
    cr_assert(x);
    make_values(x, count, 1000, 1, 0);
    ok(r.ctx, clv_trainer_step_targets(t, x, targets, BATCH, &loss));
    const double want = json_number_value(json_object_get(fixture, "loss"));
    cr_expect(fabs(loss / want - 1) < 1e-5, "loss %.8g, PyTorch %.8g", loss, want);
    for (size_t i = 0; i < json_array_size(gradients); i++)
        expect_gradient(&r, t, i, json_array_get(gradients, i));
    if (n->mask)
        cr_expect_eq(clv_trainer_step(t, x, (const int32_t[BATCH]){0}, BATCH, NULL), CLV_ERR_SHAPE);
    free(x);
    free(targets);
    json_decref(fixture);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    rig_close(&r);
}

Test(resnet, step_as_pytorch)
{
    expect_step(&(struct network){"resnet", 28, .make = make_resnet});
}

Test(resnet, densenet121)
{
    expect_step(&(struct network){"densenet121", 64,
                                  {{"height", 64}, {"width", 64}, {"channels", 1}, {"classes", 2}, {"stem", 8},
                                   {"growth", 4}, {"bottleneck", 12}, {"layers1", 2}, {"layers2", 2}, {"layers3", 2},
                                   {"layers4", 2}, {"half1", 8}, {"half2", 8}, {"half3", 8}},
                                  .mask = 0});
}

Test(resnet, unet_small)
{
    expect_step(&(struct network){"unet-small", 32,
                                  {{"height", 32}, {"width", 32}, {"channels", 1}, {"classes", 3}, {"filters1", 4},
                                   {"filters2", 4}, {"filters3", 8}, {"filters4", 8}, {"filters5", 12}},
                                  .mask = 3});
}
