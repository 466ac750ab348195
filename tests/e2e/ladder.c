/* The ladder: the tutorial CNN against PyTorch, from the same weights and batches. docs/ladder.md says
 * what is compared and why; tests/golden/ladder.py made the fixtures, tests/golden/generator.py is the
 * generator that is written here a second time. */
#include "device/device.h"
#include "golden.h"
#include "rig.h"

#include <jansson.h>
#include <math.h>

enum { IMAGES = 0x10000, LABELS = 0x20000, SIGNS = 0x30000, N_SIGNS = 32, HEAD = 8, MAX_STEPS = 64, MAX_PROGRAMS = 24 };
static const double tolerance = 1e-3;
/* Losses: ten times what is seen, so that a rate that is off by a thousandth shows. */
static const double curve_tolerance = 1e-5;

struct ladder {
    struct rig r;
    json_t *fixture;
    int size, batch;
    uint64_t seed;
    float divisor, head_shift, head_divisor;
    size_t pixels; /* of a batch, channels counted */
    float *x;      /* [batch][size][size][3] */
    int32_t *labels;
};

/* ---- the generator ---- */

static uint32_t word(const struct ladder *l, size_t i, uint32_t tensor)
{
    const uint32_t counter[4] = {(uint32_t)i, 0, tensor, 0};
    uint32_t out[4];
    clv_philox(l->seed, counter, out);
    return out[0];
}

/* Parameters in graph order; dims: HWIO, dense [in][out], bias [out]. */
static void make_parameter(const struct ladder *l, const struct clv_weight_info *w, uint32_t tensor,
                           float *out)
{
    float shift = -.5f, scale = .1f;
    if (w->n_dims > 1) {
        const double field = w->n_dims == 4 ? (double)w->dims[0] * w->dims[1] : 1;
        const double in = w->dims[w->n_dims - 2], units = w->dims[w->n_dims - 1];
        scale = (float)(2 * sqrt(6 / (field * in + field * units)));
    }
    if (tensor == HEAD)
        scale /= l->head_divisor;
    for (size_t i = 0; i < w->count; i++) {
        float v = (float)(word(l, i, tensor) >> 8) * 0x1p-24f + shift;
        if (tensor == HEAD)
            v += .5f - l->head_shift;
        out[i] = v * scale;
    }
}

/* The left half of an image of class 0, the right half of class 1, has half the brightness. */
static void make_batch(const struct ladder *l, uint32_t b)
{
    const size_t per_image = l->pixels / (size_t)l->batch;
    for (int i = 0; i < l->batch; i++)
        l->labels[i] = (int32_t)(word(l, (size_t)i, LABELS + b) & 1);
    for (size_t i = 0; i < l->pixels; i++) {
        const bool right = (int)(i / 3 % (size_t)l->size) >= l->size / 2;
        const uint32_t byte = word(l, i, IMAGES + b) >> 24;
        l->x[i] = (float)(right == (l->labels[i / per_image] == 1) ? byte >> 1 : byte) / l->divisor;
    }
}

/* Sum j adds v[i] where bit j of the element's word is set and subtracts it where it is not. */
static void make_sketch(const struct ladder *l, const float *v, size_t n, uint32_t tensor, double *sums)
{
    for (int j = 0; j < N_SIGNS; j++)
        sums[j] = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i] == 0)
            continue;
        const uint32_t bits = word(l, i, SIGNS + tensor);
        for (int j = 0; j < N_SIGNS; j++)
            sums[j] += (double)v[i] * (double)((int)(bits >> j & 1) * 2 - 1);
    }
}

/* ---- fixtures ---- */

static double number(const json_t *object, const char *key, double otherwise)
{
    const json_t *v = json_object_get(object, key);
    return v ? json_number_value(v) : otherwise;
}

static struct ladder ladder_open(int size)
{
    struct ladder l = {.r = rig_open(NULL)};
    char name[64];
    json_error_t fault;
    snprintf(name, sizeof name, "tests/golden/ladder-%d.json", size);
    char *path = golden_source_path(name);
    l.fixture = json_load_file(path, 0, &fault);
    cr_assert_not_null(l.fixture, "%s: %s", path, fault.text);
    free(path);
    l.size = (int)number(l.fixture, "size", 0);
    l.batch = (int)number(l.fixture, "batch", 0);
    l.seed = (uint64_t)json_integer_value(json_object_get(l.fixture, "seed"));
    l.divisor = (float)number(l.fixture, "image_divisor", 0);
    l.head_shift = (float)number(l.fixture, "head_shift", 0);
    l.head_divisor = (float)number(l.fixture, "head_divisor", 0);
    cr_assert_eq(l.size, size);
    cr_assert(l.batch > 0 && l.divisor > 0 && l.head_divisor > 0);
    l.pixels = (size_t)l.batch * (size_t)size * (size_t)size * 3;
    l.x = malloc(l.pixels * sizeof *l.x);
    l.labels = malloc((size_t)l.batch * sizeof *l.labels);
    cr_assert(l.x && l.labels);
    return l;
}

static void ladder_close(struct ladder *l)
{
    free(l->x);
    free(l->labels);
    json_decref(l->fixture);
    rig_close(&l->r);
}

/* A trainer with the generator's weights. */
static struct clv_trainer *start(const struct ladder *l, struct clv_graph *g, const char *optimizer)
{
    struct clv_trainer *t = NULL;
    ok(l->r.ctx, clv_trainer_create(l->r.dev, g, &(struct clv_trainer_params){
        .batch = l->batch, .optimizer = optimizer, .keep_gradients = true}, &t));
    for (uint32_t i = 0; i < clv_trainer_weights(t); i++) {
        struct clv_weight_info info;
        ok(l->r.ctx, clv_trainer_weight_info(t, i, &info));
        float *w = malloc(info.count * sizeof *w);
        cr_assert(w);
        make_parameter(l, &info, i, w);
        ok(l->r.ctx, clv_trainer_set_weight(t, i, w));
        free(w);
    }
    return t;
}

/* ---- what is compared ---- */

static void expect_shape(const struct clv_weight_info *info, const json_t *want)
{
    const json_t *shape = json_object_get(want, "shape");
    cr_assert_eq(json_array_size(shape), (size_t)info->n_dims, "%s", info->name);
    for (int i = 0; i < info->n_dims; i++)
        cr_assert_eq(json_integer_value(json_array_get(shape, (size_t)i)), info->dims[i], "%s", info->name);
}

/* A signed sum of a difference has the difference's squared norm as its mean square: the sums tell how
 * far the whole gradient is from the fixture's. */
static double sketch_distance(const struct ladder *l, const json_t *want, const float *g, size_t n,
                              uint32_t tensor)
{
    const json_t *sketch = json_object_get(want, "sketch");
    const double unit = number(l->fixture, "sketch_unit", 0) * number(want, "norm", 0);
    double sums[N_SIGNS], square = 0;
    cr_assert_eq(json_array_size(sketch), N_SIGNS);
    make_sketch(l, g, n, tensor, sums);
    for (int j = 0; j < N_SIGNS; j++) {
        const double d = sums[j] - unit * json_number_value(json_array_get(sketch, (size_t)j));
        square += d * d / N_SIGNS;
    }
    return sqrt(square) / number(want, "norm", 0);
}

static void expect_gradient(const struct ladder *l, struct clv_trainer *t, uint32_t i)
{
    const json_t *want = json_array_get(json_object_get(l->fixture, "gradients"), i);
    const double norm = number(want, "norm", 0);
    struct clv_weight_info info;
    ok(l->r.ctx, clv_trainer_weight_info(t, i, &info));
    expect_shape(&info, want);
    float *g = malloc(info.count * sizeof *g);
    cr_assert(g);
    ok(l->r.ctx, clv_trainer_get_gradient(t, i, g));
    double square = 0, worst = 0;
    for (size_t k = 0; k < info.count; k++)
        square += (double)g[k] * (double)g[k];
    size_t s;
    const json_t *pair;
    json_array_foreach(json_object_get(want, "samples"), s, pair) {
        const size_t at = (size_t)json_integer_value(json_array_get(pair, 0));
        cr_assert_lt(at, info.count);
        worst = fmax(worst, fabs((double)g[at] - json_number_value(json_array_get(pair, 1))) / norm);
    }
    const double off = fabs(sqrt(square) / norm - 1);
    const double distance = sketch_distance(l, want, g, info.count, i);
    cr_log_info("%-16s norm %.3g, entries %.1e, norm off by %.1e, distance %.1e", info.name, norm, worst,
                off, distance);
    cr_expect(off < tolerance, "%s: norm %.8g, PyTorch %.8g", info.name, sqrt(square), norm);
    cr_expect(worst < tolerance, "%s: an entry is off by %.2g of the norm", info.name, worst);
    cr_expect(distance < tolerance, "%s: off by %.2g of its norm", info.name, distance);
    free(g);
}

/* One curve; `gradients` also compares the gradients of step one. */
static void expect_curve(const struct ladder *l, const char *name, bool gradients)
{
    const json_t *want = json_object_get(json_object_get(l->fixture, "curves"), name);
    const json_t *losses = json_object_get(want, "loss");
    char optimizer[64];
    struct clv_graph *g = NULL;
    const struct clv_variable size[] = {{"height", l->size}, {"width", l->size}};
    double worst = 0;
    cr_assert_not_null(losses, "no curve %s", name);
    snprintf(optimizer, sizeof optimizer, "%s learning_rate=%g",
             json_string_value(json_object_get(want, "optimizer")), number(want, "rate", 0));
    ok(l->r.ctx, clv_model_load(l->r.ctx, "tutorial-cnn", size, 2, &g));
    struct clv_trainer *t = start(l, g, optimizer);
    const size_t n = json_array_size(losses);
    cr_assert(n >= 4 && n <= MAX_STEPS);
    for (uint32_t s = 0; s < n; s++) {
        const double loss_want = json_number_value(json_array_get(losses, s));
        double loss = NAN;
        make_batch(l, s);
        ok(l->r.ctx, clv_trainer_step(t, l->x, l->labels, l->batch, &loss));
        const double off = fabs(loss / loss_want - 1);
        cr_expect(off < curve_tolerance, "%s, step %u: loss %.8g, PyTorch %.8g", name, s + 1, loss, loss_want);
        worst = fmax(worst, off);
        if (gradients && s == 0) {
            cr_assert_eq(json_array_size(json_object_get(l->fixture, "gradients")), clv_trainer_weights(t));
            for (uint32_t i = 0; i < clv_trainer_weights(t); i++)
                expect_gradient(l, t, i);
        }
    }
    cr_log_info("%s: %zu losses within %.1e", optimizer, n, worst);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
}

/* Every program is a second of the first start. */
static void expect_few_programs(const struct ladder *l)
{
    const struct clv_program_stats s = clv_device_program_stats(l->r.dev);
    cr_log_info("%u programs", s.built + s.loaded);
    cr_expect_leq(s.built + s.loaded, MAX_PROGRAMS);
}

static void climb(int size)
{
    struct ladder l = ladder_open(size);
    expect_curve(&l, "sgd_1e-2", true);
    expect_curve(&l, "adam_1e-5", false);
    expect_curve(&l, "adam_1e-3", false);
    expect_few_programs(&l);
    ladder_close(&l);
}

Test(ladder, px48)
{
    climb(48);
}

Test(ladder, px224)
{
    climb(224);
}
