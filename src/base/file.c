#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum clv_err fail_errno(struct clv_error *err, enum clv_err code, const char *path)
{
    char reason[128];
    return clv_fail(err, code, "%s %s: %s", code == CLV_ERR_IO ? "cannot read" : "cannot write",
                    path, clv_errno_text(reason, errno));
}

/* Room for one byte more than `used`, so that the end of the file is seen without a second grow. */
static bool grow(unsigned char **data, size_t *cap, size_t used)
{
    if (used + 1 < *cap)
        return true;
    if (*cap > SIZE_MAX / 2)
        return false;
    const size_t bigger = *cap ? *cap * 2 : 4096;
    unsigned char *p = realloc(*data, bigger);
    if (!p)
        return false;
    *data = p;
    *cap = bigger;
    return true;
}

enum clv_err clv_file_read(const char *path, unsigned char **data, size_t *size,
                           struct clv_error *err)
{
    enum clv_err e;
    unsigned char *bytes = NULL;
    size_t used = 0, cap = 0;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, CLV_ERR_IO, path);
    /* The size is a hint: pipes have none and files may grow while they are read. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uintmax_t)st.st_size < SIZE_MAX / 2) {
        cap = (size_t)st.st_size + 2;
        bytes = malloc(cap);
    }
    if (!bytes)
        cap = 0;
    for (;;) {
        if (!grow(&bytes, &cap, used)) {
            e = clv_fail_nomem(err, path);
            goto fail;
        }
        const ssize_t n = read(fd, bytes + used, cap - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            e = fail_errno(err, CLV_ERR_IO, path);
            goto fail;
        }
        if (n == 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    bytes[used] = '\0';
    *data = bytes;
    *size = used;
    return CLV_OK;
fail:
    close(fd);
    free(bytes);
    return e;
}

/* malloc'ed name of the folder that holds path. */
static char *parent_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return clv_strdupf(".");
    return slash == path ? clv_strdupf("/") : clv_strdupf("%.*s", (int)(slash - path), path);
}

/* A fresh file beside the target with the permissions that the target would get (mkstemp's 0600
 * would survive the rename). */
static int open_tmp(const char *path, char **tmp)
{
    for (unsigned i = 0; i < 1000; i++) {
        *tmp = clv_strdupf("%s.tmp%ld.%u", path, (long)getpid(), i);
        if (!*tmp) {
            errno = ENOMEM;
            return -1;
        }
        const int fd = open(*tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        free(*tmp);
        *tmp = NULL;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

enum clv_err clv_out_open(struct clv_out *o, const char *path, struct clv_error *err)
{
    enum clv_err e;
    struct stat st;
    int fd;
    *o = (struct clv_out){0};
    o->path = clv_strdupf("%s", path);
    if (!o->path)
        return clv_fail_nomem(err, path);
    const bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        fd = -1;
    } else if (there && !S_ISREG(st.st_mode)) {
        fd = open(path, O_WRONLY | O_CLOEXEC); /* a pipe or a device must not be renamed over */
    } else {
        fd = open_tmp(path, &o->tmp);
    }
    if (fd < 0) {
        e = fail_errno(err, CLV_ERR_WRITE, path);
        goto fail;
    }
    o->f = fdopen(fd, "wb");
    if (!o->f) {
        e = fail_errno(err, CLV_ERR_WRITE, path);
        close(fd);
        goto fail;
    }
    return CLV_OK;
fail:
    clv_out_abort(o);
    return e;
}

/* Makes the rename itself durable. Some file systems cannot sync a folder: not a failure. */
static void sync_parent(const char *path)
{
    char *dir = parent_dir(path);
    const int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

enum clv_err clv_out_commit(struct clv_out *o, struct clv_error *err)
{
    enum clv_err e;
    /* An earlier failed write left no reason behind; flushing what it left over mostly tells. */
    const bool bad = ferror(o->f);
    errno = EIO;
    if (fflush(o->f) || bad || (o->tmp && fsync(fileno(o->f))))
        goto fail;
    FILE *f = o->f;
    o->f = NULL;
    if (fclose(f) || (o->tmp && rename(o->tmp, o->path)))
        goto fail;
    if (o->tmp)
        sync_parent(o->path);
    free(o->tmp);
    free(o->path);
    *o = (struct clv_out){0};
    return CLV_OK;
fail:
    e = fail_errno(err, CLV_ERR_WRITE, o->path);
    clv_out_abort(o);
    return e;
}

void clv_out_abort(struct clv_out *o)
{
    if (o->f)
        fclose(o->f);
    if (o->tmp)
        unlink(o->tmp);
    free(o->tmp);
    free(o->path);
    *o = (struct clv_out){0};
}

enum clv_err clv_file_write(const char *path, const void *data, size_t size, struct clv_error *err)
{
    struct clv_out o;
    CLV_TRY(clv_out_open(&o, path, err));
    if (size && fwrite(data, 1, size, o.f) != size) {
        const enum clv_err e = fail_errno(err, CLV_ERR_WRITE, path);
        clv_out_abort(&o);
        return e;
    }
    return clv_out_commit(&o, err);
}

bool clv_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

void clv_file_stamp(const char *path, char text[CLV_FILE_STAMP])
{
    struct stat st;
    *text = '\0';
    if (!stat(path, &st) && S_ISREG(st.st_mode))
        snprintf(text, CLV_FILE_STAMP, "%jd.%ju.%jd.%ld.%jd.%ld", (intmax_t)st.st_size, (uintmax_t)st.st_ino,
                 (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

bool clv_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum clv_err clv_mkdirs(const char *path, struct clv_error *err)
{
    char *part = clv_strdupf("%s", path);
    if (!part)
        return clv_fail_nomem(err, path);
    enum clv_err e = CLV_OK;
    for (char *p = part + (part[0] == '/'); !e; p++) {
        const char at = *p;
        if (at && at != '/')
            continue;
        *p = '\0';
        /* Another process may make it between the two calls: then mkdir says EEXIST. */
        if (part[0] && !clv_dir_exists(part) && mkdir(part, 0777)) {
            const int why = errno;
            if (why != EEXIST || !clv_dir_exists(part)) {
                errno = why == EEXIST ? ENOTDIR : why;
                e = fail_errno(err, CLV_ERR_WRITE, part);
            }
        }
        *p = at;
        if (!at)
            break;
    }
    free(part);
    return e;
}

char *clv_path_join(const char *a, const char *b)
{
    const size_t n = strlen(a);
    return clv_strdupf(n && a[n - 1] != '/' ? "%s/%s" : "%s%s", a, b);
}

const char *clv_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool push(char ***list, size_t *n, size_t *cap, const char *name)
{
    if (*n == *cap) {
        const size_t bigger = *cap ? *cap * 2 : 32;
        char **p = realloc(*list, bigger * sizeof(*p));
        if (!p)
            return false;
        *list = p;
        *cap = bigger;
    }
    char *copy = clv_strdupf("%s", name);
    if (!copy)
        return false;
    (*list)[(*n)++] = copy;
    return true;
}

enum clv_err clv_dir_list(const char *path, char ***names, size_t *n, struct clv_error *err)
{
    enum clv_err e = CLV_OK;
    char **list = NULL;
    size_t count = 0, cap = 0;
    DIR *d = opendir(path);
    if (!d)
        return fail_errno(err, CLV_ERR_IO, path);
    while (!e) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (!entry) {
            if (errno)
                e = fail_errno(err, CLV_ERR_IO, path);
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!push(&list, &count, &cap, entry->d_name))
            e = clv_fail_nomem(err, path);
    }
    closedir(d);
    if (e) {
        clv_list_free(list, count);
        return e;
    }
    if (count)
        qsort(list, count, sizeof(*list), by_bytes);
    *names = list;
    *n = count;
    return CLV_OK;
}

void clv_list_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

char *clv_xdg_dir(const char *variable, const char *fallback)
{
    const char *dir = getenv(variable);
    if (dir && dir[0] == '/') /* the specification: relative paths are to be ignored */
        return clv_path_join(dir, "clavicle");
    const char *home = getenv("HOME");
    if (!home || !home[0])
        return NULL;
    return clv_strdupf("%s/%s/clavicle", home, fallback);
}
