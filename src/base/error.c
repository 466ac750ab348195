#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

const char *clv_strerror(enum clv_err code)
{
    switch (code) {
    case CLV_OK:
        return "no error";
#define TEXT_CASE(name, text)                                                                      \
    case CLV_ERR_##name:                                                                           \
        return text;
        CLV_ERR_MAP(TEXT_CASE)
#undef TEXT_CASE
    case CLV_ERR_BASE_:
        break;
    }
    return "unknown error";
}

/* A cut text says so: the reader must not take half a list of candidates for the whole. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size)
        memcpy(text + size - 4, "...", 4);
}

enum clv_err clv_fail_at(struct clv_error *err, enum clv_err code, const char *func,
                         const char *file, int line, const char *fmt, ...)
{
    if (!err)
        return code;
    /* Callers look at errno after a failed call as well. */
    const int saved = errno;
    char text[sizeof(err->text)]; /* the arguments may point into err->text */
    va_list args;
    va_start(args, fmt);
    mark_cut(text, sizeof(text), clv_vsnprintf(text, sizeof(text), fmt, args));
    va_end(args);
    *err = (struct clv_error){.code = code, .func = func, .file = file, .line = line};
    memcpy(err->text, text, strlen(text) + 1);
    errno = saved;
    return code;
}

void clv_fail_prefix(struct clv_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    const int n = clv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    struct clv_str whole = {0};
    clv_str_addf(&whole, "%s: %s", text, err->text);
    if (!whole.failed) {
        const size_t kept = whole.len < sizeof(text) ? whole.len : sizeof(text) - 1;
        memcpy(err->text, whole.text, kept);
        err->text[kept] = '\0';
        mark_cut(err->text, sizeof(err->text), (int)whole.len);
    }
    clv_str_finish(&whole);
}
