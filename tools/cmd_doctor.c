/* clavicle doctor */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_ALL = CLI_KEY_COMMAND, KEY_GROUP, KEY_CLBLAST, KEY_SILENCE, KEY_CHILD };

/* Seconds without a sign of life: longer than any case takes and any kernel is built. */
enum { SILENCE = 900 };

struct options {
    struct cli_common common;
    struct clv_doctor_params params;
    bool all, child;
    double silence;
};

static const struct argp_option opts[] = {
    {"all", KEY_ALL, NULL, 0, "every device of the machine (the default without --device)", 0},
    {"group", KEY_GROUP, "NAME", 0, "only these kernels: an op, sample, or update", 0},
    {"clblast", KEY_CLBLAST, NULL, 0, "CLBlast on CPU devices, too, where its kernels take a minute to build", 0},
    {"silence", KEY_SILENCE, "SECONDS", 0, "end the checks of a device that gives no sign of life for so long (default: 900)", 0},
    {"child", KEY_CHILD, NULL, OPTION_HIDDEN, NULL, 0}, /* rows for the process that started this one */
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_ALL:
        o->all = true;
        return 0;
    case KEY_GROUP:
        o->params.group = arg;
        return 0;
    case KEY_CLBLAST:
        o->params.clblast = true;
        return 0;
    case KEY_SILENCE:
        return cli_double("--silence", arg, 1, 86400, &o->silence) ? 0 : EDOM;
    case KEY_CHILD:
        o->child = true;
        return 0;
    default:
        return cli_begin_parse(key, state, &o->common);
    }
}

/* ---- rows ---- */

static struct doctor_line *find_line(struct doctor_device *d, const struct clv_doctor_row *row)
{
    const int most = (int)(sizeof d->line / sizeof d->line[0]);
    for (int i = 0; i < d->n_lines; i++)
        if (!strcmp(d->line[i].group, row->group) && !strcmp(d->line[i].variant, row->variant))
            return &d->line[i];
    if (d->n_lines == most)
        return &d->line[most - 1];
    struct doctor_line *l = &d->line[d->n_lines++];
    *l = (struct doctor_line){.error = -1};
    snprintf(l->group, sizeof l->group, "%s", row->group);
    snprintf(l->variant, sizeof l->variant, "%s", row->variant);
    return l;
}

static void add_problem(struct doctor_device *d, const struct clv_doctor_row *row)
{
    const char *status = row->status == CLV_DOCTOR_WRONG ? "wrong" : "failed";
    if (d->code != EXIT_WRONG && (row->status == CLV_DOCTOR_WRONG || !d->code)) {
        d->status = status;
        d->code = row->status == CLV_DOCTOR_WRONG ? EXIT_WRONG : cli_exit_code(row->code);
        snprintf(d->reason, sizeof d->reason, "%s, case '%s'%s%s: %s", row->group, row->name,
                 *row->variant ? ", variant " : "", row->variant, row->text);
    }
    json_array_append_new(d->problems,
                          json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "status", status, "group", row->group, "case",
                                    row->name, "variant", row->variant, "error",
                                    row->status == CLV_DOCTOR_WRONG ? cli_real(row->error) : json_null(), "text",
                                    cli_string(row->text)));
}

static void take_row(void *priv, const struct clv_doctor_row *row)
{
    struct doctor_device *d = priv;
    struct doctor_line *l = find_line(d, row);
    l->passed += row->status == CLV_DOCTOR_PASSED;
    l->skipped += row->status == CLV_DOCTOR_SKIPPED;
    l->wrong += row->status == CLV_DOCTOR_WRONG;
    l->failed += row->status == CLV_DOCTOR_FAILED;
    l->seconds += row->seconds;
    const bool ran = row->status == CLV_DOCTOR_PASSED || row->status == CLV_DOCTOR_WRONG;
    if (ran && row->error > l->error) {
        l->error = row->error;
        snprintf(l->worst, sizeof l->worst, "%s", row->name);
    }
    if (row->status == CLV_DOCTOR_WRONG || row->status == CLV_DOCTOR_FAILED)
        add_problem(d, row);
}

static void draw_progress(void *priv, const char *what)
{
    (void)priv;
    fprintf(stderr, "\r%.100s\033[K", what);
    fflush(stderr);
}

/* ---- devices ---- */

/* A device that does not open is a finding, too. */
static void cannot_run(struct doctor_device *d, const char *text, enum clv_err err)
{
    if (d->code == EXIT_WRONG) /* outweighs what did not run */
        return;
    d->status = "failed";
    d->code = cli_exit_code(err);
    snprintf(d->reason, sizeof d->reason, "%s", text);
}

/* In a process of its own: a driver may crash or hang. */
static void examine(const struct options *o, const char *select, struct doctor_device *d)
{
    const char *argv[16] = {"clavicle", "doctor", "--child", "--device", select};
    size_t n = 5;
    if (o->common.device.caps) {
        argv[n++] = "--caps";
        argv[n++] = o->common.device.caps;
    }
    if (o->params.group) {
        argv[n++] = "--group";
        argv[n++] = o->params.group;
    }
    if (o->params.clblast)
        argv[n++] = "--clblast";
    if (o->common.verbose)
        argv[n++] = "--verbose";
    const struct doctor_child_sink sink = {isatty(2) ? draw_progress : NULL, take_row, &d->summary, d};
    enum clv_err err = CLV_OK;
    char *line[16] = {0}, text[512] = "";
    memcpy(line, argv, sizeof line); /* posix_spawn() changes none of them */
    if (!doctor_child_examine(line, o->silence, &sink, &err, text, sizeof text)) {
        err = CLV_ERR_IO;
        snprintf(text, sizeof text, "cannot start a process for its checks");
    }
    if (sink.on_case)
        fputs("\r\033[K", stderr);
    if (err)
        cannot_run(d, text, err);
}

static void finish_device(const struct options *o, struct doctor_device *d, json_t *all)
{
    if (!o->common.json)
        doctor_print_result(d);
    else
        json_array_append_new(all, doctor_json(d));
    (void)cli_output_lost(); /* flushes: the next device may take a while, or the process with it */
}

static void begin_device(const struct options *o, struct doctor_device *d, const struct clv_device_info *info)
{
    *d = (struct doctor_device){.info = info, .status = "passed", .caps = o->common.device.caps,
                                .problems = json_array()};
    if (o->common.json)
        return;
    doctor_print_device(d);
    (void)cli_output_lost();
}

/* Wrong results outweigh what did not run. */
static int worse(int a, int b)
{
    return a == EXIT_WRONG || !b ? a : b == EXIT_WRONG || !a ? b : a;
}

static void say(const struct doctor_device *d)
{
    const struct clv_device_info *i = d->info;
    if (d->code)
        cli_note("clavicle: device %d:%d %s%s: %s", i->platform, i->device, i->name,
                 d->code == EXIT_WRONG ? " computes wrong results" : "", d->reason);
}

/* One device of the list. */
static int run_listed(const struct options *o, const struct clv_device_info *info, json_t *all)
{
    char select[32];
    struct doctor_device *d = malloc(sizeof *d);
    if (!d)
        return EXIT_INTERNAL;
    begin_device(o, d, info);
    snprintf(select, sizeof select, "%d:%d", info->platform, info->device);
    if (info->unusable) {
        d->status = info->device < 0 ? "skipped" : "unusable";
        snprintf(d->reason, sizeof d->reason, "%s", info->unusable);
    } else {
        examine(o, select, d);
    }
    finish_device(o, d, all);
    say(d);
    const int code = d->code;
    json_decref(d->problems);
    free(d);
    return code;
}

static int run_all(struct clv_context *ctx, const struct options *o, json_t *all)
{
    struct clv_device_info *list = NULL;
    size_t n = 0, usable = 0;
    int code = EXIT_OK;
    const enum clv_err err = clv_device_list(ctx, &list, &n);
    if (err)
        return cli_failed(ctx, err);
    for (size_t i = 0; i < n; i++) {
        usable += !list[i].unusable;
        code = worse(code, run_listed(o, &list[i], all));
    }
    clv_device_list_free(&list);
    if (usable)
        return code;
    if (!o->common.json)
        printf("\n%s\n", clv_doctor_install_text());
    fflush(stdout);
    cli_note("clavicle: no usable OpenCL device; %s", clv_device_install_hint());
    return EXIT_NO_DEVICE;
}

/* The one that --device names. */
static int run_selected(struct clv_context *ctx, const struct options *o, json_t *all)
{
    struct clv_device *dev = NULL;
    const enum clv_err err = clv_device_open(ctx, &o->common.device, &dev);
    if (err)
        return cli_failed(ctx, err);
    const struct clv_device_info *info = clv_device_get_info(dev);
    char select[32];
    snprintf(select, sizeof select, "%d:%d", info->platform, info->device);
    struct doctor_device *d = malloc(sizeof *d);
    int code = EXIT_INTERNAL;
    if (d) {
        begin_device(o, d, info);
        examine(o, select, d);
        finish_device(o, d, all);
        say(d);
        code = d->code;
        json_decref(d->problems);
    }
    free(d);
    clv_device_close(&dev);
    return code;
}

static int run(struct clv_context *ctx, const struct options *o)
{
    struct clv_host_info host;
    json_t *all = json_array();
    clv_host_describe(&host);
    if (!o->common.json)
        doctor_print_host(&host);
    const int code = o->common.device.select ? run_selected(ctx, o, all) : run_all(ctx, o, all);
    if (o->common.json) {
        const char *folder;
        json_t *drivers = doctor_drivers(&folder);
        cli_json_print(json_pack("{s:s, s:{s:s, s:s, s:i}, s:o, s:o, s:O, s:b, s:s?}", "version", clv_version(), "host",
                                 "cpu", host.cpu, "system", host.system, "processors", (int)host.processors,
                                 "driver_folder", cli_string(folder), "drivers", drivers, "devices", all, "ok",
                                 code == EXIT_OK, "install",
                                 code == EXIT_NO_DEVICE ? clv_doctor_install_text() : NULL));
    }
    json_decref(all);
    return code;
}

int cmd_doctor(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_common_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        opts, parse, NULL,
        "Run every kernel on small problems and compare it with plain C in double precision, on every OpenCL device of the "
        "machine whatever CLAVICLE_DEVICE says, or on the one that --device names. The output is made to be pasted into "
        "a bug report. An error is a part of what is allowed: above 1 is wrong.\v"
        "Exit code 0 when every usable device passes, 9 when one computes wrong results, 5 or 6 when a kernel does not "
        "build or run, 3 when there is no usable device; then it says what to install.\n\n"
        "Examples:\n  clavicle doctor > report.txt\n  clavicle doctor --device gpu --json\n"
        "  clavicle doctor --device 0:0 --group conv2d --caps gpu", children, NULL, NULL};
    struct options o = {.silence = SILENCE};
    int code = cli_parse(&argp, argc, argv, &o);
    if (code)
        return code;
    if (o.all && o.common.device.select)
        return cli_usage("--all and --device exclude each other; see %s --help", argv[0]);
    struct clv_context *ctx = cli_context(&o.common);
    const enum clv_err err = clv_doctor_group_check(ctx, o.params.group);
    code = err       ? cli_failed(ctx, err)
           : o.child ? doctor_child_run(ctx, &o.common.device, &o.params)
                     : run(ctx, &o);
    clv_context_destroy(&ctx);
    return code;
}
