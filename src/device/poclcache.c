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
    char *sums; /* its text, "<64 hex digits>  <path below dir>\n" a line; "" if there is none */
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

/* The sum written down for a path, NULL if none was. */
static const char *sealed_sum(const struct guard *g, const char *path)
{
    const size_t len = strlen(path);
    for (const char *p = g->sums; (p = strstr(p, path)); p += len)
        if (p - g->sums >= 66 && !memcmp(p - 2, "  ", 2) && p[len] == '\n')
            return p - 66;
    return NULL;
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

typedef void visit_fn(const struct guard *g, const char *path, struct clv_str *sums);

static void check_file(const struct guard *g, const char *path, struct clv_str *sums)
{
    unsigned char *data = NULL;
    size_t n = 0;
    char *full = clv_path_join(g->dir, path), hex[65];
    (void)sums;
    /* A file that has gone belonged to a program that was just removed. */
    if (full && clv_file_exists(full) && !clv_file_read(full, &data, &n, NULL)) {
        const struct clv_digest digest = clv_sha256(data, n);
        const char *sum = sealed_sum(g, path);
        clv_digest_hex(&digest, hex);
        if (sum ? memcmp(sum, hex, 64) != 0 : !looks_whole(path, data, n))
            remove_program(g, path);
    }
    free(data);
    free(full);
}

static void sum_file(const struct guard *g, const char *path, struct clv_str *sums)
{
    unsigned char *data = NULL;
    size_t n = 0;
    char *full = clv_path_join(g->dir, path), hex[65];
    if (full && !clv_file_read(full, &data, &n, NULL)) {
        const struct clv_digest digest = clv_sha256(data, n);
        clv_digest_hex(&digest, hex);
        clv_str_addf(sums, "%s  %s\n", hex, path);
    }
    free(data);
    free(full);
}

/* Calls visit for every compiled file below dir/path ("" at the top). */
static void walk(const struct guard *g, const char *path, int depth, visit_fn *visit,
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
}

/* False when out of memory. */
static bool init(struct guard *g, const struct clv_context *ctx, const char *cache_dir)
{
    unsigned char *text = NULL;
    size_t n = 0;
    *g = (struct guard){.ctx = ctx,
                        .dir = clv_path_join(cache_dir, "pocl"),
                        .seal = clv_path_join(cache_dir, "pocl.sums")};
    if (g->seal && clv_file_exists(g->seal) && !clv_file_read(g->seal, &text, &n, NULL))
        g->sums = (char *)text; /* the reader ends it with a NUL */
    else
        g->sums = clv_strdupf("%s", "");
    if (g->dir && g->seal && g->sums)
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
        walk(&g, "", 0, sum_file, &sums);
        if (sums.text && !sums.failed && strcmp(sums.text, g.sums) &&
            clv_file_write(g.seal, sums.text, sums.len, NULL))
            clv_log(ctx, CLV_LOG_DEBUG, "program cache: cannot write %s", g.seal);
    }
    clv_str_finish(&sums);
    finish(&g);
}
