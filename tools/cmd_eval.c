/* clavicle eval */
#include "cli.h"
#include "csv.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SPLIT = CLI_KEY_COMMAND, KEY_POSITIVE, KEY_CSV, KEY_CHECKPOINT, KEY_SKIP, KEY_TTA };

struct options {
    struct cli_common common;
    const char *run, *csv;
    struct clv_run_open_params open;
    struct clv_eval_params eval;
};

static const struct argp_option opts[] = {
    {"data", 'd', "PATH", 0, "data set (default: the run's own)", 0},
    {"split", KEY_SPLIT, "NAME", 0, "train, val or test (default)", 0},
    {"checkpoint", KEY_CHECKPOINT, "WHICH", 0, "best (default), last, or a file", 0},
    {"positive", KEY_POSITIVE, "CLASS", 0, "class that AUC, precision, recall of two classes refer to (default: the last)", 0},
    {"csv", KEY_CSV, "FILE", 0, "one row per image: path, split, label, predicted, prob_CLASS...", 0},
    {"tta", KEY_TTA, "VIEWS", 0, "mean probabilities over views of each image: \"flip=horizontal rotation=-5,0,5\", or a number: the image and draws from the run's augmentation", 0},
    {"batch", 'b', "N", 0, "default: the run's", 0},
    TUNING_OPTION(0), SELF_TEST_OPTION(0),
    {"skip-bad", KEY_SKIP, NULL, 0, "go on without damaged files", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case 'd':
        o->eval.data = arg;
        return 0;
    case KEY_SPLIT:
        return cli_split("--split", arg, &o->eval.split) ? 0 : EDOM;
    case KEY_TTA:
        o->open.tta = arg;
        return 0;
    case KEY_CHECKPOINT:
        o->open.checkpoint = arg;
        return 0;
    case KEY_POSITIVE:
        o->eval.positive = arg;
        return 0;
    case KEY_CSV:
        o->csv = arg;
        return 0;
    case CLI_KEY_SELF_TEST:
        return self_test_mode(arg, &o->open.self_test) ? 0 : EDOM;
    case CLI_KEY_TUNE:
        return tuning_mode(arg, &o->open.tune) ? 0 : EDOM;
    case 'b':
        if (!cli_int("--batch", arg, 1, 1 << 20, &n))
            return EDOM;
        o->open.batch = (int)n;
        return 0;
    case KEY_SKIP:
        o->eval.skip_bad = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->run)
            return ARGP_ERR_UNKNOWN;
        o->run = arg;
        return 0;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

static void on_prediction(void *priv, const struct clv_prediction *p)
{
    struct csv *csv = priv;
    csv_field(csv, p->path);
    csv_field(csv, clv_split_name(p->split));
    csv_field(csv, csv->classes[p->label]);
    csv_field(csv, csv->classes[p->predicted]);
    for (int i = 0; i < csv->n_classes; i++)
        csv_number(csv, p->prob[i]);
    csv_row(csv);
}

static int print_result(const struct options *o, struct clv_run *run, const struct clv_metrics *m,
                        size_t unknown)
{
    const struct clv_run_info *info = clv_run_get_info(run);
    const char *split = clv_split_name(o->eval.split);
    if (o->csv && !strcmp(o->csv, "-"))
        return EXIT_OK; /* the table of predictions has stdout to itself */
    if (!o->common.json) {
        printf("%s: %s, epoch %d, %s split, on %s\n", info->path, info->model, info->epoch, split, info->device);
        cli_views_line(info, stdout);
        printf("\n");
        cli_metrics_table(m, info->classes);
        return EXIT_OK;
    }
    json_t *j = cli_metrics_json(m, info->classes);
    json_object_set_new(j, "run", cli_string(info->path));
    json_object_set_new(j, "split", json_string(split));
    json_object_set_new(j, "epoch", json_integer(info->epoch));
    json_object_set_new(j, "device", cli_string(info->device));
    json_object_set_new(j, "views", cli_views_json(info));
    json_object_set_new(j, "unknown", json_integer((json_int_t)unknown));
    cli_json_line(j);
    return EXIT_OK;
}

static int evaluate(struct clv_context *ctx, struct options *o, struct clv_run *run)
{
    const struct clv_run_info *info = clv_run_get_info(run);
    struct clv_metrics m = {0};
    struct csv csv = {0};
    size_t unknown = 0;
    if (o->csv) {
        static const char *const head[] = {"path", "split", "label", "predicted"};
        if (!csv_open(&csv, o->csv, head, 4, info->classes, info->n_classes))
            return EXIT_WRITE;
        o->eval.on_prediction = on_prediction;
        o->eval.priv = &csv;
    }
    const enum clv_err err = clv_run_eval(run, &o->eval, &m, &unknown);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (o->csv && !csv_close(&csv, code == EXIT_OK))
        code = EXIT_WRITE;
    if (!code)
        code = print_result(o, run, &m, unknown);
    clv_metrics_finish(&m);
    return code;
}

int cmd_eval(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "RUN", "Measure a run: accuracy, precision, recall, F1, AUC, confusion matrix.\v"
        "Examples:\n  clavicle eval runs/a\n  clavicle eval runs/a --data other-hospital/ --json\n"
        "  clavicle eval runs/a --split val --positive PNEUMONIA --csv predictions.csv", children, NULL, NULL};
    struct options o = {.eval.split = CLV_SPLIT_TEST, .open.self_test = CLV_SELF_TEST_CACHED};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && !o.run)
        code = cli_usage("no RUN given; see %s --help", argv[0]);
    if (!code && o.common.json && o.csv && !strcmp(o.csv, "-"))
        code = cli_usage("--json and --csv - both want stdout; give --csv a file");
    if (code)
        return code;
    struct clv_context *ctx = cli_context(&o.common);
    struct clv_run *run = NULL;
    o.open.device = o.common.device;
    struct tuning tuning;
    tuning_for(&tuning, &o.common, &o.open);
    const enum clv_err err = clv_run_open(ctx, o.run, &o.open, &run);
    code = err ? cli_failed(ctx, err) : evaluate(ctx, &o, run);
    clv_run_close(&run);
    clv_context_destroy(&ctx);
    return code;
}
