/* Texts that tests compare with files in tests/golden. After a wanted change run the test with
 * CLAVICLE_UPDATE_GOLDEN=1 in the environment, and read the difference before you commit it. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "base/file.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool golden_updates(void)
{
    const char *update = getenv("CLAVICLE_UPDATE_GOLDEN");
    return update && update[0];
}

/* malloc'ed path of a file of the source tree. */
static inline char *golden_source_path(const char *file)
{
    const char *root = getenv("CLAVICLE_TEST_SOURCE");
    cr_assert_not_null(root, "run it through meson test, or set CLAVICLE_TEST_SOURCE");
    return clv_path_join(root, file);
}

/* Begin of the first line in which a differs from b, its number in *line. */
static inline const char *golden_difference(const char *a, const char *b, int *line)
{
    const char *begin = a;
    *line = 1;
    for (; *a && *a == *b; a++, b++) {
        if (*a == '\n') {
            begin = a + 1;
            ++*line;
        }
    }
    return begin;
}

/* `text` is what the file (a path in the source tree) holds. */
static inline void golden_expect(const char *file, const char *text)
{
    char *path = golden_source_path(file);
    unsigned char *want = NULL;
    size_t size;
    if (golden_updates())
        cr_assert_eq(clv_file_write(path, text, strlen(text), NULL), CLV_OK, "%s", path);
    cr_assert_eq(clv_file_read(path, &want, &size, NULL), CLV_OK, "%s", path);
    if (strcmp(text, (const char *)want)) {
        int line;
        const char *now = golden_difference(text, (const char *)want, &line);
        cr_expect_fail("%s:%d: is now '%.*s'; if that is meant: CLAVICLE_UPDATE_GOLDEN=1", file,
                       line, (int)strcspn(now, "\n"), now);
    }
    free(want);
    free(path);
}

#endif
