/* What the data tests are made of: a context that keeps its log, tiny images and arrays on disk. */
#ifndef TESTS_DATA_MAKE_H
#define TESTS_DATA_MAKE_H

#include "base/context.h"
#include "data/dataset.h"
#include <criterion/criterion.h>
#include <stdbool.h>

/* Context whose log lines from warn up are gathered in text. */
struct make_log {
    char text[8192];
    int lines;
};
struct clv_context *make_context(struct make_log *log);

/* malloc'ed file names are not worth it here: dir/name in one of a few rotating buffers. */
const char *make_path(const char *dir, const char *name);

/* Any PNG: rows packed as PNG stores them (16 bit big-endian). Makes the folders. */
struct make_png {
    int width, height, color_type, depth;
    bool interlaced, transparent; /* transparent: a tRNS chunk */
    const unsigned char *rows;    /* NULL = a pattern keyed by seed, 8 or 16 bit gray or RGB */
    unsigned seed;
};
void make_png(const char *path, const struct make_png *p);
/* 8-bit gray of 8x8 pixels whose content is decided by seed. */
void make_gray(const char *dir, const char *name, unsigned seed);
void make_file(const char *dir, const char *name, const void *bytes, size_t n);
void make_copy(const char *dir, const char *from, const char *to);

/* An .npz entry: header text built from descr and shape. */
struct make_npy {
    const char *name, *descr, *shape; /* "train_images" "|u1" "(2, 4, 4)" */
    const void *bytes;
    size_t n;
};
void make_npz(const char *path, const struct make_npy *arrays, size_t n);
/* IDX, gzipped when the name ends in .gz. */
void make_idx(const char *path, int n_dims, const uint32_t *dims, const void *bytes, size_t n);

/* Opens or fails the test with the library's text. */
struct clv_data *make_open(struct clv_context *ctx, const char *path,
                           const struct clv_data_params *params);
/* Opens, expects this error, and a text that holds every one of the words (NULL-terminated). */
void make_refused(struct clv_context *ctx, const char *path, const struct clv_data_params *params,
                  enum clv_err code, const char *const *words);
/* Folder of real data, or NULL after a loud skip. */
const char *make_real(const char *name);

#endif
