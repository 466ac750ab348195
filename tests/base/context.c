#include "base/context.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    int lines;
    enum clv_log_level level;
    char text[4096];
};

static void on_log(void *priv, enum clv_log_level level, const char *line)
{
    struct seen *s = priv;
    s->lines++;
    s->level = level;
    strncpy(s->text, line, sizeof(s->text) - 1);
}

Test(context, log_lines_above_the_level_are_not_made)
{
    struct seen seen = {0};
    struct clv_context *ctx = clv_context_create(
        &(struct clv_context_params){.log = on_log, .log_priv = &seen, .log_level = CLV_LOG_INFO});
    clv_log(ctx, CLV_LOG_DEBUG, "no");
    cr_assert_eq(seen.lines, 0);
    clv_log(ctx, CLV_LOG_INFO, "%d files", 3);
    cr_assert_eq(seen.lines, 1);
    cr_assert_eq(seen.level, CLV_LOG_INFO);
    cr_assert_str_eq(seen.text, "3 files");
    char text[3001];
    memset(text, 'x', 3000);
    text[3000] = '\0';
    clv_log(ctx, CLV_LOG_WARN, "%s", text);
    cr_assert_str_eq(seen.text, text);
    clv_log(NULL, CLV_LOG_ERROR, "no context");
    clv_context_destroy(&ctx);
    cr_assert_null(ctx);
    clv_context_destroy(&ctx);
    clv_context_destroy(NULL);
}

static void expect_cache(const char *asked, const char *expected)
{
    struct clv_context *ctx = clv_context_create(&(struct clv_context_params){.cache_dir = asked});
    if (expected)
        cr_assert_str_eq(ctx->cache_dir, expected);
    else
        cr_assert_null(ctx->cache_dir);
    clv_context_destroy(&ctx);
}

Test(context, cache_folder)
{
    setenv("HOME", "/home/x", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("CLAVICLE_CACHE_DIR", "/clv", 1);
    expect_cache("/own", "/own");
    expect_cache("", NULL);
    expect_cache(NULL, "/clv");
    setenv("CLAVICLE_CACHE_DIR", "", 1);
    expect_cache(NULL, NULL);
    unsetenv("CLAVICLE_CACHE_DIR");
    expect_cache(NULL, "/xdg/clavicle");
    setenv("XDG_CACHE_HOME", "relative", 1); /* to be ignored, says the specification */
    expect_cache(NULL, "/home/x/.cache/clavicle");
    unsetenv("XDG_CACHE_HOME");
    expect_cache(NULL, "/home/x/.cache/clavicle");
    unsetenv("HOME");
    expect_cache(NULL, NULL);
}

Test(context, defaults)
{
    struct clv_context *ctx = clv_context_create(NULL);
    cr_assert_eq(ctx->cache_bytes, 256ull << 20);
    cr_assert_str_eq(clv_error_text(ctx), "");
    cr_assert_str_eq(clv_error_text(NULL), "");
    (void)!clv_fail(&ctx->err, CLV_ERR_ARG, "no such thing");
    cr_assert_str_eq(clv_error_text(ctx), "no such thing");
    clv_log(ctx, CLV_LOG_ERROR, "into silence");
    clv_context_destroy(&ctx);
    cr_assert_str_eq(clv_version(), "0.1.0");
}
