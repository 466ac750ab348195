/* clavicle train */
#include "cli.h"
#include "progress.h"
#include "repeats.h"
#include "request.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_RESUME = CLI_KEY_COMMAND, KEY_FORCE, KEY_OPTIMIZER, KEY_RATE, KEY_LOSS, KEY_SCHEDULE, KEY_CLIP,
    KEY_MONITOR, KEY_PATIENCE, KEY_MIN_DELTA, KEY_SPLIT, KEY_VAL, KEY_GROUP, KEY_SKIP, KEY_REFUSE,
    KEY_PREPROCESS, KEY_AUGMENT, KEY_GEMM, KEY_WINOGRAD, KEY_PLAN, KEY_CACHE, KEY_THREADS, KEY_STEPS, KEY_QUIET,
    KEY_CHECKPOINT, KEY_PROFILE, KEY_TRACE, KEY_FINITE, KEY_PRECISION, KEY_LOSS_SCALE, KEY_FOLDS, KEY_TRIALS, KEY_SAMPLER, KEY_HELP_ALL,
};

/* Also what a sweep's members are asked for, as a request. */
struct train_request {
    struct cli_common common;
    struct clv_run_params run;
    const char *rate;
    char optimizer[512];
    bool quiet, help_all;
    int folds, trials;
};

static const struct argp_option opts[] = {
    {NULL, 0, NULL, 0, "What and where:", 1},
    {"data", 'd', "PATH", 0, "folder of class folders with PNG files, MedMNIST .npz, or IDX files", 1},
    {"out", 'o', "RUN", 0, "folder for everything about this training", 1},
    {"resume", KEY_RESUME, "RUN", 0, "go on with an interrupted run", 1},
    {"force", KEY_FORCE, NULL, 0, "replace an existing RUN", 1},
    {NULL, 0, NULL, 0, "Training:", 2},
    {"epochs", 'e', "N", 0, "default 10", 2},
    {"batch", 'b', "N", 0, "default 32", 2},
    {"seed", 's', "N", 0, "of weights, order, augmentation, dropout and split (default 0)", 2},
    {"optimizer", KEY_OPTIMIZER, "TEXT", 0, "sgd, adam (default), adamw, rmsprop with options: \"sgd momentum=0.9\"", 2},
    {"learning-rate", KEY_RATE, "X", 0, "short for the optimizer's learning_rate=X", 2},
    {"loss", KEY_LOSS, "TEXT", 0, "\"categorical_crossentropy label_smoothing=0.1 class_weight=1,2\" or class_weight=balanced; the default follows from the model's output", 2},
    {"sampler", KEY_SAMPLER, "TEXT", 0, "images of an epoch: shuffle (default), all of them; balanced: as many draws with replacement, classes in equal shares", 2},
    {"schedule", KEY_SCHEDULE, "TEXT", 0, "constant, \"step every=30 factor=0.1\", \"step milestones=50,75\", \"cosine final=0\", \"plateau patience=5\"; each takes warmup=STEPS", 2},
    {"clip-norm", KEY_CLIP, "X", 0, "clip the gradients' global norm", 2},
    {"monitor", KEY_MONITOR, "NAME", 0, "what the best checkpoint is chosen by: val_loss (default), val_accuracy, val_auc, val_f1, loss, accuracy", 2},
    {"early-stop", KEY_PATIENCE, "N", 0, "stop after N epochs without improvement", 2},
    {"min-delta", KEY_MIN_DELTA, "X", 0, "smallest change that is an improvement", 2},
    {"max-steps", KEY_STEPS, "N", 0, "stop after N optimizer steps", 2},
    {"checkpoint-seconds", KEY_CHECKPOINT, "S", 0, "write last.safetensors that often within an epoch (default 60)", 2},
    {"folds", KEY_FOLDS, "K", 0, "cross-validation: what is not test in K parts; K runs in RUN/fold-1..., each validates on another part; a table with mean and spread at the end", 2},
    {"trials", KEY_TRIALS, "N", 0, "the same N times, in RUN/trial-1..., with seeds from --seed on; with --folds, each fold", 2},
    {NULL, 0, NULL, 0, "Data:", 3},
    {"split", KEY_SPLIT, "A/B/C", 0, "shares of train/val/test for a folder without them (default 70/15/15)", 3},
    {"val-fraction", KEY_VAL, "X", 0, "share of train that becomes val where none is given (default 0.15)", 3},
    {"group-by", KEY_GROUP, "REGEX", 0, "what it matches in a path names the person; persons stay in one split", 3},
    {"skip-bad", KEY_SKIP, NULL, 0, "go on without damaged files", 3},
    {"refuse-leaks", KEY_REFUSE, NULL, 0, "stop when a given split shares images or persons", 3},
    {"preprocess", KEY_PREPROCESS, "TEXT", 0, "\"resize=crop mean=0.5 std=0.5 rotate=90 crop_center=0.9\"", 3},
    {"augment", KEY_AUGMENT, "TEXT", 0, "\"rotation=10 shift=0.1 zoom=0.1 flip=horizontal brightness=0.1 contrast=0.1 erase_p=0.5 mixup=0.2 cutmix=1\"", 3},
    {"cache", KEY_CACHE, "BYTES", 0, "memory for decoded images (default 1G)", 3},
    {"threads", KEY_THREADS, "N", 0, "decoder threads (default: number of CPUs, at most 8)", 3},
    {NULL, 0, NULL, 0, "Engine:", 4},
    {"gemm", KEY_GEMM, "WHO", 0, "dense layers: auto (default), native or clblast", 4},
    TUNING_OPTION(4), SELF_TEST_OPTION(4),
    {"winograd", KEY_WINOGRAD, "HOW", 0, "3x3 convolutions: auto (default), off, or tiles of 2 or 4", 4},
    {"precision", KEY_PRECISION, "HOW", 0, "fp32 (default); split: products on a matrix unit where it is faster; mixed: activations stored as brain floats; mixed-fp16: as 16-bit floats, with a loss scale", 4},
    {"loss-scale", KEY_LOSS_SCALE, "NUMBER", 0, "mixed-fp16: first loss scale, a power of two (default 65536)", 4},
    {"plan", KEY_PLAN, "separate", 0, "debugging: every tensor in a guarded buffer of its own", 4},
    {"profile", KEY_PROFILE, NULL, 0, "time every step on the device, and the host; a table at the end", 4},
    {"trace", KEY_TRACE, "FILE", 0, "timeline of the first 200 steps, for chrome://tracing or ui.perfetto.dev", 4},
    {"check-finite", KEY_FINITE, NULL, 0, "debugging: name the layer and the pass where the first number arises that is not finite; slower", 4},
    {"quiet", KEY_QUIET, NULL, 0, "no progress", 4},
    {"help-all", KEY_HELP_ALL, NULL, 0, "every optimizer, schedule, loss, preprocessing and augmentation with its options", 4},
    {0}};

static error_t number(const char *option, const char *arg, long long max, long long *ret)
{
    return cli_int(option, arg, 0, max, ret) ? 0 : EDOM;
}

/* The place of arg among the names, which end with NULL; -1 if it is none of them. */
static int place_of(const char *arg, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(arg, names[i]))
            return i;
    return -1;
}

static error_t parse_engine(struct train_request *o, int key, char *arg)
{
    static const char *const gemm[] = {"auto", "native", "clblast", NULL};
    static const char *const winograd[] = {"auto", "off", "2", "4", NULL};
    int i;
    switch (key) {
    case KEY_GEMM:
        if ((i = place_of(arg, gemm)) < 0) {
            cli_usage("--gemm is auto, native or clblast, not '%s'", arg);
            return EDOM;
        }
        o->run.trainer.gemm = (enum clv_gemm_mode)i;
        return 0;
    case KEY_WINOGRAD:
        if ((i = place_of(arg, winograd)) < 0) {
            cli_usage("--winograd is auto, off, 2 or 4, not '%s'", arg);
            return EDOM;
        }
        o->run.trainer.winograd = (enum clv_winograd_mode)i;
        return 0;
    case CLI_KEY_SELF_TEST:
        return self_test_mode(arg, &o->run.trainer.self_test) ? 0 : EDOM;
    case KEY_PRECISION:
        return cli_precision(arg, &o->run.trainer.precision) ? 0 : EDOM;
    case KEY_LOSS_SCALE:
        return cli_double("--loss-scale", arg, 1, 0x1p126, &o->run.trainer.loss_scale) ? 0 : EDOM;
    case CLI_KEY_TUNE:
        return tuning_mode(arg, &o->run.trainer.tune) ? 0 : EDOM;
    case KEY_PLAN:
        if (strcmp(arg, "separate")) {
            cli_usage("--plan is separate, not '%s'", arg);
            return EDOM;
        }
        o->run.trainer.separate = true;
        return 0;
    case KEY_PROFILE:
        o->run.fit.profile = true;
        return 0;
    case KEY_TRACE:
        o->run.fit.trace = arg;
        return 0;
    case KEY_FINITE:
        o->run.trainer.check_finite = true;
        return 0;
    case KEY_QUIET:
        o->quiet = true;
        return 0;
    case KEY_HELP_ALL:
        o->help_all = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_data(struct train_request *o, int key, char *arg)
{
    struct clv_data_params *d = &o->run.split;
    long long n = 0;
    switch (key) {
    case KEY_SPLIT:
        d->split = arg;
        return 0;
    case KEY_VAL:
        return cli_double("--val-fraction", arg, 1e-9, .9, &d->val_fraction) ? 0 : EDOM;
    case KEY_GROUP:
        d->group_by = arg;
        return 0;
    case KEY_SKIP:
        d->skip_bad = true;
        return 0;
    case KEY_REFUSE:
        d->refuse_leaks = true;
        return 0;
    case KEY_PREPROCESS:
        o->run.trainer.pipeline.preprocess = arg;
        return 0;
    case KEY_AUGMENT:
        o->run.trainer.pipeline.augment = arg;
        return 0;
    case KEY_CACHE:
        return cli_bytes("--cache", arg, &o->run.cache_bytes) ? 0 : EDOM;
    case KEY_THREADS:
        if (number("--threads", arg, 1024, &n))
            return EDOM;
        o->run.threads = (int)n;
        return 0;
    default:
        return parse_engine(o, key, arg);
    }
}

static error_t parse_training(struct train_request *o, int key, char *arg)
{
    struct clv_fit_params *fit = &o->run.fit;
    struct clv_trainer_params *t = &o->run.trainer;
    long long n = 0;
    error_t err = 0;
    switch (key) {
    case 'e':
        err = cli_int("--epochs", arg, 1, 1000000, &n) ? 0 : EDOM;
        fit->epochs = (int)n;
        return err;
    case 'b':
        err = cli_int("--batch", arg, 1, 1 << 20, &n) ? 0 : EDOM;
        t->batch = (int)n;
        return err;
    case 's':
        err = number("--seed", arg, INT64_MAX, &n);
        t->seed = o->run.split.seed = (uint64_t)n;
        return err;
    case KEY_OPTIMIZER:
        t->optimizer = arg;
        return 0;
    case KEY_RATE:
        o->rate = arg;
        return 0;
    case KEY_LOSS:
        t->loss = arg;
        return 0;
    case KEY_SAMPLER:
        fit->sampler = arg;
        return 0;
    case KEY_SCHEDULE:
        fit->schedule = arg;
        return 0;
    case KEY_CLIP:
        return cli_double("--clip-norm", arg, 0, 1e30, &t->clip_norm) ? 0 : EDOM;
    case KEY_MONITOR:
        fit->monitor = arg;
        return 0;
    case KEY_PATIENCE:
        err = number("--early-stop", arg, 1000000, &n);
        fit->patience = (int)n;
        return err;
    case KEY_MIN_DELTA:
        return cli_double("--min-delta", arg, 0, 1e30, &fit->min_delta) ? 0 : EDOM;
    case KEY_STEPS:
        err = number("--max-steps", arg, INT64_MAX, &n);
        fit->max_steps = (uint64_t)n;
        return err;
    case KEY_FOLDS:
        err = cli_int("--folds", arg, 2, CLV_MAX_FOLDS, &n) ? 0 : EDOM;
        o->folds = (int)n;
        return err;
    case KEY_TRIALS:
        err = cli_int("--trials", arg, 1, CLV_MAX_TRIALS, &n) ? 0 : EDOM;
        o->trials = (int)n;
        return err;
    case KEY_CHECKPOINT:
        return cli_double("--checkpoint-seconds", arg, 0.001, 1e9, &o->run.checkpoint_seconds) ? 0 : EDOM;
    default:
        return parse_data(o, key, arg);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct train_request *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        return cli_begin_parse(key, state, &o->common);
    case 'd':
        o->run.data = arg;
        return 0;
    case 'o':
        o->run.out = arg;
        return 0;
    case KEY_RESUME:
        o->run.resume = arg;
        return 0;
    case KEY_FORCE:
        o->run.force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->run.model)
            return ARGP_ERR_UNKNOWN;
        o->run.model = arg;
        return 0;
    default:
        return parse_training(o, key, arg);
    }
}

/* ---- the run ---- */

static int on_event(void *priv, const struct clv_event *e)
{
    progress_event(priv, e);
    return cli_interrupted() || cli_output_lost();
}

static void print_summary(const struct clv_run_result *r, const char *run)
{
    printf("trained %d epoch%s (%llu step%s) on %s%s%s\n", r->epochs, r->epochs == 1 ? "" : "s",
           (unsigned long long)r->steps, r->steps == 1 ? "" : "s", r->device, strcmp(r->stop_reason, "epochs") ? "; ended by " : "",
           strcmp(r->stop_reason, "epochs") ? r->stop_reason : "");
    if (r->best_epoch)
        printf("best epoch %d: %s %.6g\n", r->best_epoch, r->monitor, r->best_value);
    if (r->skipped)
        printf("skipped %llu step%s whose gradients were not finite; the loss scale is %g\n", (unsigned long long)r->skipped,
               r->skipped == 1 ? "" : "s", r->loss_scale);
    if (r->bad || r->ignored)
        printf("left out: %zu damaged file%s, %zu that %s no image%s\n", r->bad, r->bad == 1 ? "" : "s",
               r->ignored, r->ignored == 1 ? "is" : "are", r->ignored == 1 ? "" : "s");
    printf("checkpoint %s/best.safetensors; measure it with\n  clavicle eval %s\n", run, run);
}

static int report(struct clv_context *ctx, struct train_request *o, enum clv_err err,
                  const struct clv_run_result *r)
{
    const char *run = o->run.resume ? o->run.resume : o->run.out;
    if (err == CLV_ERR_CANCELLED && *r->device) { /* else it was tuning, and there is no run yet */
        cli_note("clavicle: interrupted after %d epoch%s and %llu steps; go on with: clavicle train --resume %s",
                 r->epochs, r->epochs == 1 ? "" : "s", (unsigned long long)r->steps, run);
        return EXIT_INTERRUPTED;
    }
    if (err == CLV_ERR_NONFINITE && r->steps)
        cli_note("clavicle: the checkpoint of step %llu is kept. %sTrain anew with a smaller --learning-rate, or --clip-norm",
                 (unsigned long long)r->steps,
                 o->run.trainer.check_finite ? "" : "To see where it began: clavicle train --check-finite --resume RUN. ");
    if (err)
        return cli_failed(ctx, err);
    if (!o->common.json)
        print_summary(r, run);
    return EXIT_OK;
}

static bool repeated(const struct train_request *o)
{
    return o->folds || o->trials || (o->run.resume && clv_repeat_is(o->run.resume));
}

/* --learning-rate is an option of the optimizer. */
static int take_rate(struct train_request *o)
{
    if (o->rate) {
        const char *base = o->run.trainer.optimizer ? o->run.trainer.optimizer : "adam";
        const int n = snprintf(o->optimizer, sizeof o->optimizer, "%s learning_rate=%s", base, o->rate);
        if (n < 0 || (size_t)n >= sizeof o->optimizer)
            return cli_usage("--optimizer is too long");
        o->run.trainer.optimizer = o->optimizer;
    }
    return EXIT_OK;
}

static int check_options(struct train_request *o, const char *name)
{
    if (o->run.resume && (o->run.model || o->run.data || o->run.out))
        return cli_usage("--resume takes model, data and folder from the run: give only --resume RUN; see %s --help", name);
    if (!o->run.resume && !o->run.model)
        return cli_usage("no model given; see %s --help", name);
    if (!o->run.resume && !o->run.data)
        return cli_usage("no --data given; see %s --help", name);
    if (!o->run.resume && !o->run.out)
        return cli_usage("no --out given: the folder for the run; see %s --help", name);
    if (o->run.resume && (o->folds || o->trials))
        return cli_usage("--resume takes folds and trials from the run; see %s --help", name);
    if (o->run.fit.trace && repeated(o))
        return cli_usage("--trace shows one training; see %s --help", name);
    return take_rate(o);
}

/* ---- requests ---- */

bool train_has_option(const char *name)
{
    for (const struct argp_option *o = opts; o->name || o->doc; o++)
        if (o->name && !strcmp(o->name, name))
            return true;
    return false;
}

int train_request_parse(int argc, char **argv, struct train_request **ret)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {opts, parse, NULL, NULL, children, NULL, NULL};
    struct train_request *o = calloc(1, sizeof *o);
    if (!o) {
        cli_note("clavicle: out of memory");
        return EXIT_INTERNAL;
    }
    o->run.trainer.self_test = CLV_SELF_TEST_CACHED;
    int code = cli_parse(&argp, argc, argv, o);
    if (!code && (o->run.out || o->run.resume || o->run.force || o->folds || o->trials || o->run.fit.trace || o->run.fit.profile))
        code = cli_usage("out, resume, force, folds, trials, trace and profile are no options of a member; see %s --help", argv[0]);
    if (!code)
        code = take_rate(o);
    o->run.device = o->common.device;
    *ret = code ? NULL : o;
    if (code)
        free(o);
    return code;
}

struct clv_run_params *train_request_params(struct train_request *r) { return &r->run; }

int cmd_train(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "MODEL\n--resume RUN",
        "Train MODEL (tutorial-cnn, lenet, mlp, resnet18, resnet18-28, resnet50, vgg16, densenet121, unet-small, mobilenet-v2, efficientnet-b0, or a model file) into the folder RUN.\v"
        "Examples:\n"
        "  clavicle train tutorial-cnn --data xrays/ --out runs/a\n"
        "  clavicle train tutorial-cnn --data xrays/ --out runs/b --device gpu \\\n"
        "      --group-by 'person([0-9]+)' --augment 'rotation=10 shift=0.1'\n"
        "  clavicle train lenet --data pneumoniamnist.npz --out runs/c \\\n"
        "      --epochs 30 --monitor val_auc --early-stop 5 \\\n"
        "      --optimizer 'adamw weight_decay=0.01' --schedule 'cosine warmup=99'\n"
        "  clavicle train tutorial-cnn --data xrays/ --out runs/d --max-steps 20 \\\n"
        "      --profile --trace trace.json\n"
        "  clavicle train lenet --data xrays/ --out runs/e --folds 5\n"
        "  clavicle train --resume runs/a", children, NULL, NULL};
    struct train_request o = {.run.fit.on_event = on_event, .run.trainer.self_test = CLV_SELF_TEST_CACHED};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && o.help_all)
        return cli_print_text(clv_trainer_help());
    if (!code)
        code = check_options(&o, argv[0]);
    if (code)
        return code;
    struct clv_run_result result = {0};
    struct progress progress = progress_init(o.common.json, o.quiet, &result,
                                             o.run.resume ? o.run.resume : o.run.out);
    o.run.device = o.common.device;
    o.run.fit.priv = &progress;
    progress.profile = o.run.fit.profile;
    struct tuning tuning;
    tuning_init(&tuning, o.common.json, o.quiet);
    o.run.trainer.tuning = &tuning.params;
    cli_catch_interrupt();
    struct clv_context *ctx = cli_context(&o.common);
    if (repeated(&o)) {
        struct repeats r = {.params = {.run = o.run, .folds = o.folds, .trials = o.trials}, .progress = &progress, .json = o.common.json};
        code = repeats_train(ctx, &r, &result);
    } else {
        const enum clv_err err = clv_run_train(ctx, &o.run, &result);
        tuning_break(&tuning);
        progress_break(&progress);
        code = report(ctx, &o, err, &result);
    }
    clv_context_destroy(&ctx);
    return code;
}
