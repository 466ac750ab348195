#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/str.h"
#include "base/error.h"
#include "tmp.h"

#include <locale.h>
#include <math.h>
#include <string.h>

Test(str, grows)
{
    struct clv_str s = {0};
    for (int i = 0; i < 1000; i++)
        clv_str_addf(&s, "%03d,", i);
    cr_assert_eq(s.len, 4000);
    cr_assert_eq(strncmp(s.text + 3996, "999,", 5), 0);
    clv_str_add(&s, "end");
    clv_str_add_bytes(&s, "a\0b", 3);
    cr_assert_eq(s.len, 4006);
    char *text = clv_str_take(&s);
    cr_assert_str_eq(text + 4000, "enda");
    cr_assert_null(s.text);
    free(text);
    text = clv_str_take(&s);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(str, failure_is_sticky)
{
    struct clv_str s = {0};
    clv_str_add(&s, "kept");
    clv_str_add_bytes(&s, "x", SIZE_MAX / 2);
    cr_assert(s.failed);
    clv_str_add(&s, "ignored");
    cr_assert_str_eq(s.text, "kept");
    cr_assert_null(clv_str_take(&s));
    cr_assert_not(s.failed);
}

Test(str, sizes)
{
    static const struct {
        unsigned long long n;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {1048575, "1023.9 KiB"},
                 {19293798, "18.3 MiB"},
                 {5ull << 30, "5.0 GiB"},
                 {~0ull, "15.9 EiB"}};
    char buf[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_assert_str_eq(clv_str_bytes(buf, cases[i].n), cases[i].text);
}

static void check_numbers(void)
{
    static const struct {
        const char *text;
        double v;
    } good[] = {{"1.5", 1.5}, {"-2", -2}, {"1e3", 1000}, {".25", .25}, {"+7.", 7}, {"1e-400", 0}};
    static const char *const bad[] = {"",     " 1", "1 ",  "1,5", "nan",  "inf", "0x10", "1e999",
                                      "1..5", "1e", "--1", "e5",  "1.5x", ".",   "+"};
    double v;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        cr_assert(clv_parse_double(good[i].text, &v), "%s", good[i].text);
        cr_assert_float_eq(v, good[i].v, 0, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert_not(clv_parse_double(bad[i], &v), "'%s'", bad[i]);
    struct clv_str s = {0};
    clv_str_addf(&s, "%.2f %g", 1.5, 2.25);
    cr_assert_str_eq(s.text, "1.50 2.25");
    clv_str_finish(&s);
    struct clv_error err = {0};
    (void)!clv_fail(&err, CLV_ERR_ARG, "%.1f", 0.5);
    cr_assert_str_eq(err.text, "0.5");
}

/* Any locale whose decimal point is a comma: one of the machine's, else one that localedef makes.
 */
static bool set_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    char dir[64], command[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (setlocale(LC_ALL, names[i]))
            return true;
    }
    tmp_dir(dir);
    snprintf(command, sizeof(command), "localedef -i de_DE -f UTF-8 %s/clavicle >%s/log 2>&1", dir,
             dir);
    const bool made = system(command) == 0;
    setenv("LOCPATH", dir, 1);
    const bool set = made && setlocale(LC_ALL, "clavicle");
    tmp_remove(dir);
    return set;
}

Test(str, numbers_do_not_depend_on_the_locale)
{
    char text[16];
    check_numbers();
    if (!set_comma_locale())
        cr_skip_test("no locale with a decimal comma can be had on this machine");
    snprintf(text, sizeof(text), "%.1f", 1.5);
    cr_assert_str_eq(text, "1,5");
    check_numbers();
    snprintf(text, sizeof(text), "%.1f", 1.5);
    cr_assert_str_eq(text, "1,5", "the program's locale must be back");
}

Test(str, whole_numbers)
{
    long long i;
    uint64_t u;
    cr_assert(clv_parse_int("-9223372036854775808", &i) && i == INT64_MIN);
    cr_assert(clv_parse_int("+12", &i) && i == 12);
    static const char *const bad[] = {"",    "1.0", " 1", "1 ", "9223372036854775808",
                                      "1e3", "-",   "1-2"};
    for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++)
        cr_assert_not(clv_parse_int(bad[k], &i), "'%s'", bad[k]);
    cr_assert(clv_parse_u64("18446744073709551615", &u) && u == UINT64_MAX);
    cr_assert_not(clv_parse_u64("18446744073709551616", &u));
    cr_assert_not(clv_parse_u64("-1", &u));
    cr_assert_not(clv_parse_u64("", &u));
}

Test(str, doubles_print_short_and_exact)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {10, "10"},
                 {-180, "-180"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1e-7, "1e-07"},
                 {1e300, "1e+300"},
                 {0.001, "0.001"},
                 {123456, "123456"},
                 {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct clv_str s = {0};
        double back;
        clv_str_add_double(&s, cases[i].v);
        cr_assert_str_eq(s.text, cases[i].text);
        cr_assert(clv_parse_double(s.text, &back));
        cr_assert_float_eq(back, cases[i].v, 0);
        clv_str_finish(&s);
    }
    struct clv_str s = {0};
    clv_str_add_double(&s, NAN);
    clv_str_add_double(&s, -INFINITY);
    cr_assert_str_eq(s.text, "nan-inf");
    clv_str_finish(&s);
}
