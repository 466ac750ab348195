/* Times a training step and inference of a model, from a random batch in ordinary host memory to loss
 * or probabilities in host memory, each awaited: the medians as one JSON line.
 *
 *     bench_tutorial [MODEL [BATCH [DEVICE]]]        default: tutorial-cnn 32 */
#include <clavicle/clavicle.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS = 7, SMALL_STEPS = 30 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *seconds, int n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    return seconds[n / 2];
}

struct bench { struct clv_trainer *t; float *x, *out; int32_t *labels; int batch; };

static enum clv_err time_training(struct bench *b, double *ret)
{
    double s[STEPS], loss;
    for (int i = -2; i < STEPS; i++) {
        const double begin = now();
        const enum clv_err e = clv_trainer_step(b->t, b->x, b->labels, b->batch, &loss);
        if (e)
            return e;
        if (i >= 0)
            s[i] = now() - begin;
    }
    *ret = median(s, STEPS);
    return CLV_OK;
}

static enum clv_err time_inference(struct bench *b, int n, int steps, double *ret)
{
    double s[SMALL_STEPS];
    for (int i = -2; i < steps; i++) {
        const double begin = now();
        const enum clv_err e = clv_trainer_predict(b->t, b->x, (size_t)n, b->out);
        if (e)
            return e;
        if (i >= 0)
            s[i] = now() - begin;
    }
    *ret = median(s, steps);
    return CLV_OK;
}

static enum clv_err fill(struct bench *b, const struct clv_graph *g)
{
    int in[3], out[3];
    clv_graph_shapes(g, in, out);
    const size_t count = (size_t)in[0] * (size_t)in[1] * (size_t)in[2] * (size_t)b->batch;
    b->x = malloc(count * sizeof *b->x);
    b->out = malloc((size_t)out[0] * (size_t)out[1] * (size_t)out[2] * (size_t)b->batch * sizeof *b->out);
    b->labels = malloc((size_t)b->batch * sizeof *b->labels);
    if (!b->x || !b->out || !b->labels)
        return CLV_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        b->x[i] = (float)rand() / (float)RAND_MAX;
    for (int i = 0; i < b->batch; i++)
        b->labels[i] = i % 2;
    return CLV_OK;
}

int main(int argc, char **argv)
{
    struct bench b = {.batch = argc > 2 ? atoi(argv[2]) : 32};
    struct clv_context *ctx = clv_context_create(NULL);
    struct clv_device *dev = NULL;
    struct clv_graph *g = NULL;
    struct clv_trainer *single = NULL;
    double train = 0, infer = 0, infer1 = 0;
    enum clv_err e = clv_model_load(ctx, argc > 1 ? argv[1] : "tutorial-cnn", NULL, 0, &g);
    if (!e)
        e = clv_device_open(ctx, &(struct clv_device_params){.select = argc > 3 ? argv[3] : NULL}, &dev);
    if (!e)
        e = fill(&b, g);
    if (!e)
        e = clv_trainer_create(dev, g, &(struct clv_trainer_params){.batch = b.batch}, &b.t);
    if (!e)
        e = time_training(&b, &train);
    if (!e)
        e = time_inference(&b, b.batch, STEPS, &infer);
    clv_trainer_destroy(&b.t);
    if (!e) /* one image at a time has a plan of its own */
        e = clv_trainer_create(dev, g, &(struct clv_trainer_params){.batch = 1, .inference_only = true}, &single);
    b.t = single;
    if (!e)
        e = time_inference(&b, 1, SMALL_STEPS, &infer1);
    if (e)
        fprintf(stderr, "bench_tutorial: %s\n", clv_error_text(ctx));
    else
        printf("{\"train%d\": %.6f, \"infer%d\": %.6f, \"infer1\": %.6f}\n", b.batch, train, b.batch, infer, infer1);
    clv_trainer_destroy(&b.t);
    clv_device_close(&dev);
    clv_graph_destroy(&g);
    clv_context_destroy(&ctx);
    free(b.x);
    free(b.out);
    free(b.labels);
    return e != CLV_OK;
}
