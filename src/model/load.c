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

static enum clv_err parse_file(struct clv_context *ctx, const char *path,
                               const struct clv_variable *variables, size_t n_variables,
                               struct clv_graph **ret)
{
    unsigned char *text = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(path, &text, &size, &ctx->err));
    enum clv_err e = CLV_ERR_MODEL;
    if (memchr(text, 0, size))
        e = clv_fail(&ctx->err, CLV_ERR_MODEL, "%s: is no model file: it holds zero bytes", path);
    else
        e = clv_model_parse(ctx, (const char *)text, path, variables, n_variables, ret);
    free(text);
    return e;
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

enum clv_err clv_model_load(struct clv_context *ctx, const char *name_or_path,
                            const struct clv_variable *variables, size_t n_variables,
                            struct clv_graph **ret)
{
    char *path = own_model(name_or_path);
    if (path) {
        const enum clv_err e = parse_file(ctx, path, variables, n_variables, ret);
        free(path);
        return e;
    }
    for (const struct clv_builtin_model *m = clv_builtin_models; m->name; m++) {
        if (!strcmp(m->name, name_or_path))
            return clv_model_parse(ctx, m->text, m->name, variables, n_variables, ret);
    }
    if (strchr(name_or_path, '/') || clv_file_exists(name_or_path))
        return parse_file(ctx, name_or_path, variables, n_variables, ret);
    return fail_unknown(ctx, name_or_path);
}
