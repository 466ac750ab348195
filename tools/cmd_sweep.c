/* clavicle sweep */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cli.h"
#include "progress.h"
#include "request.h"
#include "sweep_args.h"
#include "tuning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_RESUME = CLI_KEY_COMMAND, KEY_FORCE, KEY_METHOD, KEY_TRIALS, KEY_ETA, KEY_MONITOR, KEY_TEST, KEY_QUIET };

struct options {
    struct cli_common common;
    struct clv_sweep_params params;
    const char *resume;
    const char *data, *epochs, *monitor, *seed; /* handed on to train */
    bool test, quiet;
    /* while it runs */
    struct clv_context *ctx;
    const char *const *base; /* of the members' words */
    size_t n_base;
    struct words words;
    struct train_request *request;
    struct progress progress;
    struct tuning tuning;
    char last[64];           /* the member at work */
};

static const struct argp_option opts[] = {
    {"data", 'd', "PATH", 0, "as in train", 1},
    {"out", 'o', "SWEEP", 0, "folder for the search and its runs", 1},
    {"resume", KEY_RESUME, "SWEEP", 0, "go on with an interrupted search", 1},
    {"force", KEY_FORCE, NULL, 0, "replace an existing SWEEP", 1},
    {"method", KEY_METHOD, "NAME", 0, "random (default): all are trained to the end; halving: after each rung the best 1/eta go on", 1},
    {"trials", KEY_TRIALS, "N", 0, "members (default 20)", 1},
    {"eta", KEY_ETA, "N", 0, "halving: one of how many goes on (default 3)", 1},
    {"epochs", 'e', "N", 0, "of a member that is trained to the end (default 10)", 1},
    {"monitor", KEY_MONITOR, "NAME", 0, "what members are chosen by: val_loss (default), val_accuracy, val_auc, val_f1", 1},
    {"seed", 's', "N", 0, "of the drawn settings, and of train (default 0)", 1},
    {"test", KEY_TEST, NULL, 0, "at the end measure the winner, once, on the test split", 1},
    {"quiet", KEY_QUIET, NULL, 0, "no progress", 1},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case 'd':
        o->data = arg;
        return 0;
    case 'o':
        o->params.out = arg;
        return 0;
    case KEY_RESUME:
        o->resume = arg;
        return 0;
    case KEY_FORCE:
        o->params.force = true;
        return 0;
    case KEY_METHOD:
        o->params.method = strcmp(arg, "halving") ? CLV_SWEEP_RANDOM : CLV_SWEEP_HALVING;
        if (!strcmp(arg, "halving") || !strcmp(arg, "random"))
            return 0;
        cli_usage("--method is random or halving, not '%s'", arg);
        return EDOM;
    case KEY_TRIALS:
        if (!cli_int("--trials", arg, 1, CLV_MAX_SWEEP, &n))
            return EDOM;
        o->params.trials = (int)n;
        return 0;
    case KEY_ETA:
        if (!cli_int("--eta", arg, 2, 100, &n))
            return EDOM;
        o->params.eta = (int)n;
        return 0;
    case 'e':
        o->epochs = arg;
        return cli_int("--epochs", arg, 1, 1000000, &n) ? 0 : EDOM;
    case KEY_MONITOR:
        o->monitor = arg;
        return 0;
    case 's':
        if (!cli_int("--seed", arg, 0, INT64_MAX, &n))
            return EDOM;
        o->params.seed = (uint64_t)n;
        o->seed = arg;
        return 0;
    case KEY_TEST:
        o->test = true;
        return 0;
    case KEY_QUIET:
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->params.space_name)
            return ARGP_ERR_UNKNOWN;
        o->params.space_name = arg;
        return 0;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

/* ---- members ---- */

static int on_event(void *priv, const struct clv_event *e)
{
    struct options *o = priv;
    progress_event(&o->progress, e);
    return cli_interrupted() || cli_output_lost();
}

/* What the parser of train makes of the member's words; it has said what is wrong. */
static enum clv_err configure(void *priv, const struct clv_setting *settings, size_t n, struct clv_run_params *ret)
{
    struct options *o = priv;
    free(o->request);
    o->request = NULL;
    words_finish(&o->words);
    words_add(&o->words, "clavicle sweep");
    sweep_words(&o->words, o->base, o->n_base, settings, n);
    if (o->words.failed)
        return CLV_ERR_NOMEM;
    if (train_request_parse(o->words.n, o->words.word, &o->request))
        return CLV_ERR_ARG;
    *ret = *train_request_params(o->request);
    ret->trainer.tuning = &o->tuning.params;
    ret->fit.on_event = on_event;
    ret->fit.priv = o;
    return CLV_OK;
}

static json_t *settings_json(const struct clv_sweep_member *m)
{
    json_t *o = json_object();
    for (size_t i = 0; i < m->n_settings; i++)
        json_object_set_new(o, m->settings[i].name, cli_string(m->settings[i].value));
    return o;
}

static int on_member(void *priv, const struct clv_sweep_member *m)
{
    struct options *o = priv;
    progress_break(&o->progress);
    snprintf(o->last, sizeof o->last, "%s", m->name);
    o->progress.run = m->path;
    if (o->common.json)
        cli_json_line(json_pack("{s:s, s:o, s:i, s:i, s:o, s:i, s:i, s:o, s:o}", "event", "member", "member", cli_string(m->name),
                                "number", m->number, "members", m->members, "run", cli_string(m->path), "rung", m->rung, "rungs",
                                m->rungs, "epochs", m->epochs ? json_integer(m->epochs) : json_null(), "settings",
                                settings_json(m)));
    if (!o->progress.quiet) {
        fprintf(stderr, "%s of %d", m->name, m->members);
        if (m->rungs > 1)
            fprintf(stderr, ", rung %d of %d", m->rung, m->rungs);
        for (size_t i = 0; i < m->n_settings; i++)
            fprintf(stderr, "%s%s=%s", i ? " " : ": ", m->settings[i].name, m->settings[i].value);
        fputc('\n', stderr);
    }
    return cli_interrupted() || cli_output_lost();
}

/* ---- the end ---- */

/* The command that trains the winner anew. malloc'ed. */
static char *winner_command(const struct options *o, const struct clv_sweep_member *m)
{
    struct words w = {0};
    words_add(&w, "clavicle");
    words_add(&w, "train");
    sweep_words(&w, o->base, o->n_base, m->settings, m->n_settings);
    words_add(&w, "--out");
    words_add(&w, "RUN");
    char *text = w.failed ? NULL : words_quote(&w);
    words_finish(&w);
    return text;
}

static void print_results(const struct options *o, const struct clv_sweep *sweep, const struct clv_report *report)
{
    struct clv_sweep_member m;
    char *command = clv_sweep_winner(sweep, &m) ? winner_command(o, &m) : NULL;
    if (o->common.json) {
        json_t *j = json_loads(report->json, 0, NULL);
        if (j) {
            json_object_set_new(j, "event", json_string("results"));
            json_object_set_new(j, "command", cli_string(command));
        }
        cli_json_line(j);
    } else {
        fputs(report->text, stdout);
        if (command)
            printf("\n%s is the best: it lies in %s; to train it anew:\n  %s\n", m.name, m.path, command);
    }
    free(command);
}

static int report_failure(const struct options *o, enum clv_err err, const char *dir)
{
    if (err == CLV_ERR_CANCELLED && *o->last) {
        cli_note("clavicle: interrupted in %s; go on with: clavicle sweep --resume %s", o->last, dir);
        return EXIT_INTERRUPTED;
    }
    if (err == CLV_ERR_ARG && !*clv_error_text(o->ctx))
        return EXIT_USAGE; /* the parser of train has said why */
    return cli_failed(o->ctx, err);
}

static int run(struct options *o, struct clv_sweep *sweep, const char *dir)
{
    struct clv_run_result result = {0};
    struct clv_report report = {0};
    const struct clv_sweep_run_params p = {.configure = configure, .on_member = on_member, .priv = o, .test = o->test};
    o->base = clv_sweep_arguments(sweep, &o->n_base);
    o->progress = progress_init(o->common.json, o->quiet, &result, dir);
    tuning_init(&o->tuning, o->common.json, o->quiet);
    cli_catch_interrupt();
    const enum clv_err err = clv_sweep_run(sweep, &p, &result, &report);
    tuning_break(&o->tuning);
    progress_break(&o->progress);
    if (err)
        return report_failure(o, err, dir);
    print_results(o, sweep, &report);
    clv_report_finish(&report);
    return EXIT_OK;
}

/* ---- the beginning ---- */

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, got = 1;
    while (f && got) {
        char *bigger = realloc(text, n + 65537);
        if (!bigger)
            break;
        text = bigger;
        got = fread(text + n, 1, 65536, f);
        n += got;
        text[n] = '\0';
    }
    const bool ok = f && !got && !ferror(f);
    const int code = errno;
    if (f)
        fclose(f);
    if (ok)
        return text;
    cli_note("clavicle: cannot read %s: %s", path, strerror(code));
    free(text);
    return NULL;
}

static void add_option(struct words *w, const char *name, const char *value)
{
    if (!value)
        return;
    words_add(w, name);
    words_add(w, value);
}

/* What stands behind -- goes to train as it is, and what the sweep itself was told comes after it. */
static struct words base_words(const struct options *o, int n, char **rest)
{
    struct words w = {0};
    for (int i = 0; i < n; i++)
        words_add(&w, rest[i]);
    char *data = realpath(o->data, NULL); /* a search may be gone on with from elsewhere */
    add_option(&w, "--data", data ? data : o->data);
    free(data);
    add_option(&w, "--epochs", o->epochs);
    add_option(&w, "--monitor", o->monitor);
    add_option(&w, "--seed", o->seed);
    add_option(&w, "--device", o->common.device.select);
    add_option(&w, "--caps", o->common.device.caps);
    return w;
}

/* The names in the file that are refused whatever they would do; the library reads the rest of the lines. */
static bool names_allowed(const char *text)
{
    char name[128];
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        s += strspn(s, " \t\r");
        const size_t n = strcspn(s, " \t\r\n#");
        snprintf(name, sizeof name, "%.*s", (int)(n < 127 ? n : 127), s);
        for (char *c = name; *c; c++)
            if (*c == '_')
                *c = '-';
        if (*name && !sweep_may_set(name))
            return false;
    }
    return true;
}

static int begin(struct options *o, int n_rest, char **rest, struct clv_sweep **sweep)
{
    char *text = read_text(o->params.space_name);
    if (!text)
        return EXIT_DATA;
    struct words w = base_words(o, n_rest, rest);
    int code = names_allowed(text) ? EXIT_OK : EXIT_USAGE;
    o->params.space = text;
    o->params.arguments = (const char *const *)w.word;
    o->params.n_arguments = (size_t)w.n;
    if (!code && w.failed) {
        cli_note("clavicle: out of memory");
        code = EXIT_INTERNAL;
    }
    if (!code) {
        const enum clv_err err = clv_sweep_create(o->ctx, &o->params, sweep);
        code = err ? cli_failed(o->ctx, err) : EXIT_OK;
    }
    words_finish(&w);
    free(text);
    return code;
}

static int check_options(const struct options *o, int n_rest, const char *name)
{
    if (o->resume && (o->params.space_name || o->params.out || o->data || o->epochs || o->monitor || o->seed || o->params.trials ||
                      o->params.eta || n_rest))
        return cli_usage("--resume takes everything but --test from the search; see %s --help", name);
    if (!o->resume && !o->params.space_name)
        return cli_usage("no FILE of ranges given; see %s --help", name);
    if (!o->resume && !o->data)
        return cli_usage("no --data given; see %s --help", name);
    if (!o->resume && !o->params.out)
        return cli_usage("no --out given: the folder for the search; see %s --help", name);
    return EXIT_OK;
}

int cmd_sweep(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "FILE -- [MODEL] [TRAIN-OPTION...]\n--resume SWEEP",
        "Search settings: draw them from the ranges in FILE, train, and rank by what is reached on the validation images.\v"
        "What stands behind -- is as in clavicle train, and the same for all. FILE has a line for each setting:\n"
        "  learning_rate log 1e-4 1e-2\n"
        "  batch choice 16 32 64\n"
        "  weight_decay uniform 0 0.1      # an option of the optimizer\n"
        "  augment.rotation int 0 20       # of --augment\n"
        "  model choice lenet resnet18-28\n\n"
        "Examples:\n"
        "  clavicle sweep ranges.txt --data xrays/ --out sweeps/a -- lenet\n"
        "  clavicle sweep ranges.txt --data xrays/ --out sweeps/b --method halving \\\n"
        "      --trials 27 --epochs 27 --monitor val_auc --test -- --optimizer adamw\n"
        "  clavicle sweep --resume sweeps/b", children, NULL, NULL};
    struct options o = {.common = {.json = false}};
    int n_own = 1;
    while (n_own < argc && strcmp(argv[n_own], "--") != 0)
        n_own++;
    const int n_rest = n_own < argc ? argc - n_own - 1 : 0;
    int code = cli_parse(&argp, n_own, argv, &o);
    if (!code)
        code = check_options(&o, n_rest, argv[0]);
    if (code)
        return code;
    struct clv_sweep *sweep = NULL;
    o.ctx = cli_context(&o.common);
    if (o.resume) {
        const enum clv_err err = clv_sweep_open(o.ctx, o.resume, &sweep);
        code = err ? cli_failed(o.ctx, err) : EXIT_OK;
    } else {
        code = begin(&o, n_rest, argv + n_own + 1, &sweep);
    }
    if (!code)
        code = run(&o, sweep, o.resume ? o.resume : o.params.out);
    clv_sweep_close(&sweep);
    clv_context_destroy(&o.ctx);
    free(o.request);
    words_finish(&o.words);
    return code;
}
