/* clavicle predict */
#include "cli.h"
#include "csv.h"
#include "tuning.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { KEY_CSV = CLI_KEY_COMMAND, KEY_CHECKPOINT, KEY_TTA };

struct files { char **name; size_t n, cap; };

struct options {
    struct cli_common common;
    const char *run, *csv;
    struct clv_run_open_params open;
    struct files files;
};

static const struct argp_option opts[] = {
    {"csv", KEY_CSV, "FILE", 0, "one row per file: path, predicted, error, prob_CLASS...", 0},
    {"checkpoint", KEY_CHECKPOINT, "WHICH", 0, "best (default), last, or a file", 0},
    {"tta", KEY_TTA, "VIEWS", 0, "mean probabilities over views of each image: \"flip=horizontal rotation=-5,0,5\", or a number: the image and draws from the run's augmentation", 0},
    {"batch", 'b', "N", 0, "default: the run's", 0},
    TUNING_OPTION(0), SELF_TEST_OPTION(0),
    {0}};

static bool add_file(struct files *f, const char *dir, const char *name)
{
    if (f->n == f->cap) {
        const size_t cap = f->cap ? 2 * f->cap : 64;
        char **bigger = realloc(f->name, cap * sizeof *bigger);
        if (!bigger)
            return false;
        f->name = bigger;
        f->cap = cap;
    }
    const size_t size = (dir ? strlen(dir) + 1 : 0) + strlen(name) + 1;
    char *path = malloc(size);
    if (!path)
        return false;
    snprintf(path, size, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    f->name[f->n++] = path;
    return true;
}

static bool is_png(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && !strcasecmp(dot, ".png");
}

static int is_shown(const struct dirent *e) { return e->d_name[0] != '.'; }

static int in_byte_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The PNG files of a folder and of its folders, in byte order; links to folders are not followed, so
 * that a loop ends. */
static bool add_folder(struct files *f, const char *path)
{
    struct dirent **list = NULL;
    const int n = scandir(path, &list, is_shown, in_byte_order);
    bool ok = n >= 0 || add_file(f, NULL, path); /* its row says why it cannot be read */
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        const size_t size = strlen(path) + strlen(name) + 2;
        char *below = malloc(size);
        struct stat st;
        ok = ok && below;
        if (ok) {
            snprintf(below, size, "%s/%s", path, name);
            if (!lstat(below, &st) && S_ISDIR(st.st_mode))
                ok = add_folder(f, below);
            else if (is_png(name))
                ok = add_file(f, path, name);
        }
        free(below);
        free(list[i]);
    }
    free(list);
    return ok;
}

/* A folder without images gets a row, as a missing file does: with the reason. */
static bool add_path(struct files *f, const char *path)
{
    struct stat st;
    const size_t before = f->n;
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return add_file(f, NULL, path);
    char *folder = strdup(path);
    if (!folder)
        return false;
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    const bool ok = add_folder(f, folder) && (f->n > before || add_file(f, NULL, path));
    free(folder);
    return ok;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    long long n = 0;
    switch (key) {
    case KEY_CSV:
        o->csv = arg;
        return 0;
    case KEY_TTA:
        o->open.tta = arg;
        return 0;
    case KEY_CHECKPOINT:
        o->open.checkpoint = arg;
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
    case ARGP_KEY_ARG:
        if (!o->run) {
            o->run = arg;
            return 0;
        }
        return add_path(&o->files, arg) ? 0 : ENOMEM;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

struct sink { const struct options *o; const struct clv_run_info *info; struct csv csv; };

static int best_class(const struct clv_run_info *info, const float *prob)
{
    int best = 0;
    for (int i = 1; i < info->n_classes; i++)
        if (prob[i] > prob[best])
            best = i;
    return best;
}

static void result_json(const struct clv_run_info *info, const char *file, const float *prob,
                        const char *error)
{
    json_t *o = json_pack("{s:o}", "path", cli_string(file));
    if (prob) {
        json_t *p = json_object();
        for (int i = 0; i < info->n_classes; i++)
            json_object_set_new(p, info->classes[i], cli_real(prob[i]));
        json_object_set_new(o, "predicted", json_string(info->classes[best_class(info, prob)]));
        json_object_set_new(o, "probabilities", p);
        json_object_set_new(o, "views", cli_views_json(info));
    } else {
        json_object_set_new(o, "error", cli_string(error));
    }
    cli_json_line(o);
}

static void result_csv(struct csv *csv, const struct clv_run_info *info, const char *file,
                       const float *prob, const char *error)
{
    csv_field(csv, file);
    csv_field(csv, prob ? info->classes[best_class(info, prob)] : "");
    csv_field(csv, error ? error : "");
    for (int i = 0; i < info->n_classes; i++)
        if (prob)
            csv_number(csv, prob[i]);
        else
            csv_field(csv, "");
    csv_row(csv);
}

static void on_result(void *priv, const char *file, const float *prob, const char *error)
{
    struct sink *s = priv;
    if (s->csv.f)
        result_csv(&s->csv, s->info, file, prob, error);
    if (s->csv.f == stdout)
        return;
    if (s->o->common.json) {
        result_json(s->info, file, prob, error);
        return;
    }
    if (!prob) {
        printf("%s  -  %s\n", file, error);
        return;
    }
    printf("%s  %s ", file, s->info->classes[best_class(s->info, prob)]);
    for (int i = 0; i < s->info->n_classes; i++)
        printf(" %s=%.4f", s->info->classes[i], prob[i]);
    printf("\n");
}

static int predict(struct clv_context *ctx, struct options *o, struct clv_run *run)
{
    static const char *const head[] = {"path", "predicted", "error"};
    struct sink s = {.o = o, .info = clv_run_get_info(run)};
    if (o->csv && !csv_open(&s.csv, o->csv, head, 3, s.info->classes, s.info->n_classes))
        return EXIT_WRITE;
    if (!o->common.json)
        cli_views_line(s.info, stderr);
    const enum clv_err err = clv_run_predict(run, (const char *const *)o->files.name, o->files.n,
                                             on_result, &s);
    int code = err ? cli_failed(ctx, err) : EXIT_OK;
    if (o->csv && !csv_close(&s.csv, !err || err == CLV_ERR_DATA))
        code = EXIT_WRITE;
    return code;
}

int cmd_predict(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, "RUN FILE...",
        "Class and probabilities of PNG files; a folder stands for the PNG files below it. A bad file gets a "
        "row of its own, the rest is done, the exit code is 4.\v"
        "Examples:\n  clavicle predict runs/a new/*.png\n  clavicle predict runs/a new/ --csv results.csv",
        children, NULL, NULL};
    struct options o = {.open.self_test = CLV_SELF_TEST_CACHED};
    int code = cli_parse(&argp, argc, argv, &o);
    if (!code && (!o.run || !o.files.n))
        code = cli_usage("a RUN and at least one PNG file are needed; see %s --help", argv[0]);
    if (!code && o.common.json && o.csv && !strcmp(o.csv, "-"))
        code = cli_usage("--json and --csv - both want stdout; give --csv a file");
    if (!code) {
        struct clv_context *ctx = cli_context(&o.common);
        struct clv_run *run = NULL;
        o.open.device = o.common.device;
        struct tuning tuning;
        tuning_for(&tuning, &o.common, &o.open);
        const enum clv_err err = clv_run_open(ctx, o.run, &o.open, &run);
        code = err ? cli_failed(ctx, err) : predict(ctx, &o, run);
        clv_run_close(&run);
        clv_context_destroy(&ctx);
    }
    for (size_t i = 0; i < o.files.n; i++)
        free(o.files.name[i]);
    free(o.files.name);
    return code;
}
