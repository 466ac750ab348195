/* One device's checks in a process of their own: a driver that crashes or hangs takes that process with it, and
 * the report goes on. The process is this program again; each line that it prints is a JSON object: "case", what
 * begins; "row", what came of it; last of all "end". */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the process ---- */

static void print_case(void *priv, const char *what)
{
    (void)priv;
    cli_json_line(json_pack("{s:o}", "case", cli_string(what)));
}

static void print_row(void *priv, const struct clv_doctor_row *r)
{
    (void)priv;
    cli_json_line(json_pack("{s:{s:s, s:s, s:s, s:i, s:o, s:i, s:f, s:i, s:o}}", "row", "group", r->group, "name", r->name,
                            "variant", r->variant, "status", (int)r->status, "error", cli_real(r->error), "compared",
                            r->compared, "seconds", r->seconds, "code", (int)r->code, "text", cli_string(r->text)));
}

int doctor_child_run(struct clv_context *ctx, const struct clv_device_params *device, const struct clv_doctor_params *params)
{
    struct clv_device *dev = NULL;
    struct clv_doctor_params p = *params;
    struct clv_doctor_summary s = {0};
    p.on_case = print_case;
    p.on_row = print_row;
    enum clv_err err = clv_device_open(ctx, device, &dev);
    if (!err)
        err = clv_doctor_run(dev, &p, &s);
    cli_json_line(json_pack("{s:{s:i, s:i, s:i, s:i, s:f, s:f, s:i, s:o}}", "end", "passed", s.passed, "skipped", s.skipped,
                            "wrong", s.wrong, "failed", s.failed, "error", isfinite(s.error) ? s.error : -1., "seconds",
                            s.seconds, "code", (int)err, "text", cli_string(err ? clv_error_text(ctx) : "")));
    clv_device_close(&dev);
    return EXIT_OK;
}

/* ---- who started it ---- */

struct child {
    const struct doctor_child_sink *sink;
    pid_t pid;
    int fd;
    char line[16384]; /* what was read and is no whole line yet */
    size_t n;
    char doing[128];  /* the last "case" */
    bool ended, late;
    enum clv_err code; /* of its end */
    char text[512];
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static int int_of(const json_t *o, const char *key) { return (int)json_integer_value(json_object_get(o, key)); }

static double real_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : INFINITY;
}

static void take_row(struct child *c, const json_t *r)
{
    const struct clv_doctor_row row = {
        .group = text_of(r, "group"), .name = text_of(r, "name"), .variant = text_of(r, "variant"),
        .status = (enum clv_doctor_status)int_of(r, "status"), .error = real_of(r, "error"),
        .compared = int_of(r, "compared"), .seconds = real_of(r, "seconds"), .code = (enum clv_err)int_of(r, "code"),
        .text = text_of(r, "text")};
    struct clv_doctor_summary *s = c->sink->summary; /* its end brings the same; it may have none */
    s->passed += row.status == CLV_DOCTOR_PASSED;
    s->skipped += row.status == CLV_DOCTOR_SKIPPED;
    s->wrong += row.status == CLV_DOCTOR_WRONG;
    s->failed += row.status == CLV_DOCTOR_FAILED;
    if (row.error > s->error)
        s->error = row.error;
    c->sink->on_row(c->sink->priv, &row);
}

static void take_line(struct child *c, const char *line)
{
    json_t *o = json_loads(line, 0, NULL), *end = json_object_get(o, "end"), *row = json_object_get(o, "row");
    if (json_object_get(o, "case")) {
        snprintf(c->doing, sizeof c->doing, "%.120s", text_of(o, "case"));
        if (c->sink->on_case)
            c->sink->on_case(c->sink->priv, c->doing);
    }
    if (row)
        take_row(c, row);
    if (end) {
        c->ended = true;
        c->code = (enum clv_err)int_of(end, "code");
        c->sink->summary->seconds = real_of(end, "seconds");
        snprintf(c->text, sizeof c->text, "%s", text_of(end, "text"));
    }
    json_decref(o);
}

/* False at its end, when it has been silent for too long, and when it says what no line can be. */
static bool hear(struct child *c, double seconds)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};
    int ready;
    do
        ready = poll(&fd, 1, (int)(seconds * 1000));
    while (ready < 0 && errno == EINTR);
    c->late = ready == 0;
    const ssize_t got = ready > 0 && c->n + 1 < sizeof c->line ? read(c->fd, c->line + c->n, sizeof c->line - 1 - c->n) : 0;
    if (got <= 0)
        return false;
    c->n += (size_t)got;
    c->line[c->n] = 0;
    for (char *end; (end = strchr(c->line, '\n'));) {
        *end++ = 0;
        take_line(c, c->line);
        c->n -= (size_t)(end - c->line);
        memmove(c->line, end, c->n + 1);
    }
    return true;
}

/* The same program with its output in a pipe. */
static bool start(struct child *c, char *const *argv)
{
    posix_spawn_file_actions_t files;
    int pipe_fd[2];
    if (pipe(pipe_fd) || posix_spawn_file_actions_init(&files))
        return false;
    (void)fcntl(pipe_fd[0], F_SETFD, FD_CLOEXEC);
    const bool ok = !posix_spawn_file_actions_adddup2(&files, pipe_fd[1], 1) &&
                    !posix_spawn_file_actions_addclose(&files, pipe_fd[1]) &&
                    !posix_spawn(&c->pid, "/proc/self/exe", &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(pipe_fd[1]);
    c->fd = pipe_fd[0];
    if (!ok)
        close(c->fd);
    return ok;
}

/* A process that did not come to its end is a row, like a kernel that did not run. */
static void report_loss(struct child *c, int status, double seconds)
{
    char text[200];
    if (c->late)
        snprintf(text, sizeof text, "no sign of life for %.0f s", seconds);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "the driver ended its process by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "the process ended with exit code %d before its report did", WEXITSTATUS(status));
    const struct clv_doctor_row row = {.group = "process", .name = *c->doing ? c->doing : "opening the device",
                                       .variant = "", .status = CLV_DOCTOR_FAILED, .code = CLV_ERR_CL, .text = text};
    c->sink->summary->failed++;
    c->sink->on_row(c->sink->priv, &row);
}

bool doctor_child_examine(char *const *argv, double seconds, const struct doctor_child_sink *sink, enum clv_err *code,
                          char *text, size_t size)
{
    struct child c = {.sink = sink};
    int status = 0;
    if (!start(&c, argv))
        return false;
    while (hear(&c, seconds))
        continue;
    if (!c.ended)
        (void)kill(c.pid, SIGKILL); /* it hangs, or has gone */
    while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(c.fd);
    if (!c.ended)
        report_loss(&c, status, seconds);
    *code = c.code;
    snprintf(text, size, "%s", c.text);
    return true;
}
