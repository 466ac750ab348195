/* Reading safetensors files. The whole file is checked when it is opened, in the order of the
 * reference implementation (https://github.com/huggingface/safetensors, SafeTensors::deserialize):
 * header length, JSON, every tensor's size, then that the tensors fill the data without gap or
 * overlap. What the accessors read afterwards is known to be sound. */
#include "model/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the files are little-endian and are mapped onto floats as they are"
#endif

enum { PREFIX = 8 };
static const char metadata_key[] = "__metadata__";

struct clv_safetensors {
    char *path;
    unsigned char *bytes; /* the file */
    const unsigned char *data;
    uint64_t data_size;
    json_t *header;
};

struct span {
    uint64_t begin, end;
    const char *name;
};

/* Bytes per element, 0 = unknown. */
static unsigned dtype_bytes(const char *dtype)
{
    static const struct {
        const char *name;
        unsigned bytes;
    } known[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8},     {"I64", 8},
                 {"U64", 8}, {"I32", 4}, {"U32", 4},  {"I16", 2},     {"U16", 2},
                 {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    for (size_t i = 0; i < CLV_COUNT(known); i++)
        if (!strcmp(known[i].name, dtype))
            return known[i].bytes;
    return 0;
}

/* ---- checking the header ---- */

static enum clv_err check_metadata(json_t *meta, struct clv_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(meta))
        return clv_fail(err, CLV_ERR_DATA, "%s is no object", metadata_key);
    json_object_foreach(meta, key, value) if (!json_is_string(value)) return clv_fail(
        err, CLV_ERR_DATA, "%s: \"%s\" is no string", metadata_key, key);
    return CLV_OK;
}

/* Elements of a shape; refuses what does not fit 64 bits. */
static enum clv_err count_elements(const json_t *shape, uint64_t *ret, struct clv_error *err)
{
    uint64_t count = 1;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return clv_fail(err, CLV_ERR_DATA, "dimension %zu is no size", i);
        const uint64_t n = (uint64_t)json_integer_value(dim);
        if (n && count > INT64_MAX / n)
            return clv_fail(err, CLV_ERR_DATA, "its shape is too large");
        count *= n;
    }
    *ret = count;
    return CLV_OK;
}

static enum clv_err check_tensor(const json_t *tensor, uint64_t data_size, struct span *span,
                                 struct clv_error *err)
{
    const char *dtype;
    json_t *shape, *offsets;
    uint64_t count = 0;
    if (!json_is_object(tensor))
        return clv_fail(err, CLV_ERR_DATA, "is no object");
    CLV_TRY(clv_json_get_string(tensor, "dtype", &dtype, err));
    CLV_TRY(clv_json_get_array(tensor, "shape", &shape, err));
    CLV_TRY(clv_json_get_array(tensor, "data_offsets", &offsets, err));
    const unsigned bytes = dtype_bytes(dtype);
    if (!bytes)
        return clv_fail(err, CLV_ERR_DATA, "unknown dtype '%.40s'", dtype);
    CLV_TRY(count_elements(shape, &count, err));
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(begin) > json_integer_value(end))
        return clv_fail(err, CLV_ERR_DATA, "data_offsets are not [begin, end]");
    span->begin = (uint64_t)json_integer_value(begin);
    span->end = (uint64_t)json_integer_value(end);
    if (span->end > data_size)
        return clv_fail(err, CLV_ERR_DATA, "lies beyond the end of the file; is it cut off?");
    if (count > UINT64_MAX / bytes || span->end - span->begin != count * bytes)
        return clv_fail(err, CLV_ERR_DATA, "its shape and its data_offsets disagree");
    return CLV_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The format wants the data filled without gap, so overlaps show as gaps of negative size. */
static enum clv_err check_spans(struct span *span, size_t n, uint64_t data_size,
                                struct clv_error *err)
{
    uint64_t at = 0;
    if (n)
        qsort(span, n, sizeof *span, compare_spans);
    for (size_t i = 0; i < n; i++) {
        if (span[i].begin != at)
            return clv_fail(err, CLV_ERR_DATA, "tensor %.200s: its data %s", span[i].name,
                            span[i].begin < at ? "overlap another's" : "follow a gap");
        at = span[i].end;
    }
    if (at != data_size)
        return clv_fail(err, CLV_ERR_DATA, "%llu bytes at its end belong to no tensor",
                        (unsigned long long)(data_size - at));
    return CLV_OK;
}

static enum clv_err check_header(const struct clv_safetensors *f, struct clv_error *err)
{
    const char *name;
    json_t *tensor;
    size_t n = 0;
    if (!json_is_object(f->header))
        return clv_fail(err, CLV_ERR_DATA, "its header is no object");
    struct span *span = malloc((json_object_size(f->header) + 1) * sizeof *span);
    if (!span)
        return clv_fail_nomem(err, "a safetensors header");
    enum clv_err e = CLV_OK;
    json_object_foreach(f->header, name, tensor)
    {
        if (!strcmp(name, metadata_key)) {
            e = check_metadata(tensor, err);
        } else {
            span[n].name = name;
            e = check_tensor(tensor, f->data_size, &span[n++], err);
            if (e)
                clv_fail_prefix(err, "tensor %.200s", name);
        }
        if (e)
            break;
    }
    if (!e)
        e = check_spans(span, n, f->data_size, err);
    free(span);
    return e;
}

/* ---- opening ---- */

static enum clv_err parse(struct clv_safetensors *f, size_t size, struct clv_error *err)
{
    uint64_t length = 0;
    if (size < PREFIX)
        return clv_fail(err, CLV_ERR_DATA, "no safetensors file: it has only %zu bytes", size);
    for (int i = 0; i < PREFIX; i++)
        length |= (uint64_t)f->bytes[i] << (8 * i);
    if (length > size - PREFIX)
        return clv_fail(err, CLV_ERR_DATA,
                        "no safetensors file, or cut off: its header would have "
                        "%llu bytes, the file has %zu",
                        (unsigned long long)length, size);
    CLV_TRY(
        clv_json_parse((const char *)f->bytes + PREFIX, (size_t)length, "header", &f->header, err));
    f->data = f->bytes + PREFIX + length;
    f->data_size = size - PREFIX - length;
    CLV_TRY(check_header(f, err));
    if (length % 8) { /* other writers need not align: the header's room is free by now */
        memmove(f->bytes, f->data, (size_t)f->data_size);
        f->data = f->bytes;
    }
    return CLV_OK;
}

enum clv_err clv_safetensors_open(const char *path, struct clv_safetensors **ret,
                                  struct clv_error *err)
{
    size_t size = 0;
    enum clv_err e;
    struct clv_safetensors *f = calloc(1, sizeof *f);
    if (!f)
        return clv_fail_nomem(err, path);
    f->path = clv_strdupf("%s", path);
    if (!f->path) {
        e = clv_fail_nomem(err, path);
        goto fail;
    }
    e = clv_file_read(path, &f->bytes, &size, err);
    if (e)
        goto fail;
    e = parse(f, size, err);
    if (e) {
        clv_fail_prefix(err, "%s", path);
        goto fail;
    }
    *ret = f;
    return CLV_OK;
fail:
    clv_safetensors_close(&f);
    return e;
}

void clv_safetensors_close(struct clv_safetensors **file)
{
    struct clv_safetensors *f = file ? *file : NULL;
    if (!f)
        return;
    json_decref(f->header);
    free(f->bytes);
    free(f->path);
    free(f);
    *file = NULL;
}

/* ---- looking things up ---- */

static const json_t *tensor_named(const struct clv_safetensors *f, const char *name)
{
    return strcmp(name, metadata_key) ? json_object_get(f->header, name) : NULL;
}

bool clv_safetensors_has(const struct clv_safetensors *f, const char *name)
{
    return tensor_named(f, name) != NULL;
}

static bool same_shape(const json_t *shape, const int *dims, int n_dims)
{
    if (json_array_size(shape) != (size_t)n_dims)
        return false;
    for (int i = 0; i < n_dims; i++)
        if (json_integer_value(json_array_get(shape, (size_t)i)) != dims[i])
            return false;
    return true;
}

static enum clv_err fail_shape(const struct clv_safetensors *f, const char *name,
                               const json_t *shape, const int *dims, int n_dims,
                               struct clv_error *err)
{
    struct clv_str s = {0};
    clv_str_add(&s, "[");
    for (size_t i = 0; i < CLV_MIN(json_array_size(shape), 8); i++)
        clv_str_addf(&s, "%s%lld", i ? ", " : "",
                     (long long)json_integer_value(json_array_get(shape, i)));
    clv_str_add(&s, "], but the model wants [");
    for (int i = 0; i < n_dims; i++)
        clv_str_addf(&s, "%s%d", i ? ", " : "", dims[i]);
    clv_str_add(&s, "]");
    const enum clv_err e = clv_fail(err, CLV_ERR_MISMATCH, "%s: tensor %s has shape %s", f->path,
                                    name, s.text ? s.text : "?");
    clv_str_finish(&s);
    return e;
}

enum clv_err clv_safetensors_find(const struct clv_safetensors *f, const char *name,
                                  const int *dims, int n_dims, const float **data,
                                  struct clv_error *err)
{
    const json_t *tensor = tensor_named(f, name);
    if (!tensor)
        return clv_fail(err, CLV_ERR_MISMATCH,
                        "%s: has no tensor %s; it was saved from another model", f->path, name);
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    if (strcmp(dtype, "F32"))
        return clv_fail(err, CLV_ERR_MISMATCH, "%s: tensor %s has type %s; only F32 can be read",
                        f->path, name, dtype);
    const json_t *shape = json_object_get(tensor, "shape");
    if (!same_shape(shape, dims, n_dims))
        return fail_shape(f, name, shape, dims, n_dims, err);
    const json_t *begin = json_array_get(json_object_get(tensor, "data_offsets"), 0);
    const unsigned char *at = f->data + json_integer_value(begin);
    if ((uintptr_t)at % sizeof **data) /* behind tensors of odd sizes */
        return clv_fail(err, CLV_ERR_DATA, "%s: tensor %s is not aligned to 4 bytes", f->path,
                        name);
    *data = (const float *)(const void *)at;
    return CLV_OK;
}

const char *clv_safetensors_get_meta(const struct clv_safetensors *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->header, metadata_key), key));
}
