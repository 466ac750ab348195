#include "base/json.h"
#include "base/file.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum clv_err clv_json_parse(const char *text, size_t size, const char *name, json_t **ret,
                            struct clv_error *err)
{
    json_error_t why;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return clv_fail(err, CLV_ERR_DATA, "%s:%d:%d: not valid JSON: %s", name, why.line,
                        why.column, why.text);
    *ret = json;
    return CLV_OK;
}

enum clv_err clv_json_load(const char *path, json_t **ret, struct clv_error *err)
{
    unsigned char *data;
    size_t size;
    CLV_TRY(clv_file_read(path, &data, &size, err));
    const enum clv_err e = clv_json_parse((const char *)data, size, path, ret, err);
    free(data);
    return e;
}

/* jansson writes a number's point in the C locale, whatever the program's locale is. */
char *clv_json_dump(const json_t *json)
{
    return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

enum clv_err clv_json_write(const char *path, const json_t *json, struct clv_error *err)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (!text)
        return clv_fail_nomem(err, path);
    struct clv_str s = {0};
    clv_str_add(&s, text);
    clv_str_add(&s, "\n");
    free(text);
    const enum clv_err e =
        s.failed ? clv_fail_nomem(err, path) : clv_file_write(path, s.text, s.len, err);
    clv_str_finish(&s);
    return e;
}

json_t *clv_json_double(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

bool clv_json_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

bool clv_json_set_double(json_t *object, const char *key, double v)
{
    return clv_json_set(object, key, clv_json_double(v));
}

bool clv_json_set_u64(json_t *object, const char *key, uint64_t v)
{
    if (v <= INT64_MAX)
        return clv_json_set(object, key, json_integer((json_int_t)v));
    char *text = clv_strdupf("%llu", (unsigned long long)v);
    const bool done = text && clv_json_set(object, key, json_string(text));
    free(text);
    return done;
}

static enum clv_err fail_type(const json_t *member, const char *key, const char *wanted,
                              struct clv_error *err)
{
    if (!member)
        return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is missing", key);
    return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is not %s", key, wanted);
}

enum clv_err clv_json_get_string(const json_t *object, const char *key, const char **ret,
                                 struct clv_error *err)
{
    const json_t *m = json_object_get(object, key);
    if (!json_is_string(m))
        return fail_type(m, key, "a string", err);
    *ret = json_string_value(m);
    return CLV_OK;
}

enum clv_err clv_json_get_int(const json_t *object, const char *key, long long *ret,
                              struct clv_error *err)
{
    const json_t *m = json_object_get(object, key);
    if (!json_is_integer(m))
        return fail_type(m, key, "an integer", err);
    *ret = json_integer_value(m);
    return CLV_OK;
}

enum clv_err clv_json_get_u64(const json_t *object, const char *key, uint64_t *ret,
                              struct clv_error *err)
{
    const json_t *m = json_object_get(object, key);
    if (json_is_integer(m) && json_integer_value(m) >= 0) {
        *ret = (uint64_t)json_integer_value(m);
        return CLV_OK;
    }
    if (json_is_string(m) && clv_parse_u64(json_string_value(m), ret))
        return CLV_OK;
    return fail_type(m, key, "an integer from 0 to 2^64 - 1", err);
}

enum clv_err clv_json_get_double(const json_t *object, const char *key, double *ret,
                                 struct clv_error *err)
{
    const json_t *m = json_object_get(object, key);
    if (!json_is_number(m) && !json_is_null(m))
        return fail_type(m, key, "a number", err);
    *ret = json_is_null(m) ? NAN : json_number_value(m);
    return CLV_OK;
}

enum clv_err clv_json_get_bool(const json_t *object, const char *key, bool *ret,
                               struct clv_error *err)
{
    const json_t *m = json_object_get(object, key);
    if (!json_is_boolean(m))
        return fail_type(m, key, "true or false", err);
    *ret = json_is_true(m);
    return CLV_OK;
}

enum clv_err clv_json_get_array(const json_t *object, const char *key, json_t **ret,
                                struct clv_error *err)
{
    json_t *m = json_object_get(object, key);
    if (!json_is_array(m))
        return fail_type(m, key, "an array", err);
    *ret = m;
    return CLV_OK;
}

enum clv_err clv_json_get_object(const json_t *object, const char *key, json_t **ret,
                                 struct clv_error *err)
{
    json_t *m = json_object_get(object, key);
    if (!json_is_object(m))
        return fail_type(m, key, "an object", err);
    *ret = m;
    return CLV_OK;
}
