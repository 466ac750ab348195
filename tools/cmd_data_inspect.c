/* clavicle data inspect, clavicle data preview */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_SPLIT = CLI_KEY_COMMAND, KEY_GROUP, KEY_SKIP, KEY_REFUSE, KEY_VAL, KEY_FROM, KEY_SIZE, KEY_COUNT,
    KEY_PREPROCESS, KEY_AUGMENT, KEY_CHANNELS,
};

struct options {
    struct cli_common common;
    const char *path, *out;
    struct clv_data_params data;
    struct clv_preview_params preview;
};

static error_t parse_preview(struct options *o, int key, char *arg)
{
    struct clv_preview_params *p = &o->preview;
    long long n = 0;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case KEY_FROM:
        return cli_split("--from", arg, &p->split) ? 0 : EDOM;
    case KEY_SIZE:
        if (!cli_int("--size", arg, 1, 4096, &n))
            return EDOM;
        p->height = p->width = (int)n;
        return 0;
    case KEY_CHANNELS:
        if (!cli_int("--channels", arg, 1, 3, &n))
            return EDOM;
        p->channels = (int)n;
        return 0;
    case KEY_COUNT:
        if (!cli_int("--count", arg, 1, 10000, &n))
            return EDOM;
        p->count = (size_t)n;
        return 0;
    case KEY_PREPROCESS:
        p->pipeline.preprocess = arg;
        return 0;
    case KEY_AUGMENT:
        p->pipeline.augment = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case ARGP_KEY_INIT:
        return cli_begin_parse(key, state, &o->common);
    case KEY_SPLIT:
        o->data.split = arg;
        return 0;
    case KEY_VAL:
        return cli_double("--val-fraction", arg, 1e-9, .9, &o->data.val_fraction) ? 0 : EDOM;
    case KEY_GROUP:
        o->data.group_by = arg;
        return 0;
    case KEY_SKIP:
        o->data.skip_bad = true;
        return 0;
    case KEY_REFUSE:
        o->data.refuse_leaks = true;
        return 0;
    case 's':
        if (!cli_int("--seed", arg, 0, INT64_MAX, &n))
            return EDOM;
        o->data.seed = o->preview.seed = (uint64_t)n;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path)
            return ARGP_ERR_UNKNOWN;
        o->path = arg;
        return 0;
    default:
        return parse_preview(o, key, arg);
    }
}

#define SPLIT_OPTIONS                                                                              \
    {"split", KEY_SPLIT, "A/B/C", 0, "shares of train/val/test for a folder without them", 0},     \
    {"val-fraction", KEY_VAL, "X", 0, "share of train that becomes val where none is given", 0},   \
    {"group-by", KEY_GROUP, "REGEX", 0, "what it matches in a path names the person", 0},          \
    {"skip-bad", KEY_SKIP, NULL, 0, "go on without damaged files", 0},                             \
    {"refuse-leaks", KEY_REFUSE, NULL, 0, "fail when a given split shares images or persons", 0},  \
    {"seed", 's', "N", 0, "of the split", 0}

static const struct argp_option inspect_opts[] = {SPLIT_OPTIONS, {0}};
static const struct argp_option preview_opts[] = {
    SPLIT_OPTIONS,
    {"out", 'o', "FILE", 0, "PNG file to write (default preview.png)", 0},
    {"from", KEY_FROM, "SPLIT", 0, "train (default), val or test", 0},
    {"size", KEY_SIZE, "N", 0, "side of the network's input (default 224)", 0},
    {"channels", KEY_CHANNELS, "N", 0, "of the network's input (default 3)", 0},
    {"count", KEY_COUNT, "N", 0, "images on the sheet (default 20)", 0},
    {"preprocess", KEY_PREPROCESS, "TEXT", 0, "as in clavicle train", 0},
    {"augment", KEY_AUGMENT, "TEXT", 0, "as in clavicle train", 0},
    {0}};
static const struct argp_child children[] = {{&cli_plain_argp, 0, NULL, 0}, {0}};

static json_t *counts_json(const struct clv_data_info *d)
{
    json_t *splits = json_object();
    for (int s = 0; s < CLV_SPLIT_COUNT; s++) {
        json_t *classes = json_object();
        for (int c = 0; c < d->n_classes; c++)
            json_object_set_new(classes, d->classes[c], json_integer((json_int_t)d->class_count[s][c]));
        json_object_set_new(splits, clv_split_name((enum clv_split)s),
                            json_pack("{s:I, s:o}", "count", (json_int_t)d->count[s], "classes", classes));
    }
    return splits;
}

static void print_json(const struct clv_data_info *d, const struct clv_data_stats *st)
{
    json_t *mean = json_array(), *std = json_array();
    for (int i = 0; i < st->channels; i++) {
        json_array_append_new(mean, cli_real(st->mean[i]));
        json_array_append_new(std, cli_real(st->std[i]));
    }
    cli_json_print(json_pack(
        "{s:o, s:s, s:o, s:b, s:[i,i], s:[i,i], s:i, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
        "path", cli_string(d->path), "format", d->format, "splits", counts_json(d), "given_split", d->given_split,
        "width", d->min_width, d->max_width, "height", d->min_height, d->max_height,
        "channels", d->channels, "bits", d->bits, "mean", mean, "std", std,
        "ignored", (json_int_t)d->ignored, "bad", (json_int_t)d->bad,
        "duplicates", (json_int_t)d->duplicates, "leaked_images", (json_int_t)d->leaked_images,
        "persons", (json_int_t)d->groups, "leaked_persons", (json_int_t)d->leaked_groups,
        "fingerprint", d->fingerprint));
}

static void print_table(const struct clv_data_info *d, const struct clv_data_stats *st)
{
    printf("%s: %s, %s split\n%-20s", d->path, d->format, d->given_split ? "given" : "made", "class");
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        printf("  %8s", clv_split_name((enum clv_split)s));
    for (int c = 0; c < d->n_classes; c++) {
        printf("\n%-20s", d->classes[c]);
        for (int s = 0; s < CLV_SPLIT_COUNT; s++)
            printf("  %8zu", d->class_count[s][c]);
    }
    printf("\n%-20s", "all");
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        printf("  %8zu", d->count[s]);
    printf("\nsize %dx%d to %dx%d, %d channel%s, %d bits; train mean", d->min_width, d->min_height,
           d->max_width, d->max_height, d->channels, d->channels == 1 ? "" : "s", d->bits);
    for (int i = 0; i < st->channels; i++)
        printf(" %.4f", st->mean[i]);
    printf(", deviation");
    for (int i = 0; i < st->channels; i++)
        printf(" %.4f", st->std[i]);
    printf("\nduplicates %zu, images in more than one split %zu, persons %zu, persons in more than one "
           "split %zu\nignored %zu, damaged %zu\n", d->duplicates, d->leaked_images, d->groups,
           d->leaked_groups, d->ignored, d->bad);
}

static int inspect(struct clv_context *ctx, const struct options *o)
{
    struct clv_data *data = NULL;
    struct clv_data_stats stats = {0};
    enum clv_err err = clv_data_open(ctx, o->path, &o->data, &data);
    if (!err)
        err = clv_data_stats(data, CLV_SPLIT_TRAIN, &stats);
    const int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && o->common.json)
        print_json(clv_data_get_info(data), &stats);
    else if (!err)
        print_table(clv_data_get_info(data), &stats);
    clv_data_close(&data);
    return code;
}

static int preview(struct clv_context *ctx, const struct options *o)
{
    struct clv_data *data = NULL;
    enum clv_err err = clv_data_open(ctx, o->path, &o->data, &data);
    if (!err)
        err = clv_data_preview(data, o->out, &o->preview);
    const int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && o->common.json)
        cli_json_line(json_pack("{s:o}", "path", cli_string(o->out)));
    else if (!err)
        printf("%s\n", o->out);
    clv_data_close(&data);
    return code;
}

static int run(const struct argp *argp, int argc, char **argv,
               int (*fn)(struct clv_context *, const struct options *))
{
    struct options o = {.out = "preview.png",
                        .preview = {.height = 224, .width = 224, .channels = 3, .count = 20}};
    int code = cli_parse(argp, argc, argv, &o);
    if (!code && !o.path)
        code = cli_usage("no PATH given; see %s --help", argv[0]);
    if (code)
        return code;
    struct clv_context *ctx = cli_listing_context(&o.common);
    code = fn(ctx, &o);
    clv_context_destroy(&ctx);
    return code;
}

int cmd_data_inspect(int argc, char **argv)
{
    static const struct argp argp = {
        inspect_opts, parse, "PATH",
        "Counts per class and split, sizes, statistics, duplicates and leaks.\v"
        "Example:\n  clavicle data inspect xrays/ --group-by 'person([0-9]+)'", children, NULL, NULL};
    return run(&argp, argc, argv, inspect);
}

int cmd_data_preview(int argc, char **argv)
{
    static const struct argp argp = {
        preview_opts, parse, "PATH", "Write a contact sheet of what the network sees.\v"
        "Example:\n  clavicle data preview xrays/ --augment 'rotation=15 flip=horizontal' --out sheet.png",
        children, NULL, NULL};
    return run(&argp, argc, argv, preview);
}
