#include "base/opt.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

struct params {
    int filters;
    int kernel[2];
    double rate;
    int activation;
    bool bias;
    double rotation[2];
    struct clv_opt_list mean;
    char file[CLV_OPT_STRING_MAX];
    uint64_t seed;
    double decay;
};

static const char *const activations[] = {"none", "relu", "tanh", NULL};

static const struct clv_opt opts[] = {
    {"filters", "number of output channels", CLV_OPT_INT, offsetof(struct params, filters), NULL, 1,
     65536},
    {"kernel_size", "filter size", CLV_OPT_PAIR, offsetof(struct params, kernel), "3", 1, 31},
    {"rate", "share dropped", CLV_OPT_DOUBLE, offsetof(struct params, rate), "0.25", 0, 1},
    {"activation", "what follows", CLV_OPT_ENUM, offsetof(struct params, activation), "none",
     .names = activations},
    {"bias", "whether there is one", CLV_OPT_BOOL, offsetof(struct params, bias), "yes"},
    {"rotation", "degrees", CLV_OPT_RANGE, offsetof(struct params, rotation), "0", -180, 180},
    {"mean", "per channel", CLV_OPT_LIST, offsetof(struct params, mean), ""},
    {"file", "where", CLV_OPT_STRING, offsetof(struct params, file), ""},
    {"seed", "of the random numbers", CLV_OPT_U64, offsetof(struct params, seed), "0"},
    {"decay", "of weights", CLV_OPT_DOUBLE, offsetof(struct params, decay), "0", 0, HUGE_VAL},
    {0},
};

Test(opt, defaults)
{
    struct params p;
    memset(&p, 0x55, sizeof(p));
    clv_opt_defaults(opts, &p);
    cr_assert_eq(p.filters, 0);
    cr_assert(p.kernel[0] == 3 && p.kernel[1] == 3);
    cr_assert_float_eq(p.rate, 0.25, 0);
    cr_assert(p.bias);
    cr_assert(p.mean.n == 0 && !p.file[0] && p.seed == 0);
}

Test(opt, every_type)
{
    struct params p;
    struct clv_error err = {0};
    cr_assert_eq(
        clv_opt_parse(opts, &p, "conv2d",
                      " filters=32\tkernel_size=5x7 rate=.5 activation=tanh bias=false "
                      "rotation=-10:20.5 mean=1,-2,.5 file=a=b seed=18446744073709551615\n",
                      &err),
        CLV_OK, "%s", err.text);
    cr_assert_eq(p.filters, 32);
    cr_assert(p.kernel[0] == 5 && p.kernel[1] == 7);
    cr_assert_float_eq(p.rate, 0.5, 0);
    cr_assert_eq(p.activation, 2);
    cr_assert_not(p.bias);
    cr_assert(p.rotation[0] <= -10 && p.rotation[0] >= -10);
    cr_assert_float_eq(p.rotation[1], 20.5, 0);
    cr_assert(p.mean.n == 3);
    cr_assert_float_eq(p.mean.v[1], -2, 0);
    cr_assert_str_eq(p.file, "a=b");
    cr_assert_eq(p.seed, UINT64_MAX);
}

Test(opt, bare_values_go_in_order)
{
    struct params p;
    cr_assert_eq(clv_opt_parse(opts, &p, "conv2d", "8 5 activation=relu", NULL), CLV_OK);
    cr_assert(p.filters == 8 && p.kernel[0] == 5 && p.kernel[1] == 5 && p.activation == 1);
    cr_assert_eq(clv_opt_parse(opts, &p, "conv2d", "8 rotation=15", NULL), CLV_OK);
    cr_assert_float_eq(p.rotation[0], -15, 0);
    cr_assert_float_eq(p.rotation[1], 15, 0);
}

Test(opt, errors_say_what_and_what_instead)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {NULL, "conv2d: option filters is missing"},
        {"", "option filters is missing"},
        {"filtres=3", "unknown option 'filtres'; did you mean filters?"},
        {"kernel=3", "did you mean kernel_size?"},
        {"zzz=3", "unknown option 'zzz'; the options are filters, kernel_size, rate"},
        {"filters=0", "filters=0 is out of range; it must be INT, 1..65536"},
        {"filters=3.5", "filters=3.5 cannot be understood"},
        {"filters=", "filters= cannot be understood"},
        {"filters=99999999999", "cannot be understood"},
        {"3 filters=3", "filters is given twice"},
        {"3 activation=rellu", "did you mean relu?; it must be none|relu|tanh"},
        {"3 activation=", "it must be none|relu|tanh"},
        {"3 bias=maybe", "it must be yes|no"},
        {"3 kernel_size=3x", "cannot be understood"},
        {"3 kernel_size=3x99", "out of range"},
        {"3 rotation=5:1", "cannot be understood"},
        {"3 rotation=-5", "it must be LOW:HIGH, -180..180"},
        {"3 rotation=0:200", "out of range"},
        {"3 rate=nan", "cannot be understood"},
        {"3 mean=1,,2", "cannot be understood"},
        {"3 mean=1,", "cannot be understood"},
        {"3 decay=-1", "it must be NUMBER, at least 0"},
        {"3 seed=-1", "cannot be understood"},
        {"1 2 0 none yes 0 0 f 0 0 11", "'11' is one value too many"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct params p;
        struct clv_error err = {0};
        cr_assert_eq(clv_opt_parse(opts, &p, "conv2d", cases[i].text, &err), CLV_ERR_ARG,
                     "case %zu", i);
        cr_assert_not_null(strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
        cr_assert_eq(strncmp(err.text, "conv2d: ", 8), 0);
    }
}

Test(opt, limits_of_lists_and_strings)
{
    struct params p;
    char text[1000] = "3 mean=0";
    for (int i = 1; i < CLV_OPT_LIST_MAX; i++)
        strcat(text, ",1");
    cr_assert_eq(clv_opt_parse(opts, &p, "x", text, NULL), CLV_OK);
    cr_assert_eq(p.mean.n, CLV_OPT_LIST_MAX);
    strcat(text, ",1");
    cr_assert_eq(clv_opt_parse(opts, &p, "x", text, NULL), CLV_ERR_ARG);
    strcpy(text, "3 file=");
    memset(text + 7, 'a', CLV_OPT_STRING_MAX - 1);
    text[7 + CLV_OPT_STRING_MAX - 1] = '\0';
    cr_assert_eq(clv_opt_parse(opts, &p, "x", text, NULL), CLV_OK);
    strcat(text, "a");
    cr_assert_eq(clv_opt_parse(opts, &p, "x", text, NULL), CLV_ERR_ARG);
}

Test(opt, print_and_parse_are_inverse)
{
    static const char *const texts[] = {
        "filters=32",
        "filters=32 kernel_size=5x7 rate=0.1 activation=tanh bias=no rotation=-10:20.5 "
        "mean=1,-2,0.5 file=abc seed=18446744073709551615 decay=1e-05",
    };
    for (size_t i = 0; i < 2; i++) {
        struct params p, q;
        struct clv_str s = {0}, all = {0};
        cr_assert_eq(clv_opt_parse(opts, &p, "x", texts[i], NULL), CLV_OK);
        clv_opt_print(opts, &p, false, &s);
        cr_assert_str_eq(s.text, texts[i]);
        clv_opt_print(opts, &p, true, &all);
        cr_assert_eq(clv_opt_parse(opts, &q, "x", all.text, NULL), CLV_OK, "%s", all.text);
        clv_str_finish(&s);
        clv_opt_print(opts, &q, false, &s);
        cr_assert_str_eq(s.text, texts[i]);
        clv_str_finish(&s);
        clv_str_finish(&all);
    }
}

Test(opt, print_goes_on_after_text)
{
    struct params p;
    struct clv_str s = {0};
    cr_assert_eq(clv_opt_parse(opts, &p, "x", "3 kernel_size=3x3 rate=.25", NULL), CLV_OK);
    clv_str_add(&s, "conv2d");
    clv_opt_print(opts, &p, false, &s);
    cr_assert_str_eq(s.text, "conv2d filters=3");
    clv_str_finish(&s);
}

Test(opt, help_has_a_line_per_option)
{
    struct clv_str s = {0};
    clv_opt_help(opts, &s);
    int lines = 0;
    for (size_t i = 0; i < s.len; i++)
        lines += s.text[i] == '\n';
    cr_assert_eq(lines, 10);
    cr_assert_not_null(strstr(s.text, "  filters=INT "));
    cr_assert_not_null(strstr(s.text, "number of output channels (1..65536, required)\n"));
    cr_assert_not_null(strstr(s.text, "activation=none|relu|tanh"));
    cr_assert_not_null(strstr(s.text, "(-180..180, default 0)"));
    cr_assert_not_null(strstr(s.text, "(at least 0, default 0)"));
    clv_str_finish(&s);
}

Test(opt, nearest)
{
    static const char *const names[] = {"conv2d", "maxpool2d", "dense", "relu"};
    cr_assert_str_eq(clv_nearest("conv2", names, 4), "conv2d");
    cr_assert_str_eq(clv_nearest("Conv2D", names, 4), "conv2d");
    cr_assert_str_eq(clv_nearest("maxpol2d", names, 4), "maxpool2d");
    cr_assert_str_eq(clv_nearest("max", names, 4), "maxpool2d");
    cr_assert_str_eq(clv_nearest("rel", names, 4), "relu");
    cr_assert_null(clv_nearest("softmax", names, 4));
    cr_assert_null(clv_nearest("", names, 4));
    char word[200];
    memset(word, 'a', sizeof(word));
    word[199] = '\0';
    cr_assert_null(clv_nearest(word, names, 4));
}

Test(opt, choose_takes_the_first_word)
{
    static const char *const names[] = {"adam", "sgd", "rmsprop"};
    struct clv_error err = {0};
    const char *options = NULL;
    size_t i = 9;
    cr_assert_eq(clv_opt_choose("optimizer", "sgd momentum=0.9", names, 3, &i, &options, &err), CLV_OK);
    cr_expect_eq(i, 1);
    cr_expect_str_eq(options, " momentum=0.9");
    cr_assert_eq(clv_opt_choose("optimizer", "adam", names, 3, &i, &options, &err), CLV_OK);
    cr_expect_eq(i, 0);
    cr_expect_str_empty(options);
    cr_assert_eq(clv_opt_choose("optimizer", "rmsprob decay=1", names, 3, &i, &options, &err), CLV_ERR_ARG);
    cr_expect_str_eq(err.text,
                     "unknown optimizer 'rmsprob'; did you mean rmsprop?; known: adam, sgd, rmsprop");
    cr_assert_eq(clv_opt_choose("optimizer", "", names, 3, &i, &options, &err), CLV_ERR_ARG);
    char word[300];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = 0;
    cr_assert_eq(clv_opt_choose("optimizer", word, names, 3, &i, &options, &err), CLV_ERR_ARG);
}

/* A list of numbers, or one of some words. */
Test(opt, lists_with_words)
{
    static const char *const words[] = {"random", "balanced", NULL};
    static const struct clv_opt table[] = {
        {"value", "numbers or a word", CLV_OPT_LIST, 0, "", -9, 9, words}, {0}};
    struct clv_opt_list v;
    struct clv_error err = {0};
    struct clv_str s = {0};
    cr_assert_eq(clv_opt_parse(table, &v, "x", "value=balanced", &err), CLV_OK, "%s", err.text);
    cr_expect_eq(v.n, -2);
    clv_opt_print(table, &v, false, &s);
    cr_expect_str_eq(s.text, "value=balanced");
    clv_str_finish(&s);
    cr_assert_eq(clv_opt_parse(table, &v, "x", "value=1,-2", &err), CLV_OK);
    cr_expect(v.n == 2 && v.v[1] == -2);
    cr_expect_eq(clv_opt_parse(table, &v, "x", "value=1,random", &err), CLV_ERR_ARG);
    cr_expect_not_null(strstr(err.text, "it must be A,B,...|random|balanced, -9..9"), "%s", err.text);
}
