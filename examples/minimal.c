/* The smallest whole program: a network that tells whether the left or the right half of an image is
 * brighter, trained on samples in memory.
 *
 *     cc minimal.c -o minimal $(pkg-config --cflags --libs clavicle) */
#include <clavicle/clavicle.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 512, SIZE = 16 };
static float x[N][SIZE][SIZE], prob[N][2];
static int32_t labels[N];

/* Replace this by what reads your images: values in 0..1, a class number for each. */
static void make_samples(void)
{
    for (int i = 0; i < N; i++) {
        labels[i] = rand() % 2;
        for (int r = 0; r < SIZE; r++)
            for (int c = 0; c < SIZE; c++)
                x[i][r][c] = (float)rand() / (float)RAND_MAX - ((c < SIZE / 2) == labels[i] ? .2f : 0);
    }
}

int main(void)
{
    struct clv_context *ctx = clv_context_create(NULL);
    struct clv_device *dev = NULL;
    struct clv_trainer *trainer = NULL;
    make_samples();
    struct clv_graph *g = clv_graph_create(ctx);
    struct clv_node *n = clv_input(g, SIZE, SIZE, 1);
    n = clv_layer(g, n, "conv2d filters=8 kernel_size=3 activation=relu");
    n = clv_layer(g, n, "maxpool2d pool_size=2");
    n = clv_layer(g, n, "flatten");
    n = clv_layer(g, n, "dense units=2 activation=softmax");
    clv_graph_output(g, n);
    const struct clv_batch_source train = {.x = x[0][0], .labels = labels, .n = N};
    enum clv_err e = clv_device_open(ctx, NULL, &dev);
    if (!e)
        e = clv_trainer_create(dev, g, &(struct clv_trainer_params){.seed = 1}, &trainer);
    if (!e)
        e = clv_trainer_fit(trainer, &train, NULL, &(struct clv_fit_params){.epochs = 5});
    if (!e)
        e = clv_trainer_predict(trainer, x[0][0], N, prob[0]);
    if (e)
        fprintf(stderr, "minimal: %s\n", clv_error_text(ctx));
    int right = 0;
    for (int i = 0; i < N; i++)
        right += prob[i][labels[i]] > .5f;
    printf("%d of %d right\n", right, N);
    clv_trainer_destroy(&trainer);
    clv_graph_destroy(&g);
    clv_device_close(&dev);
    clv_context_destroy(&ctx);
    return e ? 1 : 0;
}
