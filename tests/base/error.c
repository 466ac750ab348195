#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, every_code_has_a_text)
{
    static const enum clv_err codes[] = {
#define CODE(name, text) CLV_ERR_##name,
        CLV_ERR_MAP(CODE)
#undef CODE
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        cr_assert_lt((int)codes[i], 0);
        cr_assert_str_neq(clv_strerror(codes[i]), "unknown error");
    }
    cr_assert_str_eq(clv_strerror(CLV_ERR_ARG), "invalid argument");
    cr_assert_str_eq(clv_strerror(CLV_OK), "no error");
    cr_assert_str_eq(clv_strerror((enum clv_err)7), "unknown error");
}

Test(error, records_code_text_and_place)
{
    struct clv_error err = {0};
    errno = ENOENT;
    cr_assert_eq(clv_fail(&err, CLV_ERR_SHAPE, "%s: %d", "conv2d.3", 7), CLV_ERR_SHAPE);
    cr_assert_eq(errno, ENOENT);
    cr_assert_eq(err.code, CLV_ERR_SHAPE);
    cr_assert_str_eq(err.text, "conv2d.3: 7");
    cr_assert_not_null(strstr(err.file, "error.c"));
    cr_assert_not_null(err.func);
    cr_assert_gt(err.line, 0);
    cr_assert_eq(clv_fail(NULL, CLV_ERR_IO, "nobody listens"), CLV_ERR_IO);
}

Test(error, text_may_come_from_itself)
{
    struct clv_error err = {0};
    (void)!clv_fail(&err, CLV_ERR_IO, "inner");
    (void)!clv_fail(&err, CLV_ERR_DATA, "outer: %s", err.text);
    cr_assert_str_eq(err.text, "outer: inner");
    clv_fail_prefix(&err, "%s", "file.json");
    cr_assert_str_eq(err.text, "file.json: outer: inner");
    cr_assert_eq(err.code, CLV_ERR_DATA);
    clv_fail_prefix(NULL, "x");
}

Test(error, long_texts_are_cut_and_marked)
{
    struct clv_error err = {0};
    char text[5000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)!clv_fail(&err, CLV_ERR_BUILD, "%s", text);
    cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
    cr_assert_str_eq(err.text + sizeof(err.text) - 5, "a...");
    clv_fail_prefix(&err, "kernel");
    cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
    cr_assert_eq(strncmp(err.text, "kernel: aaa", 11), 0);
    cr_assert_str_eq(err.text + sizeof(err.text) - 5, "a...");
}
