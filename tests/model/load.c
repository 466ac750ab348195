/* Finding models: built in, in $CLAVICLE_MODEL_DIR, by path. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/file.h"
#include "base/str.h"
#include "base/tmp.h"
#include "model/model.h"

#include <string.h>

static struct clv_context *ctx;
static char dir[64];

static void setup(void)
{
    ctx = clv_context_create(NULL);
    cr_assert_not_null(ctx);
    tmp_dir(dir);
    unsetenv("CLAVICLE_MODEL_DIR");
}

static void teardown(void)
{
    tmp_remove(dir);
    clv_context_destroy(&ctx);
}

TestSuite(load, .init = setup, .fini = teardown);

/* Writes dir/name; the path is malloc'ed. */
static char *write_model(const char *name, const char *text, size_t size)
{
    char *path = clv_path_join(dir, name);
    cr_assert_eq(clv_file_write(path, text, size, NULL), CLV_OK);
    return path;
}

static struct clv_graph *load(const char *name)
{
    struct clv_graph *g = NULL;
    cr_assert_eq(clv_model_load(ctx, name, NULL, 0, &g), CLV_OK, "%s", clv_error_text(ctx));
    return g;
}

static void expect_fault(const char *name, enum clv_err code, const char *text)
{
    struct clv_graph *g = NULL;
    cr_expect_eq(clv_model_load(ctx, name, NULL, 0, &g), code);
    cr_expect_str_eq(clv_error_text(ctx), text);
    cr_expect_null(g);
}

static void expect_shape(const struct clv_node *x, int h, int w, int c)
{
    cr_expect(x->shape.h == h && x->shape.w == w && x->shape.c == c, "%s is %dx%dx%d", x->name,
              x->shape.h, x->shape.w, x->shape.c);
}

Test(load, builtin_models)
{
    static const struct {
        const char *name;
        int input[3], classes;
        uint64_t parameters;
        const char *last;
    } models[] = {
        /* Keras' count: 896 + 18496 + 73856 + 147584 + 18875392 + 2050. */
        {"tutorial-cnn", {224, 224, 3}, 2, 19118274, "dense_2_softmax"},
        {"lenet", {28, 28, 1}, 10, 61706, "dense_3_softmax"},
        {"mlp", {28, 28, 1}, 10, 118282, "dense_3_softmax"},
        /* torchvision's counts for 1000 classes. */
        {"resnet18", {224, 224, 3}, 1000, 11689512, "dense_1_softmax"},
        {"resnet18-28", {28, 28, 3}, 2, 11169858, "dense_1_softmax"},
        {"resnet50", {224, 224, 3}, 1000, 25557032, "dense_1_softmax"},
        {"vgg16", {224, 224, 3}, 1000, 138357544, "dense_3_softmax"},
        {"densenet121", {224, 224, 3}, 1000, 7978856, "dense_1_softmax"},
        {"unet-small", {128, 128, 3}, 2, 1942594, "conv2d_1_softmax"},
        {"mobilenet-v2", {224, 224, 3}, 1000, 3504872, "dense_1_softmax"},
        {"efficientnet-b0", {224, 224, 3}, 1000, 5288548, "dense_1_softmax"},
    };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        cr_assert_str_eq(clv_model_builtin(i), models[i].name);
        struct clv_graph *g = load(models[i].name);
        expect_shape(g->input, models[i].input[0], models[i].input[1], models[i].input[2]);
        const bool mask = !strcmp(models[i].name, "unet-small");
        expect_shape(g->output, mask ? 128 : 1, mask ? 128 : 1, models[i].classes);
        cr_expect_str_eq(clv_node_name(g->output), models[i].last);
        cr_expect_eq(clv_graph_parameters(g), models[i].parameters, "%s: %llu", models[i].name,
                     (unsigned long long)clv_graph_parameters(g));
        clv_graph_destroy(&g);
    }
    cr_expect_null(clv_model_builtin(sizeof(models) / sizeof(models[0])));
}

Test(load, builtin_models_have_four_variables)
{
    static const struct clv_variable v[] = {
        {"height", 48}, {"width", 64}, {"channels", 2}, {"classes", 7}};
    for (size_t i = 0; clv_model_builtin(i); i++) {
        struct clv_graph *g = NULL;
        cr_assert_eq(clv_model_load(ctx, clv_model_builtin(i), v, 4, &g), CLV_OK, "%s",
                     clv_error_text(ctx));
        expect_shape(g->input, 48, 64, 2);
        const bool mask = !strcmp(clv_model_builtin(i), "unet-small");
        expect_shape(g->output, mask ? 48 : 1, mask ? 64 : 1, 7);
        clv_graph_destroy(&g);
    }
}

Test(load, builtin_models_are_the_files_of_share)
{
    for (const struct clv_builtin_model *m = clv_builtin_models; m->name; m++) {
        unsigned char *text = NULL;
        size_t size;
        char *path =
            clv_strdupf("%s/share/models/%s.model", getenv("CLAVICLE_TEST_SOURCE"), m->name);
        cr_assert_eq(clv_file_read(path, &text, &size, NULL), CLV_OK, "%s", path);
        cr_expect_str_eq((const char *)text, m->text);
        free(text);
        free(path);
    }
}

Test(load, own_models_come_first)
{
    static const char own[] = "input 3 3 1\nflatten\n", bad[] = "input 3 3 1\nx\n";
    free(write_model("mlp.model", own, strlen(own)));
    free(write_model("mine.model", own, strlen(own)));
    free(write_model("bad.model", bad, strlen(bad)));
    expect_fault("mine", CLV_ERR_MODEL,
                 "mine: no built-in model and no file has this name; the built-in models are "
                 "tutorial-cnn, lenet, mlp, resnet18, resnet18-28, resnet50, vgg16, densenet121, unet-small, mobilenet-v2, efficientnet-b0");
    setenv("CLAVICLE_MODEL_DIR", dir, 1);
    static const char *const names[] = {"mine", "mlp"};
    for (size_t i = 0; i < 2; i++) {
        struct clv_graph *g = load(names[i]);
        expect_shape(g->output, 1, 1, 9);
        clv_graph_destroy(&g);
    }
    struct clv_graph *g = NULL;
    cr_expect_eq(clv_model_load(ctx, "bad", NULL, 0, &g), CLV_ERR_MODEL);
    char *begin = clv_strdupf("%s/bad.model:2:1: unknown layer 'x'", dir);
    cr_expect_eq(strncmp(clv_error_text(ctx), begin, strlen(begin)), 0, "%s", clv_error_text(ctx));
    free(begin);
    /* The rest is still there. */
    g = load("lenet");
    clv_graph_destroy(&g);
}

Test(load, paths)
{
    static const char text[] = "input 3 3 1\nflatten", zero[] = "input 3 3 1\n\0flatten";
    char *path = write_model("any.txt", text, strlen(text));
    struct clv_graph *g = load(path);
    expect_shape(g->output, 1, 1, 9);
    clv_graph_destroy(&g);
    free(path);

    path = write_model("zero", zero, sizeof(zero) - 1);
    char *message = clv_strdupf("%s: is no model file: it holds zero bytes", path);
    expect_fault(path, CLV_ERR_MODEL, message);
    free(message);
    free(path);

    expect_fault("./no-such-file", CLV_ERR_IO,
                 "cannot read ./no-such-file: No such file or directory");
    expect_fault("lenett", CLV_ERR_MODEL,
                 "lenett: no built-in model and no file has this name; did you mean lenet?; the "
                 "built-in models are tutorial-cnn, lenet, mlp, resnet18, resnet18-28, resnet50, vgg16, densenet121, unet-small, mobilenet-v2, efficientnet-b0");
    expect_fault("", CLV_ERR_MODEL,
                 ": no built-in model and no file has this name; the built-in models are "
                 "tutorial-cnn, lenet, mlp, resnet18, resnet18-28, resnet50, vgg16, densenet121, unet-small, mobilenet-v2, efficientnet-b0");
}
