/* clavicle compare */
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_DEVICES = CLI_KEY_COMMAND, KEY_STEPS, KEY_PASS, KEY_OPTIMIZER, KEY_TOLERANCE, KEY_PREPROCESS, KEY_AUGMENT,
};

enum { SIDES = 2 };

/* The greatest difference of an array in all steps; where it differs by too much, in that step. */
struct row {
    enum clv_compare_pass pass;
    char *node, *array, *made_by[SIDES];
    size_t count, at;
    double difference, allowed;
    float value[SIDES];
    int step;
    bool differs;
};

struct options {
    struct cli_common common;
    struct clv_compare_params params;
    struct clv_variable classes;
    const char *devices, *data;
    char *select[SIDES], *caps[SIDES];
    struct row *rows;
    size_t n_rows, first; /* the row that differed first; n_rows when none does */
    bool out_of_memory, progress;
};

static const struct argp_option opts[] = {
    {"devices", KEY_DEVICES, "A,B", 0,
     "two devices, as --device takes them, each with masks of its own behind a colon, joined by +: pocl:gpu+wg=64", 1},
    {"batch", 'b', "N", 0, "images a step (default 8)", 1},
    {"steps", KEY_STEPS, "N", 0, "steps that are compared (default 3)", 1},
    {"seed", 's', "N", 0, "weights, random batches, order, augmentation, dropout (default 0)", 1},
    {"pass", KEY_PASS, "PASS", 0, "train (default): steps with the optimizer; forward: inference", 1},
    {"classes", 'c', "N", 0, "sets the model's variable `classes` (default: as many as the data have, else the model's own)", 1},
    {"optimizer", KEY_OPTIMIZER, "TEXT", 0, "default: " CLV_COMPARE_OPTIMIZER, 1},
    {"tolerance", KEY_TOLERANCE, "X", 0,
     "largest difference of a layer's outputs after one step, as a part of their largest value (default 1e-4)", 1},
    {NULL, 0, NULL, 0, "Images instead of random batches:", 2},
    {"data", 'd', "PATH", 0, "the training images of a data set", 2},
    {"preprocess", KEY_PREPROCESS, "TEXT", 0, "as in train", 2},
    {"augment", KEY_AUGMENT, "TEXT", 0, "as in train", 2},
    {0}};

static error_t parse_number(int key, char *arg, struct options *o)
{
    long long n = 0;
    switch (key) {
    case 'b':
        if (!cli_int("--batch", arg, 1, 1 << 20, &n))
            return EDOM;
        o->params.batch = (int)n;
        return 0;
    case KEY_STEPS:
        if (!cli_int("--steps", arg, 1, 1000000, &n))
            return EDOM;
        o->params.steps = (int)n;
        return 0;
    case 's':
        if (!cli_int("--seed", arg, 0, INT64_MAX, &n))
            return EDOM;
        o->params.seed = (uint64_t)n;
        return 0;
    case 'c':
        if (!cli_int("--classes", arg, 1, 65536, &n))
            return EDOM;
        o->classes = (struct clv_variable){"classes", (int)n};
        return 0;
    case KEY_TOLERANCE:
        return cli_double("--tolerance", arg, 1e-9, 1, &o->params.tolerance) ? 0 : EDOM;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        return cli_begin_parse(key, state, &o->common);
    case KEY_DEVICES:
        o->devices = arg;
        return 0;
    case KEY_PASS:
        o->params.forward = !strcmp(arg, "forward");
        if (o->params.forward || !strcmp(arg, "train"))
            return 0;
        cli_usage("--pass is train or forward, not '%s'", arg);
        return EDOM;
    case KEY_OPTIMIZER:
        o->params.optimizer = arg;
        return 0;
    case 'd':
        o->data = arg;
        return 0;
    case KEY_PREPROCESS:
        o->params.pipeline.preprocess = arg;
        return 0;
    case KEY_AUGMENT:
        o->params.pipeline.augment = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->params.model)
            return ARGP_ERR_UNKNOWN;
        o->params.model = arg;
        return 0;
    default:
        return parse_number(key, arg, o);
    }
}

/* ---- devices ---- */

/* Where the masks of "DEVICE:MASKS" begin, behind the colon; an index P:D has a colon itself. Else the end. */
static const char *find_masks(const char *entry, size_t len)
{
    const char *end = entry + len, *colon = memchr(entry, ':', len);
    if (!colon)
        return NULL;
    const char *digit = entry;
    while (digit < colon && isdigit((unsigned char)*digit))
        digit++;
    if (digit == colon && colon > entry && colon + 1 < end && isdigit((unsigned char)colon[1]))
        colon = memchr(colon + 1, ':', (size_t)(end - colon - 1));
    return colon ? colon + 1 : NULL;
}

/* "pocl:gpu+wg=64" with --caps LIST: pocl and "LIST,gpu,wg=64". An empty device is the default one. */
static bool take_entry(struct options *o, int i, const char *entry, size_t len)
{
    const char *masks = find_masks(entry, len), *all = o->common.device.caps ? o->common.device.caps : "";
    const size_t device = masks ? (size_t)(masks - entry) - 1 : len, rest = masks ? len - device - 1 : 0;
    o->select[i] = calloc(device + 1, 1);
    o->caps[i] = calloc(strlen(all) + rest + 2, 1);
    if (!o->select[i] || !o->caps[i])
        return false;
    memcpy(o->select[i], entry, device);
    strcpy(o->caps[i], all);
    if (*all && rest)
        strcat(o->caps[i], ",");
    char *to = o->caps[i] + strlen(o->caps[i]);
    for (size_t k = 0; k < rest; k++)
        to[k] = masks[k] == '+' ? ',' : masks[k];
    return true;
}

static int take_devices(struct options *o, const char *name)
{
    if (o->common.device.select)
        return cli_usage("%s takes --devices A,B, not --device; see %s --help", name, name);
    const char *comma = o->devices ? strchr(o->devices, ',') : NULL;
    if (!comma || strchr(comma + 1, ','))
        return cli_usage("--devices takes two, as A,B, with masks behind a colon and joined by +: pocl,pocl:gpu+wg=64");
    if (take_entry(o, 0, o->devices, (size_t)(comma - o->devices)) && take_entry(o, 1, comma + 1, strlen(comma + 1)))
        return EXIT_OK;
    cli_note("clavicle: out of memory");
    return EXIT_INTERNAL;
}

/* ---- what was found ---- */

static bool same_row(const struct row *r, const struct clv_compare_value *v)
{
    return r->pass == v->pass && !strcmp(r->node, v->node) && !strcmp(r->array, v->array);
}

static void free_texts(struct row *r)
{
    free(r->node);
    free(r->array);
    for (int i = 0; i < SIDES; i++)
        free(r->made_by[i]);
}

static struct row *add_row(struct options *o, const struct clv_compare_value *v)
{
    struct row *rows = realloc(o->rows, (o->n_rows + 1) * sizeof *rows);
    struct row r = {.pass = v->pass, .difference = -1, .allowed = 1, .count = v->count};
    if (rows)
        o->rows = rows;
    r.node = strdup(v->node);
    r.array = strdup(v->array);
    for (int i = 0; i < SIDES; i++)
        r.made_by[i] = strdup(v->made_by[i]);
    if (!rows || !r.node || !r.array || !r.made_by[0] || !r.made_by[1]) {
        free_texts(&r);
        return NULL;
    }
    if (o->first == o->n_rows)
        o->first++;
    rows[o->n_rows] = r;
    return &rows[o->n_rows++];
}

static void keep(void *priv, const struct clv_compare_value *v)
{
    struct options *o = priv;
    size_t i = 0;
    while (i < o->n_rows && !same_row(&o->rows[i], v))
        i++;
    struct row *r = i < o->n_rows ? &o->rows[i] : add_row(o, v);
    if (!r) {
        o->out_of_memory = true;
        return;
    }
    if (v->differs && o->first == o->n_rows)
        o->first = i;
    if (v->difference <= r->difference && !v->differs)
        return; /* what differs belongs to the last step there is */
    r->at = v->at;
    r->difference = v->difference;
    r->allowed = v->allowed;
    memcpy(r->value, v->value, sizeof r->value);
    r->step = v->step;
    r->differs = v->differs;
}

static void draw_progress(void *priv, const char *what)
{
    (void)priv;
    fprintf(stderr, "\r%.100s\033[K", what);
    fflush(stderr);
}

/* ---- output ---- */

static json_t *row_json(const struct row *r)
{
    return json_pack("{s:s, s:o, s:o, s:i, s:I, s:o, s:o, s:b, s:I, s:[o,o], s:[o,o]}", "pass",
                     clv_compare_pass_name(r->pass), "layer", cli_string(r->node), "array", cli_string(r->array), "step",
                     r->step, "count", (json_int_t)r->count, "difference", cli_real(r->difference), "allowed",
                     cli_real(r->allowed), "differs", r->differs, "at", (json_int_t)r->at, "values",
                     cli_real(r->value[0]), cli_real(r->value[1]), "made_by", cli_string(r->made_by[0]),
                     cli_string(r->made_by[1]));
}

static json_t *device_json(const struct options *o, struct clv_device *dev, int i)
{
    json_t *d = cli_device_json(clv_device_get_info(dev));
    json_object_set_new(d, "caps", *o->caps[i] ? cli_string(o->caps[i]) : json_null());
    return d;
}

static void print_json(const struct options *o, struct clv_device *const dev[SIDES],
                       const struct clv_compare_summary *s)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < o->n_rows; i++)
        json_array_append_new(rows, row_json(&o->rows[i]));
    cli_json_print(json_pack(
        "{s:o, s:s, s:i, s:i, s:I, s:o, s:o, s:[o,o], s:b, s:o, s:o}", "model", cli_string(o->params.model), "pass",
        o->params.forward ? "forward" : "train", "batch", o->params.batch, "steps", s->steps, "seed",
        (json_int_t)o->params.seed, "optimizer", o->params.forward ? json_null() : cli_string(o->params.optimizer),
        "tolerance", cli_real(o->params.tolerance), "devices", device_json(o, dev[0], 0), device_json(o, dev[1], 1),
        "same", !s->differs, "first", s->differs && o->first < o->n_rows ? row_json(&o->rows[o->first]) : json_null(),
        "rows", rows));
}

static void print_device(const struct options *o, struct clv_device *dev, int i)
{
    const struct clv_device_info *d = clv_device_get_info(dev);
    printf("%c  %d:%d  %s, %s, driver %s%s%s\n", 'A' + i, d->platform, d->device, d->name, d->platform_name, d->driver,
           *o->caps[i] ? ", caps " : "", o->caps[i]);
}

static void print_text(const struct options *o, struct clv_device *const dev[SIDES],
                       const struct clv_compare_summary *s)
{
    for (int i = 0; i < SIDES; i++)
        print_device(o, dev[i], i);
    printf("%s, %s, batch %d, seed %llu, %s%s%s, %d step%s\n\n", o->params.model,
           o->params.forward ? "inference" : "training", o->params.batch, (unsigned long long)o->params.seed,
           o->data ? "images" : "random batches", o->params.forward ? "" : ", ",
           o->params.forward ? "" : o->params.optimizer, s->steps, s->steps == 1 ? "" : "s");
    printf("%-8s  %-28s  %-8s  %10s  %10s  %4s\n", "pass", "layer", "array", "difference", "allowed", "step");
    for (size_t i = 0; i < o->n_rows; i++) {
        const struct row *r = &o->rows[i];
        printf("%-8s  %-28s  %-8s  %10.2g  %10.2g  %4d%s\n", clv_compare_pass_name(r->pass), r->node, r->array,
               r->difference, r->allowed, r->step, i == o->first ? "  <- first" : r->differs ? "  differs" : "");
    }
    if (s->differs && o->first < o->n_rows) {
        const struct row *r = &o->rows[o->first];
        printf("\nDifferent. Element %zu of %zu differs most: %.9g on A, %.9g on B.\n", r->at, r->count, r->value[0],
               r->value[1]);
        for (int i = 0; i < SIDES; i++)
            printf("%c computed it in: %s\n", 'A' + i, r->made_by[i]);
    } else {
        printf("\nThe same: %zu comparisons, the largest difference is %.2g of what is allowed.\n", s->values, s->largest);
    }
}

/* ---- running ---- */

static int verdict(const struct options *o, const struct clv_compare_summary *s)
{
    if (!s->differs)
        return EXIT_OK;
    const struct row *r = &o->rows[o->first];
    fflush(stdout);
    cli_note("clavicle: the devices differ from step %d on, first in the %s pass at %s, %s: %.2g, allowed are %.2g",
             r->step, clv_compare_pass_name(r->pass), r->node, r->array, r->difference, r->allowed);
    return EXIT_WRONG;
}

/* The data set's classes, unless the caller gave a number. */
static enum clv_err open_data(struct clv_context *ctx, struct options *o)
{
    if (!o->data)
        return CLV_OK;
    const enum clv_err err = clv_data_open(ctx, o->data, &(struct clv_data_params){.seed = o->params.seed}, &o->params.data);
    if (!err && !o->classes.name)
        o->classes = (struct clv_variable){"classes", clv_data_get_info(o->params.data)->n_classes};
    return err;
}

static int run(struct clv_context *ctx, struct options *o)
{
    struct clv_device *dev[SIDES] = {NULL};
    struct clv_compare_summary s;
    enum clv_err err = open_data(ctx, o);
    o->params.n_variables = o->classes.name ? 1 : 0;
    if (!err)
        err = clv_compare_check(ctx, &o->params);
    for (int i = 0; i < SIDES && !err; i++) {
        struct clv_device_params p = {.select = *o->select[i] ? o->select[i] : NULL, .caps = o->caps[i]};
        err = clv_device_open(ctx, &p, &dev[i]);
    }
    if (!err)
        err = clv_compare(dev, &o->params, &s);
    if (o->progress)
        fputs("\r\033[K", stderr);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && o->out_of_memory) {
        cli_note("clavicle: out of memory");
        code = EXIT_INTERNAL;
    } else if (!err) {
        (o->common.json ? print_json : print_text)(o, dev, &s);
        code = verdict(o, &s);
    }
    for (int i = 0; i < SIDES; i++)
        clv_device_close(&dev[i]);
    clv_data_close(&o->params.data);
    return code;
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "MODEL",
        "Run the same model with the same weights on the same batches on two devices, step by step, and find where they "
        "begin to differ: forward a layer's output, backward a gradient, or the weights after the update.\v"
        "Exit code 0 when they agree, 9 when they differ by more than rounding explains; docs/command-line.md says how "
        "differences are measured. --caps holds for both devices.\n\n"
        "Examples:\n  clavicle compare --devices gpu,cpu tutorial-cnn\n"
        "  clavicle compare --devices pocl,pocl:gpu lenet --steps 10 --json\n"
        "  clavicle compare --devices 0:0,1:0:profile=wave64 lenet --data images/", children, NULL, NULL};
    struct options o = {.common = {.json = false},
                        .params = {.batch = 8, .steps = 3, .tolerance = 1e-4, .optimizer = CLV_COMPARE_OPTIMIZER}};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && !o.params.model)
        code = cli_usage("no model given; see %s --help", argv[0]);
    if (!code && !o.data && (o.params.pipeline.preprocess || o.params.pipeline.augment))
        code = cli_usage("--preprocess and --augment need --data; see %s --help", argv[0]);
    if (!code)
        code = take_devices(&o, argv[0]);
    if (!code) {
        o.progress = isatty(2);
        o.params.on_progress = o.progress ? draw_progress : NULL;
        o.params.on_value = keep;
        o.params.priv = &o;
        o.params.variables = &o.classes;
        struct clv_context *ctx = cli_context(&o.common);
        code = run(ctx, &o);
        clv_context_destroy(&ctx);
    }
    for (size_t i = 0; i < o.n_rows; i++)
        free_texts(&o.rows[i]);
    free(o.rows);
    for (int i = 0; i < SIDES; i++) {
        free(o.select[i]);
        free(o.caps[i]);
    }
    return code;
}
