/* IDX files as MNIST and Fashion-MNIST ship them, plain or gzipped (https://yann.lecun.com/exdb/mnist):
 * two zero bytes, type 8 = unsigned byte, number of dimensions, 32-bit big-endian sizes, values. */
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "data/array.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { N_STEMS = 2, N_FORMS = 4 };

/* The parts of a folder, and how their files may be called. */
struct stem {
    const char *stem;
    int split;
};
static const struct stem stems[N_STEMS] = {{"train", CLV_SPLIT_TRAIN}, {"t10k", CLV_SPLIT_TEST}};
static const char *const forms[N_FORMS] = {"-images-idx3-ubyte", "-images-idx3-ubyte.gz",
                                           "-images.idx3-ubyte", "-images.idx3-ubyte.gz"};

/* malloc'ed path of the images file of a stem in a folder; NULL = there is none. */
static char *find_images(const char *dir, const char *stem)
{
    for (int i = 0; i < N_FORMS; i++) {
        char *path = clv_strdupf("%s/%s%s", dir, stem, forms[i]);
        if (path && clv_file_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

/* Is this the name of an images file ("...images?idx3-ubyte[.gz]")? */
static const char *find_images_word(const char *path)
{
    const char *base = clv_path_base(path), *word = strstr(base, "images");
    if (!word || (strncmp(word, "images-idx3-ubyte", 17) && strncmp(word, "images.idx3-ubyte", 17)))
        return NULL;
    return word[17] == '\0' || !strcmp(word + 17, ".gz") ? word : NULL;
}

static bool probe(const char *path)
{
    if (!clv_dir_exists(path))
        return find_images_word(path) && clv_file_exists(path);
    for (int s = 0; s < N_STEMS; s++) {
        char *images = find_images(path, stems[s].stem);
        free(images);
        if (images)
            return true;
    }
    return false;
}

/* The labels beside an images file: images -> labels, idx3 -> idx1; with .gz or without. malloc'ed. */
static char *labels_path(const char *images)
{
    const char *word = find_images_word(images);
    char *path = clv_strdupf("%.*slabels%cidx1-ubyte%s", (int)(word - images), images, word[6],
                             word + 17);
    if (!path || clv_file_exists(path))
        return path;
    char *other = clv_strdupf("%.*slabels%cidx1-ubyte%s", (int)(word - images), images, word[6],
                              word[17] ? "" : ".gz");
    if (other && clv_file_exists(other)) {
        free(path);
        return other;
    }
    free(other);
    return path;
}

/* gzread also reads plain files. */
static bool read_all(gzFile f, unsigned char *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        const int got = gzread(f, buf + done, (unsigned)CLV_MIN(n - done, 1u << 24));
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static enum clv_err read_values(gzFile f, int n_dims, uint32_t *dim, unsigned char **data,
                                struct clv_error *err)
{
    unsigned char head[16];
    uint64_t n = 1;
    size_t cap = 0, done = 0;
    if (!read_all(f, head, 4 + 4 * (size_t)n_dims))
        return clv_fail(err, CLV_ERR_DATA, "damaged IDX file: the header is cut short");
    if (head[0] || head[1] || head[2] != 8 || head[3] != n_dims)
        return clv_fail(err, CLV_ERR_DATA, "not an IDX file of unsigned bytes with %d dimension%s",
                        n_dims, n_dims == 1 ? "" : "s");
    for (int i = 0; i < n_dims; i++) {
        const unsigned char *p = head + 4 + 4 * i;
        dim[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        if (!dim[i] || n > (UINT64_C(1) << 40) / dim[i])
            return clv_fail(err, CLV_ERR_DATA, "damaged IDX file: impossible size");
        n *= dim[i];
    }
    while (done < n) { /* grown while reading: a lying header gets no memory */
        if (done == cap) {
            cap = (size_t)CLV_MIN(n, CLV_MAX(2 * (uint64_t)cap, 1u << 24));
            unsigned char *p = realloc(*data, cap);
            if (!p)
                return clv_fail_nomem(err, "the array");
            *data = p;
        }
        if (!read_all(f, *data + done, cap - done))
            return clv_fail(err, CLV_ERR_DATA, "damaged IDX file: cut short or wrong checksum");
        done = cap;
    }
    if (gzread(f, head, 1) != 0)
        return clv_fail(err, CLV_ERR_DATA, "damaged IDX file: wrong checksum or extra bytes");
    return CLV_OK;
}

static enum clv_err read_idx(const char *path, int n_dims, uint32_t *dim, unsigned char **data,
                             struct clv_error *err)
{
    gzFile f = gzopen(path, "rb");
    if (!f)
        return clv_fail(err, CLV_ERR_IO, "cannot read %s", path);
    gzbuffer(f, 1u << 17);
    enum clv_err e = read_values(f, n_dims, dim, data, err);
    if (gzclose_r(f) != Z_OK && !e) /* only here does a missing trailer show */
        e = clv_fail(err, CLV_ERR_DATA, "damaged IDX file: cut short");
    if (e)
        clv_fail_prefix(err, "%s", path);
    return e;
}

static enum clv_err read_labels(struct clv_array_part *part, const char *path,
                                struct clv_error *err)
{
    uint32_t n = 0;
    unsigned char *bytes = NULL;
    enum clv_err e = read_idx(path, 1, &n, &bytes, err);
    if (!e && n != part->n)
        e = clv_fail(err, CLV_ERR_DATA, "%s: %u labels for %zu images", path, n, part->n);
    if (!e) {
        part->labels = malloc(part->n * sizeof *part->labels);
        if (!part->labels)
            e = clv_fail_nomem(err, "the labels");
    }
    for (size_t i = 0; i < part->n && !e; i++)
        part->labels[i] = bytes[i];
    free(bytes);
    return e;
}

static enum clv_err read_part(struct clv_array *a, const char *images, const char *name, int given,
                              struct clv_error *err)
{
    struct clv_array_part *part = &a->part[a->n_parts++];
    uint32_t dim[3];
    CLV_TRY(read_idx(images, 3, dim, &part->images, err));
    if ((uint64_t)dim[1] * dim[2] > CLV_IMAGE_MAX_PIXELS)
        return clv_fail(err, CLV_ERR_DATA, "%s: images have too many pixels", images);
    snprintf(part->name, sizeof part->name, "%s", name);
    part->given = given;
    part->n = dim[0];
    part->height = dim[1];
    part->width = dim[2];
    part->channels = 1;
    char *labels = labels_path(images);
    const enum clv_err e = labels ? read_labels(part, labels, err) : clv_fail_nomem(err, "a path");
    free(labels);
    return e;
}

static enum clv_err read_folder(struct clv_data *d, struct clv_array *a)
{
    char *images[N_STEMS];
    for (int s = 0; s < N_STEMS; s++)
        images[s] = find_images(d->root, stems[s].stem);
    const bool given = images[0] && images[1]; /* one file alone is split like any other */
    enum clv_err e = CLV_OK;
    for (int s = 0; s < N_STEMS; s++) {
        if (images[s] && !e)
            e = read_part(a, images[s], clv_split_name((enum clv_split)stems[s].split),
                          given ? stems[s].split : CLV_NO_SPLIT, &d->ctx->err);
        free(images[s]);
    }
    return e;
}

static enum clv_err open_idx(struct clv_data *d, const struct clv_data_params *params)
{
    struct clv_array *a;
    (void)params;
    CLV_TRY(clv_array_create(d, &a));
    if (clv_dir_exists(d->root))
        CLV_TRY(read_folder(d, a));
    else
        CLV_TRY(read_part(a, d->root, "images", CLV_NO_SPLIT, &d->ctx->err));
    return clv_array_add_items(d);
}

const struct clv_data_format clv_data_idx = {
    .name = "idx", .probe = probe, .open = open_idx, .read = clv_array_read,
    .close = clv_array_close};
