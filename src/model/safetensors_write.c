/* Writing safetensors files: the header is complete before the first array, so that arrays go
 * straight to the file. It is padded with blanks so that the data begin at a multiple of 8. */
#include "model/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct clv_safetensors_writer {
    struct clv_out out;
    json_t *header, *meta;
    uint64_t *count;     /* elements of each declared tensor */
    size_t n, cap, done; /* declared; room; written */
    uint64_t bytes;      /* of the data */
    bool header_written;
};

enum clv_err clv_safetensors_create(const char *path, struct clv_safetensors_writer **ret,
                                    struct clv_error *err)
{
    struct clv_safetensors_writer *w = calloc(1, sizeof *w);
    if (!w)
        return clv_fail_nomem(err, path);
    enum clv_err e = CLV_OK;
    w->header = json_object();
    w->meta = json_object();
    if (!w->header || !w->meta)
        e = clv_fail_nomem(err, path);
    if (!e)
        e = clv_out_open(&w->out, path, err);
    if (e)
        clv_safetensors_abort(&w);
    else
        *ret = w;
    return e;
}

enum clv_err clv_safetensors_meta(struct clv_safetensors_writer *w, const char *key,
                                  const char *value, struct clv_error *err)
{
    if (!clv_json_set(w->meta, key, json_string(value)))
        return clv_fail(err, CLV_ERR_ARG, "%s: metadata %s is not UTF-8, or out of memory",
                        w->out.path, key);
    return CLV_OK;
}

static bool remember(struct clv_safetensors_writer *w, uint64_t count)
{
    if (w->n == w->cap) {
        const size_t cap = w->cap ? 2 * w->cap : 32;
        uint64_t *p = realloc(w->count, cap * sizeof *p);
        if (!p)
            return false;
        w->count = p;
        w->cap = cap;
    }
    w->count[w->n++] = count;
    return true;
}

enum clv_err clv_safetensors_declare(struct clv_safetensors_writer *w, const char *name,
                                     const int *dims, int n_dims, struct clv_error *err)
{
    uint64_t count = 1;
    json_t *tensor = json_object(), *shape = json_array();
    bool ok = tensor && shape;
    for (int i = 0; i < n_dims; i++) {
        count *= (uint64_t)dims[i];
        ok = ok && !json_array_append_new(shape, json_integer(dims[i]));
    }
    const uint64_t end = w->bytes + count * sizeof(float);
    ok = clv_json_set(tensor, "dtype", json_string("F32")) && ok;
    ok = clv_json_set(tensor, "shape", shape) && ok;
    ok = clv_json_set(tensor, "data_offsets",
                      json_pack("[I, I]", (json_int_t)w->bytes, (json_int_t)end)) &&
         ok;
    const bool twice = json_object_get(w->header, name) != NULL;
    ok = clv_json_set(w->header, name, tensor) && ok;
    if (twice)
        return clv_fail(err, CLV_ERR_ARG, "%s: two tensors are called %s", w->out.path, name);
    if (!ok || !remember(w, count))
        return clv_fail_nomem(err, w->out.path);
    w->bytes = end;
    return CLV_OK;
}

static enum clv_err put(struct clv_safetensors_writer *w, const void *data, size_t size,
                        struct clv_error *err)
{
    char reason[128];
    errno = EIO;
    if (size && fwrite(data, 1, size, w->out.f) != size)
        return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", w->out.path,
                        clv_errno_text(reason, errno));
    return CLV_OK;
}

/* Metadata first, as the reference implementation writes it. */
static char *header_text(const struct clv_safetensors_writer *w)
{
    json_t *all = json_object();
    char *text = NULL;
    bool ok = all != NULL;
    if (json_object_size(w->meta))
        ok = ok && !json_object_set(all, "__metadata__", w->meta);
    if (ok && !json_object_update(all, w->header))
        text = clv_json_dump(all);
    json_decref(all);
    return text;
}

static enum clv_err write_header(struct clv_safetensors_writer *w, struct clv_error *err)
{
    static const char blanks[] = "        ";
    unsigned char prefix[8];
    char *text = header_text(w);
    if (!text)
        return clv_fail_nomem(err, w->out.path);
    const size_t length = strlen(text), pad = (8 - length % 8) % 8;
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + pad) >> (8 * i));
    enum clv_err e = put(w, prefix, sizeof prefix, err);
    if (!e)
        e = put(w, text, length, err);
    if (!e)
        e = put(w, blanks, pad, err);
    free(text);
    w->header_written = true;
    return e;
}

enum clv_err clv_safetensors_write(struct clv_safetensors_writer *w, const float *data,
                                   uint64_t count, struct clv_error *err)
{
    if (w->done == w->n || w->count[w->done] != count)
        return clv_fail(err, CLV_ERR_ARG, "%s: array %zu with %llu numbers was not declared so",
                        w->out.path, w->done, (unsigned long long)count);
    if (!w->header_written)
        CLV_TRY(write_header(w, err));
    CLV_TRY(put(w, data, (size_t)count * sizeof *data, err));
    w->done++;
    return CLV_OK;
}

enum clv_err clv_safetensors_commit(struct clv_safetensors_writer *w, struct clv_error *err)
{
    if (w->done != w->n)
        return clv_fail(err, CLV_ERR_ARG, "%s: only %zu of %zu arrays were written", w->out.path,
                        w->done, w->n);
    if (!w->header_written)
        CLV_TRY(write_header(w, err));
    return clv_out_commit(&w->out, err);
}

void clv_safetensors_abort(struct clv_safetensors_writer **writer)
{
    struct clv_safetensors_writer *w = writer ? *writer : NULL;
    if (!w)
        return;
    clv_out_abort(&w->out);
    json_decref(w->header);
    json_decref(w->meta);
    free(w->count);
    free(w);
    *writer = NULL;
}
