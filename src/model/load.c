/* Finding a model by name or path. The built-in models are compiled in, so that they are there
 * wherever the program or library was put; the installed files are examples to copy from. */
#include "base/file.h"
#include "base/opt.h"
#include "base/str.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MODELS = 64 };

/* NULL-terminated in a caller's array. */
static size_t list_names(const char *names[MAX_MODELS])
{
    size_t n = 0;
    for (; clv_builtin_models[n].name && n < MAX_MODELS; n++)
        names[n] = clv_builtin_models[n].name;
    return n;
}

const char *clv_model_builtin(size_t index)
{
    const char *names[MAX_MODELS] = {0};
    return index < list_names(names) ? names[index] : NULL;
}

static enum clv_err fail_unknown(struct clv_context *ctx, const char *word)
{
    const char *names[MAX_MODELS] = {0};
    const size_t n = list_names(names);
    const char *near = clv_nearest(word, names, n);
    struct clv_str list = {0};
    for (size_t i = 0; i < n; i++)
        clv_str_addf(&list, "%s%s", i ? ", " : "", names[i]);
    const enum clv_err e = clv_fail(
        &ctx->err, CLV_ERR_MODEL,
        "%s: no built-in model and no file has this name%s%s%s; the built-in models are %s", word,
        near ? "; did you mean " : "", near ? near : "", near ? "?" : "",
        list.text ? list.text : "");
    clv_str_finish(&list);
    return e;
}

static enum clv_err read_file(struct clv_context *ctx, const char *path, char **text)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(path, &bytes, &size, &ctx->err));
    if (memchr(bytes, 0, size)) {
        free(bytes);
        return clv_fail(&ctx->err, CLV_ERR_MODEL, "%s: is no model file: it holds zero bytes", path);
    }
    *text = (char *)bytes;
    return CLV_OK;
}

/* $CLAVICLE_MODEL_DIR/NAME.model if it exists; malloc'ed, else NULL. */
static char *own_model(const char *name)
{
    const char *dir = getenv("CLAVICLE_MODEL_DIR");
    if (!dir || !dir[0] || strchr(name, '/'))
        return NULL;
    char *path = clv_strdupf("%s/%s.model", dir, name);
    if (path && !clv_file_exists(path)) {
        free(path);
        path = NULL;
    }
    return path;
}

static enum clv_err find_text(struct clv_context *ctx, const char *name_or_path, char **text,
                              char **name)
{
    *name = own_model(name_or_path);
    if (*name)
        return read_file(ctx, *name, text);
    *name = clv_strdupf("%s", name_or_path);
    for (const struct clv_builtin_model *m = clv_builtin_models; m->name && *name; m++) {
        if (strcmp(m->name, name_or_path))
            continue;
        *text = clv_strdupf("%s", m->text);
        return *text ? CLV_OK : clv_fail_nomem(&ctx->err, name_or_path);
    }
    if (!*name)
        return clv_fail_nomem(&ctx->err, name_or_path);
    if (strchr(name_or_path, '/') || clv_file_exists(name_or_path))
        return read_file(ctx, name_or_path, text);
    return fail_unknown(ctx, name_or_path);
}

enum clv_err clv_model_text(struct clv_context *ctx, const char *name_or_path, char **text,
                            char **name)
{
    char *t = NULL, *n = NULL;
    const enum clv_err e = find_text(ctx, name_or_path, &t, &n);
    if (e) {
        free(n);
        return e;
    }
    *text = t;
    *name = n;
    return CLV_OK;
}

enum clv_err clv_model_load(struct clv_context *ctx, const char *name_or_path,
                            const struct clv_variable *variables, size_t n_variables,
                            struct clv_graph **ret)
{
    char *text = NULL, *name = NULL;
    CLV_TRY(clv_model_text(ctx, name_or_path, &text, &name));
    const enum clv_err e = clv_model_parse(ctx, text, name, variables, n_variables, ret);
    free(text);
    free(name);
    return e;
}
