#include "step.h"

#include "golden.h"

#include <math.h>

static void make_values(float *out, size_t count, uint64_t tensor, float scale, float more)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = (float)(((double)((i * i * 37 + i * 101 + tensor * 239) % 1021) / 1024 - .5) * (double)scale + (double)more);
}

static void set_weight(const struct rig *r, struct clv_trainer *t, size_t i, uint64_t tensor)
{
    struct clv_weight_info info;
    ok(r->ctx, clv_trainer_weight_info(t, i, &info));
    float *w = malloc(info.count * sizeof *w), scale = .5f;
    cr_assert(w);
    if (info.n_dims == 4)
        scale = (float)(4 / sqrt((double)info.dims[0] * info.dims[1] * info.dims[2]));
    else if (info.name[0] == 'd')
        scale = 1;
    make_values(w, info.count, tensor, scale, strstr(info.name, "gamma") ? 1 : 0);
    ok(r->ctx, clv_trainer_set_weight(t, i, w));
    free(w);
}

/* A product with a vector of random numbers differs, in the mean, by the difference's norm times theirs. */
static void expect_gradient(const struct rig *r, struct clv_trainer *t, size_t i, const json_t *want, double tolerance,
                            double least)
{
    struct clv_weight_info info;
    ok(r->ctx, clv_trainer_weight_info(t, i, &info));
    const size_t first = json_is_string(json_array_get(want, 0)); /* a name may stand before the numbers */
    const double norm = json_number_value(json_array_get(want, first)), scale = fmax(norm, least);
    float *g = malloc(2 * info.count * sizeof *g), *v = g + info.count;
    cr_assert(g);
    ok(r->ctx, clv_trainer_get_gradient(t, i, g));
    double square = 0;
    for (size_t k = 0; k < info.count; k++)
        square += (double)g[k] * (double)g[k];
    cr_expect(fabs(sqrt(square) - norm) < tolerance * scale, "%s: norm %.7g, PyTorch %.7g", info.name, sqrt(square), norm);
    for (size_t p = 0; first + 1 + p < json_array_size(want); p++) {
        double product = 0, length = 0;
        make_values(v, info.count, 2000 + p, 1, 0);
        for (size_t k = 0; k < info.count; k++) {
            product += (double)g[k] * (double)v[k];
            length += (double)v[k] * (double)v[k] / (double)info.count;
        }
        const double off = fabs(product - json_number_value(json_array_get(want, first + 1 + p)));
        cr_expect(off < 3 * tolerance * scale * sqrt(length), "%s: product %zu is %.7g, off by %.2g of the norm",
                  info.name, p, product, off / scale);
    }
    free(g);
}

json_t *step_fixture(const char *file)
{
    json_error_t fault;
    char *path = golden_source_path(file);
    json_t *fixture = json_load_file(path, 0, &fault);
    cr_assert_not_null(fixture, "%s: %s", path, fault.text);
    free(path);
    return fixture;
}

static void run(const struct rig *r, struct clv_trainer *t, size_t count, int batch, double want, double tolerance)
{
    float *x = malloc(count * (size_t)batch * sizeof *x);
    int32_t *labels = malloc((size_t)batch * sizeof *labels);
    double loss = NAN;
    cr_assert(x && labels);
    make_values(x, count * (size_t)batch, 1000, 1, 0);
    for (int i = 0; i < batch; i++)
        labels[i] = i % 2;
    ok(r->ctx, clv_trainer_step(t, x, labels, (size_t)batch, &loss));
    cr_expect(fabs(loss / want - 1) < tolerance, "loss %.8g, PyTorch %.8g", loss, want);
    free(labels);
    free(x);
}

void step_expect(const struct rig *r, struct clv_graph *g, int batch, const json_t *fixture, double tolerance,
                 double least)
{
    const json_t *gradients = json_object_get(fixture, "gradients");
    struct clv_trainer *t = NULL;
    ok(r->ctx, clv_trainer_create(r->dev, g, &(struct clv_trainer_params){
        .batch = batch, .optimizer = "sgd learning_rate=0.1", .keep_gradients = true}, &t));
    int in[3], out[3];
    size_t n = 0;
    clv_graph_shapes(g, in, out);
    for (size_t i = 0; i < clv_trainer_weights(t); i++) {
        struct clv_weight_info info;
        ok(r->ctx, clv_trainer_weight_info(t, i, &info));
        if (!info.state)
            set_weight(r, t, i, n++);
    }
        cr_assert_eq(n, json_array_size(gradients));
    run(r, t, (size_t)in[0] * (size_t)in[1] * (size_t)in[2], batch, json_number_value(json_object_get(fixture, "loss")),
        tolerance / 50);
    for (size_t i = 0, k = 0; i < clv_trainer_weights(t); i++) {
        struct clv_weight_info info;
        ok(r->ctx, clv_trainer_weight_info(t, i, &info));
        if (!info.state)
            expect_gradient(r, t, i, json_array_get(gradients, k++), tolerance, least);
    }
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
}
