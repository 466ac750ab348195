/* clavicle tune */
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_PASS = CLI_KEY_COMMAND, KEY_PRECISION, KEY_AGAIN, KEY_GEMM, KEY_EXPORT, KEY_QUIET };

struct options {
    struct cli_common common;
    const char *model;
    int batch;
    enum clv_precision precision;
    bool forward_only, again, clblast, export, quiet;
};

static const struct argp_option opts[] = {
    {"batch", 'b', "N", 0, "default 32; what is tuned serves this batch size", 0},
    {"pass", KEY_PASS, "WHICH", 0, "train (default): what training and evaluation run; forward: evaluation only", 0},
    {"precision", KEY_PRECISION, "HOW", 0, "fp32 (default), split, mixed or mixed-fp16: what is tuned serves this precision", 0},
    {"again", KEY_AGAIN, NULL, 0, "measure what is known, too", 0},
    {"gemm", KEY_GEMM, "WHO", 0, "clblast: CLBlast in dense layers, too, with a search for its parameters; minutes on CPU devices", 0},
    {"export", KEY_EXPORT, NULL, 0, "print what is known of this device, in the form of share/tune; measures nothing", 0},
    {"quiet", KEY_QUIET, NULL, 0, "no progress", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case 'b':
        if (!cli_int("--batch", arg, 1, 1 << 20, &n))
            return EDOM;
        o->batch = (int)n;
        return 0;
    case KEY_PASS:
        o->forward_only = !strcmp(arg, "forward");
        if (o->forward_only || !strcmp(arg, "train"))
            return 0;
        cli_usage("--pass is train or forward, not '%s'", arg);
        return EDOM;
    case KEY_PRECISION:
        return cli_precision(arg, &o->precision) ? 0 : EDOM;
    case KEY_GEMM:
        o->clblast = !strcmp(arg, "clblast");
        if (o->clblast || !strcmp(arg, "native"))
            return 0;
        cli_usage("--gemm is native or clblast, not '%s'", arg);
        return EDOM;
    case KEY_AGAIN:
        o->again = true;
        return 0;
    case KEY_EXPORT:
        o->export = true;
        return 0;
    case KEY_QUIET:
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            return ARGP_ERR_UNKNOWN;
        o->model = arg;
        return 0;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

static int interrupted(struct clv_context *ctx)
{
    char *path = clv_tune_path(ctx);
    cli_note("clavicle: interrupted; what was measured is kept in %s, and the same command goes on from there",
             path ? path : "the cache folder");
    free(path);
    return cli_output_lost() ? EXIT_WRITE : EXIT_INTERRUPTED;
}

static int tune(struct clv_context *ctx, const struct options *o, struct clv_device *dev,
                struct clv_graph *graph)
{
    struct tuning t;
    tuning_init(&t, o->common.json, o->quiet);
    t.results = true;
    t.params.batch = o->batch;
    t.params.precision = o->precision;
    t.params.forward_only = o->forward_only;
    t.params.again = o->again;
    t.params.clblast = o->clblast;
    cli_catch_interrupt();
    const enum clv_err err = clv_tune(dev, graph, &t.params);
    tuning_break(&t);
    if (err == CLV_ERR_CANCELLED)
        return interrupted(ctx);
    if (err)
        return cli_failed(ctx, err);
    char *path = clv_tune_path(ctx);
    if (!o->common.json && path)
        cli_note("kept in %s", path);
    free(path);
    return EXIT_OK;
}

static int export(struct clv_context *ctx, struct clv_device *dev)
{
    char *text = clv_tune_export(dev);
    if (!text)
        return cli_failed(ctx, CLV_ERR_NOMEM);
    fputs(text, stdout);
    free(text);
    return EXIT_OK;
}

static int with_device(struct clv_context *ctx, const struct options *o)
{
    struct clv_graph *graph = NULL;
    struct clv_device *dev = NULL;
    enum clv_err err = CLV_OK;
    if (!o->export)
        err = clv_model_load(ctx, o->model ? o->model : "tutorial-cnn", NULL, 0, &graph);
    if (!err)
        err = clv_device_open(ctx, &o->common.device, &dev);
    const int code = err ? cli_failed(ctx, err) : o->export ? export(ctx, dev) : tune(ctx, o, dev, graph);
    clv_graph_destroy(&graph);
    clv_device_close(&dev);
    return code;
}

int cmd_tune(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "[MODEL]",
        "Find the fastest kernels for MODEL (default: tutorial-cnn) on this device, once; trainings, evaluations "
        "and predictions with that batch size take them from then on.\v"
        "Every candidate is compared with a reference before it is timed; the kernels taken without tuning stay "
        "unless another is faster by more than the noise. Ctrl-C keeps what was measured.\n\n"
        "Examples:\n  clavicle tune\n  clavicle tune lenet --batch 128 --device gpu\n"
        "  clavicle tune my.model --batch 1 --pass forward --json\n"
        "  clavicle tune mlp --gemm clblast",
        children, NULL, NULL};
    struct options o = {.batch = 32};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && o.export && (o.model || o.again || o.clblast))
        code = cli_usage("--export prints what is known of the device: it takes no model; see %s --help", argv[0]);
    if (code)
        return code;
    struct clv_context *ctx = cli_context(&o.common);
    code = with_device(ctx, &o);
    clv_context_destroy(&ctx);
    return code;
}
