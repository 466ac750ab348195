/* clavicle data phantom, clavicle data get */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SIZE = CLI_KEY_COMMAND, KEY_TRAIN, KEY_VAL, KEY_TEST, KEY_FORCE, KEY_MIRROR, KEY_URL, KEY_LIST };

struct options {
    struct cli_common common;
    const char *word;
    struct clv_phantom_params phantom;
    struct clv_data_get_params get;
    bool list;
};

static error_t parse_count(const char *option, const char *arg, size_t *ret)
{
    long long n = 0;
    if (!cli_int(option, arg, 0, 10000000, &n))
        return EDOM;
    *ret = (size_t)n;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case KEY_SIZE:
        if (!cli_int("--size", arg, 32, 4096, &n))
            return EDOM;
        o->phantom.size = (int)n;
        return 0;
    case KEY_TRAIN:
        return parse_count("--train", arg, &o->phantom.count[CLV_SPLIT_TRAIN]);
    case KEY_VAL:
        return parse_count("--val", arg, &o->phantom.count[CLV_SPLIT_VAL]);
    case KEY_TEST:
        return parse_count("--test", arg, &o->phantom.count[CLV_SPLIT_TEST]);
    case 's':
        if (!cli_int("--seed", arg, 0, INT64_MAX, &n))
            return EDOM;
        o->phantom.seed = (uint64_t)n;
        return 0;
    case KEY_FORCE:
        o->phantom.force = true;
        return 0;
    case 'o':
        o->get.out = arg;
        return 0;
    case KEY_MIRROR:
        o->get.mirror = arg;
        return 0;
    case KEY_URL:
        o->get.base_url = arg;
        return 0;
    case KEY_LIST:
        o->list = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->word)
            return ARGP_ERR_UNKNOWN;
        o->word = arg;
        return 0;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

static const struct argp_child children[] = {{&cli_plain_argp, 0, NULL, 0}, {0}};

int cmd_data_phantom(int argc, char **argv)
{
    static const struct argp_option opts[] = {
        {"size", KEY_SIZE, "N", 0, "pixels per side (default 224)", 0},
        {"train", KEY_TRAIN, "N", 0, "images to train on (default 600)", 0},
        {"val", KEY_VAL, "N", 0, "images to validate on (default 120)", 0},
        {"test", KEY_TEST, "N", 0, "images to test on (default 200)", 0},
        {"seed", 's', "N", 0, "the same seed makes the same bytes (default 0)", 0},
        {"force", KEY_FORCE, NULL, 0, "replace an existing OUT", 0},
        {0}};
    static const struct argp argp = {
        opts, parse, "OUT", "Make a labelled set of radiograph-like phantom images.\v"
        "Example:\n  clavicle data phantom phantom/ --train 1000 --seed 7", children, NULL, NULL};
    struct options o = {0};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && !o.word)
        code = cli_usage("no OUT given: the folder to make; see %s --help", argv[0]);
    if (code)
        return code;
    struct clv_context *ctx = cli_context(&o.common);
    const enum clv_err err = clv_data_phantom(ctx, o.word, &o.phantom);
    code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && o.common.json)
        cli_json_line(json_pack("{s:o}", "path", cli_string(o.word)));
    else if (!err)
        printf("%s\n", o.word);
    clv_context_destroy(&ctx);
    return code;
}

static void progress(void *priv, const char *file, uint64_t done, uint64_t total)
{
    (void)priv;
    if (!isatty(2))
        return;
    fprintf(stderr, "\r%s  %.1f of %.1f MiB\033[K%s", file, (double)done / 1048576,
            (double)total / 1048576, total && done >= total ? "\n" : "");
}

static int list_known(bool json)
{
    size_t n;
    const struct clv_known_data *known = clv_data_known(&n);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *bytes = known[i].bytes ? json_integer((json_int_t)known[i].bytes) : json_null();
        char size[32] = "-";
        if (known[i].bytes)
            snprintf(size, sizeof size, "%.1f MiB", (double)known[i].bytes / 1048576);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:o}", "name", known[i].name, "title",
                                             known[i].title, "licence", known[i].licence, "bytes", bytes));
        if (!json)
            printf("%-16s %10s  %-13s %s\n", known[i].name, size, known[i].licence, known[i].title);
    }
    if (json)
        cli_json_print(json_pack("{s:o}", "sets", all));
    else
        json_decref(all);
    return EXIT_OK;
}

int cmd_data_get(int argc, char **argv)
{
    static const struct argp_option opts[] = {
        {"list", KEY_LIST, NULL, 0, "the known sets", 0},
        {"out", 'o', "DIR", 0, "folder to put it in (default $XDG_DATA_HOME/clavicle)", 0},
        {"mirror", KEY_MIRROR, "DIR", 0, "local folder looked into first (default $CLAVICLE_DATA)", 0},
        {"base-url", KEY_URL, "URL", 0, "instead of the set's own address", 0},
        {0}};
    static const struct argp argp = {
        opts, parse, "NAME", "Download a known data set, check it, print its path.\v"
        "Examples:\n  clavicle data get --list\n  clavicle data get pneumoniamnist", children, NULL, NULL};
    struct options o = {.get.progress = progress};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && o.list)
        return list_known(o.common.json);
    if (!code && !o.word)
        code = cli_usage("no NAME given; see %s --list", argv[0]);
    if (code)
        return code;
    struct clv_context *ctx = cli_context(&o.common);
    char *path = NULL;
    const enum clv_err err = clv_data_get(ctx, o.word, &o.get, &path);
    code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && o.common.json)
        cli_json_line(json_pack("{s:o}", "path", cli_string(path)));
    else if (!err)
        printf("%s\n", path);
    free(path);
    clv_context_destroy(&ctx);
    return code;
}
