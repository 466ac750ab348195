/* The safetensors reader and writer. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "../base/tmp.h"

#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "model/safetensors.h"
#include <stdint.h>
#include <string.h>

static const float kernel[6] = {1, -2, 3.5f, 1e-30f, -0.0f, 6};
static const float bias[3] = {7, 8, 9};

static void write_sample(const char *path)
{
    struct clv_error err = {0};
    struct clv_safetensors_writer *w = NULL;
    cr_assert_eq(clv_safetensors_create(path, &w, &err), CLV_OK, "%s", err.text);
    cr_assert_eq(clv_safetensors_meta(w, "step", "12", &err), CLV_OK);
    cr_assert_eq(clv_safetensors_declare(w, "dense/kernel", (int[]){2, 3}, 2, &err), CLV_OK);
    cr_assert_eq(clv_safetensors_declare(w, "dense/bias", (int[]){3}, 1, &err), CLV_OK);
    cr_assert_eq(clv_safetensors_write(w, kernel, 6, &err), CLV_OK);
    cr_assert_eq(clv_safetensors_write(w, bias, 3, &err), CLV_OK);
    cr_assert_eq(clv_safetensors_commit(w, &err), CLV_OK, "%s", err.text);
    clv_safetensors_abort(&w);
    cr_assert_null(w);
    clv_safetensors_abort(&w);
}

static uint64_t header_length(const unsigned char *bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)bytes[i] << (8 * i);
    return n;
}

Test(safetensors, what_was_written_is_read)
{
    char dir[64];
    struct clv_error err = {0};
    struct clv_safetensors *f = NULL;
    const float *data;
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors");
    write_sample(path);
    cr_assert_eq(clv_safetensors_open(path, &f, &err), CLV_OK, "%s", err.text);
    cr_expect(clv_safetensors_has(f, "dense/bias"));
    cr_expect_not(clv_safetensors_has(f, "dense"));
    cr_expect_not(clv_safetensors_has(f, "__metadata__"));
    cr_expect_str_eq(clv_safetensors_get_meta(f, "step"), "12");
    cr_expect_null(clv_safetensors_get_meta(f, "epoch"));
    cr_assert_eq(clv_safetensors_find(f, "dense/kernel", (int[]){2, 3}, 2, &data, &err), CLV_OK);
    cr_expect_arr_eq(data, kernel, sizeof kernel);
    cr_expect_eq((uintptr_t)data % 8, 0);
    cr_assert_eq(clv_safetensors_find(f, "dense/bias", (int[]){3}, 1, &data, &err), CLV_OK);
    cr_expect_arr_eq(data, bias, sizeof bias);
    cr_expect_eq(clv_safetensors_find(f, "dense/kernel", (int[]){3, 2}, 2, &data, &err),
                 CLV_ERR_MISMATCH);
    cr_expect(strstr(err.text, "dense/kernel") && strstr(err.text, "[2, 3]") &&
                  strstr(err.text, "[3, 2]") && strstr(err.text, path),
              "%s", err.text);
    cr_expect_eq(clv_safetensors_find(f, "gone", (int[]){3}, 1, &data, &err), CLV_ERR_MISMATCH);
    cr_expect(strstr(err.text, "gone"), "%s", err.text);
    clv_safetensors_close(&f);
    cr_expect_null(f);
    clv_safetensors_close(&f);
    free(path);
    tmp_remove(dir);
}

/* The layout that other programs rely on: blanks up to a multiple of 8, data without gap. */
Test(safetensors, layout)
{
    char dir[64];
    struct clv_error err = {0};
    unsigned char *bytes;
    size_t size;
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors");
    write_sample(path);
    cr_assert_eq(clv_file_read(path, &bytes, &size, &err), CLV_OK);
    const uint64_t n = header_length(bytes);
    cr_expect_eq(n % 8, 0);
    cr_expect_eq(size, 8 + n + sizeof kernel + sizeof bias);
    cr_expect_arr_eq(bytes + 8 + n, kernel, sizeof kernel);
    static const char header[] =
        "{\"__metadata__\":{\"step\":\"12\"},"
        "\"dense/kernel\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"dense/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}}";
    cr_expect_arr_eq(bytes + 8, header, sizeof header - 1);
    for (uint64_t i = sizeof header - 1; i < n; i++)
        cr_expect_eq(bytes[8 + i], ' ');
    free(bytes);
    free(path);
    tmp_remove(dir);
}

Test(safetensors, writer_guards_its_order)
{
    char dir[64], **names;
    size_t n;
    struct clv_error err = {0};
    struct clv_safetensors_writer *w = NULL;
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors");
    cr_assert_eq(clv_safetensors_create(path, &w, &err), CLV_OK);
    cr_assert_eq(clv_safetensors_declare(w, "a", (int[]){3}, 1, &err), CLV_OK);
    cr_expect_eq(clv_safetensors_declare(w, "a", (int[]){3}, 1, &err), CLV_ERR_ARG);
    cr_expect_eq(clv_safetensors_write(w, bias, 2, &err), CLV_ERR_ARG);
    cr_expect_eq(clv_safetensors_commit(w, &err), CLV_ERR_ARG);
    clv_safetensors_abort(&w);
    cr_assert_eq(clv_dir_list(dir, &names, &n, &err), CLV_OK);
    cr_expect_eq(n, 0, "an aborted file leaves nothing behind");
    clv_list_free(names, n);
    cr_expect_eq(clv_safetensors_create("/nonexistent/a", &w, &err), CLV_ERR_WRITE);
    free(path);
    tmp_remove(dir);
}

/* A file from header text and a number of data bytes. */
static void write_raw(const char *path, const char *header, size_t data, uint64_t claimed)
{
    struct clv_error err = {0};
    struct clv_str s = {0};
    for (int i = 0; i < 8; i++)
        clv_str_add_bytes(&s, &(unsigned char){(unsigned char)(claimed >> (8 * i))}, 1);
    clv_str_add(&s, header);
    for (size_t i = 0; i < data; i++)
        clv_str_add_bytes(&s, &(unsigned char){(unsigned char)i}, 1);
    cr_assert_eq(clv_file_write(path, s.text, s.len, &err), CLV_OK);
    clv_str_finish(&s);
}

#define T(name, begin, end)                                                                        \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" #begin "," #end "]}"

Test(safetensors, bad_headers_are_refused)
{
    static const struct {
        const char *header;
        size_t data;
        const char *say;
    } cases[] = {
        {"", 0, "not valid JSON"},
        {"{", 0, "not valid JSON"},
        {"[]", 0, "no object"},
        {"{\"a\":3}", 0, "no object"},
        {"{" T("a", 0, 8) "," T("a", 8, 16) "}", 16, "duplicate"},
        {"{" T("a", 0, 8) "," T("b", 4, 12) "}", 12, "overlap"},
        {"{" T("a", 0, 8) "," T("b", 0, 8) "}", 8, "overlap"},
        {"{" T("a", 0, 8) "," T("b", 12, 20) "}", 20, "gap"},
        {"{" T("a", 8, 16) "}", 16, "gap"},
        {"{" T("a", 0, 8) "}", 9, "belong to no tensor"},
        {"{" T("a", 0, 8) "}", 7, "beyond the end"},
        {"{" T("a", 8, 0) "}", 8, "data_offsets"},
        {"{" T("a", -8, 0) "}", 8, "data_offsets"},
        {"{" T("a", 0, 4) "}", 4, "disagree"},
        {"{" T("a", 0, 8.0) "}", 8, "data_offsets"},
        {"{" T("a", 0, 9223372036854775807) "}", 8, "beyond the end"},
        {"{" T("a", 0, 99999999999999999999) "}", 8, "not valid JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no size"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "F33"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "no string"},
        {"{\"__metadata__\":[]}", 0, "no object"},
    };
    char dir[64];
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clv_error err = {0};
        struct clv_safetensors *f = NULL;
        write_raw(path, cases[i].header, cases[i].data, strlen(cases[i].header));
        cr_expect_eq(clv_safetensors_open(path, &f, &err), CLV_ERR_DATA, "case %zu", i);
        cr_expect(strstr(err.text, cases[i].say) && strstr(err.text, path), "case %zu: %s", i,
                  err.text);
        clv_safetensors_close(&f);
    }
    static const uint64_t lengths[] = {3, 1000, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct clv_error err = {0};
        struct clv_safetensors *f = NULL;
        write_raw(path, "{" T("a", 0, 8) "}", 8, lengths[i]);
        cr_expect_eq(clv_safetensors_open(path, &f, &err), CLV_ERR_DATA, "length %zu", i);
    }
    struct clv_error err = {0};
    struct clv_safetensors *f = NULL;
    cr_assert_eq(clv_file_write(path, "1234", 4, &err), CLV_OK);
    cr_expect_eq(clv_safetensors_open(path, &f, &err), CLV_ERR_DATA);
    cr_expect_eq(clv_safetensors_open("/nonexistent", &f, &err), CLV_ERR_IO);
    free(path);
    tmp_remove(dir);
}

/* Files of other programs: unaligned header, other types beside ours, scalars, empty tensors. */
Test(safetensors, files_of_other_programs)
{
    static const char header[] = "{\"h\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                 "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]},"
                                 "\"e\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[8,8]},"
                                 "\"o\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                                 "\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9,13]}}";
    char dir[64];
    struct clv_error err = {0};
    struct clv_safetensors *f = NULL;
    const float *data;
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors");
    for (int pad = 0; pad < 8; pad++) {
        char *text = clv_strdupf("%s%*s", header, pad, "");
        write_raw(path, text, 13, strlen(text));
        free(text);
        cr_assert_eq(clv_safetensors_open(path, &f, &err), CLV_OK, "%s", err.text);
        cr_assert_eq(clv_safetensors_find(f, "s", NULL, 0, &data, &err), CLV_OK, "%s", err.text);
        cr_expect_arr_eq(data, ((unsigned char[]){4, 5, 6, 7}), 4);
        cr_expect_eq(clv_safetensors_find(f, "e", (int[]){0, 5}, 2, &data, &err), CLV_OK);
        cr_expect_eq(clv_safetensors_find(f, "h", (int[]){2}, 1, &data, &err), CLV_ERR_MISMATCH);
        cr_expect(strstr(err.text, "BF16"), "%s", err.text);
        cr_expect_eq(clv_safetensors_find(f, "u", (int[]){1}, 1, &data, &err), CLV_ERR_DATA);
        clv_safetensors_close(&f);
    }
    free(path);
    tmp_remove(dir);
}

/* Random damage: cut, flipped bytes, digits changed to digits. Sanitizers see what goes wrong. */
Test(safetensors, damage_never_crashes)
{
    char dir[64];
    struct clv_error err = {0};
    unsigned char *bytes;
    size_t size;
    int opened = 0;
    struct clv_rng rng = clv_rng_init(1, 2);
    tmp_dir(dir);
    char *path = clv_path_join(dir, "a.safetensors"), *bad = clv_path_join(dir, "b");
    write_sample(path);
    cr_assert_eq(clv_file_read(path, &bytes, &size, &err), CLV_OK);
    const uint64_t n = header_length(bytes);
    unsigned char *copy = malloc(size);
    for (int i = 0; i < 3000; i++) {
        struct clv_safetensors *f = NULL;
        const float *data;
        memcpy(copy, bytes, size);
        const size_t cut = i % 5 ? size : clv_rng_below(&rng, (uint32_t)size + 1);
        for (uint32_t k = clv_rng_below(&rng, 4); k-- > 0;) {
            unsigned char *at = &copy[clv_rng_below(&rng, (uint32_t)(8 + n))];
            *at = (unsigned char)(*at >= '0' && *at <= '9' ? '0' + clv_rng_below(&rng, 10)
                                                           : clv_rng_below(&rng, 256));
        }
        FILE *out = fopen(bad, "wb"); /* not clv_file_write: 3000 syncs */
        cr_assert(out && fwrite(copy, 1, cut, out) == cut && !fclose(out));
        if (clv_safetensors_open(bad, &f, &err) == CLV_OK) {
            opened++;
            (void)clv_safetensors_get_meta(f, "step");
            if (!clv_safetensors_find(f, "dense/kernel", (int[]){2, 3}, 2, &data, &err))
                memcpy(copy, data, sizeof kernel);
        }
        clv_safetensors_close(&f);
    }
    cr_expect(opened > 0 && opened < 3000, "%d of 3000 opened", opened);
    free(copy);
    free(bytes);
    free(path);
    free(bad);
    tmp_remove(dir);
}
