/* Data sets of labelled images: open, inspect, split, make, download.
 *
 * A PATH is a folder of class folders with PNG files (optionally below train/, val/, test/), a
 * MedMNIST .npz file, or a folder (or the images file) of IDX / IDX.gz files as MNIST and
 * Fashion-MNIST ship them. */
#ifndef CLAVICLE_DATA_H
#define CLAVICLE_DATA_H

#include <clavicle/context.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clv_split { CLV_SPLIT_TRAIN, CLV_SPLIT_VAL, CLV_SPLIT_TEST, CLV_SPLIT_COUNT };
/* "train", "val", "test". */
CLV_API const char *clv_split_name(enum clv_split split);

struct clv_data;

struct clv_data_params {
    /* Shares of train/val/test for a folder that brings no split: "70/15/15" is the default (NULL).
     * Stratified by class, keyed by seed; identical images and groups stay together. */
    const char *split;
    /* Share of train that becomes val when train and test are given without val; 0 = 0.15. */
    double val_fraction;
    uint64_t seed;         /* keys the split */
    /* POSIX extended regular expression on the file's path; what it matches (its first group if it
     * has one) names the person. Files of one person never lie in two splits. NULL = no groups. */
    const char *group_by;
    bool skip_bad;         /* go on without damaged files; they are counted */
    bool refuse_leaks;     /* CLV_ERR_LEAK instead of a warning when a given split leaks */
    /* Path of a split list of an earlier run (path,split,label,sha256 lines): files are assigned by content; those not
     * in the list are left out and counted as unknown. NULL = none. */
    const char *split_list;
    /* Cross-validation: what is not test is divided anew into `folds` parts, 2..CLV_MAX_FOLDS, stratified and grouped as above and
     * keyed by seed; part `fold`, counted from 1, is val, the others are train. 0 folds = off. CLV_ERR_DATA: a part stays empty. */
    int folds, fold;
};
enum { CLV_MAX_FOLDS = 100 };

/* Opens a data set: finds the files, reads every header, assigns splits, hashes the content. No
 * device is needed. params may be NULL. Errors: CLV_ERR_IO, CLV_ERR_DATA (names the file and what
 * to do), CLV_ERR_LEAK. Warnings go to the context's log. */
CLV_API CLV_CHECK enum clv_err clv_data_open(struct clv_context *ctx, const char *path,
                                             const struct clv_data_params *params,
                                             struct clv_data **ret);
CLV_API void clv_data_close(struct clv_data **data);

/* What `clavicle data inspect` prints. Strings and arrays are borrowed from the data set. */
struct clv_data_info {
    const char *path, *format;           /* "folder", "npz", "idx" */
    int n_classes;
    const char *const *classes;          /* byte order of their names */
    size_t count[CLV_SPLIT_COUNT];
    const size_t *class_count[CLV_SPLIT_COUNT]; /* [n_classes] each */
    bool given_split;                    /* train and test came with the data */
    int min_width, max_width, min_height, max_height;
    int channels;                        /* 1 or 3; 3 if any file has colour */
    int bits;                            /* largest bit depth: 8 or 16 */
    size_t ignored;                      /* files that are no images, hidden and system files */
    size_t bad;                          /* damaged files left out (skip_bad) */
    size_t unknown;                      /* files that the split list does not know */
    size_t duplicates;                   /* files whose content another file has */
    size_t leaked_images;                /* contents that lie in more than one split */
    size_t groups, leaked_groups;        /* persons; persons in more than one split */
    char fingerprint[65];                /* SHA-256 over sorted (content, split, label) */
};
CLV_API const struct clv_data_info *clv_data_get_info(const struct clv_data *data);

/* One sample. Strings are borrowed; path is relative to PATH ("train/NORMAL/a.png"), or split/index
 * for arrays ("test/17"). */
struct clv_sample_info { const char *path; enum clv_split split; int label; const char *group; char sha256[65]; };
CLV_API size_t clv_data_count(const struct clv_data *data, enum clv_split split);
CLV_API CLV_CHECK enum clv_err clv_data_sample(const struct clv_data *data, enum clv_split split,
                                               size_t index, struct clv_sample_info *ret);

/* Mean and standard deviation per channel of values scaled to 0..1, over one split (decodes it). */
struct clv_data_stats { int channels; double mean[4], std[4]; };
CLV_API CLV_CHECK enum clv_err clv_data_stats(struct clv_data *data, enum clv_split split,
                                              struct clv_data_stats *ret);

/* weight[n_classes]: samples / (classes * samples of the class), of one split: scikit-learn's "balanced" class weights.
 * CLV_ERR_DATA names a class without samples. */
CLV_API CLV_CHECK enum clv_err clv_data_class_weights(const struct clv_data *data, enum clv_split split, double *weight);

/* Writes the split list that clv_data_params.split_list reads. */
CLV_API CLV_CHECK enum clv_err clv_data_write_split(const struct clv_data *data, const char *path);

/* Preprocessing and augmentation, in text form ("key=value key=value"; `clavicle train --help`
 * lists the keys): both are option tables.
 *   preprocess: resize (squash|crop|pad) crop=x,y,w,h crop_center=FRACTION rotate=DEGREES
 *               mean=a,b,c std=a,b,c     (default: whole image squashed, values 0..1)
 *   augment:    rotation=DEG shift=FRACTION zoom=FRACTION flip=none|horizontal|vertical|both
 *               crop=FRACTION brightness=x contrast=x
 *               erase_p=x erase_scale=a:b erase_ratio=a:b erase_value=a,b,c|random
 *               mixup=ALPHA cutmix=ALPHA mix_p=x                           (default: none) */
struct clv_pipeline_params { const char *preprocess, *augment; };
/* The tables' help text, a line per key. malloc'ed; caller frees; NULL when out of memory. */
CLV_API char *clv_pipeline_help(void);

/* Contact sheet PNG of `count` samples of the split as the network sees them at height x width x
 * channels, augmented as in epoch 1 when params->augment is given. Written atomically. */
struct clv_preview_params { int height, width, channels; size_t count; enum clv_split split; uint64_t seed; struct clv_pipeline_params pipeline; };
CLV_API CLV_CHECK enum clv_err clv_data_preview(struct clv_data *data, const char *png_path,
                                                const struct clv_preview_params *params);

/* Radiograph-like phantom images (lung fields, ribs, heart, noise) in class folders NORMAL and
 * OPACITY below train/, val/ and test/: the labelled set of the demo. Reproducible by seed, equal
 * on every machine. */
struct clv_phantom_params {
    int size;                    /* pixels per side; 0 = 224 */
    size_t count[CLV_SPLIT_COUNT]; /* images per split, half of each class; all 0 = 600/120/200 */
    uint64_t seed;
    bool force;                  /* replace an existing OUT */
};
CLV_API CLV_CHECK enum clv_err clv_data_phantom(struct clv_context *ctx, const char *out,
                                                const struct clv_phantom_params *params);

/* The sets that can be downloaded. bytes: of all files together, 0 = not known. */
struct clv_known_data { const char *name, *title, *licence, *source; size_t n_files; uint64_t bytes; };
CLV_API const struct clv_known_data *clv_data_known(size_t *n);
struct clv_data_get_params {
    const char *out;     /* folder; NULL = $XDG_DATA_HOME/clavicle */
    const char *mirror;  /* local folder looked into first; NULL = $CLAVICLE_DATA */
    const char *base_url;/* instead of the set's own address (tests, mirrors); NULL */
    void (*progress)(void *priv, const char *file, uint64_t done, uint64_t total); /* may be NULL */
    void *priv;
};
/* Fetches, resumes, checks the MD5, renames into place; *path receives the malloc'ed path to give
 * to clv_data_open(). Errors: CLV_ERR_ARG (unknown name), CLV_ERR_NET, CLV_ERR_DATA (sum),
 * CLV_ERR_WRITE, CLV_ERR_UNSUPPORTED (built without libcurl and not in the mirror). */
CLV_API CLV_CHECK enum clv_err clv_data_get(struct clv_context *ctx, const char *name,
                                            const struct clv_data_get_params *params, char **path);

#ifdef __cplusplus
}
#endif
#endif
