/* A folder for one test's files. */
#ifndef TESTS_BASE_TMP_H
#define TESTS_BASE_TMP_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/* A new empty folder; its name is written to buf, which is returned. */
static inline char *tmp_dir(char buf[64])
{
    snprintf(buf, 64, "/tmp/clavicle-test-XXXXXX");
    cr_assert_not_null(mkdtemp(buf));
    return buf;
}

static inline int tmp_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void tmp_remove(const char *dir)
{
    nftw(dir, tmp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
