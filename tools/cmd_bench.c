/* clavicle bench */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_OP = CLI_KEY_COMMAND, KEY_CASE, KEY_VARIANT, KEY_CLBLAST, KEY_MODEL, KEY_PASS, KEY_OPTIMIZER, KEY_KERNELS,
    KEY_NO_CHECK, KEY_PRECISION, KEY_CEILINGS, KEY_CSV, KEY_BASELINE, KEY_REPEAT, KEY_TIME,
};

struct options {
    struct cli_common common;
    struct clv_bench_cases cases;
    struct clv_bench_model model;
    struct clv_bench_params params;
    struct clv_variable classes;
    const char *baseline;
    const char *of_cases, *of_model; /* an option that was given and makes sense there only */
    bool csv, ceilings;
};

static const struct argp_option opts[] = {
    {NULL, 0, NULL, 0, "Single kernels:", 1},
    {"op", KEY_OP, "OP", 0, "only this op's cases: conv2d, dense, maxpool2d, ...", 1},
    {"case", KEY_CASE, "NAME", 0, "only cases of this name (an unknown name lists them)", 1},
    {"variant", KEY_VARIANT, "NAME", 0, "only this variant; `all`: those too that this kind of device never takes", 1},
    {"clblast", KEY_CLBLAST, NULL, 0, "CLBlast beside dense layers; on CPU devices its build takes half a minute", 1},
    {NULL, 0, NULL, 0, "Whole models:", 2},
    {"model", KEY_MODEL, "MODEL", 0, "a built-in name or a model file", 2},
    {"batch", 'b', "N", 0, "images a step (default 32)", 2},
    {"pass", KEY_PASS, "PASS", 0, "train (default): steps with the optimizer; forward: inference", 2},
    {"classes", 'c', "N", 0, "sets the model's variable `classes`", 2},
    {"optimizer", KEY_OPTIMIZER, "TEXT", 0, "default: adam; for resnet18-28 sgd momentum=0.9", 2},
    {"precision", KEY_PRECISION, "HOW", 0, "fp32 (default), split, mixed or mixed-fp16, as `train` has it; the mixed ones are not compared", 2},
    {"kernels", KEY_KERNELS, NULL, 0, "each step of the plan, too", 2},
    {"no-check", KEY_NO_CHECK, NULL, 0, "do not compare outputs and gradients with the reference variant", 2},
    {NULL, 0, NULL, 0, "Measuring and output:", 3},
    {"ceilings", KEY_CEILINGS, NULL, 0, "the device's ceilings only", 3},
    {"repeat", KEY_REPEAT, "N", 0, "measurements a line at most (default 15)", 3},
    {"time", KEY_TIME, "SECONDS", 0, "limit for a line's measurements (default: kernels 1, models 10)", 3},
    {"baseline", KEY_BASELINE, "FILE", 0, "what --json wrote earlier: marks what is slower by more than the noise; exit code 10", 3},
    {"csv", KEY_CSV, NULL, 0, "the lines as CSV on stdout", 3},
    {0}};

static error_t parse_model(int key, char *arg, struct options *o)
{
    long long n;
    switch (key) {
    case KEY_MODEL:
        o->model.model = arg;
        return 0;
    case 'b':
        o->of_model = "--batch";
        if (!cli_int("--batch", arg, 1, 1 << 20, &n))
            return EDOM;
        o->model.batch = (int)n;
        return 0;
    case 'c':
        o->of_model = "--classes";
        if (!cli_int("--classes", arg, 1, 65536, &n))
            return EDOM;
        o->classes = (struct clv_variable){"classes", (int)n};
        return 0;
    case KEY_PASS:
        o->of_model = "--pass";
        o->model.forward = !strcmp(arg, "forward");
        if (o->model.forward || !strcmp(arg, "train"))
            return 0;
        cli_usage("--pass is train or forward, not '%s'", arg);
        return EDOM;
    case KEY_OPTIMIZER:
        o->of_model = "--optimizer";
        o->model.optimizer = arg;
        return 0;
    case KEY_PRECISION:
        o->of_model = "--precision";
        return cli_precision(arg, &o->model.precision) ? 0 : EDOM;
    case KEY_KERNELS:
        o->of_model = "--kernels";
        o->model.steps = o->common.device.profile = true;
        return 0;
    case KEY_NO_CHECK:
        o->of_model = "--no-check";
        o->model.no_check = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_cases(int key, char *arg, struct options *o)
{
    switch (key) {
    case KEY_OP:
        o->of_cases = "--op";
        o->cases.op = arg;
        return 0;
    case KEY_CASE:
        o->of_cases = "--case";
        o->cases.name = arg;
        return 0;
    case KEY_VARIANT:
        o->of_cases = "--variant";
        o->cases.variant = arg;
        return 0;
    case KEY_CLBLAST:
        o->of_cases = "--clblast";
        o->cases.clblast = true;
        return 0;
    default:
        return parse_model(key, arg, o);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n;
    switch (key) {
    case ARGP_KEY_INIT:
        return cli_begin_parse(key, state, &o->common);
    case KEY_REPEAT:
        if (!cli_int("--repeat", arg, 1, 100000, &n))
            return EDOM;
        o->params.repeat = (int)n;
        return 0;
    case KEY_TIME:
        return cli_double("--time", arg, 1e-3, 86400, &o->params.seconds) ? 0 : EDOM;
    case KEY_BASELINE:
        o->baseline = arg;
        return 0;
    case KEY_CEILINGS:
        o->ceilings = true;
        return 0;
    case KEY_CSV:
        o->csv = true;
        return 0;
    default:
        return parse_cases(key, arg, o);
    }
}

/* ---- running ---- */

/* A line that the next one replaces, on a terminal. */
static void draw_progress(void *priv, const char *what)
{
    (void)priv;
    fprintf(stderr, "\r%.100s\033[K", what);
    fflush(stderr);
}

static void end_progress(const struct options *o)
{
    if (o->params.on_progress == draw_progress)
        fputs("\r\033[K", stderr);
}

static void note_progress(void *priv, const char *what)
{
    (void)priv;
    cli_note("%s", what);
}

static enum clv_err measure(struct clv_device *dev, const struct options *o, struct clv_bench_report *report,
                            struct clv_ceilings *ceilings, struct clv_bench_model_result *result,
                            struct bench_answer *a)
{
    /* The limit is for the lines: ceilings take what they need. */
    const struct clv_bench_params quick = {.on_progress = o->params.on_progress};
    enum clv_err err = clv_bench_ceilings(dev, &quick, ceilings);
    if (!err && o->model.model)
        err = clv_bench_model(dev, &o->model, ceilings, &o->params, report, result);
    else if (!err && !o->ceilings)
        err = clv_bench_cases(dev, &o->cases, &o->params, report);
    if (!err)
        err = clv_bench_memory(dev, ceilings, &quick, 0, report);
    if (!err && o->baseline)
        err = clv_bench_report_baseline(report, o->baseline, &a->found, &a->slower);
    a->rows = clv_bench_report_rows(report, &a->n);
    return err;
}

/* Wrong answers matter more than slow ones. */
static int verdict(const struct bench_answer *a)
{
    const struct clv_bench_model_result *r = a->result;
    if (a->model && !isnan(r->max_rel_error) && !(r->max_rel_error <= r->error_bound)) {
        cli_note("clavicle: %s: the error %.2g in %s is above the %.2g that is allowed", a->model,
                 r->max_rel_error, r->worst, r->error_bound);
        return EXIT_WRONG;
    }
    if (a->slower) {
        cli_note("clavicle: %zu lines are slower than in %s", a->slower, a->baseline);
        return EXIT_SLOWER;
    }
    return EXIT_OK;
}

static int run(struct clv_context *ctx, const struct options *o, struct clv_bench_report *report)
{
    struct clv_device *dev = NULL;
    struct clv_ceilings ceilings;
    struct clv_bench_model_result result;
    struct bench_answer a = {.ceilings = &ceilings, .model = o->model.model, .forward = o->model.forward, .precision = o->model.precision,
                             .result = &result, .baseline = o->baseline};
    enum clv_err err = clv_device_open(ctx, &o->common.device, &dev);
    if (!err)
        err = measure(dev, o, report, &ceilings, &result, &a);
    end_progress(o);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err) {
        a.device = clv_device_get_info(dev);
        code = (o->common.json ? bench_print_json : o->csv ? bench_print_csv : bench_print_tables)(&a);
        fflush(stdout);
    }
    if (!err && !code)
        code = verdict(&a);
    clv_device_close(&dev);
    return code;
}

/* ---- arguments ---- */

/* What can be wrong without a device: names, the model's text, the baseline (compared with no lines yet). */
static enum clv_err check_names(struct clv_context *ctx, const struct options *o,
                                struct clv_bench_report *report)
{
    struct clv_graph *g = NULL;
    size_t found, slower;
    enum clv_err err = clv_bench_cases_check(ctx, &o->cases);
    if (!err && o->baseline)
        err = clv_bench_report_baseline(report, o->baseline, &found, &slower);
    if (err || !o->model.model)
        return err;
    err = clv_model_load(ctx, o->model.model, o->model.variables, o->model.n_variables, &g);
    if (!err)
        err = clv_graph_check(g);
    clv_graph_destroy(&g);
    return err;
}

static int check_options(const struct options *o, const char *name)
{
    if (o->model.model && o->of_cases)
        return cli_usage("%s is for single kernels, not for --model; see %s --help", o->of_cases, name);
    if (!o->model.model && o->of_model)
        return cli_usage("%s needs --model; see %s --help", o->of_model, name);
    if (o->ceilings && (o->model.model || o->of_cases || o->baseline || o->csv))
        return cli_usage("--ceilings stands alone; see %s --help", name);
    if (o->common.json && o->csv)
        return cli_usage("--json and --csv exclude each other; see %s --help", name);
    return EXIT_OK;
}

int cmd_bench(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, NULL,
        "Measure what a device can do (multiply-adds, memory, launches, transfers), and how near to it the kernels come, or "
        "the steps of a whole model. Without options: every case that is made for timing, a few minutes.\v"
        "Examples:\n  clavicle bench --op conv2d\n  clavicle bench --op dense --case 'gemm 1024' --clblast\n"
        "  clavicle bench --model tutorial-cnn --batch 32 --kernels\n"
        "  clavicle bench --model lenet --pass forward --batch 1 --json > before.json\n"
        "  clavicle bench --model lenet --pass forward --batch 1 --baseline before.json", children, NULL, NULL};
    struct options o = {.common = {.json = false}};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code)
        code = check_options(&o, argv[0]);
    if (code)
        return code;
    o.model.variables = &o.classes;
    o.model.n_variables = o.classes.name ? 1 : 0;
    o.params.on_progress = isatty(2) ? draw_progress : o.common.verbose ? note_progress : NULL;
    struct clv_context *ctx = cli_context(&o.common);
    struct clv_bench_report *report = NULL;
    enum clv_err err = clv_bench_report_create(ctx, &report);
    if (!err)
        err = check_names(ctx, &o, report);
    code = err ? cli_failed(ctx, err) : run(ctx, &o, report);
    clv_bench_report_destroy(&report);
    clv_context_destroy(&ctx);
    return code;
}
