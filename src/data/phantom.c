/* The phantom set: draws the images into a folder beside OUT and renames it when all are there.
 *
 * Image i of a split and class depends on (seed, split, class, i) alone, so asking for more images
 * adds some and changes none. */
#include "base/context.h"
#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "data/phantom_draw.h"
#include "data/pngwrite.h"
#include <clavicle/data.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = 2, DEFAULT_SIZE = 224, MIN_SIZE = 16, MAX_SIZE = 4096, MAX_COUNT = 1000000 };

static const char *const class_name[CLASSES] = {"NORMAL", "OPACITY"};
static const size_t default_count[CLV_SPLIT_COUNT] = {600, 120, 200};

static enum clv_err fail_write(struct clv_error *err, const char *path)
{
    char reason[128];
    return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", path, clv_errno_text(reason, errno));
}

static enum clv_err resolve(struct clv_context *ctx, const struct clv_phantom_params *given,
                            struct clv_phantom_params *p)
{
    size_t total = 0;
    *p = given ? *given : (struct clv_phantom_params){0};
    if (!p->size)
        p->size = DEFAULT_SIZE;
    if (p->size < MIN_SIZE || p->size > MAX_SIZE)
        return clv_fail(&ctx->err, CLV_ERR_ARG, "phantom: size %d is not in %d..%d", p->size,
                        MIN_SIZE, MAX_SIZE);
    for (int s = 0; s < CLV_SPLIT_COUNT; s++) {
        if (p->count[s] > MAX_COUNT)
            return clv_fail(&ctx->err, CLV_ERR_ARG, "phantom: %zu %s images are more than %d",
                            p->count[s], clv_split_name((enum clv_split)s), MAX_COUNT);
        total += p->count[s];
    }
    if (!total)
        memcpy(p->count, default_count, sizeof p->count);
    return CLV_OK;
}

/* ---- removing a phantom set, and nothing else ---- */

/* Whether name is one that this file gives to an image. */
static bool is_image_name(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return digits >= 5 && !strcmp(name + digits, ".png");
}

/* Folder `path` holds only what a phantom set has at this depth (0 splits, 1 classes, 2 images);
 * with `remove` it is emptied and removed. *odd receives the malloc'ed path of what does not
 * belong. */
static enum clv_err sweep(const char *path, int depth, bool remove_it, char **odd,
                          struct clv_error *err)
{
    char **names = NULL;
    size_t n = 0;
    CLV_TRY(clv_dir_list(path, &names, &n, err));
    enum clv_err e = CLV_OK;
    for (size_t i = 0; i < n && !e && !*odd; i++) {
        bool known = false;
        char *child = clv_path_join(path, names[i]);
        if (!child) {
            e = clv_fail_nomem(err, path);
            break;
        }
        for (int s = 0; depth == 0 && s < CLV_SPLIT_COUNT; s++)
            known = known || !strcmp(names[i], clv_split_name((enum clv_split)s));
        for (int c = 0; depth == 1 && c < CLASSES; c++)
            known = known || !strcmp(names[i], class_name[c]);
        struct stat st;
        const bool folder = lstat(child, &st) == 0 && S_ISDIR(st.st_mode);
        if (depth == 2 ? folder || !is_image_name(names[i]) : !folder || !known)
            *odd = clv_strdupf("%s", child);
        else if (depth < 2)
            e = sweep(child, depth + 1, remove_it, odd, err);
        else if (remove_it && unlink(child))
            e = fail_write(err, child);
        free(child);
    }
    clv_list_free(names, n);
    if (!e && !*odd && remove_it && rmdir(path))
        e = fail_write(err, path);
    return e;
}

/* Fails unless OUT is free, or a phantom set that may be replaced. */
static enum clv_err check_out(const char *out, bool force, struct clv_error *err)
{
    struct stat st;
    if (lstat(out, &st))
        return CLV_OK;
    if (!force)
        return clv_fail(err, CLV_ERR_EXISTS,
                        "%s already exists; choose another folder or use --force", out);
    char *odd = NULL;
    enum clv_err e = CLV_OK;
    if (S_ISDIR(st.st_mode))
        e = sweep(out, 0, false, &odd, err);
    else
        odd = clv_strdupf("%s", out);
    if (!e && odd)
        e = clv_fail(
            err, CLV_ERR_EXISTS,
            "%s is not part of a phantom set, so %s is not replaced; choose another folder", odd,
            out);
    free(odd);
    return e;
}

static void discard(const char *path)
{
    char *odd = NULL;
    const enum clv_err e = sweep(path, 0, true, &odd, NULL);
    (void)e; /* called on the way out of a failure that has been recorded */
    free(odd);
}

/* ---- writing ---- */

static enum clv_err write_image(const char *path, const struct clv_png *image,
                                struct clv_error *err)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return fail_write(err, path);
    enum clv_err e = clv_png_write_file(f, path, image, err);
    if (fclose(f) && !e)
        e = fail_write(err, path);
    return e;
}

static enum clv_err write_class(const char *root, enum clv_split split, int label,
                                const struct clv_phantom_params *p, unsigned char *pixels,
                                struct clv_error *err)
{
    const struct clv_png image = {
        .pixels = pixels, .width = p->size, .height = p->size, .channels = 1};
    const size_t n = (p->count[split] + (label == 0)) / 2;
    char *folder = clv_strdupf("%s/%s/%s", root, clv_split_name(split), class_name[label]);
    if (!folder)
        return clv_fail_nomem(err, root);
    enum clv_err e = clv_mkdirs(folder, err);
    for (size_t i = 0; i < n && !e; i++) {
        const uint64_t stream = (uint64_t)split << 40 | (uint64_t)label << 32 | (uint64_t)i;
        char *path = clv_strdupf("%s/%05zu.png", folder, i + 1);
        e = path ? clv_phantom_draw(p->size, p->seed, stream, label == 1, pixels, err)
                 : clv_fail_nomem(err, folder);
        if (!e)
            e = write_image(path, &image, err);
        free(path);
    }
    free(folder);
    return e;
}

static enum clv_err write_set(const char *root, const struct clv_phantom_params *p,
                              struct clv_error *err)
{
    unsigned char *pixels = malloc((size_t)p->size * (size_t)p->size);
    if (!pixels)
        return clv_fail_nomem(err, "a phantom image");
    enum clv_err e = CLV_OK;
    for (int s = 0; s < CLV_SPLIT_COUNT; s++)
        for (int label = 0; label < CLASSES && !e; label++)
            if (p->count[s])
                e = write_class(root, (enum clv_split)s, label, p, pixels, err);
    free(pixels);
    return e;
}

/* Puts the finished folder in OUT's place. An old set is moved aside first, so that OUT is never
 * half a set. */
static enum clv_err publish(const char *tmp, const char *out, struct clv_error *err)
{
    struct stat st;
    if (lstat(out, &st))
        return rename(tmp, out) ? fail_write(err, out) : CLV_OK;
    char *old = clv_strdupf("%s.old", tmp);
    if (!old)
        return clv_fail_nomem(err, out);
    enum clv_err e = CLV_OK;
    if (rename(out, old))
        e = fail_write(err, out);
    if (!e && rename(tmp, out)) {
        e = fail_write(err, out);
        if (rename(old, out)) /* put it back; if even that fails, say where it is */
            clv_fail_prefix(err, "the old set is now %s", old);
    } else if (!e) {
        discard(old);
    }
    free(old);
    return e;
}

/* OUT without the slashes that a shell's completion leaves at its end. */
static char *trimmed(const char *out)
{
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/')
        n--;
    return clv_strdupf("%.*s", (int)n, out);
}

static enum clv_err make_parent(const char *out, struct clv_error *err)
{
    const size_t n = (size_t)(clv_path_base(out) - out);
    if (n <= 1)
        return CLV_OK;
    char *parent = clv_strdupf("%.*s", (int)(n - 1), out);
    if (!parent)
        return clv_fail_nomem(err, out);
    const enum clv_err e = clv_mkdirs(parent, err);
    free(parent);
    return e;
}

enum clv_err clv_data_phantom(struct clv_context *ctx, const char *out_path,
                              const struct clv_phantom_params *params)
{
    struct clv_phantom_params p;
    char *tmp = NULL;
    if (!out_path || !out_path[0])
        return clv_fail(&ctx->err, CLV_ERR_ARG, "phantom: no folder given");
    CLV_TRY(resolve(ctx, params, &p));
    char *out = trimmed(out_path);
    enum clv_err e = out ? CLV_OK : clv_fail_nomem(&ctx->err, out_path);
    if (!e)
        e = check_out(out, p.force, &ctx->err);
    if (!e)
        e = make_parent(out, &ctx->err);
    if (e)
        goto out;
    tmp = clv_strdupf("%s.tmp%ld", out, (long)getpid());
    if (!tmp) {
        e = clv_fail_nomem(&ctx->err, out);
        goto out;
    }
    if (mkdir(tmp, 0777)) {
        e = fail_write(&ctx->err, tmp);
        goto out;
    }
    e = write_set(tmp, &p, &ctx->err);
    if (!e)
        e = publish(tmp, out, &ctx->err);
    if (e)
        discard(tmp);
out:
    free(tmp);
    free(out);
    return e;
}
