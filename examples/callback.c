/* Clavicle inside a program that has its own OpenCL context: batches come from a callback, progress and
 * log lines go to callbacks, and the progress callback ends the training when the loss is low enough.
 *
 *     cc callback.c -o callback $(pkg-config --cflags --libs clavicle OpenCL) */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <clavicle/clavicle.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 16, SAMPLE = SIZE * SIZE, CLASSES = 3, PER_EPOCH = 40 };

/* ---- batches: images that are made, or read from a camera, a database, a socket ---- */

struct generator { int batches_left; uint32_t random; };

static float uniform(struct generator *g)
{
    g->random = g->random * 1664525u + 1013904223u;
    return (float)(g->random >> 8) / 16777216.f;
}

/* Fills up to `batch` samples and returns how many; 0 ends the epoch, a clv_err would end the fit. */
static int next_batch(void *priv, int batch, float *x, int32_t *labels)
{
    struct generator *g = priv;
    if (!g->batches_left--)
        return 0;
    for (int i = 0; i < batch; i++) {
        const int label = (int)(uniform(g) * CLASSES), top = label * SIZE / CLASSES;
        for (int k = 0; k < SAMPLE; k++) {
            const int row = k / SIZE;
            x[i * SAMPLE + k] = .5f * uniform(g) + (row >= top && row < top + 4 ? .2f : 0);
        }
        labels[i] = label;
    }
    return batch;
}

static int rewind_batches(void *priv, uint64_t epoch)
{
    *(struct generator *)priv = (struct generator){.batches_left = PER_EPOCH,
                                                   .random = (uint32_t)epoch + 1};
    return 0;
}

/* ---- what happens ---- */

static void log_line(void *priv, enum clv_log_level level, const char *line)
{
    fprintf(stderr, "%s%s: %s\n", (const char *)priv, level <= CLV_LOG_WARN ? " warning" : "", line);
}

/* Nonzero ends the training after the step in flight; the weights stay usable. */
static int on_event(void *priv, const struct clv_event *e)
{
    const double enough = *(const double *)priv;
    if (e->kind == CLV_EVENT_EPOCH)
        printf("epoch %d of %d: loss %.4f, accuracy %.3f\n", e->epoch, e->epochs, e->loss, e->accuracy);
    if (e->kind == CLV_EVENT_END)
        printf("ended: %s\n", e->stop_reason);
    return e->kind == CLV_EVENT_BATCH && e->loss < enough;
}

/* ---- the OpenCL objects of this program ---- */

struct opencl { cl_device_id device; cl_context context; cl_command_queue queue; };

static int opencl_open(struct opencl *cl)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;
    cl_int err = clGetPlatformIDs(16, platforms, &n);
    for (cl_uint i = 0; i < n && i < 16 && !cl->device; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &cl->device, NULL))
            cl->device = NULL;
    if (err || !cl->device)
        return 0;
    cl->context = clCreateContext(NULL, 1, &cl->device, NULL, NULL, &err);
    if (cl->context)
        cl->queue = clCreateCommandQueue(cl->context, cl->device, 0, &err); /* in order */
    return cl->queue != NULL;
}

static void opencl_close(struct opencl *cl)
{
    if (cl->queue)
        clReleaseCommandQueue(cl->queue);
    if (cl->context)
        clReleaseContext(cl->context);
}

static enum clv_err train(struct clv_device *dev, struct clv_graph *graph)
{
    struct generator made = {0};
    const struct clv_batch_source source = {
        .next = next_batch, .rewind = rewind_batches, .priv = &made, .batches = PER_EPOCH};
    double enough = .05;
    struct clv_trainer *t = NULL;
    enum clv_err e = clv_trainer_create(dev, graph, &(struct clv_trainer_params){
        .batch = 16, .seed = 7, .optimizer = "adam learning_rate=0.003"}, &t);
    if (!e)
        e = clv_trainer_fit(t, &source, NULL, &(struct clv_fit_params){
            .epochs = 20, .on_event = on_event, .priv = &enough});
    clv_trainer_destroy(&t);
    return e;
}

int main(void)
{
    static char name[] = "callback";
    struct opencl cl = {0};
    if (!opencl_open(&cl)) {
        fprintf(stderr, "callback: no OpenCL device; %s\n", clv_device_install_hint());
        return 1;
    }
    struct clv_context *ctx = clv_context_create(
        &(struct clv_context_params){.log = log_line, .log_priv = name, .log_level = CLV_LOG_INFO});
    struct clv_graph *graph = NULL;
    struct clv_device *dev = NULL;
    enum clv_err e = clv_model_parse(ctx, "input 16 16 1\n"
                                          "conv2d filters=8 kernel_size=3 activation=relu\n"
                                          "maxpool2d pool_size=2\n"
                                          "flatten\n"
                                          "dense units=3 activation=softmax\n",
                                     "callback", NULL, 0, &graph);
    if (!e)
        e = clv_device_open(ctx, &(struct clv_device_params){
            .cl_context = cl.context, .cl_device = cl.device, .cl_queue = cl.queue}, &dev);
    if (!e)
        e = train(dev, graph);
    if (e)
        fprintf(stderr, "callback: %s\n", clv_error_text(ctx));
    clv_device_close(&dev);
    clv_graph_destroy(&graph);
    clv_context_destroy(&ctx);
    opencl_close(&cl);
    return e ? 1 : 0;
}
