/* Whatever the parser takes, printing gives text that makes the same graph; and it takes or refuses
 * any bytes without harm (build with -Db_sanitize=address,undefined to see it). */
#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "model/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
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

TestSuite(roundtrip, .init = setup, .fini = teardown);

/* JSON shows every node with name, op, options, inputs, shape and weights. */
static void expect_roundtrip(const struct clv_graph *g)
{
    struct clv_graph *again = NULL;
    char *text = clv_graph_print(g, CLV_GRAPH_MODEL), *json = clv_graph_print(g, CLV_GRAPH_JSON);
    cr_assert_not_null(text);
    cr_assert_eq(clv_model_parse(ctx, text, "again", NULL, 0, &again), CLV_OK, "%s\n%s", text,
                 clv_error_text(ctx));
    char *json2 = clv_graph_print(again, CLV_GRAPH_JSON);
    cr_expect_str_eq(json2, json, "%s", text);
    char *text2 = clv_graph_print(again, CLV_GRAPH_MODEL);
    cr_expect_str_eq(text2, text);
    free(text);
    free(text2);
    free(json);
    free(json2);
    clv_graph_destroy(&again);
}

Test(roundtrip, builtin_models)
{
    for (const struct clv_builtin_model *m = clv_builtin_models; m->name; m++) {
        struct clv_graph *g = NULL;
        cr_assert_eq(clv_model_parse(ctx, m->text, m->name, NULL, 0, &g), CLV_OK, "%s",
                     clv_error_text(ctx));
        expect_roundtrip(g);
        clv_graph_destroy(&g);
    }
}

/* Only C can read what lies before an activation that was written as an option. */
Test(roundtrip, value_before_an_activation)
{
    struct clv_graph *g = clv_graph_create(ctx);
    struct clv_node *x = clv_input(g, 3, 3, 2);
    x = clv_layer(g, x, "conv2d filters=2 kernel_size=1 activation=relu");
    x = clv_layer2(g, x, clv_graph_find(g, "conv2d_1"), "add");
    x = clv_layer(g, x, "relu");
    clv_graph_output(g, clv_layer(g, x, "last = conv2d 2 1 activation=tanh"));
    cr_assert_eq(clv_graph_check(g), CLV_OK, "%s", clv_error_text(ctx));
    char *text = clv_graph_print(g, CLV_GRAPH_MODEL);
    cr_expect_str_eq(text, "input height=3 width=3 channels=2\n"
                           "conv2d filters=2 kernel_size=1x1\n"
                           "conv2d_1_relu = relu\n"
                           "add from=conv2d_1_relu,conv2d_1\n"
                           "relu_1 = relu\n"
                           "last = conv2d filters=2 kernel_size=1x1 activation=tanh\n");
    free(text);
    expect_roundtrip(g);
    clv_graph_destroy(&g);
}

/* The output may be a layer with others behind it: the text ends with the output. */
Test(roundtrip, output_before_the_end)
{
    struct clv_graph *g = clv_graph_create(ctx);
    struct clv_node *x = clv_layer(g, clv_input(g, 3, 3, 2), "flatten");
    clv_layer(g, x, "relu");
    clv_graph_output(g, x);
    char *text = clv_graph_print(g, CLV_GRAPH_MODEL);
    cr_expect_str_eq(text, "input height=3 width=3 channels=2\nflatten\n");
    free(text);
    clv_graph_destroy(&g);

    g = clv_graph_create(ctx);
    clv_layer(g, clv_input(g, 3, 3, 2), "flatten activation=relu");
    clv_graph_output(g, clv_graph_find(g, "flatten_1"));
    text = clv_graph_print(g, CLV_GRAPH_MODEL);
    cr_expect_str_eq(text, "input height=3 width=3 channels=2\nflatten\n");
    free(text);
    clv_graph_destroy(&g);
}

/* A legal model of up to 30 lines: every layer keeps the shape, so that any may be added to any. */
static char *random_model(struct clv_rng *r)
{
    static const char *const layers[] = {
        "relu",
        "dropout 0.5",
        "tanh",
        "conv2d 2 3 padding=same use_bias=no",
        "maxpool2d 3 strides=1 padding=same",
        "avgpool2d 3 strides=1 padding=1 count_padding=true",
        "conv2d filters=2 kernel_size=1x3 padding=same",
    };
    static const char *const acts[] = {"", "", " activation=relu", " activation=softmax",
                                       " activation=linear"};
    struct clv_str s = {0};
    const int n = 1 + (int)clv_rng_below(r, 30);
    clv_str_add(&s, "let c = 2\nn0 = input 4 4 $c\n");
    const bool block = clv_rng_below(r, 2) == 0;
    if (block)
        clv_str_add(&s, "block b act=relu\n repeat 2\n  a = relu\n  add from=in,a activation=$act\n end\nend\n");
    for (int i = 1; i <= n; i++) {
        const int a = (int)clv_rng_below(r, (uint32_t)i), b = (int)clv_rng_below(r, (uint32_t)i);
        clv_str_addf(&s, "n%d = ", i);
        if (block && clv_rng_below(r, 4) == 0) {
            clv_str_addf(&s, "b from=n%d\n", a);
            continue;
        }
        if (clv_rng_below(r, 4) == 0)
            clv_str_addf(&s, "add from=n%d,n%d", a, b);
        else
            clv_str_add(&s, layers[clv_rng_below(r, CLV_COUNT(layers))]);
        clv_str_add(&s, acts[clv_rng_below(r, CLV_COUNT(acts))]);
        clv_str_add(&s, "\n");
        /* An unnamed line now and then: automatic names must come out again. */
        if (clv_rng_below(r, 3) == 0)
            clv_str_addf(&s, "%s%s\n", layers[clv_rng_below(r, CLV_COUNT(layers))],
                         acts[clv_rng_below(r, CLV_COUNT(acts))]);
    }
    return clv_str_take(&s);
}

Test(roundtrip, random_graphs)
{
    struct clv_rng r = clv_rng_init(1, 0);
    for (int i = 0; i < 300; i++) {
        struct clv_graph *g = NULL;
        char *text = random_model(&r);
        cr_assert_eq(clv_model_parse(ctx, text, "random", NULL, 0, &g), CLV_OK, "%s\n%s", text,
                     clv_error_text(ctx));
        expect_roundtrip(g);
        clv_graph_destroy(&g);
        free(text);
    }
}

/* ---- any bytes ---- */

static uint64_t n_taken;

static void expect_no_harm(const char *text)
{
    struct clv_graph *g = NULL;
    const enum clv_err e = clv_model_parse(ctx, text, "f", NULL, 0, &g);
    if (e) {
        cr_assert_eq(e, CLV_ERR_MODEL, "%s", clv_error_text(ctx));
        cr_assert_null(g);
        cr_assert_eq(strncmp(clv_error_text(ctx), "f:", 2), 0, "%s", clv_error_text(ctx));
        return;
    }
    n_taken++;
    for (enum clv_graph_format f = CLV_GRAPH_TABLE; f <= CLV_GRAPH_DOT; f++)
        free(clv_graph_print(g, f));
    expect_roundtrip(g);
    clv_graph_destroy(&g);
}

static uint32_t below(struct clv_rng *r, size_t n)
{
    return clv_rng_below(r, (uint32_t)n);
}

/* A few changes: a byte, a piece cut out, a piece doubled, a word of the language put in. */
static void mutate(struct clv_rng *r, struct clv_str *s)
{
    static const char *const words[] = {
        "let ",
        "from=",
        "_",
        ",",
        "=",
        "$",
        "${",
        "}",
        "#",
        "\n",
        "input 1 1 1\n",
        "add from=_,_\n",
        "activation=softmax ",
        "x = ",
        "2147483647",
        "-1",
        "0",
        "1e9",
        "strides=4096",
        "flatten\n",
        " ",
        "$height",
        "groups=3",
        "units=2147483647",
        "padding=same ",
        "block b x=3\n",
        "repeat 2\n",
        "end\n",
        "b 1\n",
        "$x",
        "\xff",
        "\r",
    };
    const size_t at = below(r, s->len + 1), most = below(r, 40), n = CLV_MIN(most, s->len - at);
    struct clv_str out = {0};
    clv_str_add_bytes(&out, s->text, at);
    const char byte = (char)(1 + below(r, 255));
    switch (below(r, 4)) {
    case 0:
        clv_str_add_bytes(&out, &byte, 1);
        clv_str_add(&out, s->text + at + (at < s->len));
        break;
    case 1:
        clv_str_add(&out, s->text + at + n);
        break;
    case 2:
        clv_str_add_bytes(&out, s->text + at, n);
        clv_str_add(&out, s->text + at);
        break;
    default:
        clv_str_add(&out, words[below(r, CLV_COUNT(words))]);
        clv_str_add(&out, s->text + at);
        break;
    }
    clv_str_finish(s);
    *s = out;
}

Test(roundtrip, mutated_models, .timeout = 60)
{
    struct clv_rng r = clv_rng_init(2, 0);
    for (int i = 0; i < 6000; i++) {
        struct clv_str s = {0};
        char *random = random_model(&r);
        clv_str_add(&s, i % 4 ? random : clv_builtin_models[below(&r, 3) ? below(&r, 3) : 4].text);
        free(random);
        for (uint32_t k = 1 + below(&r, 4); k; k--)
            mutate(&r, &s);
        expect_no_harm(s.text);
        clv_str_finish(&s);
    }
    /* Neither always refused nor never: the loop reaches both ends. */
    cr_expect_gt(n_taken, 200);
    cr_expect_lt(n_taken, 5500);
}

Test(roundtrip, random_bytes)
{
    struct clv_rng r = clv_rng_init(3, 0);
    for (int i = 0; i < 5000; i++) {
        char text[128] = "";
        const uint32_t n = below(&r, sizeof(text));
        for (uint32_t k = 0; k < n; k++)
            text[k] = (char)(i % 2 ? 1 + below(&r, 255) : 32 + below(&r, 95));
        expect_no_harm(text);
    }
}
