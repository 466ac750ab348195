/* Thin helpers over jansson: files with errors that name the place, members with errors that name
 * the key, and numbers that JSON cannot hold. */
#ifndef CLV_BASE_JSON_H
#define CLV_BASE_JSON_H

#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A file or a text. "PATH:LINE:COLUMN: what is wrong" and CLV_ERR_DATA; CLV_ERR_IO when the file
 * cannot be read. `name` stands for the path. Release with json_decref. */
CLV_CHECK enum clv_err clv_json_load(const char *path, json_t **ret, struct clv_error *err);
CLV_CHECK enum clv_err clv_json_parse(const char *text, size_t size, const char *name, json_t **ret,
                                      struct clv_error *err);

/* Compact text without newline; malloc'ed; NULL when out of memory. Members in the order in which
 * they were set. */
char *clv_json_dump(const json_t *json);
/* Indented, with a final newline, atomically (see clv_file_write). */
CLV_CHECK enum clv_err clv_json_write(const char *path, const json_t *json, struct clv_error *err);

/* A number; null for NaN and infinities. New reference, NULL when out of memory. */
json_t *clv_json_double(double v);
/* Sets a member; false when out of memory. `value` is taken over and may be NULL (then false), so
 * that constructors nest: clv_json_set(o, "n", json_integer(3)). */
bool clv_json_set(json_t *object, const char *key, json_t *value);
bool clv_json_set_double(json_t *object, const char *key, double v);
/* JSON integers of jansson are signed: from 2^63 on a decimal string. */
bool clv_json_set_u64(json_t *object, const char *key, uint64_t v);

/* Members that must be there with that type; else CLV_ERR_DATA with a text that begins with the key
 * (put the file before it with clv_fail_prefix). Results are borrowed. */
CLV_CHECK enum clv_err clv_json_get_string(const json_t *object, const char *key, const char **ret,
                                           struct clv_error *err);
CLV_CHECK enum clv_err clv_json_get_int(const json_t *object, const char *key, long long *ret,
                                        struct clv_error *err);
CLV_CHECK enum clv_err clv_json_get_u64(const json_t *object, const char *key, uint64_t *ret,
                                        struct clv_error *err);
/* Also takes integers; null becomes NaN. */
CLV_CHECK enum clv_err clv_json_get_double(const json_t *object, const char *key, double *ret,
                                           struct clv_error *err);
CLV_CHECK enum clv_err clv_json_get_bool(const json_t *object, const char *key, bool *ret,
                                         struct clv_error *err);
CLV_CHECK enum clv_err clv_json_get_array(const json_t *object, const char *key, json_t **ret,
                                          struct clv_error *err);
CLV_CHECK enum clv_err clv_json_get_object(const json_t *object, const char *key, json_t **ret,
                                           struct clv_error *err);

#endif
