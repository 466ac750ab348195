#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ---- */

int cli_exit_code(enum clv_err err)
{
    switch (err) {
    case CLV_OK:
        return EXIT_OK;
    case CLV_ERR_ARG:
    case CLV_ERR_MODEL:
    case CLV_ERR_SHAPE:
    case CLV_ERR_EXISTS:
    case CLV_ERR_MISMATCH:
        return EXIT_USAGE;
    case CLV_ERR_NODEV:
        return EXIT_NO_DEVICE;
    case CLV_ERR_IO:
    case CLV_ERR_DATA:
    case CLV_ERR_LEAK:
    case CLV_ERR_NET:
        return EXIT_DATA;
    case CLV_ERR_BUILD:
        return EXIT_BUILD;
    case CLV_ERR_CL:
    case CLV_ERR_DEVMEM:
        return EXIT_CL;
    case CLV_ERR_WRITE:
        return EXIT_WRITE;
    case CLV_ERR_NONFINITE:
        return EXIT_NONFINITE;
    case CLV_ERR_WRONG:
        return EXIT_WRONG;
    case CLV_ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_INTERNAL;
    }
}

int cli_failed(struct clv_context *ctx, enum clv_err err)
{
    const char *text = clv_error_text(ctx);
    fflush(stdout);
    fprintf(stderr, "clavicle: %s\n", *text ? text : clv_strerror(err));
    return cli_exit_code(err);
}

int cli_usage(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("clavicle: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EXIT_USAGE;
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static int output_errno; /* of the first write to stdout that failed */

bool cli_output_lost(void)
{
    errno = 0;
    if (!output_errno && (fflush(stdout) || ferror(stdout)))
        output_errno = errno ? errno : EIO;
    return output_errno != 0;
}

int cli_finish(int code)
{
    if (!cli_output_lost() || (code && code != EXIT_INTERRUPTED))
        return code; /* the error that was told stays the last line */
    fprintf(stderr, "clavicle: cannot write the output: %s\n", strerror(output_errno));
    return EXIT_WRITE;
}

void cli_begin(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0) /* opened the wrong way round: using it fails with EBADF */
            (void)open("/dev/null", fd == 0 ? O_WRONLY : fd == 1 ? O_RDONLY : O_WRONLY);
}

/* ---- options ---- */

/* The entry that --NAME (of len bytes, abbreviations allowed) or -K stands for; NULL if there is none. */
static const struct argp_option *find_option(const struct argp *argp, const char *name, size_t len, int key)
{
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
        if (name ? o->name && !strncmp(o->name, name, len) : o->key == key)
            return o;
    for (const struct argp_child *c = argp->children; c && c->argp; c++) {
        const struct argp_option *o = find_option(c->argp, name, len, key);
        if (o)
            return o;
    }
    return NULL;
}

/* argp keeps to itself what it could not use; look for it the way it reads. */
static int explain_usage(const struct argp *argp, int argc, char **argv)
{
    const char *word = NULL;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (a[0] != '-' || !a[1]) {
            word = a;
            continue;
        }
        const bool full = a[1] == '-';
        const size_t len = strcspn(a + 2, "=");
        const struct argp_option *o = find_option(argp, full ? a + 2 : NULL, len, a[1]);
        if (!o)
            return cli_usage("unknown option '%.*s'; see %s --help", full ? (int)len + 2 : 2, a, argv[0]);
        const bool attached = full ? a[2 + len] == '=' : a[2] != 0;
        if (o->arg && !attached && ++i == argc)
            return cli_usage("%s needs a value: %s; see %s --help", a, o->arg, argv[0]);
        if (!o->arg && full && attached)
            return cli_usage("%.*s takes no value; see %s --help", (int)len + 2, a, argv[0]);
    }
    return cli_usage("unexpected argument '%s'; see %s --help", word ? word : "", argv[0]);
}

int cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            argp_help(argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, argv[0]);
            exit(cli_finish(EXIT_OK));
        }
    const error_t err = argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input);
    if (!err)
        return EXIT_OK;
    /* EDOM: a parser has said why. */
    return err == EDOM ? EXIT_USAGE : explain_usage(argp, argc, argv);
}

bool cli_int(const char *option, const char *text, long long min, long long max, long long *ret)
{
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max) {
        cli_usage("%s takes a whole number from %lld to %lld, not '%s'", option, min, max, text);
        return false;
    }
    *ret = v;
    return true;
}

bool cli_double(const char *option, const char *text, double min, double max, double *ret)
{
    char *end;
    errno = 0;
    const double v = strtod(text, &end); /* the command runs in the C locale */
    if (errno || end == text || *end || !(v >= min && v <= max)) {
        cli_usage("%s takes a number from %g to %g, not '%s'", option, min, max, text);
        return false;
    }
    *ret = v;
    return true;
}

static const char *const precisions[] = {"fp32", "split", "mixed", "mixed-fp16"};

const char *cli_precision_name(enum clv_precision p) { return precisions[p]; }

bool cli_precision(const char *text, enum clv_precision *ret)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        if (strcmp(text, precisions[i]))
            continue;
        *ret = (enum clv_precision)i;
        return true;
    }
    cli_usage("--precision is fp32, split, mixed or mixed-fp16, not '%s'", text);
    return false;
}

bool cli_bytes(const char *option, const char *text, size_t *ret)
{
    char *end;
    errno = 0;
    const double v = strtod(text, &end);
    const char *const units = "KMGT";
    const char *unit = *end ? strchr(units, *end) : NULL;
    double scale = 1;
    for (const char *u = units; unit && u <= unit; u++)
        scale *= 1024;
    if (errno || end == text || (*end && (!unit || end[1])) || !(v >= 0 && v * scale < 9e18)) {
        cli_usage("%s takes bytes, or a number with K, M, G or T, not '%s'", option, text);
        return false;
    }
    *ret = (size_t)(v * scale);
    return true;
}

bool cli_split(const char *option, const char *text, enum clv_split *ret)
{
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        if (!strcmp(text, clv_split_name((enum clv_split)s))) {
            *ret = (enum clv_split)s;
            return true;
        }
    cli_usage("%s is train, val or test, not '%s'", option, text);
    return false;
}

error_t cli_begin_parse(int key, const struct argp_state *state, struct cli_common *common)
{
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = common;
    return 0;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct cli_common *c = state->input;
    switch (key) {
    case CLI_KEY_DEVICE:
        c->device.select = arg;
        return 0;
    case CLI_KEY_CAPS:
        c->device.caps = arg;
        return 0;
    case CLI_KEY_JSON:
        c->json = true;
        return 0;
    case CLI_KEY_VERBOSE:
        c->verbose = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define JSON_OPTION {"json", CLI_KEY_JSON, NULL, 0, "machine-readable output on stdout", 0}
#define VERBOSE_OPTION {"verbose", CLI_KEY_VERBOSE, NULL, 0, "say what happens, to stderr", 0}
static const struct argp_option common_options[] = {
    {"device", CLI_KEY_DEVICE, "DEV", 0,
     "best (default), gpu, cpu, nvidia, amd, intel, pocl, P:D or part of a name; $CLAVICLE_DEVICE is the default", 0},
    {"caps", CLI_KEY_CAPS, "LIST", 0,
     "mask features: gpu, no-fp16, no-local, local=BYTES, wg=ITEMS, alloc=BYTES, "
     "profile=NAME, ...", 0},
    JSON_OPTION, VERBOSE_OPTION, {0}};
static const struct argp_option plain_options[] = {JSON_OPTION, VERBOSE_OPTION, {0}};
const struct argp cli_common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};
const struct argp cli_plain_argp = {plain_options, parse_common, NULL, NULL, NULL, NULL, NULL};

static void log_line(void *priv, enum clv_log_level level, const char *line)
{
    (void)priv;
    fprintf(stderr, "%s%s\n", level == CLV_LOG_WARN ? "warning: " : "", line);
}

static struct clv_context *make_context(enum clv_log_level level)
{
    struct clv_context *ctx = clv_context_create(&(struct clv_context_params){
        .log = log_line, .log_level = level});
    if (!ctx) {
        fputs("clavicle: out of memory\n", stderr);
        exit(EXIT_INTERNAL);
    }
    /* Before the first OpenCL call, while there is one thread: it may set POCL_CACHE_DIR. */
    clv_device_share_cache(ctx);
    return ctx;
}

struct clv_context *cli_context(const struct cli_common *common)
{
    return make_context(common->verbose ? CLV_LOG_DEBUG : CLV_LOG_WARN);
}

struct clv_context *cli_listing_context(const struct cli_common *common)
{
    return make_context(common->verbose ? CLV_LOG_DEBUG : common->json ? CLV_LOG_ERROR : CLV_LOG_WARN);
}

/* ---- output ---- */

static void print_json(json_t *object, size_t flags)
{
    char *text = json_dumps(object, flags | JSON_REAL_PRECISION(17) | JSON_ENSURE_ASCII);
    if (text)
        puts(text);
    else
        fputs("clavicle: out of memory for JSON\n", stderr);
    free(text);
    json_decref(object);
    (void)cli_output_lost(); /* flushes */
}

void cli_json_line(json_t *object) { print_json(object, JSON_COMPACT); }

void cli_json_print(json_t *object) { print_json(object, JSON_INDENT(2)); }

json_t *cli_real(double x)
{
    json_t *v = json_real(x); /* NULL when not finite */
    return v ? v : json_null();
}

/* Length of the UTF-8 sequence at s, 0 if there is none (RFC 3629: no surrogates, nothing overlong). */
static size_t utf8_length(const unsigned char *s)
{
    static const struct { unsigned char low, high, second_low, second_high; size_t n; } form[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        size_t n = 1;
        if (s[0] < form[i].low || s[0] > form[i].high)
            continue;
        if (form[i].n > 1 && (s[1] < form[i].second_low || s[1] > form[i].second_high))
            return 0;
        for (n = 2; n < form[i].n; n++)
            if ((s[n] & 0xc0) != 0x80)
                return 0;
        return form[i].n;
    }
    return 0;
}

json_t *cli_string(const char *text)
{
    static const char unknown[] = "\xef\xbf\xbd";
    json_t *v = text ? json_string(text) : json_null();
    if (v)
        return v;
    char *copy = malloc(3 * strlen(text) + 1), *out = copy;
    if (!copy)
        return NULL;
    for (const unsigned char *in = (const unsigned char *)text; *in;) {
        const size_t n = utf8_length(in);
        memcpy(out, n ? (const char *)in : unknown, n ? n : 3);
        out += n ? n : 3;
        in += n ? n : 1;
    }
    *out = '\0';
    v = json_string(copy);
    free(copy);
    return v;
}

int cli_print_text(char *text)
{
    if (!text) {
        fputs("clavicle: out of memory\n", stderr);
        return EXIT_INTERNAL;
    }
    fputs(text, stdout);
    if (*text && text[strlen(text) - 1] != '\n')
        putchar('\n');
    free(text);
    return EXIT_OK;
}

/* ---- interruption ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

void cli_catch_interrupt(void)
{
    /* SA_RESETHAND: the second Ctrl-C ends the program whatever it is doing. */
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool cli_interrupted(void) { return interrupted != 0; }
