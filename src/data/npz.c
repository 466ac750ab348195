/* MedMNIST's .npz: a zip file with the six arrays {train,val,test}_{images,labels}.npy.
 *
 * NPY format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: magic, version,
 * length, a Python dictionary with descr, fortran_order and shape, then the values. */
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "data/array.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zip.h>

enum { MAX_DIMS = 8, MAX_HEADER = 4096 };

/* One array, rows first. */
struct npy {
    char kind;          /* 'u', 'i', 'f', ... */
    char order;         /* '<', '>', '|' */
    int size;           /* bytes per value */
    bool fortran;
    int n_dims;
    uint64_t dim[MAX_DIMS];
    unsigned char *data; /* malloc'ed */
    size_t bytes;
};

static bool probe(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && !strcasecmp(path + n - 4, ".npz") && clv_file_exists(path);
}

/* What follows 'key': in the dictionary. */
static const char *find_key(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += n) {
        if (p == text || (p[-1] != '\'' && p[-1] != '"') || (p[n] != '\'' && p[n] != '"'))
            continue;
        for (p += n + 1; *p == ' ' || *p == ':'; p++)
            ;
        return p;
    }
    return NULL;
}

static bool parse_shape(const char *p, struct npy *a)
{
    if (*p++ != '(')
        return false;
    for (;;) {
        while (*p == ' ' || *p == ',')
            p++;
        if (*p == ')')
            return true;
        if (*p < '0' || *p > '9' || a->n_dims == MAX_DIMS)
            return false;
        uint64_t v = 0;
        for (; *p >= '0' && *p <= '9'; p++) {
            if (v > UINT32_MAX)
                return false;
            v = v * 10 + (uint64_t)(*p - '0');
        }
        if (*p != ',' && *p != ')')
            return false;
        a->dim[a->n_dims++] = v;
    }
}

/* {'descr': '|u1', 'fortran_order': False, 'shape': (4708, 28, 28), } */
static bool parse_header(const char *text, struct npy *a)
{
    const char *descr = find_key(text, "descr"), *order = find_key(text, "fortran_order");
    const char *shape = find_key(text, "shape");
    if (!descr || !order || !shape || (descr[0] != '\'' && descr[0] != '"'))
        return false;
    a->order = descr[1];
    a->kind = a->order ? descr[2] : '\0';
    if (!a->kind || !strchr("<>|=", a->order) || descr[3] < '0' || descr[3] > '9')
        return false;
    a->size = descr[3] - '0'; /* a longer number is no type that we take: checked by the caller */
    if (descr[4] != descr[0])
        a->size = 0;
    a->fortran = !strncmp(order, "True", 4);
    return (a->fortran || !strncmp(order, "False", 5)) && parse_shape(shape, a);
}

static bool read_all(zip_file_t *f, void *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        const zip_int64_t got = zip_fread(f, (char *)buf + done, n - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static enum clv_err read_header(zip_file_t *f, struct npy *a, struct clv_error *err)
{
    unsigned char head[12];
    char text[MAX_HEADER + 1];
    if (!read_all(f, head, 10) || memcmp(head, "\x93NUMPY", 6))
        return clv_fail(err, CLV_ERR_DATA, "not a NumPy array");
    size_t n = head[8] | (size_t)head[9] << 8;
    if (head[6] > 1) {
        if (!read_all(f, head + 10, 2))
            return clv_fail(err, CLV_ERR_DATA, "damaged: the array's header is cut short");
        n |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    }
    if (n > MAX_HEADER || !read_all(f, text, n))
        return clv_fail(err, CLV_ERR_DATA, "damaged: the array's header is cut short");
    text[n] = '\0';
    if (!parse_header(text, a))
        return clv_fail(err, CLV_ERR_DATA, "damaged: the array's header cannot be understood");
    return CLV_OK;
}

static enum clv_err read_values(zip_file_t *f, struct npy *a, struct clv_error *err)
{
    uint64_t n = (uint64_t)a->size;
    if (a->size == 0 || !strchr("ui", a->kind))
        return clv_fail(err, CLV_ERR_DATA, "its values are not integers; this version reads uint8 "
                                           "images and integer labels");
    if (a->fortran)
        return clv_fail(err, CLV_ERR_DATA, "stored column by column; save it in C order");
    for (int i = 0; i < a->n_dims; i++) {
        if (a->dim[i] && n > UINT64_MAX / 4 / a->dim[i])
            return clv_fail(err, CLV_ERR_DATA, "damaged: impossible array size");
        n *= a->dim[i];
    }
    /* Grown while reading: a lying header cannot ask for more memory than the file has values. */
    size_t cap = 0;
    while (a->bytes < n) {
        if (a->bytes == cap) {
            cap = (size_t)CLV_MIN(n, CLV_MAX(2 * (uint64_t)cap, 1u << 24));
            unsigned char *p = realloc(a->data, cap);
            if (!p)
                return clv_fail_nomem(err, "the array");
            a->data = p;
        }
        const zip_int64_t got = zip_fread(f, a->data + a->bytes, cap - a->bytes);
        if (got <= 0)
            return clv_fail(err, CLV_ERR_DATA, "damaged: the array ends early or its checksum is wrong");
        a->bytes += (size_t)got;
    }
    char rest;
    if (zip_fread(f, &rest, 1) != 0) /* reading to the end is what checks the sum */
        return clv_fail(err, CLV_ERR_DATA, "damaged: wrong checksum or extra bytes");
    return CLV_OK;
}

/* *found = false without error when the zip has no such array. */
static enum clv_err read_npy(zip_t *zip, const char *name, struct npy *a, bool *found,
                             struct clv_error *err)
{
    char entry[64];
    *a = (struct npy){0};
    snprintf(entry, sizeof entry, "%s.npy", name);
    *found = zip_name_locate(zip, entry, 0) >= 0;
    if (!*found)
        return CLV_OK;
    zip_file_t *f = zip_fopen(zip, entry, 0);
    if (!f)
        return clv_fail(err, CLV_ERR_DATA, "%s: damaged: %s", name, zip_strerror(zip));
    enum clv_err e = read_header(f, a, err);
    if (!e)
        e = read_values(f, a, err);
    zip_fclose(f);
    if (e) {
        free(a->data);
        a->data = NULL;
        clv_fail_prefix(err, "%s", name);
    }
    return e;
}

static enum clv_err check_images(const struct npy *a, const char *name, struct clv_error *err)
{
    if (a->kind != 'u' || a->size != 1)
        return clv_fail(err, CLV_ERR_DATA, "%s: expected uint8 values, found %c%d", name, a->kind,
                        a->size);
    const bool shape = a->n_dims == 3 || (a->n_dims == 4 && (a->dim[3] == 3 || a->dim[3] == 1));
    if (!shape)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: expected shape (n, height, width) or (n, height, width, 3), found %d "
                        "dimensions%s",
                        name, a->n_dims,
                        a->n_dims >= 4 ? "; three-dimensional sets are not supported" : "");
    if (!a->dim[1] || !a->dim[2] || a->dim[1] * a->dim[2] > CLV_IMAGE_MAX_PIXELS)
        return clv_fail(err, CLV_ERR_DATA, "%s: images have no pixels or too many", name);
    return CLV_OK;
}

static int64_t label_at(const struct npy *a, size_t i)
{
    const unsigned char *p = a->data + i * (size_t)a->size;
    uint64_t v = 0;
    for (int k = 0; k < a->size; k++)
        v |= (uint64_t)p[a->order == '>' ? a->size - 1 - k : k] << 8 * k;
    if (a->kind == 'i' && a->size < 8 && v >> (8 * a->size - 1))
        return -1;
    return v > CLV_ARRAY_MAX_LABEL ? -1 : (int64_t)v;
}

static enum clv_err take_labels(const struct npy *a, const char *name, struct clv_array_part *part,
                                struct clv_error *err)
{
    if (a->n_dims == 2 && a->dim[1] != 1)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: %llu labels per image; only one class per image is supported", name,
                        (unsigned long long)a->dim[1]);
    if (a->n_dims != 1 && a->n_dims != 2)
        return clv_fail(err, CLV_ERR_DATA, "%s: expected shape (n, 1), found %d dimensions", name,
                        a->n_dims);
    if (a->dim[0] != part->n)
        return clv_fail(err, CLV_ERR_DATA, "%s: %llu labels for %zu images", name,
                        (unsigned long long)a->dim[0], part->n);
    part->labels = malloc((part->n + 1) * sizeof *part->labels);
    if (!part->labels)
        return clv_fail_nomem(err, "the labels");
    for (size_t i = 0; i < part->n; i++) {
        const int64_t v = label_at(a, i);
        if (v < 0)
            return clv_fail(err, CLV_ERR_DATA, "%s: label %zu is not within 0..%d", name, i,
                            CLV_ARRAY_MAX_LABEL);
        part->labels[i] = (int32_t)v;
    }
    return CLV_OK;
}

/* The two arrays of one split. */
static enum clv_err read_split(zip_t *zip, enum clv_split split, struct clv_array *a, bool *found,
                               struct clv_error *err)
{
    char images[32], labels[32];
    struct npy npy;
    struct clv_array_part *part = &a->part[a->n_parts];
    snprintf(images, sizeof images, "%s_images", clv_split_name(split));
    snprintf(labels, sizeof labels, "%s_labels", clv_split_name(split));
    CLV_TRY(read_npy(zip, images, &npy, found, err));
    if (!*found)
        return CLV_OK;
    part->images = npy.data; /* owned from here on, whatever follows */
    a->n_parts++;
    CLV_TRY(check_images(&npy, images, err));
    snprintf(part->name, sizeof part->name, "%s", clv_split_name(split));
    part->given = split;
    part->n = (size_t)npy.dim[0];
    part->height = (uint32_t)npy.dim[1];
    part->width = (uint32_t)npy.dim[2];
    part->channels = npy.n_dims == 4 ? (int)npy.dim[3] : 1;
    bool has_labels;
    CLV_TRY(read_npy(zip, labels, &npy, &has_labels, err));
    if (!has_labels)
        return clv_fail(err, CLV_ERR_DATA, "it has %s but no %s", images, labels);
    const enum clv_err e = take_labels(&npy, labels, part, err);
    free(npy.data);
    return e;
}

static enum clv_err read_arrays(zip_t *zip, struct clv_array *a, struct clv_error *err)
{
    bool found[CLV_SPLIT_COUNT];
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        CLV_TRY(read_split(zip, (enum clv_split)s, a, &found[s], err));
    if (!found[CLV_SPLIT_TRAIN] && !found[CLV_SPLIT_TEST])
        return clv_fail(err, CLV_ERR_DATA,
                        "none of the arrays train_images, val_images, test_images is in it; expected "
                        "a MedMNIST file");
    return CLV_OK;
}

static enum clv_err open_npz(struct clv_data *d, const struct clv_data_params *params)
{
    struct clv_error *err = &d->ctx->err;
    struct clv_array *a;
    int code = 0;
    (void)params;
    CLV_TRY(clv_array_create(d, &a));
    zip_t *zip = zip_open(d->root, ZIP_RDONLY, &code);
    if (!zip) {
        zip_error_t ze;
        zip_error_init_with_code(&ze, code);
        const enum clv_err e = clv_fail(err, code == ZIP_ER_OPEN ? CLV_ERR_IO : CLV_ERR_DATA,
                                        "%s: not a readable .npz file: %s", d->root,
                                        zip_error_strerror(&ze));
        zip_error_fini(&ze);
        return e;
    }
    const enum clv_err e = read_arrays(zip, a, err);
    zip_discard(zip);
    if (e) {
        clv_fail_prefix(err, "%s", d->root);
        return e;
    }
    return clv_array_add_items(d);
}

const struct clv_data_format clv_data_npz = {
    .name = "npz", .probe = probe, .open = open_npz, .read = clv_array_read,
    .close = clv_array_close};
