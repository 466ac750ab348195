/* Inside of struct clv_data, and what a data set format implements.
 *
 * A format is one file (folder.c, npz.c, idx.c) and one word in dataset.c's table. It finds the
 * samples and their classes; everything else (splits, leaks, lists, statistics) works on items. */
#ifndef CLV_DATA_DATASET_H
#define CLV_DATA_DATASET_H

#include "base/arena.h"
#include "base/context.h"
#include "base/hash.h"
#include "data/image.h"
#include <clavicle/data.h>

enum { CLV_NO_SPLIT = -1, CLV_NO_GROUP = -1 };

struct clv_data_item {
    const char *path;         /* relative to the root, or "test/17"; in the arena */
    struct clv_digest digest; /* of the file's bytes, or of the sample's bytes in an array */
    size_t index;             /* the format's own: which row of which array */
    uint32_t width, height;   /* of the stored image */
    int channels, value_bytes;
    const char *class_name;   /* in the arena */
    int label;                /* into classes; set by clv_data_number_classes() */
    int given;                /* enum clv_split the data came with, or CLV_NO_SPLIT */
    int split;                /* enum clv_split decided, or CLV_NO_SPLIT: left out */
    int group;                /* into groups, or CLV_NO_GROUP */
};

struct clv_data {
    struct clv_context *ctx;
    struct clv_arena arena;
    const struct clv_data_format *format;
    void *priv;               /* the format's */
    char *root;               /* PATH as given */
    struct clv_data_item *items;
    size_t n_items, cap_items;
    const char **classes;     /* byte order; malloc'ed array of arena strings */
    int n_classes;
    const char **groups;      /* byte order; the same */
    int n_groups;
    uint32_t *index[CLV_SPLIT_COUNT]; /* items of each split, in order of their paths */
    size_t *class_count[CLV_SPLIT_COUNT];
    struct clv_data_info info;
};

struct clv_data_format {
    const char *name;
    bool (*probe)(const char *path);
    /* Adds items and classes, counts info.ignored and info.bad. */
    enum clv_err (*open)(struct clv_data *d, const struct clv_data_params *params);
    /* Pixels of one item. Thread-safe: touches nothing but ret and err. Errors name the sample. */
    enum clv_err (*read)(const struct clv_data *d, const struct clv_data_item *item,
                         struct clv_image *ret, struct clv_error *err);
    void (*close)(struct clv_data *d); /* accepts a half-open one */
};
extern const struct clv_data_format clv_data_folder, clv_data_npz, clv_data_idx;

/* A zeroed item with given, split and group unset, or NULL when out of memory. The pointer holds
 * until the next call. */
struct clv_data_item *clv_data_add(struct clv_data *d);
/* Makes d->classes from the items' class names and numbers the labels by it. */
CLV_CHECK enum clv_err clv_data_number_classes(struct clv_data *d);
/* Item `index` of a split; index < clv_data_count(). */
const struct clv_data_item *clv_data_item_at(const struct clv_data *d, enum clv_split split,
                                             size_t index);

/* split.c: decides item.split of every item, from what was given or by params. */
CLV_CHECK enum clv_err clv_data_assign(struct clv_data *d, const struct clv_data_params *params);
/* leak.c: names the groups (before assign), counts duplicates and leaks (after it). */
CLV_CHECK enum clv_err clv_data_find_groups(struct clv_data *d, const char *regex);
CLV_CHECK enum clv_err clv_data_find_leaks(struct clv_data *d, bool refuse);
/* Indices of all items ordered by content, then path. malloc'ed. */
CLV_CHECK enum clv_err clv_data_by_content(const struct clv_data *d, uint32_t **ret);
/* splitlist.c: item.split and item.label by content; counts info.unknown. */
CLV_CHECK enum clv_err clv_data_read_split(struct clv_data *d, const char *path);

/* Sorts n strings in byte order and drops repeats; returns how many are left. */
size_t clv_data_unique(const char **names, size_t n);
/* Place of name in sorted names, or -1. */
int clv_data_find(const char *const *names, int n, const char *name);

#endif
