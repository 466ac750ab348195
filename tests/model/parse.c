/* The model language: what it makes, and the exact text of every error it knows. */
#include "graph/graph.h"
#include "graph/op.h"
#include <clavicle/model.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct clv_context *ctx;
static char warnings[1024];

static void keep_line(void *priv, enum clv_log_level level, const char *line)
{
    (void)priv, (void)level;
    strncat(warnings, line, sizeof(warnings) - strlen(warnings) - 1);
    strncat(warnings, "\n", sizeof(warnings) - strlen(warnings) - 1);
}

static void setup(void)
{
    ctx = clv_context_create(
        &(struct clv_context_params){.log = keep_line, .log_level = CLV_LOG_WARN});
    cr_assert_not_null(ctx);
}

static void teardown(void)
{
    clv_context_destroy(&ctx);
}

TestSuite(parse, .init = setup, .fini = teardown);

static struct clv_graph *parse(const char *text)
{
    struct clv_graph *g = NULL;
    const enum clv_err e = clv_model_parse(ctx, text, "m", NULL, 0, &g);
    cr_assert_eq(e, CLV_OK, "%s\n%s", text, clv_error_text(ctx));
    cr_assert_not_null(g);
    return g;
}

/* The graph as model text: canonical, so that tests can compare. */
static void expect_graph(const char *text, const char *canonical)
{
    struct clv_graph *g = parse(text);
    char *printed = clv_graph_print(g, CLV_GRAPH_MODEL);
    cr_expect_str_eq(printed, canonical, "%s\nis\n%s", text, printed);
    free(printed);
    clv_graph_destroy(&g);
}

Test(parse, layers_comments_blanks)
{
    expect_graph("input 4 5 3\nflatten", "input height=4 width=5 channels=3\nflatten\n");
    expect_graph("\xef\xbb\xbf# \xc3\xa4\n\n \t\r\n  input\t4 5 3 # rows\r\n#relu\nflatten#x\n\n",
                 "input height=4 width=5 channels=3\nflatten\n");
    expect_graph("x=input 4 5 channels=3\ny =flatten\nz = relu activation=relu",
                 "x = input height=4 width=5 channels=3\ny = flatten\nz = relu activation=relu\n");
    /* A name that the layer would have had anyway. */
    expect_graph("input_1 = input 1 1 1\nrelu\nrelu_2 = relu",
                 "input height=1 width=1 channels=1\nrelu\nrelu\n");
}

Test(parse, variables)
{
    expect_graph("let a = 4\nlet  b=5\nlet c =$a\nlet d = 1${a}\ninput $a ${b} $c$d\nflatten",
                 "input height=4 width=5 channels=414\nflatten\n");
    struct clv_graph *g = NULL;
    const struct clv_variable given[] = {{"a", 7}, {"unknown", 1}, {"c", 2}, {"c", 9}};
    const char *text = "let a = 4\nlet c = $a\ninput $a 1 $c\nflatten";
    cr_assert_eq(clv_model_parse(ctx, text, "m", given, 4, &g), CLV_OK, "%s", clv_error_text(ctx));
    char *printed = clv_graph_print(g, CLV_GRAPH_MODEL);
    cr_expect_str_eq(printed, "input height=7 width=1 channels=9\nflatten\n");
    free(printed);
    clv_graph_destroy(&g);
    /* What is given is still only a number: the layer checks it. */
    const struct clv_variable bad = {"a", -3};
    cr_expect_eq(clv_model_parse(ctx, "let a = 1\ninput 1 $a 1\nrelu", "m", &bad, 1, &g),
                 CLV_ERR_MODEL);
    cr_expect_str_eq(clv_error_text(ctx),
                     "m:2:9: input_1: width=-3 is out of range; it must be INT, 1..65536");
    cr_expect_null(g);
}

Test(parse, branches)
{
    /* A line's name means what comes out of it, behind its activation. */
    struct clv_graph *g = parse("input 4 4 2\n"
                                "skip = relu activation=relu\n"
                                "relu\n"
                                "sum = add from=skip,_\n"
                                "relu from=skip\n"
                                "add from=_,sum\n");
    const struct clv_node *sum = clv_graph_find(g, "sum");
    cr_assert_not_null(sum);
    cr_expect_str_eq(sum->in[0]->name, "skip_relu");
    cr_expect_str_eq(sum->in[1]->name, "relu_2");
    cr_expect_str_eq(clv_graph_find(g, "relu_3")->in[0]->name, "skip_relu");
    cr_expect_str_eq(g->output->name, "add_2");
    cr_expect_str_eq(g->output->in[1]->name, "sum");
    clv_graph_destroy(&g);
    /* Options may stand on both sides of from=, and automatic names do as well. */
    expect_graph("input 1 1 1\nrelu from=input_1 activation=relu\nadd from=input_1,relu_1_relu",
                 "input height=1 width=1 channels=1\nrelu activation=relu\n"
                 "add from=input_1,relu_1\n");
}

Test(parse, unused_layers_are_warned_about)
{
    struct clv_graph *g = parse("input 1 1 1\nx = relu\ny = relu\nflatten from=input_1");
    cr_expect_str_eq(warnings, "m: the output does not depend on layer y\n");
    clv_graph_destroy(&g);
}

struct fault {
    const char *text, *error;
};

static void expect_faults(const struct fault *faults, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct clv_graph *g = NULL;
        const enum clv_err e = clv_model_parse(ctx, faults[i].text, "m", NULL, 0, &g);
        cr_expect_eq(e, CLV_ERR_MODEL, "%s", faults[i].text);
        cr_expect_str_eq(clv_error_text(ctx), faults[i].error, "%s\nsays: %s\nnot:  %s",
                         faults[i].text, clv_error_text(ctx), faults[i].error);
        cr_expect_null(g);
    }
}

#define EXPECT_FAULTS(faults) expect_faults((faults), sizeof(faults) / sizeof((faults)[0]))
#define IN "input 4 4 2\n"

Test(parse, faults_of_lines)
{
    static const struct fault faults[] = {
        {"", "m:1:1: the model has no layers; begin with: input HEIGHT WIDTH CHANNELS"},
        {"# nothing\n\n",
         "m:3:1: the model has no layers; begin with: input HEIGHT WIDTH CHANNELS"},
        {"\n  relu", "m:2:3: a model begins with its input: input HEIGHT WIDTH CHANNELS"},
        {"input 1 1 1", "m:2:1: input_1: the input itself cannot be the network's output"},
        {IN "input 1 1 1", "m:2:1: input_2: the graph has an input already, input_1"},
        {IN "relu \x01", "m:2:6: byte 0x01 outside of a comment"},
        {IN "relu \xc3\xa4", "m:2:6: byte 0xc3 outside of a comment"},
        {IN "  = relu", "m:2:3: a name is missing before '='"},
        {IN "a = ", "m:2:3: a layer is missing after '='"},
        {IN "let = relu", "m:2:5: a variable is set by: let NAME = INTEGER"},
        {IN "end = relu", "m:2:1: 'end' is a word of the language, no name"},
        {IN "  1a = relu",
         "m:2:3: '1a' is no name: a letter or _, then at most 63 letters, digits, "
         "_ or -"},
        {IN "a = relu\n a = flatten", "m:3:2: the name 'a' is taken by an earlier layer"},
    };
    EXPECT_FAULTS(faults);
}

Test(parse, faults_of_layers)
{
    static const struct fault faults[] = {
        {IN "relu slope=1", "m:2:6: relu_1: unknown option 'slope'; there are no options"},
        {IN "a = relu  1", "m:2:11: a: '1' is one value too many; write NAME=VALUE"},
        {"input 4 x 2", "m:1:9: input_1: width=x cannot be understood; it must be INT, 1..65536"},
        {"input 4 4 2 channels=3", "m:1:13: input_1: option channels is given twice"},
        {"i = input 4 4", "m:1:1: i: option channels is missing; write channels=INT (channels of a "
                          "sample)"},
        {"input 4 hight=4 2", "m:1:9: input_1: unknown option 'hight'; did you mean height?; the "
                              "options are height, width, channels"},
        {IN "flatten activation=relu activation=relu",
         "m:2:25: flatten_1: option activation is given twice"},
        {IN "categorical_crossentropy",
         "m:2:1: categorical_crossentropy is a loss: training adds it, the model ends before"},
        {IN "add", "m:2:1: add has 2 inputs: name them, as in from=NAME,_ (_ is the line before)"},
        {IN "add from=_", "m:2:1: add_1: takes 2 inputs, but 1 is given"},
        {IN "relu from=_,_", "m:2:1: relu_1: takes 1 input, but 2 are given"},
        {IN "a = add from=_,_,_", "m:2:1: a: takes 2 inputs, but 3 are given"},
        {IN "flatten\nsum = add from=_,input_1",
         "m:3:1: sum: inputs flatten_1 (1x1x32) and input_1 (4x4x2) must have one shape"},
    };
    EXPECT_FAULTS(faults);
    struct clv_graph *g = NULL;
    cr_expect_eq(clv_model_parse(ctx, IN "a = rilu 3", "m", NULL, 0, &g), CLV_ERR_MODEL);
    const char *begin = "m:2:5: unknown layer 'rilu'; did you mean relu?; the layers are input, ";
    cr_expect_eq(strncmp(clv_error_text(ctx), begin, strlen(begin)), 0, "%s", clv_error_text(ctx));
    cr_expect_eq(clv_model_parse(ctx, IN "flatten  activation=rely", "m", NULL, 0, &g),
                 CLV_ERR_MODEL);
    begin = "m:2:10: flatten_1: activation=rely is unknown; did you mean relu?; it must be one of "
            "linear, ";
    cr_expect_eq(strncmp(clv_error_text(ctx), begin, strlen(begin)), 0, "%s", clv_error_text(ctx));
}

Test(parse, faults_of_inputs)
{
    static const struct fault faults[] = {
        {IN "relu from=x", "m:2:11: from=: no layer above is named 'x'"},
        {IN "left = relu\nadd from=_,lift",
         "m:3:12: from=: no layer above is named 'lift'; did you mean left?"},
        {IN "relu from=", "m:2:11: from=: no layer above is named ''"},
        {IN "add from=_,", "m:2:12: from=: no layer above is named ''"},
        {IN "a = relu from=a", "m:2:15: from=: no layer above is named 'a'"},
        {IN "relu from=_ from=_", "m:2:13: option from is given twice"},
        {IN "add from=_,_,_,_,_", "m:2:18: a layer has at most 4 inputs"},
        {"relu from=_", "m:1:11: from=_: there is no line before"},
    };
    EXPECT_FAULTS(faults);
}

Test(parse, faults_of_variables)
{
    static const struct fault faults[] = {
        {"input $h 1 1", "m:1:7: unknown variable $h; set it in a line above: let h = 3"},
        {"let height = 1\ninput ${hight} 1 1",
         "m:2:7: unknown variable $hight; did you mean $height?; set it in a line above: let hight "
         "= 3"},
        {"input $ 1 1", "m:1:7: a variable's name is missing: write $NAME or ${NAME}"},
        {"input 1 1 ${a", "m:1:11: a variable's name is missing: write $NAME or ${NAME}"},
        {"input 1 1 1$", "m:1:12: a variable's name is missing: write $NAME or ${NAME}"},
        {"let", "m:1:4: a variable is set by: let NAME = INTEGER"},
        {"let a", "m:1:5: a variable is set by: let NAME = INTEGER"},
        {"let a 3", "m:1:5: a variable is set by: let NAME = INTEGER"},
        {"let 1a = 3", "m:1:5: a variable is set by: let NAME = INTEGER"},
        {"let a = ", "m:1:9: '' is no integer"},
        {"let a = 3.5", "m:1:9: '3.5' is no integer"},
        {"let a = 2147483648", "m:1:9: '2147483648' is no integer"},
        {"let a = 3 4", "m:1:11: one integer only may follow 'let NAME ='"},
        {"let a = 3\n let a = 4", "m:2:6: variable a is set already"},
        {"let a = $a", "m:1:9: unknown variable $a; set it in a line above: let a = 3"},
    };
    EXPECT_FAULTS(faults);
}

/* A variable's text may be longer or shorter than its name. */
Test(parse, columns_are_those_of_the_file)
{
    static const struct fault faults[] = {
        {"let a = 12345\ninput $a $a x",
         "m:2:13: input_1: channels=x cannot be understood; it must "
         "be INT, 1..65536"},
        {"let a_long_name = 1\ninput $a_long_name x 1",
         "m:2:20: input_1: width=x cannot be understood; it must be INT, 1..65536"},
        {"let a = 99999\ninput 1 1    $a", "m:2:14: input_1: channels=99999 is out of range; it "
                                           "must be INT, 1..65536"},
        {"let a = 12345\ninput 1 1 1\nrelu from=${a}",
         "m:3:11: from=: no layer above is named '12345'"},
        {"let a = 12345\ninput 1 1 1\nadd from=_,x${a}y$a",
         "m:3:12: from=: no layer above is named 'x12345y12345'"},
        {"let a = 12345\nlet b = $a x", "m:2:12: one integer only may follow 'let NAME ='"},
    };
    EXPECT_FAULTS(faults);
}

/* ---- blocks and repeats ---- */

/* x: two parameters. y: a use within, what it reads, two inputs. */
#define X "block x units kind=relu\n dense $units activation=$kind\nend\n"
#define Y "block y n\n a = x $n tanh\n add from=a,in2\nend\n"

Test(parse, blocks)
{
    expect_graph(X IN "flatten\nx 3\nz = x kind=tanh units=4\ndense 5\nx 6 linear from=z\ndense 7",
                 "input height=4 width=4 channels=2\nflatten\n"
                 "x_1/dense_1 = dense units=3 activation=relu\n"
                 "z/dense_1 = dense units=4 activation=tanh\n"
                 "dense units=5\n"
                 "x_3/dense_1 = dense units=6 from=z/dense_1\n"
                 "dense units=7\n");
    /* What a use puts out has its name, and layers within can be reached by their place. */
    expect_graph(X Y IN "s = flatten\nd = dense 5\ny 5 from=s,d\ndense 5 from=y_1/a\nadd from=_,y_1",
                 "input height=4 width=4 channels=2\ns = flatten\nd = dense units=5\n"
                 "y_1/a/dense_1 = dense units=5 activation=tanh from=s\n"
                 "y_1/add_1 = add from=y_1/a/dense_1,d\n"
                 "dense units=5 from=y_1/a/dense_1\n"
                 "add from=dense_2,y_1/add_1\n");
    /* Parameters hide variables; defaults may hold variables. A block of nothing hands on. */
    expect_graph("let a = 3\nlet b = 4\nblock e\nend\nblock x a c=$b\n dense $a\n dense $c\nend\n" IN "e\nx 5",
                 "input height=4 width=4 channels=2\nx_1/dense_1 = dense units=5\nx_1/dense_2 = dense units=4\n");
}

Test(parse, repeats)
{
    expect_graph(IN "skip = relu\nrepeat 2\n a = relu\n add from=in,skip\nend\nr = repeat 1\n tanh\nend\n"
                    "repeat 0\n relu\nend\nadd from=r,repeat_1/1/a",
                 "input height=4 width=4 channels=2\nskip = relu\n"
                 "repeat_1/1/a = relu\nrepeat_1/1/add_1 = add from=skip,skip\n"
                 "repeat_1/2/a = relu\nrepeat_1/2/add_1 = add from=repeat_1/1/add_1,skip\n"
                 "r/1/tanh_1 = tanh\nadd from=r/1/tanh_1,repeat_1/1/a\n");
    /* A name of the round hides that around it; a repeat in a block knows the parameters. */
    expect_graph("block b n\n a = dense $n\n repeat $n\n  a = dense $n\n  add from=a,in\n end\nend\n" IN "b 1",
                 "input height=4 width=4 channels=2\nb_1/a = dense units=1\n"
                 "b_1/repeat_1/1/a = dense units=1\nb_1/repeat_1/1/add_1 = add from=b_1/repeat_1/1/a,b_1/a\n");
}

Test(parse, recursion_and_endless_repeats_are_refused)
{
    static const struct fault faults[] = {
        {IN "block a\n relu\n a\nend\na", "m:4:2: block a would run itself without end (in block a from line 6)"},
        {IN "block a\n b\nend\nblock b\n repeat 1\n a\n end\nend\na",
         "m:7:2: block a would run itself without end by way of b (in round 1 of line 6, block b from line 3, block a from "
         "line 10)"},
        {IN "repeat 10000\nend", "m:2:1: blocks and repeats are run more than 10000 times"},
        {IN "repeat 99\n repeat 101\n end\nend\nrelu",
         "m:3:2: blocks and repeats are run more than 10000 times (in round 98 of line 2)"},
        {IN "repeat 9000\n relu activation=relu\nend", "m:3:2: a graph has at most 10000 layers (in round 5000 of line 2)"},
        {IN "repeat 10001\nend", "m:2:8: a repeat is written: repeat N, with N in 0..10000"},
    };
    EXPECT_FAULTS(faults);
}

Test(parse, faults_of_blocks)
{
    static const struct fault faults[] = {
        {"block", "m:1:1: this block has no 'end'"},
        {IN " x = repeat 3", "m:2:2: this repeat has no 'end'"},
        {IN "end", "m:2:1: 'end' without a block or repeat above"},
        {"repeat 1\nblock a\nend\nend", "m:2:1: a block stands by itself: line 1 has no 'end' yet"},
        {"x = block a\nend", "m:1:5: nothing may stand before 'block'"},
        {"block a\nend a", "m:2:4: nothing may stand behind 'end'"},
        {"block\nend", "m:1:6: a block begins with: block NAME PARAMETER PARAMETER=DEFAULT ..."},
        {"block a/b\nend", "m:1:7: 'a/b' is no name: a letter or _, then at most 63 letters, digits, _ or -"},
        {"block relu\nend", "m:1:7: relu is a layer: give the block another name"},
        {"block let\nend", "m:1:7: 'let' is a word of the language, no name"},
        {"block a\nend\nblock a\nend", "m:3:7: the block a is there already"},
        {"block a b 1c\nend", "m:1:11: '1c' is no parameter: write NAME, or NAME=DEFAULT"},
        {"block a b b=1\nend", "m:1:11: parameter b stands there twice"},
        {"block a from\nend", "m:1:9: 'from' is a word of the language, no parameter"},
        {"block a\n let b = 1\nend\n" IN "a", "m:2:2: 'let' stands outside of blocks and repeats (in block a from line 5)"},
        {IN "repeat x\nend", "m:2:8: a repeat is written: repeat N, with N in 0..10000"},
        {IN "repeat 1 2\nend", "m:2:10: one number only may follow 'repeat'"},
        {X "x 1", "m:2:2: a model begins with its input: input HEIGHT WIDTH CHANNELS (in block x from line 4)"},
        {X IN "x", "m:5:1: block x: parameter units is missing"},
        {X IN "x 1 2 3", "m:5:7: block x: '3' is one value too many"},
        {X IN "x 1 units=2", "m:5:5: block x: parameter units is given twice"},
        {X IN "x unit=1", "m:5:3: block x: unknown parameter 'unit'; did you mean units?; the parameters are units, kind"},
        {X IN "u = x 1\nu = relu", "m:6:1: the name 'u' is taken by a block or repeat above"},
        {X IN "u = relu\nu = x 1", "m:6:1: the name 'u' is taken by an earlier layer"},
        {X IN "x $n", "m:5:3: unknown variable $n; set it in a line above: let n = 3"},
    };
    EXPECT_FAULTS(faults);
}

/* Names mean what stands in the same block; messages say how its line came to run. */
Test(parse, faults_inside_of_blocks)
{
    static const struct fault faults[] = {
        {X Y IN "flatten\ny 5", "m:6:13: from=in2: 1 input is given (in block y from line 10)"},
        {X Y IN "y -1\nflatten",
         "m:2:8: y_1/a/dense_1: units=-1 is out of range; it must be INT, 1..16777216 (in block x from line 5, block y from "
         "line 9)"},
        {"block a\n add from=_,skip\nend\n" IN "skip = relu\nrepeat 2\n relu\n a\nend",
         "m:2:13: from=: no layer above is named 'skip' (in block a from line 8, round 1 of line 6)"},
        {"block a\n skip = relu\n add from=_,skap\nend\n" IN "a",
         "m:3:13: from=: no layer above is named 'skap'; did you mean skip? (in block a from line 6)"},
        {"block a\n in = relu\nend\n" IN "a", "m:2:2: 'in' is a word of the language, no name (in block a from line 5)"},
        {"block a b\n relu $c\nend\n" IN "a 1",
         "m:2:7: unknown variable $c; did you mean $b?; set it in a line above: let c = 3 (in block a from line 5)"},
    };
    EXPECT_FAULTS(faults);
}

/* `n` times the line behind a head, with a tail; malloc'ed. A # in it becomes the number. */
static char *many(const char *head, const char *line, size_t n, const char *tail)
{
    const char *const mark = strchr(line, '#');
    struct clv_str s = {0};
    clv_str_add(&s, head);
    for (size_t i = 0; i < n; i++) {
        if (mark)
            clv_str_addf(&s, "%.*s%zu%s", (int)(mark - line), line, i, mark + 1);
        else
            clv_str_add(&s, line);
    }
    clv_str_add(&s, tail);
    char *text = clv_str_take(&s);
    cr_assert_not_null(text);
    return text;
}

Test(parse, limits)
{
    char *const texts[] = {
        many(IN, "relu\n", 9999, ""),
        many(IN, "let v# = 1\n", 256, "relu"),
        many(IN "#", " ", 4095, "\nrelu"),
    };
    char *const bad[] = {
        many("", "repeat 1\n", 17, "end"),
        many(IN "repeat 1\nrepeat 1\n", "x", 64, "=repeat 1\n_12345678901234567890123456789012345678901234567890=relu\n"
             "end\nend\nend"),
        many(IN, "relu\n", 10000, ""),
        many(IN, "let v# = 1\n", 257, "relu"),
        many(IN "#", " ", 4096, "\nrelu"),
        many(IN, "\n", 100000, "relu"),
    };
    char *longest = many("m:5:1: the name 'repeat_1/1/repeat_1/1/", "x", 64,
                         "/1/_12345678901234567890123456789012345678901234567890' is longer than 128 bytes (in round 1 of "
                         "line 4, round 1 of line 3, round 1 of line 2)");
    const struct fault faults[] = {
        {bad[0], "m:17:1: repeats stand in each other 16 deep at most"},
        {bad[1], longest},
        {bad[2], "m:10001:1: a graph has at most 10000 layers"},
        {bad[3], "m:258:5: a model has at most 256 variables"},
        {bad[4], "m:2:4097: the line is longer than 4096 bytes"},
        {bad[5], "m:100001:1: a model has at most 100000 lines"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct clv_graph *g = parse(texts[i]);
        clv_graph_destroy(&g);
        free(texts[i]);
    }
    EXPECT_FAULTS(faults);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        free(bad[i]);
    free(longest);
}
