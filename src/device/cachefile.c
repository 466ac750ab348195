#include "device/cachefile.h"
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "CLVPROG\n"
#define SUFFIX ".clvbin"

enum { HEADER = 80, SUM_AT = 48, NAME = 64 + sizeof(SUFFIX) - 1 };
/* A temporary file older than this was left by a process that died. */
enum { STALE_SECONDS = 3600 };

static void put(unsigned char *p, unsigned long long v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static struct clv_digest checksum(const struct clv_digest *key, const void *data, size_t size)
{
    struct clv_digest pair[2] = {*key, clv_sha256(data, size)};
    return clv_sha256(pair, sizeof(pair));
}

static void make_header(unsigned char h[HEADER], const struct clv_digest *key, const void *data,
                        size_t size)
{
    const struct clv_digest sum = checksum(key, data, size);
    memset(h, 0, HEADER);
    memcpy(h, MAGIC, 8);
    put(h + 8, CLV_CACHE_FORMAT, 4);
    put(h + 16, size, 8);
    memcpy(h + SUM_AT, sum.b, sizeof(sum.b));
}

static char *entry_path(const char *dir, const struct clv_digest *key)
{
    char hex[65];
    clv_digest_hex(key, hex);
    return clv_strdupf("%s/%s" SUFFIX, dir, hex);
}

bool clv_cachefile_load(const struct clv_context *ctx, const char *dir,
                        const struct clv_digest *key, unsigned char **data, size_t *size)
{
    unsigned char want[HEADER], *file = NULL;
    size_t n = 0;
    char *path = entry_path(dir, key);
    bool ok = false;
    if (!path || !clv_file_exists(path) || clv_file_read(path, &file, &n, NULL))
        goto out;
    if (n > HEADER) {
        make_header(want, key, file + HEADER, n - HEADER);
        ok = !memcmp(file, want, HEADER);
    }
    if (!ok) {
        clv_log(ctx, CLV_LOG_DEBUG, "program cache: %s is damaged or foreign", path);
        goto out;
    }
    (void)utimensat(AT_FDCWD, path, NULL, 0); /* a read-only folder just ages wrongly */
    memmove(file, file + HEADER, n - HEADER);
    *data = file;
    *size = n - HEADER;
    file = NULL;
out:
    free(file);
    free(path);
    return ok;
}

bool clv_cachefile_exists(const char *dir, const struct clv_digest *key)
{
    char *path = entry_path(dir, key);
    const bool yes = path && clv_file_exists(path);
    free(path);
    return yes;
}

bool clv_cachefile_can_store(const char *dir)
{
    return !clv_mkdirs(dir, NULL) && !access(dir, W_OK);
}

void clv_cachefile_store(const struct clv_context *ctx, const char *dir, unsigned long long max_bytes,
                         const struct clv_digest *key, const void *data, size_t size)
{
    struct clv_error err = {0}; /* not the context's: the failure is nobody's concern */
    struct clv_out out = {0};
    unsigned char header[HEADER];
    char *path = entry_path(dir, key);
    if (!path || HEADER + (unsigned long long)size > max_bytes)
        goto out;
    make_header(header, key, data, size);
    if (clv_mkdirs(dir, &err) || clv_out_open(&out, path, &err))
        goto out;
    if (fwrite(header, 1, HEADER, out.f) != HEADER || fwrite(data, 1, size, out.f) != size)
        (void)clv_fail(&err, CLV_ERR_WRITE, "%s: %s", path, strerror(errno));
    else if (!clv_out_commit(&out, &err))
        clv_cachefile_trim(ctx, dir, max_bytes);
    clv_out_abort(&out);
out:
    if (err.code)
        clv_log(ctx, CLV_LOG_DEBUG, "program cache: %s", err.text);
    free(path);
}

struct entry {
    char *path;
    unsigned long long bytes;
    struct timespec used;
};

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used;
    const struct timespec *y = &((const struct entry *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Ours by name: an entry, or an entry's temporary file ("<entry>" and more). */
static bool is_ours(const char *name)
{
    return strlen(name) >= NAME && !strncmp(name + 64, SUFFIX, sizeof(SUFFIX) - 1) &&
           strspn(name, "0123456789abcdef") >= 64;
}

/* Describes one file of the folder; false for what is not to be counted. */
static bool look_at(const char *dir, const char *name, time_t now, struct entry *entry)
{
    struct stat st;
    char *path = is_ours(name) ? clv_path_join(dir, name) : NULL;
    if (!path)
        return false;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) {
        free(path);
        return false;
    }
    if (strlen(name) != NAME) {
        if (now - st.st_mtime > STALE_SECONDS)
            (void)unlink(path);
        free(path);
        return false;
    }
    *entry = (struct entry){path, (unsigned long long)st.st_size, st.st_mtim};
    return true;
}

void clv_cachefile_trim(const struct clv_context *ctx, const char *dir,
                        unsigned long long max_bytes)
{
    char **names = NULL;
    size_t n = 0, count = 0;
    unsigned long long total = 0;
    if (clv_dir_list(dir, &names, &n, NULL))
        return;
    struct entry *entries = calloc(n + 1, sizeof(*entries));
    for (size_t i = 0; entries && i < n; i++) {
        if (!look_at(dir, names[i], time(NULL), &entries[count]))
            continue;
        total += entries[count++].bytes;
    }
    if (count > 1)
        qsort(entries, count, sizeof(*entries), by_use);
    for (size_t i = 0; i < count; i++) {
        if (total > max_bytes) {
            /* Another process may have been faster; either way the file is gone. */
            (void)unlink(entries[i].path);
            total -= entries[i].bytes;
            clv_log(ctx, CLV_LOG_DEBUG, "program cache: removed %s", entries[i].path);
        }
        free(entries[i].path);
    }
    free(entries);
    clv_list_free(names, n);
}
