/* Shapes, weights and shape errors of the layers, as the documentation of each option promises.
 * Sizes are Keras' own (conv and pooling arithmetic:
 * https://keras.io/api/layers/convolution_layers/). */
#include "graph/graph.h"
#include "graph/op.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct clv_context *ctx;

static void setup(void)
{
    ctx = clv_context_create(NULL);
    cr_assert_not_null(ctx);
}

static void teardown(void)
{
    clv_context_destroy(&ctx);
}

TestSuite(infer, .init = setup, .fini = teardown);

struct shape_case {
    int in[3];
    const char *layer;
    int out[3];
    uint64_t parameters;
};

static void expect_shapes(const struct shape_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct shape_case *c = &cases[i];
        int out[3];
        struct clv_graph *g = clv_graph_create(ctx);
        struct clv_node *x = clv_input(g, c->in[0], c->in[1], c->in[2]);
        x = clv_layer(g, x, "%s", c->layer);
        clv_graph_output(g, x);
        cr_expect_eq(clv_graph_check(g), CLV_OK, "%s: %s", c->layer, clv_error_text(ctx));
        clv_node_shape(x, out);
        cr_expect(!memcmp(out, c->out, sizeof(out)), "%s: %dx%dx%d, not %dx%dx%d", c->layer, out[0],
                  out[1], out[2], c->out[0], c->out[1], c->out[2]);
        cr_expect_eq(clv_graph_parameters(g), c->parameters, "%s: %llu parameters", c->layer,
                     (unsigned long long)clv_graph_parameters(g));
        clv_graph_destroy(&g);
    }
}

#define EXPECT_SHAPES(cases) expect_shapes((cases), sizeof(cases) / sizeof((cases)[0]))

Test(infer, conv2d)
{
    static const struct shape_case cases[] = {
        {{7, 9, 3}, "conv2d 4", {5, 7, 4}, 3 * 3 * 3 * 4 + 4},
        {{7, 9, 3}, "conv2d 4 1", {7, 9, 4}, 3 * 4 + 4},
        {{7, 9, 3}, "conv2d 4 7x9", {1, 1, 4}, 7 * 9 * 3 * 4 + 4},
        {{7, 9, 3}, "conv2d 4 3x5 use_bias=no", {5, 5, 4}, 3 * 5 * 3 * 4},
        {{7, 9, 3}, "conv2d 4 3 strides=2", {3, 4, 4}, 112},
        {{8, 9, 3}, "conv2d 4 3 strides=3x2", {2, 4, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 padding=same", {7, 9, 4}, 112},
        {{7, 8, 3}, "conv2d 4 3 strides=2 padding=same", {4, 4, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 strides=9 padding=same", {1, 1, 4}, 112},
        {{1, 1, 3}, "conv2d 4 3 padding=same", {1, 1, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 padding=1", {7, 9, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 padding=1,0", {7, 7, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 padding=0,1,2,3", {7, 11, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 dilation_rate=2", {3, 5, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 dilation_rate=3x4", {1, 1, 4}, 112},
        {{7, 9, 3}, "conv2d 4 3 dilation_rate=2 padding=same", {7, 9, 4}, 112},
        {{7, 9, 6}, "conv2d 4 3 groups=2", {5, 7, 4}, 3 * 3 * 3 * 4 + 4},
        {{7, 9, 4}, "conv2d 4 3 groups=4", {5, 7, 4}, 3 * 3 * 4 + 4},
    };
    EXPECT_SHAPES(cases);
}

Test(infer, pooling)
{
    static const struct shape_case cases[] = {
        {{7, 8, 3}, "maxpool2d", {3, 4, 3}, 0},
        {{7, 8, 3}, "avgpool2d 2", {3, 4, 3}, 0},
        {{7, 8, 3}, "maxpool2d 2 padding=same", {4, 4, 3}, 0},
        {{7, 8, 3}, "maxpool2d 3x2", {2, 4, 3}, 0},
        {{7, 8, 3}, "maxpool2d 3 strides=1", {5, 6, 3}, 0},
        {{7, 8, 3}, "avgpool2d 3 strides=2x1 padding=same", {4, 8, 3}, 0},
        {{7, 8, 3}, "maxpool2d 7x8", {1, 1, 3}, 0},
        {{5, 6, 3}, "conv2dtranspose 4 2 strides=2", {10, 12, 4}, 2 * 2 * 3 * 4 + 4},
        {{5, 6, 3}, "conv2dtranspose 4 3 strides=2", {11, 13, 4}, 3 * 3 * 3 * 4 + 4},
        {{5, 6, 3}, "conv2dtranspose 4 2 strides=3", {15, 18, 4}, 2 * 2 * 3 * 4 + 4},
        {{5, 6, 3}, "conv2dtranspose 4 2 strides=3 padding=0", {14, 17, 4}, 2 * 2 * 3 * 4 + 4},
        {{5, 6, 3}, "conv2dtranspose 4 3 strides=2 padding=same use_bias=no", {10, 12, 4}, 3 * 3 * 3 * 4},
        {{5, 6, 3}, "conv2dtranspose 4 3 strides=2 padding=1 output_padding=1x0", {10, 11, 4}, 3 * 3 * 3 * 4 + 4},
        {{5, 6, 4}, "conv2dtranspose 6 3 dilation_rate=2 groups=2", {9, 10, 6}, 3 * 3 * 3 * 4 + 6},
        {{112, 112, 3}, "maxpool2d 3 strides=2 padding=1", {56, 56, 3}, 0},
        {{7, 8, 3}, "avgpool2d 3 strides=2 padding=1,0", {4, 3, 3}, 0},
        {{7, 8, 3}, "avgpool2d 3 strides=2 padding=0,1,2,0", {4, 4, 3}, 0},
        {{7, 8, 3}, "globalavgpool2d", {1, 1, 3}, 0},
    };
    EXPECT_SHAPES(cases);
}

Test(infer, others)
{
    static const struct shape_case cases[] = {
        {{7, 8, 3}, "flatten", {1, 1, 168}, 0},
        {{1, 1, 168}, "dense 5", {1, 1, 5}, 168 * 5 + 5},
        {{1, 1, 168}, "dense 5 use_bias=no", {1, 1, 5}, 168 * 5},
        {{1, 1, 1}, "dense 1", {1, 1, 1}, 2},
        {{7, 8, 3}, "relu", {7, 8, 3}, 0},
        {{7, 8, 3}, "sigmoid", {7, 8, 3}, 0},
        {{7, 8, 3}, "tanh", {7, 8, 3}, 0},
        {{7, 8, 3}, "softmax", {7, 8, 3}, 0},
        {{7, 8, 3}, "dropout 0.5", {7, 8, 3}, 0},
    };
    EXPECT_SHAPES(cases);
}

Test(infer, weights_have_their_fans)
{
    struct clv_graph *g = clv_graph_create(ctx);
    struct clv_node *x = clv_input(g, 8, 8, 6);
    x = clv_layer(g, x, "conv2d 4 3x5 groups=2 kernel_initializer=he_normal l1=0.25 l2=0.5");
    cr_assert_eq(x->n_weights, 2, "%s", g->err.text);
    const struct clv_weight *k = &x->weights[0], *b = &x->weights[1];
    cr_expect_str_eq(k->name, "kernel");
    cr_expect_eq(k->n_dims, 4);
    cr_expect(!memcmp(k->dims, (int[]){3, 5, 3, 4}, sizeof(k->dims)), "HWIO");
    cr_expect_eq(k->count, 180);
    cr_expect_eq(k->init, CLV_INIT_HE_NORMAL);
    /* Keras' rule (VarianceScaling): receptive field x the kernel's own input and output channels.
     */
    cr_expect_eq(k->fan_in, 3 * 5 * 3);
    cr_expect_eq(k->fan_out, 3 * 5 * 4);
    cr_expect_eq(k->l1, 0.25);
    cr_expect_eq(k->l2, 0.5);
    cr_expect_str_eq(b->name, "bias");
    cr_expect_eq(b->count, 4);
    cr_expect_eq(b->init, CLV_INIT_ZEROS);
    cr_expect_eq(b->l1, 0);
    cr_expect_eq(b->l2, 0);
    x = clv_layer(g, clv_layer(g, x, "flatten"), "dense 7");
    cr_assert_eq(x->n_weights, 2, "%s", g->err.text);
    k = &x->weights[0];
    cr_expect_eq(k->n_dims, 2);
    cr_expect(k->dims[0] == 6 * 4 * 4 && k->dims[1] == 7);
    cr_expect_eq(k->init, CLV_INIT_GLOROT_UNIFORM);
    cr_expect_eq(k->fan_in, 6 * 4 * 4);
    cr_expect_eq(k->fan_out, 7);
    clv_graph_destroy(&g);
}

/* A fault names the layer, the shapes and a way out; a part of the text is enough here. */
Test(infer, faults)
{
    static const struct {
        int in[3];
        const char *layer;
        enum clv_err code;
        const char *parts[3];
    } cases[] = {
        {{2, 2, 1}, "conv2d 4 3", CLV_ERR_SHAPE, {"conv2d_1: ", "2x2x1", "3x3"}},
        {{4, 4, 1}, "x = conv2d 4 3 dilation_rate=2", CLV_ERR_SHAPE, {"x: ", "4x4x1", "dilation"}},
        {{4, 4, 3}, "conv2d 4 3 groups=2", CLV_ERR_SHAPE, {"conv2d_1: ", "groups=2", "3 channels"}},
        {{4, 4, 4}, "conv2d 3 3 groups=2", CLV_ERR_SHAPE, {"conv2d_1: ", "groups=2", "filters=3"}},
        {{4, 4, 4}, "conv2d 3 3 padding=some", CLV_ERR_MODEL, {"conv2d_1: ", "padding=some"}},
        {{4, 4, 4}, "conv2d 3 3 padding=1,2,3", CLV_ERR_MODEL, {"conv2d_1: ", "padding=1,2,3"}},
        {{4, 4, 4}, "conv2d", CLV_ERR_ARG, {"conv2d_1: ", "filters is missing"}},
        {{4, 4, 4}, "conv2d 0", CLV_ERR_ARG, {"conv2d_1: ", "filters=0"}},
        {{2, 2, 1}, "maxpool2d 3", CLV_ERR_SHAPE, {"maxpool2d_1: ", "2x2x1", "3x3"}},
        {{4, 4, 1}, "conv2dtranspose 1 2 output_padding=1", CLV_ERR_MODEL, {"conv2dtranspose_1: ", "1x1", "padding"}},
        {{1, 4, 1}, "conv2dtranspose 1 3 padding=2", CLV_ERR_SHAPE, {"conv2dtranspose_1: ", "1x4x1", "3x3"}},
        {{4, 4, 3}, "conv2dtranspose 4 3 groups=2", CLV_ERR_SHAPE, {"conv2dtranspose_1: ", "groups=2", "filters=4"}},
        {{4, 4, 1}, "maxpool2d 2 padding=2", CLV_ERR_MODEL, {"maxpool2d_1: ", "padding=2", "2x2"}},
        {{4, 4, 1}, "avgpool2d 3 padding=all", CLV_ERR_MODEL, {"avgpool2d_1: ", "padding=all", "4096"}},
        {{2, 2, 1}, "avgpool2d 1x3", CLV_ERR_SHAPE, {"avgpool2d_1: ", "2x2x1", "1x3"}},
        {{2, 2, 1}, "dense", CLV_ERR_ARG, {"dense_1: ", "units is missing"}},
        {{2, 2, 1}, "dropout 1", CLV_ERR_ARG, {"dropout_1: ", "rate=1"}},
        {{2, 2, 1}, "conv2d 4 padding=same activation=selu", CLV_ERR_ARG, {"conv2d_1: ", "selu"}},
        {{65536, 32767, 1}, "conv2d 2 1", CLV_ERR_SHAPE, {"conv2d_1: ", "65536x32767x2"}},
        {{1024, 1024, 2047}, "dense 2", CLV_ERR_MODEL, {"dense_1: ", "kernel", "2147483647"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct clv_graph *g = clv_graph_create(ctx);
        clv_layer(g, clv_input(g, cases[i].in[0], cases[i].in[1], cases[i].in[2]), "%s",
                  cases[i].layer);
        cr_expect_eq(clv_graph_check(g), cases[i].code, "%s: %s", cases[i].layer,
                     clv_error_text(ctx));
        for (size_t k = 0; k < 3 && cases[i].parts[k]; k++)
            cr_expect_not_null(strstr(clv_error_text(ctx), cases[i].parts[k]), "%s: %s",
                               cases[i].layer, clv_error_text(ctx));
        const char *at = strstr(clv_error_text(ctx), cases[i].parts[0]);
        cr_expect_eq(at, clv_error_text(ctx), "%s", clv_error_text(ctx));
        clv_graph_destroy(&g);
    }
}
