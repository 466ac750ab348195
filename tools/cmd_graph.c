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
    {"plan", KEY_PLAN, NULL, 0, "the steps and the memory map on the device, too", 0},
    {"inference", KEY_EVAL, NULL, 0, "with --plan: the plan without backward and update", 0},
    {"batch", 'b', "N", 0, "batch that memory and plan are for (default 32)", 0},
    {"classes", 'c', "N", 0, "sets the model's variable `classes`", 0},
    {"optimizer", KEY_OPTIMIZER, "TEXT", 0, "that memory and plan are for (default adam)", 0},
    {"dot", KEY_DOT, NULL, 0, "Graphviz text instead of the table", 0},
    {"text", KEY_MODEL, NULL, 0, "the model in the model language", 0},
    {"help-ops", KEY_OPS, NULL, 0, "all layers with their options", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n;
    switch (key) {
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
        return cli_begin_parse(key, state, &o->common);
    }
}

/* What a device would need: nothing is built or allocated there. Training is asked last, since that
 * adds the loss to the graph. */
struct needs {
    const char *device; /* NULL: there is none */
    struct clv_trainer_memory inference, training;
    char *plan;         /* --plan; malloc'ed */
};

static enum clv_err measure(struct clv_device *dev, struct clv_graph *g, const struct options *o,
                            bool training, struct clv_trainer_memory *memory, char **plan)
{
    struct clv_trainer *t = NULL;
    enum clv_err err = clv_trainer_create(dev, g, &(struct clv_trainer_params){
        .batch = (int)o->batch, .optimizer = o->optimizer, .inference_only = !training,
        .plan_only = true}, &t);
    if (err)
        return err;
    if (training)
        free(clv_trainer_plan_text(t, false)); /* validation's plan lies beside training's */
    *memory = clv_trainer_get_memory(t);
    if (plan)
        *plan = clv_trainer_plan_text(t, training);
    clv_trainer_destroy(&t);
    return CLV_OK;
}

static enum clv_err find_needs(struct clv_context *ctx, struct clv_graph *g, const struct options *o,
                               struct clv_device **dev, struct needs *n)
{
    enum clv_err err = clv_device_open(ctx, &o->common.device, dev);
    if (err == CLV_ERR_NODEV && !o->plan && !o->common.device.select && !getenv("CLAVICLE_DEVICE"))
        return CLV_OK; /* layers and shapes need none */
    if (err)
        return err;
    n->device = clv_device_get_info(*dev)->name;
    err = measure(*dev, g, o, false, &n->inference, o->plan && o->inference ? &n->plan : NULL);
    if (!err)
        err = measure(*dev, g, o, true, &n->training, o->plan && !o->inference ? &n->plan : NULL);
    return err;
}

static json_t *plan_json(const char *text)
{
    json_t *lines = json_array();
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, "\n");
        json_array_append_new(lines, json_stringn(at, n));
        at += n + (at[n] == '\n');
    }
    return lines;
}

static void print_json(const char *graph, const struct options *o, const struct needs *n)
{
    json_t *j = json_loads(graph, 0, NULL);
    json_t *memory = !n->device ? json_null() : json_pack(
        "{s:o, s:I, s:I, s:I}", "device", cli_string(n->device), "batch", (json_int_t)o->batch,
        "training_bytes", (json_int_t)n->training.peak, "inference_bytes", (json_int_t)n->inference.peak);
    json_object_set_new(j, "memory", memory);
    if (n->plan)
        json_object_set_new(j, "plan", plan_json(n->plan));
    cli_json_line(j);
}

static void print_table(const char *graph, const struct options *o, const struct needs *n)
{
    const double mib = 1024. * 1024;
    fputs(graph, stdout);
    if (!n->device)
        puts("peak memory: depends on the device, and there is none");
    else
        printf("peak memory with batch %lld: training %.1f MiB, inference %.1f MiB (%s)\n", o->batch,
               (double)n->training.peak / mib, (double)n->inference.peak / mib, n->device);
    if (n->plan)
        printf("\nplan of %s\n%s", o->inference ? "inference" : "training", n->plan);
}

static int print_all(struct clv_context *ctx, struct clv_graph *g, const struct options *o)
{
    struct clv_device *dev = NULL;
    struct needs n = {0};
    /* Before the loss joins it. */
    char *graph = clv_graph_print(g, o->common.json ? CLV_GRAPH_JSON : CLV_GRAPH_TABLE);
    const enum clv_err err = find_needs(ctx, g, o, &dev, &n);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (!err && (!graph || (o->plan && !n.plan))) {
        cli_note("clavicle: out of memory");
        code = EXIT_INTERNAL;
    } else if (!err) {
        (o->common.json ? print_json : print_table)(graph, o, &n);
    }
    free(graph);
    free(n.plan);
    clv_device_close(&dev);
    return code;
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
        code = o->dot || o->text ? cli_print_text(clv_graph_print(g, o->dot ? CLV_GRAPH_DOT : CLV_GRAPH_MODEL))
                                 : print_all(ctx, g, o);
    clv_graph_destroy(&g);
    return code;
}

int cmd_graph(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "MODEL",
        "Print the layers of a model (a built-in name or a model file), their shapes, parameters and flops, "
        "and the peak memory.\v"
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
    if (o.dot + o.text + (o.common.json || o.plan) > 1)
        return cli_usage("--dot and --text stand alone; see %s --help", argv[0]);
    struct clv_context *ctx = cli_listing_context(&o.common);
    const int result = run(ctx, &o);
    clv_context_destroy(&ctx);
    return result;
}
