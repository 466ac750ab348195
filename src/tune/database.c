#include "tune/database.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/str.h"
#include "base/util.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 8, OWNER = 4, PROBLEM = 4, CHOICE, SECONDS, FALLBACK };

static const double lock_seconds = 10;
static const char head[] =
    "# What `clavicle tune` measured; see clavicle tune --help.\n"
    "# platform|device|driver|kernels|problem|choice|seconds|seconds of the fallback\n";

/* ---- lines in memory ---- */

enum clv_err clv_tuning_put(struct clv_tuning *t, const char *problem, const char *choice,
                            double seconds, double fallback, struct clv_error *err)
{
    struct clv_tuning_line line = {.problem = clv_strdupf("%s", problem),
                                   .choice = clv_strdupf("%s", choice),
                                   .seconds = seconds,
                                   .fallback = fallback};
    int i = 0;
    while (i < t->n && strcmp(t->line[i].problem, problem) != 0)
        i++;
    if (line.problem && line.choice && i == t->cap) {
        const int cap = t->cap ? 2 * t->cap : 64;
        struct clv_tuning_line *bigger = realloc(t->line, (size_t)cap * sizeof *bigger);
        t->line = bigger ? bigger : t->line;
        t->cap = bigger ? cap : t->cap;
    }
    if (!line.problem || !line.choice || i == t->cap) {
        free(line.problem);
        free(line.choice);
        return clv_fail_nomem(err, "tuning results");
    }
    if (i < t->n) {
        free(t->line[i].problem);
        free(t->line[i].choice);
    } else {
        t->n++;
    }
    t->line[i] = line;
    return CLV_OK;
}

const struct clv_tuning_line *clv_tuning_find(const struct clv_tuning *t, const char *problem)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->line[i].problem, problem))
            return &t->line[i];
    return NULL;
}

void clv_tuning_finish(struct clv_tuning *t)
{
    for (int i = 0; i < t->n; i++) {
        free(t->line[i].problem);
        free(t->line[i].choice);
    }
    free(t->line);
    *t = (struct clv_tuning){0};
}

/* ---- lines as text ---- */

static void add_field(struct clv_str *s, const char *text)
{
    for (; text && *text; text++)
        clv_str_add_bytes(s, (unsigned char)*text < ' ' || *text == '|' ? "_" : text, 1);
    clv_str_add(s, "|");
}

/* The first fields of this device's lines, malloc'ed. Masked caps make another device of it. */
static char *owner_of(struct clv_device *dev)
{
    const struct clv_device_info *i = clv_device_get_info(dev);
    const struct clv_caps *c = clv_device_caps(dev);
    char kernels[17];
    struct clv_str name = {0}, s = {0};
    clv_contract_version(kernels);
    clv_str_addf(&name, "%s (vector %u, local %llu, group %zu, features %x%s)", i->name,
                 c->vector_width, (unsigned long long)c->local_bytes, c->max_work_group,
                 c->features, c->gpu_path ? ", gpu" : "");
    char *platform = clv_strdupf("%s %s", i->platform_name, i->platform_version);
    add_field(&s, platform ? platform : "");
    add_field(&s, name.text);
    add_field(&s, i->driver);
    clv_str_add(&s, kernels);
    s.failed = s.failed || name.failed || !platform;
    clv_str_finish(&name);
    free(platform);
    return clv_str_take(&s);
}

void clv_tuning_print(struct clv_str *s, const struct clv_tuning_line *l)
{
    clv_str_addf(s, "%s|%s|%.6g|%.6g\n", l->problem, l->choice, l->seconds, l->fallback);
}

/* Cuts a line at its bars; false unless there are n fields. */
static bool split(char *line, char *field[FIELDS], int n)
{
    for (int i = 0; i < n; i++) {
        field[i] = line;
        line = strchr(line, '|');
        if ((i < n - 1) != (line != NULL))
            return false;
        if (line)
            *line++ = 0;
    }
    return true;
}

/* problem, choice, seconds, seconds */
static bool parse_line(char *const field[4], struct clv_tuning_line *l)
{
    *l = (struct clv_tuning_line){.problem = field[0], .choice = field[1]};
    return *l->problem && *l->choice && clv_parse_double(field[2], &l->seconds) &&
           l->seconds >= 0 && clv_parse_double(field[3], &l->fallback) && l->fallback >= 0;
}

/* What one line of the file is. Cuts it. */
enum kind { BLANK, DAMAGED, FOREIGN, OURS };
static enum kind read_line(char *line, const char *owner, struct clv_tuning_line *l)
{
    const size_t n = strlen(owner);
    char *field[FIELDS];
    if (!*line || *line == '#')
        return BLANK;
    const bool ours = !strncmp(line, owner, n) && line[n] == '|';
    if (!split(line, field, FIELDS) || !parse_line(field + PROBLEM, l))
        return DAMAGED;
    return ours ? OURS : FOREIGN;
}

/* Calls fn for each line of a text, which is cut up; the line is NUL-terminated. */
static enum clv_err each_line(char *text, enum clv_err (*fn)(void *priv, char *line), void *priv)
{
    for (char *at = text; *at;) {
        const size_t n = strcspn(at, "\n");
        char *after = at + n + (at[n] == '\n');
        at[n] = 0;
        if (n && at[n - 1] == '\r')
            at[n - 1] = 0;
        CLV_TRY(fn(priv, at));
        at = after;
    }
    return CLV_OK;
}

/* ---- reading ---- */

struct reading {
    struct clv_error *err;
    const char *owner;
    struct clv_tuning *into;
    int damaged;
};

static enum clv_err take_line(void *priv, char *line)
{
    struct reading *r = priv;
    struct clv_tuning_line l;
    const enum kind kind = read_line(line, r->owner, &l);
    r->damaged += kind == DAMAGED;
    return kind == OURS
               ? clv_tuning_put(r->into, l.problem, l.choice, l.seconds, l.fallback, r->err)
               : CLV_OK;
}

enum clv_err clv_tuning_path(struct clv_context *ctx, char **ret)
{
    *ret = NULL;
    if (!ctx->cache_dir)
        return CLV_OK;
    *ret = clv_path_join(ctx->cache_dir, "tuning.txt");
    return *ret ? CLV_OK : clv_fail_nomem(&ctx->err, "a path");
}

/* The file as text without zero bytes, which would hide what follows; "" if there is none, or if it
 * cannot be read and need not be. malloc'ed. */
static enum clv_err read_text(struct clv_context *ctx, const char *path, bool must, char **ret)
{
    unsigned char *data = NULL;
    size_t size = 0;
    if (clv_file_exists(path)) {
        const enum clv_err e = clv_file_read(path, &data, &size, &ctx->err);
        if (e == CLV_ERR_NOMEM || (e && must))
            return e;
        if (e)
            clv_log(ctx, CLV_LOG_WARN, "what was tuned is not used: %s", ctx->err.text);
    }
    for (size_t i = 0; i < size; i++)
        data[i] = data[i] ? data[i] : '?';
    *ret = data ? (char *)data : clv_strdupf("%s", "");
    return *ret ? CLV_OK : clv_fail_nomem(&ctx->err, path);
}

static enum clv_err load(struct clv_device *dev, const char *path, const char *owner,
                         struct clv_tuning *ret)
{
    struct clv_context *ctx = clv_device_context(dev);
    struct reading r = {.err = &ctx->err, .owner = owner, .into = ret};
    char *text = NULL;
    CLV_TRY(read_text(ctx, path, false, &text));
    const enum clv_err e = each_line(text, take_line, &r);
    free(text);
    if (r.damaged)
        clv_log(ctx, CLV_LOG_WARN, "%s: %d damaged line%s skipped", path, r.damaged,
                r.damaged == 1 ? " is" : "s are");
    return e;
}

enum clv_err clv_tuning_load(struct clv_device *dev, struct clv_tuning *ret)
{
    struct clv_context *ctx = clv_device_context(dev);
    char *path = NULL, *owner = NULL;
    enum clv_err e = clv_tuning_path(ctx, &path);
    if (!path)
        return e;
    owner = owner_of(dev);
    e = owner ? load(dev, path, owner, ret) : clv_fail_nomem(&ctx->err, "a device's name");
    free(owner);
    free(path);
    return e;
}

/* ---- writing ---- */

struct merging {
    const char *owner;
    const struct clv_tuning *ours;
    struct clv_str *out;
};

/* Keeps what is not ours to say. The line is read from a copy: reading cuts it. */
static enum clv_err keep_line(void *priv, char *line)
{
    struct merging *m = priv;
    struct clv_tuning_line l;
    char *copy = clv_strdupf("%s", line);
    if (!copy)
        return CLV_ERR_NOMEM;
    const enum kind kind = read_line(copy, m->owner, &l);
    if (kind == FOREIGN || (kind == OURS && !clv_tuning_find(m->ours, l.problem)))
        clv_str_addf(m->out, "%s\n", line);
    free(copy);
    return CLV_OK;
}

static enum clv_err merge(struct clv_context *ctx, const char *path, const char *owner,
                          const struct clv_tuning *t)
{
    struct clv_str out = {0};
    struct merging m = {.owner = owner, .ours = t, .out = &out};
    char *text = NULL;
    CLV_TRY(read_text(ctx, path, true, &text)); /* others' lines must not be lost */
    clv_str_add(&out, head);
    enum clv_err e = each_line(text, keep_line, &m);
    free(text);
    for (int i = 0; i < t->n; i++) {
        clv_str_addf(&out, "%s|", owner);
        clv_tuning_print(&out, &t->line[i]);
    }
    if (e || out.failed)
        e = clv_fail_nomem(&ctx->err, path);
    if (!e)
        e = clv_file_write(path, out.text, out.len, &ctx->err);
    clv_str_finish(&out);
    return e;
}

static enum clv_err save(struct clv_context *ctx, const char *path, const char *lock_path,
                         const char *owner, const struct clv_tuning *t)
{
    struct clv_lock lock;
    CLV_TRY(clv_mkdirs(ctx->cache_dir, &ctx->err));
    CLV_TRY(clv_lock_take(&lock, lock_path, lock_seconds, &ctx->err));
    const enum clv_err e = merge(ctx, path, owner, t);
    clv_lock_release(&lock);
    return e;
}

enum clv_err clv_tuning_save(struct clv_device *dev, const struct clv_tuning *t)
{
    struct clv_context *ctx = clv_device_context(dev);
    char *path = NULL;
    CLV_TRY(clv_tuning_path(ctx, &path));
    if (!path)
        return clv_fail(&ctx->err, CLV_ERR_ARG,
                        "tuning results have no place: there is no cache folder; set "
                        "CLAVICLE_CACHE_DIR");
    char *lock = clv_path_join(ctx->cache_dir, "tuning.lock"), *owner = owner_of(dev);
    const enum clv_err e =
        lock && owner ? save(ctx, path, lock, owner, t) : clv_fail_nomem(&ctx->err, "a path");
    free(lock);
    free(owner);
    free(path);
    return e;
}

/* ---- shipped ---- */

static enum clv_err take_builtin(void *priv, char *line)
{
    struct reading *r = priv;
    struct clv_tuning_line l;
    char *field[FIELDS];
    if (!*line || *line == '#' || !split(line, field, FIELDS - OWNER) || !parse_line(field, &l))
        return CLV_OK;
    return clv_tuning_put(r->into, l.problem, l.choice, l.seconds, l.fallback, r->err);
}

enum clv_err clv_tuning_builtin(struct clv_device *dev, struct clv_tuning *ret)
{
    const struct clv_caps *caps = clv_device_caps(dev);
    const char *name = caps->vector_width >= 16 ? "avx512" : caps->vector_width >= 8 ? "avx2" : "";
    struct reading r = {.err = clv_device_error(dev), .into = ret};
    for (const struct clv_builtin_tuning *b = clv_builtin_tunings; b->name && !caps->gpu_path;
         b++) {
        if (strcmp(b->name, name) != 0)
            continue;
        char *text = clv_strdupf("%s", b->text);
        if (!text)
            return clv_fail_nomem(r.err, "tuning results");
        const enum clv_err e = each_line(text, take_builtin, &r);
        free(text);
        return e;
    }
    return CLV_OK;
}

static enum clv_err select_lines(const struct clv_tuning *t, bool quiet, struct clv_selection *ret,
                                 struct clv_error *err)
{
    const size_t n = strlen(CLV_TUNED_CLBLAST);
    for (int i = 0; i < t->n; i++) {
        const struct clv_tuning_line *l = &t->line[i];
        /* Building CLBlast's kernels is nothing that a line of a file may ask for: its lines say
         * which of its parameters to take where others ask. */
        const bool of_clblast = !strncmp(l->problem, CLV_TUNED_CLBLAST, n);
        if (of_clblast == !strncmp(l->choice, CLV_TUNED_CLBLAST, n))
            CLV_TRY(clv_selection_put(ret, l->problem, l->choice, quiet, err));
    }
    return CLV_OK;
}

enum clv_err clv_tuning_select(struct clv_device *dev, const struct clv_tuning *own,
                               struct clv_selection *ret)
{
    struct clv_error *err = clv_device_error(dev);
    struct clv_tuning shipped = {0};
    enum clv_err e = clv_tuning_builtin(dev, &shipped);
    if (!e)
        e = select_lines(&shipped, true, ret, err);
    clv_tuning_finish(&shipped);
    return e ? e : select_lines(own, false, ret, err);
}
