#include "device/poclwork.h"
#include "base/file.h"
#include "base/str.h"
#include "device/poclcache.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "pocl "
enum { MAGIC_LEN = sizeof(MAGIC) - 1, NAME_MOST = 200 };

static char *bitcode_path(const char *dir, const char *program)
{
    return clv_strdupf("%s/%s/program.bc", dir, program);
}

/* ---- a worker's folder ---- */

struct search {
    const char *except;
    int count;
    char *found;
};

static void look_at(struct search *s, const char *dir, const char *outer, const char *inner)
{
    char *program = clv_path_join(outer, inner);
    char *path = program ? bitcode_path(dir, program) : NULL;
    if (path && clv_file_exists(path) && !(s->except && !strcmp(program, s->except)) &&
        !s->count++) {
        s->found = program;
        program = NULL;
    }
    free(path);
    free(program);
}

char *clv_poclwork_program(const char *own, const char *except)
{
    struct search s = {.except = except};
    char **outer = NULL, **inner = NULL;
    size_t n = 0, m = 0;
    if (clv_dir_list(own, &outer, &n, NULL))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        char *path = clv_path_join(own, outer[i]);
        if (path && clv_dir_exists(path) && !clv_dir_list(path, &inner, &m, NULL)) {
            for (size_t j = 0; j < m; j++)
                look_at(&s, own, outer[i], inner[j]);
            clv_list_free(inner, m);
        }
        free(path);
    }
    clv_list_free(outer, n);
    if (s.count == 1)
        return s.found;
    free(s.found);
    return NULL;
}

bool clv_poclwork_bitcode(const char *own, const char *program, unsigned char **data, size_t *size)
{
    char *path = bitcode_path(own, program);
    const bool ok = path && !clv_file_read(path, data, size, NULL);
    free(path);
    return ok;
}

bool clv_poclwork_wrap(const char *name, const void *bitcode, size_t size, unsigned char **entry,
                       size_t *entry_size)
{
    struct clv_str s = {0};
    clv_str_addf(&s, MAGIC "%s\n", name);
    clv_str_add_bytes(&s, bitcode, size);
    *entry_size = s.len;
    *entry = (unsigned char *)clv_str_take(&s);
    return *entry != NULL;
}

/* Moves what `to` lacks of the folder `from`, down to `depth` levels below it. */
static void move_missing(const char *from, const char *to, int depth)
{
    char **names = NULL;
    size_t n = 0;
    if (!rename(from, to) || depth == 0 || !clv_dir_exists(from) ||
        clv_dir_list(from, &names, &n, NULL))
        return; /* a folder replaces an empty one only: what is there stays */
    for (size_t i = 0; i < n; i++) {
        char *a = clv_path_join(from, names[i]), *b = clv_path_join(to, names[i]);
        if (a && b && clv_dir_exists(a))
            move_missing(a, b, depth - 1);
        free(a);
        free(b);
    }
    clv_list_free(names, n);
}

void clv_poclwork_publish(const char *own, const char *program, const char *shared,
                          const char *name)
{
    char *from = clv_path_join(own, program), *to = clv_path_join(shared, name);
    char *folder = to ? clv_strdupf("%.*s", (int)(clv_path_base(to) - to - 1), to) : NULL;
    /* PROGRAM, KERNEL and the folders of local sizes. */
    if (from && folder && !clv_mkdirs(folder, NULL))
        move_missing(from, to, 2);
    free(folder);
    free(to);
    free(from);
}

/* ---- entries ---- */

bool clv_poclwork_is_entry(const void *data, size_t size)
{
    return size > MAGIC_LEN && !memcmp(data, MAGIC, MAGIC_LEN);
}

size_t clv_poclwork_unwrap(const char *shared, const void *data, size_t size, char **name)
{
    const char *text = data;
    if (!clv_poclwork_is_entry(data, size))
        return 0;
    const char *end = memchr(text, '\n', size < NAME_MOST ? size : NAME_MOST);
    if (!end)
        return 0;
    const size_t start = (size_t)(end + 1 - text);
    char *program = clv_strdupf("%.*s", (int)(end - text) - MAGIC_LEN, text + MAGIC_LEN);
    unsigned char *there = NULL;
    size_t n = 0;
    const bool same = program && clv_poclwork_bitcode(shared, program, &there, &n) &&
                      n == size - start && !memcmp(there, text + start, n);
    free(there);
    if (same && name)
        *name = program;
    else
        free(program);
    return same ? start : 0;
}
