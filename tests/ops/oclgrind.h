/* Oclgrind's reports make a test fail: the program's exit code does not tell of them. */
#ifndef TESTS_OPS_OCLGRIND_H
#define TESTS_OPS_OCLGRIND_H

#include "base/file.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Every process of a test writes a log of its own; Oclgrind reads the variable at the first OpenCL
 * call. Nothing happens without CLAVICLE_TEST_OCLGRIND, a folder. */
static inline void oclgrind_log_open(const char *name)
{
    const char *folder = getenv("CLAVICLE_TEST_OCLGRIND");
    if (!folder)
        return;
    const char *caps = getenv("CLAVICLE_TEST_CAPS"), *only = getenv("CLAVICLE_TEST_VARIANT"); /* runs side by side */
    char *path = clv_strdupf("%s/oclgrind_%s%s%s.log", folder, caps ? caps : "", only ? only : "", name);
    cr_assert(path);
    (void)remove(path);
    setenv("OCLGRIND_LOG", path, 1);
    free(path);
}

/* After the device was closed. */
static inline void oclgrind_log_check(void)
{
    const char *path = getenv("OCLGRIND_LOG");
    unsigned char *text = NULL;
    size_t size = 0;
    if (!path || !getenv("CLAVICLE_TEST_OCLGRIND"))
        return;
    cr_assert_eq(clv_file_read(path, &text, &size, NULL), CLV_OK, "Oclgrind left no log %s", path);
    cr_expect_eq(size, 0, "Oclgrind reports:\n%.2000s", (const char *)text);
    free(text);
}

#endif
