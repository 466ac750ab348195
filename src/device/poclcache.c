#include "device/poclcache.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PoCL's layout: XX/PROGRAM/program.bc and XX/PROGRAM/KERNEL/VARIANT/KERNEL.so. */
enum { MAX_DEPTH = 5 };

struct guard {
    const struct clv_context *ctx;
    char *dir;  /* PoCL's folder */
    char *seal; /* the file of sums */
    char *sums; /* its text, "started ID\n", then "<64 hex digits>  <path below dir>\t<stamp>\n" a line; "" if there
                 * is none */
    const char *at; /* in sums, behind the line that was found last: the next file's is likely to follow */
    char *started;  /* what tells this start of the machine from others; "" = not known */
    bool trusted;   /* the seal is from this start: stamps say whether a file is as it was */
};

struct line {
    const char *sum; /* 64 digits, NULL = none was written down */
    bool same;       /* the stamp is the file's, and the seal trusted */
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

/* The table at the end of a 64-bit ELF file lies inside the file (gABI, ELF header: e_shoff,
 * e_shentsize, e_shnum). */
static bool is_whole_elf(const unsigned char *p, size_t n)
{
    if (n < 64 || memcmp(p, "\177ELF\2", 5))
        return false;
    const uint64_t table = get(p + 0x28, 8), bytes = get(p + 0x3A, 2) * get(p + 0x3C, 2);
    return table <= n && bytes <= n - table;
}

static bool looks_whole(const char *path, const unsigned char *p, size_t n)
{
    if (ends_with(path, ".so"))
        return is_whole_elf(p, n);
    return n > 4 && !memcmp(p, "BC\xC0\xDE", 4);
}

static const char *find_between(const char *path, const char *from, const char *end)
{
    const size_t len = strlen(path);
    for (const char *p = from; (p = strstr(p, path)) && p < end; p += len)
        if (p - from >= 66 && !memcmp(p - 2, "  ", 2) && p[len] == '\t')
            return p;
    return NULL;
}

/* What the seal says of a file. */
static struct line sealed(struct guard *g, const char *path, const char *full)
{
    const char *end = g->sums + strlen(g->sums), *p = find_between(path, g->at, end);
    char stamp[CLV_FILE_STAMP];
    if (!p)
        p = find_between(path, g->sums, end);
    if (!p)
        return (struct line){0};
    const char *text = p + strlen(path) + 1, *eol = strchr(text, '\n');
    if (!eol)
        return (struct line){0};
    g->at = eol + 1;
    clv_file_stamp(full, stamp);
    const size_t n = strlen(stamp);
    return (struct line){p - 66, g->trusted && n && n == (size_t)(eol - text) && !memcmp(text, stamp, n)};
}

static void remove_tree(const char *path, int depth)
{
    char **names = NULL;
    size_t n = 0;
    if (depth < MAX_DEPTH && clv_dir_exists(path) && !clv_dir_list(path, &names, &n, NULL)) {
        for (size_t i = 0; i < n; i++) {
            char *child = clv_path_join(path, names[i]);
            if (child)
                remove_tree(child, depth + 1);
            free(child);
        }
        clv_list_free(names, n);
    }
    (void)remove(path);
}

void clv_poclcache_remove(const char *dir)
{
    remove_tree(dir, 0);
}

/* Removes XX/PROGRAM of a path below it. */
static void remove_program(const struct guard *g, const char *path)
{
    const char *end = strchr(path, '/');
    end = end ? strchr(end + 1, '/') : NULL;
    if (!end)
        return;
    char *program = clv_strdupf("%s/%.*s", g->dir, (int)(end - path), path);
    if (program)
        remove_tree(program, 0);
    free(program);
    clv_log(g->ctx, CLV_LOG_DEBUG, "program cache: %s/%s is damaged, its program was removed",
            g->dir, path);
}

typedef void visit_fn(struct guard *g, const char *path, struct clv_str *sums);

static void check_file(struct guard *g, const char *path, struct clv_str *sums)
{
    unsigned char *data = NULL;
    size_t n = 0;
    char *full = clv_path_join(g->dir, path), hex[65];
    (void)sums;
    const struct line line = full ? sealed(g, path, full) : (struct line){0};
    /* A file that has gone belonged to a program that was just removed. */
    if (full && !line.same && clv_file_exists(full) && !clv_file_read(full, &data, &n, NULL)) {
        const struct clv_digest digest = clv_sha256(data, n);
        clv_digest_hex(&digest, hex);
        if (line.sum ? memcmp(line.sum, hex, 64) != 0 : !looks_whole(path, data, n))
            remove_program(g, path);
    }
    free(data);
    free(full);
}

static void sum_file(struct guard *g, const char *path, struct clv_str *sums)
{
    unsigned char *data = NULL;
    size_t n = 0;
    char *full = clv_path_join(g->dir, path), hex[65], stamp[CLV_FILE_STAMP];
    const struct line line = full ? sealed(g, path, full) : (struct line){0};
    if (full)
        clv_file_stamp(full, stamp); /* before it is read: what is written meanwhile is seen as a change */
    if (line.same) {
        clv_str_addf(sums, "%.64s  %s\t%s\n", line.sum, path, stamp);
    } else if (full && !clv_file_read(full, &data, &n, NULL)) {
        const struct clv_digest digest = clv_sha256(data, n);
        clv_digest_hex(&digest, hex);
        clv_str_addf(sums, "%s  %s\t%s\n", hex, path, stamp);
    }
    free(data);
    free(full);
}

/* Calls visit for every compiled file below dir/path ("" at the top). */
static void walk(struct guard *g, const char *path, int depth, visit_fn *visit,
                 struct clv_str *sums)
{
    char **names = NULL;
    size_t n = 0;
    char *dir = *path ? clv_path_join(g->dir, path) : clv_strdupf("%s", g->dir);
    if (!dir || clv_dir_list(dir, &names, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        char *child = *path ? clv_path_join(path, names[i]) : clv_strdupf("%s", names[i]);
        char *full = child ? clv_path_join(g->dir, child) : NULL;
        if (!full)
            continue;
        if (ends_with(child, ".so") || ends_with(child, ".bc"))
            visit(g, child, sums);
        else if (depth + 1 < MAX_DEPTH && clv_dir_exists(full))
            walk(g, child, depth + 1, visit, sums);
        free(child);
        free(full);
    }
    clv_list_free(names, n);
    free(dir);
}

static void finish(struct guard *g)
{
    free(g->dir);
    free(g->seal);
    free(g->sums);
    free(g->started);
}

/* Linux: random, and another one after each start. */
static char *read_start(void)
{
    unsigned char *text = NULL;
    size_t n = 0;
    if (clv_file_read("/proc/sys/kernel/random/boot_id", &text, &n, NULL))
        return clv_strdupf("%s", "");
    text[strcspn((char *)text, "\n")] = '\0';
    return (char *)text;
}

static bool begins_with_start(const struct guard *g)
{
    const size_t n = strlen(g->started);
    return n && !strncmp(g->sums, "started ", 8) && !strncmp(g->sums + 8, g->started, n) && g->sums[8 + n] == '\n';
}

/* False when out of memory. */
static bool init(struct guard *g, const struct clv_context *ctx, const char *cache_dir)
{
    unsigned char *text = NULL;
    size_t n = 0;
    *g = (struct guard){.ctx = ctx,
                        .dir = clv_path_join(cache_dir, "pocl"),
                        .seal = clv_path_join(cache_dir, "pocl.sums"),
                        .started = read_start()};
    if (g->seal && clv_file_exists(g->seal) && !clv_file_read(g->seal, &text, &n, NULL))
        g->sums = (char *)text; /* the reader ends it with a NUL */
    else
        g->sums = clv_strdupf("%s", "");
    g->at = g->sums;
    g->trusted = g->sums && g->started && begins_with_start(g);
    if (g->dir && g->seal && g->sums && g->started)
        return true;
    finish(g);
    return false;
}

void clv_poclcache_check(const struct clv_context *ctx, const char *cache_dir)
{
    struct guard g;
    if (!init(&g, ctx, cache_dir))
        return;
    walk(&g, "", 0, check_file, NULL);
    finish(&g);
}

void clv_poclcache_seal(const struct clv_context *ctx, const char *cache_dir)
{
    struct guard g;
    struct clv_str sums = {0};
    const char *used = getenv("POCL_CACHE_DIR");
    if (!used || !init(&g, ctx, cache_dir))
        return;
    if (!strcmp(used, g.dir)) {
        clv_str_addf(&sums, "started %s\n", g.started);
        walk(&g, "", 0, sum_file, &sums);
        if (sums.text && !sums.failed && strcmp(sums.text, g.sums) &&
            clv_file_write(g.seal, sums.text, sums.len, NULL))
            clv_log(ctx, CLV_LOG_DEBUG, "program cache: cannot write %s", g.seal);
    }
    clv_str_finish(&sums);
    finish(&g);
}
