/* What a graph looks like: made-up layers show the forms, the tutorial CNN the whole. */
#include "base/file.h"
#include "golden.h"
#include "graph/graph.h"
#include "graph/op.h"
#include <clavicle/model.h>

#include <jansson.h>

/* ---- made-up layers ---- */

static void wide_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost)
{
    (void)node, (void)pass;
    cost->flops = 1234567;
}

struct text_params {
    char text[CLV_OPT_STRING_MAX];
};
static const struct clv_opt text_opts[] = {
    {"text", "any", CLV_OPT_STRING, offsetof(struct text_params, text), ""}, {NULL}};

static const struct clv_op op_input = {.name = "input", .flags = CLV_OP_INPUT};
static const struct clv_op op_wide = {.name = "wide", .cost = wide_cost, .opts = text_opts};
static const struct clv_op op_sum = {.name = "sum"};
static const struct clv_op op_loss = {.name = "loss", .flags = CLV_OP_LOSS};

static struct clv_context *ctx;
static struct clv_graph *g;
static struct clv_node pool[8];

static struct clv_node *add(const struct clv_op *op, const char *name, struct clv_node *a,
                            struct clv_node *b)
{
    static const struct text_params quoted = {"a\"b\\"};
    struct clv_node *node = &pool[g->n_nodes];
    if (!g->nodes)
        g->nodes = malloc(sizeof(pool) / sizeof(pool[0]) * sizeof(*g->nodes));
    *node = (struct clv_node){.op = op,
                              .params = &quoted,
                              .name = name,
                              .id = g->n_nodes,
                              .in = {a, b},
                              .n_in = !!a + !!b,
                              .shape = {10, 8, 3}};
    g->nodes[g->n_nodes++] = node;
    return node;
}

static void setup(void)
{
    ctx = clv_context_create(NULL);
    g = clv_graph_create(ctx);
    cr_assert_not_null(g);
    g->input = add(&op_input, "input_1", NULL, NULL);
}

static void teardown(void)
{
    clv_graph_destroy(&g);
    clv_context_destroy(&ctx);
}

TestSuite(print, .init = setup, .fini = teardown);

static void expect_text(enum clv_graph_format format, const char *text)
{
    char *printed = clv_graph_print(g, format);
    cr_expect_str_eq(printed, text, "is:\n%s", printed);
    free(printed);
}

static void add_weights(struct clv_node *node)
{
    node->weights[0] =
        (struct clv_weight){.name = "kernel", .n_dims = 2, .dims = {1000, 1234}, .count = 1234000};
    node->weights[1] = (struct clv_weight){.name = "bias", .n_dims = 1, .dims = {7}, .count = 7};
    node->n_weights = 2;
}

Test(print, table_of_a_chain)
{
    struct clv_node *a = add(&op_wide, "wide_1", g->input, NULL);
    add_weights(a);
    expect_text(CLV_GRAPH_TABLE, "layer    op     output  parameters   flops\n"
                                 "input_1  input  10x8x3           -       -\n"
                                 "wide_1   wide   10x8x3   1,234,007  1.23 M\n"
                                 "total                    1,234,007  1.23 M\n"
                                 "weights as 32-bit floats: 4.7 MiB\n");
}

Test(print, table_of_branches)
{
    struct clv_node *a = add(&op_wide, "a", g->input, NULL);
    struct clv_node *b = add(&op_wide, "b", g->input, NULL);
    struct clv_node *lost = add(&op_wide, "lost", b, NULL);
    add_weights(lost);
    struct clv_node *sum = add(&op_sum, "sum_1", a, b);
    clv_graph_output(g, sum);
    add(&op_loss, "loss_1", sum, NULL);
    cr_assert_eq(clv_graph_check(g), CLV_OK);
    cr_expect_eq(clv_graph_parameters(g), 0);
    expect_text(CLV_GRAPH_TABLE, "layer    op     inputs   output  parameters   flops\n"
                                 "input_1  input           10x8x3           -       -\n"
                                 "a        wide   input_1  10x8x3           -  1.23 M\n"
                                 "b        wide   input_1  10x8x3           -  1.23 M\n"
                                 "lost     wide   b        10x8x3   1,234,007  1.23 M  unused\n"
                                 "sum_1    sum    a,b      10x8x3           -       -\n"
                                 "loss_1   loss   sum_1    10x8x3           -       -\n"
                                 "total                                     -  2.47 M\n"
                                 "weights as 32-bit floats: 0 B\n");
}

Test(print, dot_is_escaped)
{
    struct clv_node *a = add(&op_wide, "a", g->input, NULL);
    add(&op_sum, "b", a, a);
    clv_graph_output(g, a);
    expect_text(CLV_GRAPH_DOT,
                "digraph model {\n"
                "    node [shape=box, fontname=\"sans-serif\"];\n"
                "    \"input_1\" [label=\"input_1\\ninput\\n10x8x3\"];\n"
                "    \"a\" [label=\"a\\nwide text=a\\\"b\\\\\\n10x8x3\", penwidth=2];\n"
                "    \"input_1\" -> \"a\";\n"
                "    \"b\" [label=\"b\\nsum\\n10x8x3\", style=dashed];\n"
                "    \"a\" -> \"b\";\n"
                "    \"a\" -> \"b\";\n"
                "}\n");
}

Test(print, json)
{
    struct clv_node *a = add(&op_wide, "a", g->input, NULL);
    add_weights(a);
    clv_graph_output(g, a);
    expect_text(
        CLV_GRAPH_JSON,
        "{\"input\":\"input_1\",\"output\":\"a\",\"parameters\":1234007,\"flops\":1234567,"
        "\"layers\":[{\"name\":\"input_1\",\"op\":\"input\",\"options\":\"\",\"inputs\":[],"
        "\"shape\":[10,8,3],\"parameters\":0,\"flops\":0,\"weights\":[],\"used\":true},"
        "{\"name\":\"a\",\"op\":\"wide\",\"options\":\"text=a\\\"b\\\\\",\"inputs\":[\"input_1\"],"
        "\"shape\":[10,8,3],\"parameters\":1234007,\"flops\":1234567,\"weights\":["
        "{\"name\":\"kernel\",\"shape\":[1000,1234],\"trained\":true},"
        "{\"name\":\"bias\",\"shape\":[7],\"trained\":true}],"
        "\"used\":true}]}\n");
}

Test(print, half_built_graphs)
{
    struct clv_graph *empty = clv_graph_create(ctx);
    for (enum clv_graph_format f = CLV_GRAPH_TABLE; f <= CLV_GRAPH_JSON; f++) {
        char *text = clv_graph_print(empty, f);
        cr_expect_not_null(text);
        free(text);
    }
    cr_expect_null(clv_graph_print(empty, (enum clv_graph_format)(CLV_GRAPH_JSON + 1)));
    clv_graph_destroy(&empty);
}

/* ---- the real ones ---- */

Test(print, tutorial_cnn)
{
    struct clv_graph *cnn = NULL;
    cr_assert_eq(clv_model_load(ctx, "tutorial-cnn", NULL, 0, &cnn), CLV_OK, "%s",
                 clv_error_text(ctx));
    static const char *const files[] = {[CLV_GRAPH_TABLE] = "tests/golden/tutorial-cnn.table",
                                        [CLV_GRAPH_DOT] = "tests/golden/tutorial-cnn.dot",
                                        [CLV_GRAPH_MODEL] = "tests/golden/tutorial-cnn.model"};
    for (enum clv_graph_format f = CLV_GRAPH_TABLE; f <= CLV_GRAPH_MODEL; f++) {
        char *text = clv_graph_print(cnn, f);
        golden_expect(files[f], text);
        free(text);
    }
    char *text = clv_graph_print(cnn, CLV_GRAPH_JSON);
    json_t *json = json_loads(text, 0, NULL);
    cr_assert_not_null(json);
    cr_expect_eq((uint64_t)json_integer_value(json_object_get(json, "parameters")),
                 clv_graph_parameters(cnn));
    cr_expect_eq(json_array_size(json_object_get(json, "layers")), (size_t)cnn->n_nodes);
    json_decref(json);
    free(text);
    clv_graph_destroy(&cnn);
}

/* Every layer with every option, and activation= where it is fused. */
Test(print, help_names_everything)
{
    char *help = clv_graph_help();
    cr_assert_not_null(help);
    for (size_t i = 0; clv_ops[i]; i++) {
        const struct clv_op *op = clv_ops[i];
        char *head = clv_strdupf("%s: %s\n", op->name, op->help);
        const char *at = strstr(help, head);
        cr_assert_not_null(at, "%s", head);
        cr_expect(at == help || at[-1] == '\n', "%s", head);
        const char *end = strstr(at, "\n\n");
        for (const struct clv_opt *o = op->opts; o && o->name; o++) {
            char *line = clv_strdupf("\n  %s=", o->name);
            const char *option = strstr(at, line);
            cr_expect(option && (!end || option < end), "%s %s", op->name, o->name);
            free(line);
        }
        const char *activation = strstr(at, "\n  activation=linear|");
        cr_expect_eq(activation && (!end || activation < end), (op->flags & CLV_OP_FUSES_ACT) != 0,
                     "%s", op->name);
        free(head);
    }
    free(help);
}

/* The layers' section of the documentation is what clv_graph_help() gives. */
Test(print, documentation_is_up_to_date)
{
    static const char file[] = "docs/model-language.md";
    static const char begin[] = "<!-- made by clv_graph_help(): begin -->\n```text\n";
    static const char stop[] = "```\n<!-- made by clv_graph_help(): end -->\n";
    char *path = golden_source_path(file), *help = clv_graph_help();
    unsigned char *data = NULL;
    size_t size;
    cr_assert_eq(clv_file_read(path, &data, &size, NULL), CLV_OK);
    char *text = (char *)data, *from = strstr(text, begin), *to = strstr(text, stop);
    cr_assert(from && to && from < to, "%s has no marks for the list of layers", file);
    from += sizeof(begin) - 1;
    struct clv_str now = {0};
    clv_str_addf(&now, "%.*s%s%s", (int)(from - text), text, help, to);
    golden_expect(file, now.text);
    clv_str_finish(&now);
    free(data);
    free(help);
    free(path);
}
