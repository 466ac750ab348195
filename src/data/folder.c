/* A folder of class folders with image files, optionally below train/, val/ and test/. */
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "data/dataset.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 32 }; /* a symbolic link may lead back up */

/* Where a walk is, and what it has met that is no sample. */
struct walk {
    struct clv_data *d;
    bool skip_bad;
    int given;         /* split of the folder we are in */
    const char *class; /* its class, in the arena; NULL above the class folders */
    size_t classless;  /* readable images outside any class folder */
    const struct clv_image_format *unreadable; /* a format that we know but cannot read */
    size_t n_unreadable;
};

static bool probe(const char *path) { return clv_dir_exists(path); }

struct split_word {
    const char *name;
    int split;
};

static int split_of_name(const char *name)
{
    static const struct split_word words[] = {
        {"train", CLV_SPLIT_TRAIN}, {"training", CLV_SPLIT_TRAIN}, {"val", CLV_SPLIT_VAL},
        {"valid", CLV_SPLIT_VAL},   {"validation", CLV_SPLIT_VAL}, {"test", CLV_SPLIT_TEST},
        {"testing", CLV_SPLIT_TEST}};
    for (size_t i = 0; i < CLV_COUNT(words); i++)
        if (!strcasecmp(name, words[i].name))
            return words[i].split;
    return CLV_NO_SPLIT;
}

static bool is_hidden(const char *name) { return name[0] == '.' || !strcmp(name, "__MACOSX"); }

static enum clv_err read_header(struct walk *w, const char *full, const char *rel,
                                const struct clv_image_format *format, struct clv_data_item *it)
{
    struct clv_error *err = &w->d->ctx->err;
    unsigned char *file = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(full, &file, &size, err));
    struct clv_image im = {0};
    enum clv_err e = format->header(file, size, &im, err);
    if (!e && w->skip_bad) { /* who skips wants no surprise behind a right checksum later on */
        e = format->decode(file, size, &im, err);
        clv_image_finish(&(struct clv_image){.heap = im.heap});
    }
    if (e)
        clv_fail_prefix(err, "%s", full);
    else
        *it = (struct clv_data_item){
            .path = clv_arena_strdup(&w->d->arena, rel),
            .digest = clv_sha256(file, size),
            .width = im.width,
            .height = im.height,
            .channels = im.channels,
            .value_bytes = im.value_bytes,
            .class_name = w->class,
            .given = w->given,
            .split = CLV_NO_SPLIT,
            .group = CLV_NO_GROUP,
        };
    free(file);
    if (!e && !it->path)
        return clv_fail_nomem(err, "the list of files");
    return e;
}

/* A file whose name says that it is an image and that it has a class. */
static enum clv_err add_image(struct walk *w, const char *full, const char *rel,
                              const struct clv_image_format *format)
{
    struct clv_error *err = &w->d->ctx->err;
    struct clv_data_item item;
    const enum clv_err e = read_header(w, full, rel, format, &item);
    if (e == CLV_ERR_NOMEM)
        return e;
    if (e && w->skip_bad) {
        w->d->info.bad++;
        clv_log(w->d->ctx, CLV_LOG_WARN, "left out: %s", err->text);
        *err = (struct clv_error){0};
        return CLV_OK;
    }
    if (e)
        return clv_fail(err, e, "%s; remove it, or go on without it with --skip-bad", err->text);
    struct clv_data_item *it = clv_data_add(w->d);
    if (!it)
        return clv_fail_nomem(err, "the list of files");
    *it = item;
    return CLV_OK;
}

static enum clv_err add_file(struct walk *w, const char *full, const char *rel)
{
    struct stat st;
    const struct clv_image_format *format = clv_image_format_of(rel);
    const bool special = stat(full, &st) == 0 && !S_ISREG(st.st_mode); /* a pipe would block */
    if (format && !special && !is_hidden(clv_path_base(rel))) {
        if (format->header && w->class)
            return add_image(w, full, rel, format);
        if (format->header) {
            w->classless++;
        } else {
            w->unreadable = format;
            w->n_unreadable++;
        }
    }
    w->d->info.ignored++;
    return CLV_OK;
}

static enum clv_err walk_dir(struct walk *w, const char *rel, int depth);

static enum clv_err walk_entry(struct walk *w, const char *rel, int depth)
{
    char *full = clv_path_join(w->d->root, rel);
    if (!full)
        return clv_fail_nomem(&w->d->ctx->err, "a path");
    enum clv_err e = CLV_OK;
    if (!clv_dir_exists(full)) {
        e = add_file(w, full, rel);
    } else if (is_hidden(clv_path_base(rel))) {
        w->d->info.ignored++;
    } else if (w->class) { /* folders below a class folder belong to the class */
        e = walk_dir(w, rel, depth + 1);
    } else {
        w->class = clv_arena_strdup(&w->d->arena, clv_path_base(rel));
        e = w->class ? walk_dir(w, rel, depth + 1)
                     : clv_fail_nomem(&w->d->ctx->err, "a class name");
        w->class = NULL;
    }
    free(full);
    return e;
}

/* Everything in folder rel ("" = the root), in byte order of the names. */
static enum clv_err walk_dir(struct walk *w, const char *rel, int depth)
{
    struct clv_error *err = &w->d->ctx->err;
    char **names = NULL;
    size_t n = 0;
    char *full = rel[0] ? clv_path_join(w->d->root, rel) : clv_strdupf("%s", w->d->root);
    if (!full)
        return clv_fail_nomem(err, "a path");
    enum clv_err e = CLV_OK;
    if (depth > MAX_DEPTH)
        e = clv_fail(err, CLV_ERR_DATA,
                     "%s: folders are nested too deeply; does a link lead back up?", full);
    if (!e)
        e = clv_dir_list(full, &names, &n, err);
    for (size_t i = 0; i < n && !e; i++) {
        char *below = rel[0] ? clv_path_join(rel, names[i]) : clv_strdupf("%s", names[i]);
        e = below ? walk_entry(w, below, depth) : clv_fail_nomem(err, "a path");
        free(below);
    }
    clv_list_free(names, n);
    free(full);
    return e;
}

/* Which split folders the root holds: a bit per split, and whether other folders lie beside. */
static enum clv_err look_for_splits(struct clv_data *d, char **names, size_t n, unsigned *splits)
{
    const char *other = NULL;
    *splits = 0;
    for (size_t i = 0; i < n; i++) {
        char *full = clv_path_join(d->root, names[i]);
        if (!full)
            return clv_fail_nomem(&d->ctx->err, "a path");
        if (clv_dir_exists(full) && !is_hidden(names[i])) {
            const int s = split_of_name(names[i]);
            if (s == CLV_NO_SPLIT)
                other = names[i];
            else
                *splits |= 1u << s;
        }
        free(full);
    }
    if (*splits && other)
        return clv_fail(&d->ctx->err, CLV_ERR_DATA,
                        "%s: holds train/val/test folders and also %s/; move that elsewhere",
                        d->root, other);
    return CLV_OK;
}

/* Why nothing was found, and what to do. */
static enum clv_err fail_empty(const struct walk *w)
{
    struct clv_error *err = &w->d->ctx->err;
    const char *root = w->d->root;
    if (w->d->info.bad)
        return clv_fail(err, CLV_ERR_DATA, "%s: all %zu images are damaged", root,
                        w->d->info.bad);
    if (w->n_unreadable)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: this version cannot read %s files, and it has no others (%zu found); "
                        "convert them to PNG",
                        root, w->unreadable->name, w->n_unreadable);
    if (w->classless)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: %zu images but no class folders; sort them as %s/CLASS/name.png", root,
                        w->classless, root);
    return clv_fail(err, CLV_ERR_DATA,
                    "%s: no PNG files in it; expected %s/CLASS/name.png, optionally below train/, "
                    "val/ and test/",
                    root, root);
}

static enum clv_err walk_splits(struct walk *w, char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->given = split_of_name(names[i]);
        char *full = clv_path_join(w->d->root, names[i]);
        if (!full)
            return clv_fail_nomem(&w->d->ctx->err, "a path");
        const bool is_split = w->given != CLV_NO_SPLIT && clv_dir_exists(full);
        free(full);
        CLV_TRY(is_split ? walk_dir(w, names[i], 1) : walk_entry(w, names[i], 0));
    }
    return CLV_OK;
}

static enum clv_err open_folder(struct clv_data *d, const struct clv_data_params *params)
{
    struct walk w = {.d = d, .skip_bad = params->skip_bad, .given = CLV_NO_SPLIT};
    char **names = NULL;
    size_t n = 0;
    unsigned splits = 0;
    CLV_TRY(clv_dir_list(d->root, &names, &n, &d->ctx->err));
    enum clv_err e = look_for_splits(d, names, n, &splits);
    if (!e)
        e = splits ? walk_splits(&w, names, n) : walk_dir(&w, "", 0);
    clv_list_free(names, n);
    if (e)
        return e;
    if (d->n_items == 0)
        return fail_empty(&w);
    if (w.n_unreadable)
        clv_log(d->ctx, CLV_LOG_WARN, "%s: ignored %zu files of formats that this version cannot "
                "read, such as %s", d->root, w.n_unreadable, w.unreadable->name);
    if (w.classless)
        clv_log(d->ctx, CLV_LOG_WARN, "%s: ignored %zu images that lie in no class folder", d->root,
                w.classless);
    return clv_data_number_classes(d);
}

static enum clv_err read_item(const struct clv_data *d, const struct clv_data_item *item,
                              struct clv_image *ret, struct clv_error *err)
{
    char *full = clv_path_join(d->root, item->path);
    if (!full)
        return clv_fail_nomem(err, "a path");
    enum clv_err e = clv_image_read(full, ret, err);
    if (!e && (ret->width != item->width || ret->height != item->height ||
               ret->channels != item->channels || ret->value_bytes != item->value_bytes)) {
        clv_image_finish(ret);
        e = clv_fail(err, CLV_ERR_DATA, "%s: changed since the data set was opened; start again",
                     full);
    }
    free(full);
    return e;
}

static void close_folder(struct clv_data *d) { (void)d; }

const struct clv_data_format clv_data_folder = {
    .name = "folder", .probe = probe, .open = open_folder, .read = read_item,
    .close = close_folder};
