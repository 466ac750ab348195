#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/json.h"
#include "base/file.h"
#include "tmp.h"

#include <locale.h>
#include <math.h>
#include <string.h>

Test(json, dump_and_parse)
{
    setlocale(LC_ALL, "de_DE.UTF-8"); /* if there is one: numbers keep their point */
    json_t *o = json_object(), *back;
    cr_assert(clv_json_set(o, "z", json_integer(3)));
    cr_assert(clv_json_set_double(o, "a", 0.5));
    cr_assert(clv_json_set_double(o, "nan", NAN));
    cr_assert(clv_json_set_double(o, "inf", INFINITY));
    cr_assert(clv_json_set_u64(o, "seed", 7));
    cr_assert(clv_json_set_u64(o, "big", UINT64_MAX));
    cr_assert_not(clv_json_set(o, "none", NULL));
    char *text = clv_json_dump(o);
    cr_assert_str_eq(text, "{\"z\":3,\"a\":0.5,\"nan\":null,\"inf\":null,\"seed\":7,"
                           "\"big\":\"18446744073709551615\"}");
    cr_assert_eq(clv_json_parse(text, strlen(text), "x", &back, NULL), CLV_OK);
    cr_assert(json_equal(o, back));
    free(text);
    json_decref(o);
    json_decref(back);
}

Test(json, files)
{
    char d[64], p[128];
    struct clv_error err = {0};
    json_t *o = json_pack("{s:i}", "n", 1), *back = NULL;
    tmp_dir(d);
    snprintf(p, sizeof(p), "%s/a.json", d);
    cr_assert_eq(clv_json_write(p, o, NULL), CLV_OK);
    cr_assert_eq(clv_json_load(p, &back, NULL), CLV_OK);
    cr_assert(json_equal(o, back));
    json_decref(back);
    json_decref(o);
    cr_assert_eq(clv_file_write(p, "{\n\"a\": 1,\n\"b\" 2}", 17, NULL), CLV_OK);
    cr_assert_eq(clv_json_load(p, &back, &err), CLV_ERR_DATA);
    cr_assert_not_null(strstr(err.text, "a.json:3:"), "%s", err.text);
    cr_assert_eq(clv_file_write(p, "{\"a\": 1, \"a\": 2}", 16, NULL), CLV_OK);
    cr_assert_eq(clv_json_load(p, &back, &err), CLV_ERR_DATA);
    tmp_remove(d);
    cr_assert_eq(clv_json_load(p, &back, &err), CLV_ERR_IO);
}

Test(json, members)
{
    json_t *o = json_pack("{s:s, s:i, s:f, s:b, s:n, s:[], s:{}, s:s}", "s", "text", "i", 5, "d",
                          1.5, "b", 1, "n", "a", "o", "u", "18446744073709551615");
    struct clv_error err = {0};
    const char *s;
    long long i;
    uint64_t u;
    double d;
    bool b;
    json_t *m;
    cr_assert(!clv_json_get_string(o, "s", &s, &err) && !strcmp(s, "text"));
    cr_assert(!clv_json_get_int(o, "i", &i, &err) && i == 5);
    cr_assert(!clv_json_get_u64(o, "i", &u, &err) && u == 5);
    cr_assert(!clv_json_get_u64(o, "u", &u, &err) && u == UINT64_MAX);
    cr_assert(!clv_json_get_double(o, "d", &d, &err) && d > 1.49 && d < 1.51);
    cr_assert(!clv_json_get_double(o, "i", &d, &err) && d > 4.9 && d < 5.1);
    cr_assert(!clv_json_get_double(o, "n", &d, &err) && isnan(d));
    cr_assert(!clv_json_get_bool(o, "b", &b, &err) && b);
    cr_assert(!clv_json_get_array(o, "a", &m, &err) && json_is_array(m));
    cr_assert(!clv_json_get_object(o, "o", &m, &err) && json_is_object(m));
    cr_assert_eq(clv_json_get_int(o, "none", &i, &err), CLV_ERR_DATA);
    cr_assert_str_eq(err.text, "member \"none\" is missing");
    cr_assert_eq(clv_json_get_int(o, "d", &i, &err), CLV_ERR_DATA);
    cr_assert_str_eq(err.text, "member \"d\" is not an integer");
    cr_assert_eq(clv_json_get_string(o, "i", &s, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_u64(o, "s", &u, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_double(o, "s", &d, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_bool(o, "i", &b, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_array(o, "o", &m, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_object(o, "a", &m, &err), CLV_ERR_DATA);
    cr_assert_eq(clv_json_get_object(NULL, "a", &m, &err), CLV_ERR_DATA);
    json_decref(o);
}
