#define _XOPEN_SOURCE 700
#include "make.h"
#include "base/file.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

static void on_log(void *priv, enum clv_log_level level, const char *line)
{
    struct make_log *log = priv;
    (void)level;
    const size_t n = strlen(log->text);
    snprintf(log->text + n, sizeof log->text - n, "%s\n", line);
    log->lines++;
}

struct clv_context *make_context(struct make_log *log)
{
    *log = (struct make_log){0};
    struct clv_context *ctx = clv_context_create(&(struct clv_context_params){
        .log = on_log, .log_priv = log, .log_level = CLV_LOG_WARN, .cache_dir = ""});
    cr_assert_not_null(ctx);
    return ctx;
}

const char *make_path(const char *dir, const char *name)
{
    static char buf[8][512];
    static int next;
    char *p = buf[next++ % 8];
    snprintf(p, sizeof buf[0], "%s/%s", dir, name);
    return p;
}

static void make_parent(const char *path)
{
    char dir[512];
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    cr_assert_eq(clv_mkdirs(dir, NULL), CLV_OK);
}

static FILE *open_new(const char *path)
{
    make_parent(path);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f, "%s", path);
    return f;
}

void make_file(const char *dir, const char *name, const void *bytes, size_t n)
{
    FILE *f = open_new(make_path(dir, name));
    cr_assert(n == 0 || fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

void make_copy(const char *dir, const char *from, const char *to)
{
    unsigned char *bytes;
    size_t n;
    cr_assert_eq(clv_file_read(make_path(dir, from), &bytes, &n, NULL), CLV_OK);
    make_file(dir, to, bytes, n);
    free(bytes);
}

void make_png(const char *path, const struct make_png *p)
{
    FILE *f = open_new(path);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    cr_assert(png && info);
    if (setjmp(png_jmpbuf(png)))
        cr_assert_fail("libpng cannot write %s", path);
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->depth, p->color_type,
                 p->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (p->color_type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[4] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {100, 110, 120}};
        png_set_PLTE(png, info, palette, 4);
    }
    png_byte alpha[2] = {0, 128};
    const png_uint_16 k = p->depth < 4 ? 1 : 7;
    png_color_16 key = {.gray = k, .red = k, .green = k, .blue = k};
    if (p->transparent)
        png_set_tRNS(png, info, alpha, p->color_type == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &key);
    png_write_info(png, info);
    const size_t row = png_get_rowbytes(png, info);
    unsigned char *all = malloc(row * (size_t)p->height);
    for (size_t i = 0; i < row * (size_t)p->height; i++)
        all[i] = p->rows ? p->rows[i] : (unsigned char)((i + 1) * (2654435761u * (p->seed + 1) >> 8));
    png_bytep *rows = malloc((size_t)p->height * sizeof *rows);
    for (int y = 0; y < p->height; y++)
        rows[y] = all + (size_t)y * row;
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(rows);
    free(all);
    fclose(f);
}

void make_gray(const char *dir, const char *name, unsigned seed)
{
    unsigned char rows[64];
    for (unsigned i = 0; i < 64; i++)
        rows[i] = (unsigned char)((seed + 1) * (i + 3) % 251);
    memcpy(rows, &seed, sizeof seed); /* different seeds, different contents */
    make_png(make_path(dir, name),
             &(struct make_png){8, 8, PNG_COLOR_TYPE_GRAY, 8, .rows = rows});
}

static void add_npy(zip_t *zip, const struct make_npy *a)
{
    char text[512], entry[64];
    /* The header's length makes the values begin at a multiple of 64, as NumPy does. */
    int n = snprintf(text + 10, sizeof text - 10,
                     "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", a->descr, a->shape);
    while ((10 + n + 1) % 64)
        text[10 + n++] = ' ';
    text[10 + n++] = '\n';
    memcpy(text, "\x93NUMPY\x01\x00", 8);
    text[8] = (char)(n & 255);
    text[9] = (char)(n >> 8);
    unsigned char *all = malloc((size_t)n + 10 + a->n); /* freed by libzip */
    memcpy(all, text, (size_t)n + 10);
    memcpy(all + n + 10, a->bytes, a->n);
    snprintf(entry, sizeof entry, "%s.npy", a->name);
    zip_source_t *src = zip_source_buffer(zip, all, (zip_uint64_t)n + 10 + a->n, 1);
    cr_assert(src && zip_file_add(zip, entry, src, ZIP_FL_OVERWRITE) >= 0);
}

void make_npz(const char *path, const struct make_npy *arrays, size_t n)
{
    int code;
    make_parent(path);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    cr_assert_not_null(zip);
    for (size_t i = 0; i < n; i++)
        add_npy(zip, &arrays[i]);
    cr_assert_eq(zip_close(zip), 0);
}

void make_idx(const char *path, int n_dims, const uint32_t *dims, const void *bytes, size_t n)
{
    const size_t len = strlen(path);
    make_parent(path);
    gzFile f = gzopen(path, len > 3 && !strcmp(path + len - 3, ".gz") ? "wb" : "wbT");
    cr_assert_not_null(f);
    unsigned char head[16] = {0, 0, 8, (unsigned char)n_dims};
    for (int i = 0; i < n_dims; i++)
        for (int k = 0; k < 4; k++)
            head[4 + 4 * i + k] = (unsigned char)(dims[i] >> (24 - 8 * k));
    cr_assert_eq(gzwrite(f, head, 4 + 4 * (unsigned)n_dims), 4 + 4 * n_dims);
    cr_assert(n == 0 || gzwrite(f, bytes, (unsigned)n) == (int)n);
    gzclose(f);
}

struct clv_data *make_open(struct clv_context *ctx, const char *path,
                           const struct clv_data_params *params)
{
    struct clv_data *d = NULL;
    cr_assert_eq(clv_data_open(ctx, path, params, &d), CLV_OK, "%s", clv_error_text(ctx));
    cr_assert_not_null(d);
    return d;
}

void make_refused(struct clv_context *ctx, const char *path, const struct clv_data_params *params,
                  enum clv_err code, const char *const *words)
{
    struct clv_data *d = NULL;
    const enum clv_err e = clv_data_open(ctx, path, params, &d);
    cr_expect_eq(e, code, "%s: got %s, wanted %s", path, clv_strerror(e), clv_strerror(code));
    cr_expect_null(d);
    const char *text = clv_error_text(ctx);
    cr_expect(e == CLV_OK || text[0]);
    cr_expect_null(strchr(text, '\n'), "one line: %s", text);
    for (; words && *words; words++)
        cr_expect_not_null(strstr(text, *words), "'%s' lacks '%s'", text, *words);
    clv_data_close(&d);
}

const char *make_real(const char *name)
{
    const char *root = getenv("CLAVICLE_TEST_DATA");
    if (!root)
        root = getenv("CLAVICLE_DATA");
    if (!root || !clv_dir_exists(make_path(root, name))) {
        if (!root || !clv_file_exists(make_path(root, name)))
            cr_skip_test("SKIPPED: no %s below CLAVICLE_TEST_DATA", name);
    }
    return make_path(root, name);
}
