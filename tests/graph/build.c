/* Building graphs through the public interface: names, inputs, activations, sticky errors. */
#include "graph/graph.h"
#include "graph/op.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct clv_context *ctx;
static struct clv_graph *g;

static void setup(void)
{
    ctx = clv_context_create(NULL);
    g = clv_graph_create(ctx);
    cr_assert_not_null(g);
}

static void teardown(void)
{
    clv_graph_destroy(&g);
    clv_context_destroy(&ctx);
}

TestSuite(build, .init = setup, .fini = teardown);

static void expect_shape(const struct clv_node *x, int h, int w, int c)
{
    int shape[3];
    clv_node_shape(x, shape);
    cr_expect(shape[0] == h && shape[1] == w && shape[2] == c, "%s is %dx%dx%d", clv_node_name(x),
              shape[0], shape[1], shape[2]);
}

/* The graph failed with this text; a new graph takes its place. */
static void expect_fault(enum clv_err code, const char *text)
{
    cr_expect_eq(clv_graph_check(g), code, "%s", text);
    cr_expect_str_eq(clv_error_text(ctx), text);
    clv_graph_destroy(&g);
    g = clv_graph_create(ctx);
}

Test(build, names_and_shapes)
{
    struct clv_node *x = clv_input(g, 7, 5, 3);
    struct clv_node *a = clv_layer(g, x, "relu");
    struct clv_node *b = clv_layer(g, a, "my-name = relu");
    struct clv_node *c = clv_layer(g, b, "  relu");
    struct clv_node *d = clv_layer(g, c, "%s =%s", "row_2", "flatten");
    clv_graph_output(g, d);
    cr_expect_eq(clv_graph_check(g), CLV_OK, "%s", clv_error_text(ctx));
    cr_expect_str_eq(clv_node_name(x), "input_1");
    cr_expect_str_eq(clv_node_name(a), "relu_1");
    cr_expect_str_eq(clv_node_name(b), "my-name");
    cr_expect_str_eq(clv_node_name(c), "relu_3", "naming a layer must not rename later ones");
    cr_expect_str_eq(clv_node_name(d), "row_2");
    expect_shape(b, 7, 5, 3);
    expect_shape(d, 1, 1, 105);
    cr_expect_eq(clv_graph_find(g, "my-name"), b);
    cr_expect_null(clv_graph_find(g, "my"));
    cr_expect(a->name_hash != b->name_hash);
    cr_expect_eq(a->n_users, 1);
    cr_expect_eq(d->n_users, 0);
}

Test(build, activation_becomes_a_node)
{
    struct clv_node *x = clv_input(g, 2, 2, 1);
    struct clv_node *r = clv_layer(g, x, "flatten activation=relu");
    cr_expect_str_eq(clv_node_name(r), "flatten_1_relu");
    cr_expect_str_eq(r->op->name, "relu");
    cr_expect(r->by_option);
    struct clv_node *f = clv_graph_find(g, "flatten_1");
    cr_assert_not_null(f);
    cr_expect_eq(r->in[0], f);
    cr_expect_not(f->by_option);
    struct clv_node *l = clv_layer(g, r, "flatten activation=linear");
    cr_expect_str_eq(clv_node_name(l), "flatten_2");
    cr_expect_str_eq(clv_node_name(clv_layer(g, l, "relu")), "relu_1",
                     "activations by option are not counted");
    cr_expect_str_eq(clv_node_name(clv_layer(g, l, "r = relu activation=relu")), "r_relu");
}

Test(build, faults_name_the_node)
{
    clv_layer(g, clv_input(g, 2, 2, 1), "rilu");
    cr_assert_eq(clv_graph_check(g), CLV_ERR_MODEL);
    const char *begin = "unknown layer 'rilu'; did you mean relu?; the layers are input, ";
    cr_expect_eq(strncmp(clv_error_text(ctx), begin, strlen(begin)), 0, "%s", clv_error_text(ctx));
    clv_graph_destroy(&g);
    g = clv_graph_create(ctx);

    clv_input(g, 0, 2, 1);
    expect_fault(CLV_ERR_ARG, "input_1: height=0 is out of range; it must be INT, 1..65536");
    clv_input(g, 65536, 65536, 1);
    expect_fault(CLV_ERR_SHAPE, "input_1: one sample of its output, 65536x65536x1, has more than "
                                "2147483647 values");
    clv_input(g, 1, 1, 1);
    clv_input(g, 1, 1, 1);
    expect_fault(CLV_ERR_MODEL, "input_2: the graph has an input already, input_1");
    struct clv_node *x = clv_input(g, 1, 1, 1);
    clv_layer2(g, x, x, "relu");
    expect_fault(CLV_ERR_MODEL, "relu_1: takes 1 input, but 2 are given");
    x = clv_input(g, 1, 1, 1);
    clv_layer(g, x, "input 1 1 1");
    expect_fault(CLV_ERR_MODEL, "input_2: the graph has an input already, input_1");
    clv_layer(g, clv_input(g, 1, 1, 1), "relu slope=1");
    expect_fault(CLV_ERR_ARG, "relu_1: unknown option 'slope'; there are no options");
    clv_layer(g, clv_input(g, 1, 1, 1), "dropout rate=0.5  activaton=relu");
    cr_expect_eq(g->err.at, 1 + (int)strlen(" rate=0.5  "));
    expect_fault(CLV_ERR_ARG, "dropout_1: unknown option 'activaton'; did you mean activation?");
    clv_layer(g, clv_input(g, 1, 1, 1), "f = flatten activation=relu activation=relu");
    expect_fault(CLV_ERR_ARG, "f: option activation is given twice");
    clv_layer(g, clv_input(g, 1, 1, 1), "f = flatten activation=flatten");
    cr_expect_eq(clv_graph_check(g), CLV_ERR_ARG);
    begin = "f: activation=flatten is unknown; it must be one of linear, ";
    cr_expect_eq(strncmp(clv_error_text(ctx), begin, strlen(begin)), 0, "%s", clv_error_text(ctx));
}

Test(build, faults_of_names)
{
    static const char *const bad[] = {"1a", "a.b", "_", "-a", "a b", "a$", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[160];
        struct clv_node *x = clv_input(g, 1, 1, 1);
        clv_graph_add(g, "relu", bad[i], &x, 1, NULL);
        snprintf(text, sizeof(text),
                 "'%s' is no name: a letter or _, then at most 63 letters, digits, _ or -", bad[i]);
        expect_fault(CLV_ERR_MODEL, text);
    }
    char name[66] = "";
    memset(name, 'x', 65);
    cr_expect_not(clv_name_valid(name));
    name[64] = '\0';
    cr_expect(clv_name_valid(name));
    cr_expect(clv_name_valid("stage1/2/conv2d_1"));
    cr_expect_not(clv_name_valid("stage1/"));
    cr_expect_not(clv_name_valid("1/stage"));
    struct clv_node *x = clv_input(g, 1, 1, 1);
    x = clv_layer(g, x, "%s = relu activation=relu", name);
    cr_expect_eq(strlen(clv_node_name(x)), 69, "what is made of a legal name is legal");
    clv_layer(g, x, "%s = relu", name);
    cr_expect_eq(clv_graph_check(g), CLV_ERR_MODEL);
    clv_graph_destroy(&g);
    g = clv_graph_create(ctx);

    x = clv_layer(g, clv_input(g, 1, 1, 1), "a = relu");
    clv_layer(g, x, "a = flatten");
    expect_fault(CLV_ERR_MODEL, "the name 'a' is taken by an earlier layer");
    x = clv_layer(g, clv_input(g, 1, 1, 1), "relu_2 = flatten");
    x = clv_layer(g, x, "relu");
    clv_layer(g, x, "relu");
    expect_fault(CLV_ERR_MODEL, "the name 'relu_2' is taken by an earlier layer; give this layer a "
                                "name of its own");
}

Test(build, errors_are_sticky)
{
    struct clv_node *x = clv_input(g, 2, 2, 1);
    struct clv_node *dead = clv_layer(g, x, "f = flatten slope=1");
    cr_assert_not_null(dead);
    cr_expect_str_eq(clv_node_name(dead), "none");
    expect_shape(dead, 1, 1, 1);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(clv_layer(g, dead, "nonsense"), dead);
        cr_expect_eq(clv_layer2(g, x, dead, "nonsense"), dead);
        cr_expect_eq(clv_input(g, 1, 1, 1), dead);
        clv_graph_output(g, dead);
    }
    cr_expect_eq(g->n_nodes, 1);
    for (enum clv_graph_format f = CLV_GRAPH_TABLE; f <= CLV_GRAPH_JSON; f++) {
        char *text = clv_graph_print(g, f);
        cr_expect_not_null(text);
        free(text);
    }
    expect_fault(CLV_ERR_ARG, "f: unknown option 'slope'; there are no options");
}

Test(build, input_and_output_are_needed)
{
    expect_fault(CLV_ERR_MODEL, "the graph has no input: begin it with clv_input()");
    clv_layer(g, clv_input(g, 2, 2, 1), "relu");
    expect_fault(CLV_ERR_MODEL, "the graph has no output: name it with clv_graph_output()");
    struct clv_node *x = clv_input(g, 2, 2, 1);
    clv_graph_output(g, x);
    expect_fault(CLV_ERR_MODEL, "input_1: the input itself cannot be the network's output");
    x = clv_layer(g, clv_input(g, 2, 2, 1), "relu");
    clv_graph_output(g, x);
    clv_graph_output(g, clv_layer(g, x, "relu"));
    expect_fault(CLV_ERR_MODEL, "relu_2: the graph has an output already, relu_1");
    clv_graph_output(g, NULL);
    expect_fault(CLV_ERR_ARG, "the output is not a layer of this graph");
}

Test(build, nodes_of_other_graphs_are_refused)
{
    struct clv_graph *other = clv_graph_create(ctx);
    struct clv_node *x = clv_input(other, 2, 2, 1);
    clv_input(g, 2, 2, 1);
    clv_layer(g, x, "relu");
    expect_fault(CLV_ERR_ARG, "relu_1: its input is not a layer of this graph");
    clv_input(g, 2, 2, 1);
    clv_layer(g, NULL, "relu");
    expect_fault(CLV_ERR_ARG, "relu_1: its input is not a layer of this graph");
    clv_layer(g, clv_input(g, 2, 2, 1), "relu");
    clv_graph_output(g, x);
    expect_fault(CLV_ERR_ARG, "the output is not a layer of this graph");
    clv_graph_destroy(&other);
}

Test(build, limits)
{
    struct clv_node *x = clv_input(g, 1, 1, 1);
    for (int i = 1; i < CLV_MAX_NODES; i++)
        x = clv_layer(g, x, "relu");
    cr_assert_eq(g->err.code, CLV_OK);
    cr_expect_eq(g->n_nodes, CLV_MAX_NODES);
    cr_expect_str_eq(clv_node_name(x), "relu_9999");
    clv_layer(g, x, "relu");
    expect_fault(CLV_ERR_MODEL, "a graph has at most 10000 layers");
    clv_layer(g, clv_input(g, 1, 1, 1), "relu%4093s", "");
    expect_fault(CLV_ERR_ARG, "a layer's text is longer than 4096 bytes");
    x = clv_layer(g, clv_input(g, 1, 1, 1), "relu%4092s", "");
    cr_expect_eq(g->err.code, CLV_OK);
}

Test(build, weights_are_bounded)
{
    struct clv_node node = {.name = "dense_1"};
    struct clv_weight w = {.name = "kernel", .n_dims = 2, .dims = {46340, 46340}};
    cr_expect_eq(clv_node_add_weight(g, &node, &w), CLV_OK);
    cr_expect_eq(node.n_weights, 1);
    cr_expect_eq(node.weights[0].count, (int64_t)46340 * 46340);
    w.dims[1] = 46342;
    cr_expect_eq(clv_node_add_weight(g, &node, &w), CLV_ERR_MODEL);
    cr_expect_str_eq(g->err.text, "dense_1: its kernel would have more than 2147483647 values");
    w.dims[1] = 0;
    cr_expect_eq(clv_node_add_weight(g, &node, &w), CLV_ERR_MODEL);
    cr_expect_str_eq(g->err.text, "dense_1: dimension 2 of its kernel would be 0");
    cr_expect_eq(node.n_weights, 1);
}

Test(build, nothing_is_harmless)
{
    struct clv_graph *none = NULL;
    clv_graph_destroy(NULL);
    clv_graph_destroy(&none);
    cr_expect_null(clv_input(none, 1, 1, 1));
    cr_expect_null(clv_layer(none, NULL, "relu"));
    clv_graph_output(none, NULL);
    cr_expect_eq(clv_graph_check(none), CLV_ERR_NOMEM);
    cr_expect_str_eq(clv_node_name(NULL), "none");
    cr_expect_null(clv_graph_find(none, "x"));
    cr_expect_eq(clv_graph_parameters(none), 0);
    cr_expect_null(clv_graph_print(none, CLV_GRAPH_TABLE));
}

Test(build, lines_are_taken_apart)
{
    static const struct {
        const char *text, *name, *op, *options;
        int at; /* of the fault, from 1; 0 = none */
        const char *fault;
    } cases[] = {
        {"relu", "", "relu", "", 0, NULL},
        {"  a = relu  x=1", "a", "relu", "  x=1", 0, NULL},
        {"a=relu x=1 y=2", "a", "relu", " x=1 y=2", 0, NULL},
        {"a =relu", "a", "relu", "", 0, NULL},
        {"conv2d filters = 3", "", "conv2d", " filters = 3", 0, NULL},
        {"", "", "", "", 1, "a layer is missing: write OP option=value ..."},
        {"  \t", "", "", "", 4, "a layer is missing: write OP option=value ..."},
        {"= relu", "", "", "", 1, "a name is missing before '='"},
        {"a =  ", "", "", "", 3, "a layer is missing after '='"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct clv_line line;
        struct clv_error err = {0};
        const enum clv_err e = clv_line_split(cases[i].text, &line, &err);
        cr_expect_eq(e, cases[i].fault ? CLV_ERR_MODEL : CLV_OK, "%s", cases[i].text);
        cr_expect_eq(err.at, cases[i].at, "%s: %d", cases[i].text, err.at);
        if (e) {
            cr_expect_str_eq(err.text, cases[i].fault);
            continue;
        }
        cr_expect_eq(line.name_len, strlen(cases[i].name));
        cr_expect(!line.name_len == !line.name);
        cr_expect(!line.name || !strncmp(line.name, cases[i].name, line.name_len));
        cr_expect(line.op_len == strlen(cases[i].op) && !strncmp(line.op, cases[i].op, line.op_len),
                  "%s", cases[i].text);
        cr_expect_str_eq(line.options, cases[i].options);
    }
}
