#include "base/context.h"
#include "base/file.h"
#include "base/str.h"
#include "clv_config.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CACHE_MIB = 256 };

/* *ret = NULL without a failure means: no disk cache. */
static bool resolve_cache_dir(const char *asked, char **ret)
{
    if (!asked)
        asked = getenv("CLAVICLE_CACHE_DIR");
    *ret = NULL;
    if (!asked) {
        *ret = clv_xdg_dir("XDG_CACHE_HOME", ".cache"); /* NULL without a home: no cache */
        return true;
    }
    if (!asked[0])
        return true;
    *ret = clv_strdupf("%s", asked);
    return *ret;
}

struct clv_context *clv_context_create(const struct clv_context_params *params)
{
    const struct clv_context_params none = {0};
    if (!params)
        params = &none;
    struct clv_context *ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return NULL;
    ctx->log = params->log;
    ctx->log_priv = params->log_priv;
    ctx->log_level = params->log_level;
    ctx->cache_bytes =
        params->cache_bytes ? params->cache_bytes : (unsigned long long)DEFAULT_CACHE_MIB << 20;
    if (!resolve_cache_dir(params->cache_dir, &ctx->cache_dir))
        clv_context_destroy(&ctx);
    return ctx;
}

void clv_context_destroy(struct clv_context **ctx)
{
    if (!ctx || !*ctx)
        return;
    free((*ctx)->cache_dir);
    free(*ctx);
    *ctx = NULL;
}

const char *clv_error_text(const struct clv_context *ctx)
{
    return ctx ? ctx->err.text : "";
}

const char *clv_version(void)
{
    return CLV_VERSION;
}

void clv_log(const struct clv_context *ctx, enum clv_log_level level, const char *fmt, ...)
{
    if (!ctx || !ctx->log || level > ctx->log_level)
        return;
    char line[512], *full = NULL;
    va_list args;
    va_start(args, fmt);
    const int n = clv_vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(line) && (full = malloc((size_t)n + 1))) {
        va_start(args, fmt);
        clv_vsnprintf(full, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    ctx->log(ctx->log_priv, level, full ? full : line);
    free(full);
}
