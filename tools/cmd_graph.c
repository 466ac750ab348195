/* clavicle graph MODEL */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_PLAN = CLI_KEY_COMMAND, KEY_DOT, KEY_MODEL, KEY_OPS, KEY_EVAL, KEY_OPTIMIZER };

struct options {
    struct cli_common common;
    const char *model, *optimizer;
    int classes;
    long long batch;
    bool plan, dot, text, ops, inference;
};

static const struct argp_option opts[] = {
    {"plan", KEY_PLAN, NULL, 0, "the steps and the memory map on a device, too", 0},
    {"inference", KEY_EVAL, NULL, 0, "with --plan: the plan without backward and update", 0},
    {"batch", 'b', "N", 0, "batch of the plan (default 32)", 0},
    {"classes", 'c', "N", 0, "sets the model's variable `classes`", 0},
    {"optimizer", KEY_OPTIMIZER, "TEXT", 0, "of the plan (default adam)", 0},
    {"dot", KEY_DOT, NULL, 0, "Graphviz text instead of the table", 0},
    {"text", KEY_MODEL, NULL, 0, "the model in the model language", 0},
    {"help-ops", KEY_OPS, NULL, 0, "all layers with their options", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case KEY_PLAN:
        o->plan = true;
        return 0;
    case KEY_EVAL:
        o->inference = true;
        return 0;
    case KEY_DOT:
        o->dot = true;
        return 0;
    case KEY_MODEL:
        o->text = true;
        return 0;
    case KEY_OPS:
        o->ops = true;
        return 0;
    case KEY_OPTIMIZER:
        o->optimizer = arg;
        return 0;
    case 'b':
        return cli_int("--batch", arg, 1, 1 << 20, &o->batch) ? 0 : EDOM;
    case 'c':
        if (!cli_int("--classes", arg, 1, 65536, &n))
            return EDOM;
        o->classes = (int)n;
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            return ARGP_ERR_UNKNOWN;
        o->model = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum clv_err print_plan(struct clv_context *ctx, struct clv_graph *g, const struct options *o)
{
    struct clv_device *dev = NULL;
    struct clv_trainer *t = NULL;
    enum clv_err err = clv_device_open(ctx, &o->common.device, &dev);
    if (!err)
        err = clv_trainer_create(dev, g, &(struct clv_trainer_params){
            .batch = (int)o->batch, .optimizer = o->optimizer, .inference_only = o->inference}, &t);
    char *text = err ? NULL : clv_trainer_plan_text(t, !o->inference);
    if (text)
        printf("\nplan on %s, batch %lld\n%s", clv_device_get_info(dev)->name, o->batch, text);
    free(text);
    clv_trainer_destroy(&t);
    clv_device_close(&dev);
    return err;
}

static int run(struct clv_context *ctx, const struct options *o)
{
    struct clv_graph *g = NULL;
    const struct clv_variable classes = {"classes", o->classes};
    enum clv_err err = clv_model_load(ctx, o->model, &classes, o->classes > 0, &g);
    if (!err)
        err = clv_graph_check(g);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err)
        code = cli_print_text(clv_graph_print(g, o->dot ? CLV_GRAPH_DOT : o->text ? CLV_GRAPH_MODEL
                                             : o->common.json ? CLV_GRAPH_JSON : CLV_GRAPH_TABLE));
    if (!code && o->plan) {
        err = print_plan(ctx, g, o);
        code = err ? cli_failed(ctx, err) : EXIT_OK;
    }
    clv_graph_destroy(&g);
    return code;
}

int cmd_graph(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "MODEL",
        "Print the layers of a model (a built-in name or a model file), their shapes, parameters and flops.\v"
        "Examples:\n  clavicle graph tutorial-cnn\n  clavicle graph tutorial-cnn --plan --batch 8\n"
        "  clavicle graph lenet --dot | dot -Tsvg > lenet.svg", children, NULL, NULL};
    struct options o = {.batch = 32};
    const int code = cli_parse(&argp, argc, argv, &o);
    if (code)
        return code;
    if (o.ops)
        return cli_print_text(clv_graph_help());
    if (!o.model)
        return cli_usage("no model given; see %s --help", argv[0]);
    struct clv_context *ctx = cli_context(&o.common);
    const int result = run(ctx, &o);
    clv_context_destroy(&ctx);
    return result;
}
