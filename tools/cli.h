/* What the subcommands share: exit codes, one-line errors, contexts, common options, JSON lines.
 * Only the command prints, and only here are signals caught. */
#ifndef CLV_TOOLS_CLI_H
#define CLV_TOOLS_CLI_H

#include <argp.h>
#include <clavicle/clavicle.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Documented in `clavicle --help` and docs/command-line.md. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_INTERNAL = 1,    /* out of memory, not supported */
    EXIT_USAGE = 2,       /* arguments, model text, an existing run */
    EXIT_NO_DEVICE = 3,
    EXIT_DATA = 4,        /* missing, damaged or leaking data; a failed download */
    EXIT_BUILD = 5,       /* a kernel did not compile */
    EXIT_CL = 6,          /* OpenCL, device memory */
    EXIT_WRITE = 7,
    EXIT_NONFINITE = 8,   /* the training diverged */
    EXIT_WRONG = 9,       /* answers that differ from the reference's: bench, doctor, compare, the self-test */
    EXIT_SLOWER = 10,     /* bench: slower than the baseline */
    EXIT_INTERRUPTED = 130,
};

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv); /* argv[0] is "clavicle NAME"; returns an exit_code */
};

/* ---- errors ---- */
/* Prints "clavicle: text" as the last line and returns the exit code that belongs to err. */
int cli_failed(struct clv_context *ctx, enum clv_err err);
/* The exit code that belongs to err. */
int cli_exit_code(enum clv_err err);
/* Wrong arguments: prints one line and returns EXIT_USAGE. */
CLV_PRINTF(1, 2) int cli_usage(const char *fmt, ...);
/* A note to stderr. */
CLV_PRINTF(1, 2) void cli_note(const char *fmt, ...);
/* Flushes stdout; EXIT_WRITE with a line if anything written to it was lost. */
int cli_finish(int code);
/* Writing to stdout has failed: a training then stops. Remembers why. */
bool cli_output_lost(void);
/* Once, first of all: a checkpoint must not get the number of a standard stream that is closed. */
void cli_begin(void);

/* ---- options ---- */
/* Parses argv with one-line errors; returns 0, or EXIT_USAGE after printing. */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Converters for option parsers; false after printing a line that names the option. */
bool cli_int(const char *option, const char *text, long long min, long long max, long long *ret);
bool cli_double(const char *option, const char *text, double min, double max, double *ret);
bool cli_bytes(const char *option, const char *text, size_t *ret); /* 512M, 2G */
bool cli_precision(const char *text, enum clv_precision *ret); /* --precision */
const char *cli_precision_name(enum clv_precision p);
bool cli_split(const char *option, const char *text, enum clv_split *ret);

enum { CLI_KEY_DEVICE = 0x100, CLI_KEY_CAPS, CLI_KEY_JSON, CLI_KEY_VERBOSE, CLI_KEY_TUNE, CLI_KEY_SELF_TEST,
       CLI_KEY_COMMAND = 0x200 };
/* --device, --caps, --json, --verbose: a child parser for argp_child. Its input is a cli_common. */
struct cli_common {
    struct clv_device_params device;
    bool json, verbose;
};
extern const struct argp cli_common_argp;
/* What a command's parser does with keys that are none of its own: it hands the common options their place. */
error_t cli_begin_parse(int key, const struct argp_state *state, struct cli_common *common);
/* The same without a device. */
extern const struct argp cli_plain_argp;

/* A context that logs to stderr; never NULL (exits when out of memory). */
struct clv_context *cli_context(const struct cli_common *common);
/* The same for a command that lists: with --json its warnings are members of the answer, and stderr
 * stays empty. */
struct clv_context *cli_listing_context(const struct cli_common *common);

/* ---- output ---- */
/* Prints malloc'ed text that the library made and frees it; NULL: out of memory. */
int cli_print_text(char *text);
/* One compact JSON object as a line on stdout, flushed; takes the reference. */
void cli_json_line(json_t *object);
/* The same, indented, for a whole answer. */
void cli_json_print(json_t *object);
/* A number, or null when it is not finite. */
json_t *cli_real(double x);
/* A string; bytes that are not UTF-8, as file names may have, become U+FFFD. */
json_t *cli_string(const char *text);
/* A line of `clavicle devices --json`. */
json_t *cli_device_json(const struct clv_device_info *d);
json_t *cli_metrics_json(const struct clv_metrics *m, const char *const *classes);
/* What is averaged with --tta: a note for people, NULL or an array for JSON. */
void cli_views_line(const struct clv_run_info *info, FILE *to);
json_t *cli_views_json(const struct clv_run_info *info);
void cli_metrics_table(const struct clv_metrics *m, const char *const *classes);

/* ---- interruption ---- */
/* From the first call on SIGINT and SIGTERM only set a flag; a second one ends the program. A reader
 * of stdout that has gone away no longer ends it either: see cli_output_lost(). */
void cli_catch_interrupt(void);
bool cli_interrupted(void);

int cmd_devices(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_tune(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_data_inspect(int argc, char **argv);
int cmd_data_preview(int argc, char **argv);
int cmd_data_phantom(int argc, char **argv);
int cmd_data_get(int argc, char **argv);

#endif
