#include "base/str.h"
#include "base/util.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* POSIX 2008 has no strtod_l or snprintf_l, but a thread may switch its own locale. With glibc and
 * musl the C locale is a static object: nothing is allocated and newlocale cannot fail; where it
 * does, the thread's locale stays. */
struct c_locale {
    locale_t c, before;
};

static struct c_locale c_locale_enter(void)
{
    struct c_locale l = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (l.c)
        l.before = uselocale(l.c);
    return l;
}

static void c_locale_leave(struct c_locale l)
{
    if (!l.c)
        return;
    uselocale(l.before);
    freelocale(l.c);
}

int clv_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    const struct c_locale l = c_locale_enter();
    const int n = vsnprintf(buf, size, fmt, args);
    c_locale_leave(l);
    if (n < 0 && size)
        buf[0] = '\0';
    return n;
}

char *clv_errno_text(char buf[128], int code)
{
    const struct c_locale l = c_locale_enter();
    if (strerror_r(code, buf, 128))
        snprintf(buf, 128, "error %d", code);
    c_locale_leave(l);
    return buf;
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct clv_str *s, size_t n)
{
    if (s->failed)
        return false;
    if (n > SIZE_MAX / 2 - s->len - 1) {
        s->failed = true;
        return false;
    }
    const size_t need = s->len + n + 1;
    if (need <= s->cap)
        return true;
    const size_t cap = CLV_MAX(CLV_MAX(need, s->cap * 2), 64);
    char *text = realloc(s->text, cap);
    if (!text) {
        s->failed = true;
        return false;
    }
    s->text = text;
    s->cap = cap;
    return true;
}

void clv_str_add_bytes(struct clv_str *s, const void *data, size_t n)
{
    if (!reserve(s, n))
        return;
    if (n)
        memcpy(s->text + s->len, data, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void clv_str_add(struct clv_str *s, const char *text)
{
    clv_str_add_bytes(s, text, strlen(text));
}

void clv_str_addf(struct clv_str *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = clv_vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        s->failed = true;
    if (n < 0 || !reserve(s, (size_t)n))
        return;
    va_start(args, fmt);
    clv_vsnprintf(s->text + s->len, (size_t)n + 1, fmt, args);
    va_end(args);
    s->len += (size_t)n;
}

CLV_PRINTF(3, 4) static int format(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = clv_vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

void clv_str_add_double(struct clv_str *s, double v)
{
    char text[32];
    double back;
    if (v > -1e15 && v < 1e15 && floor(v) == v) { /* "10", where %.1g says "1e+01" */
        clv_str_addf(s, "%lld", (long long)v);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        format(text, sizeof(text), "%.*g", digits, v);
        if (clv_parse_double(text, &back) && !(back < v) && !(back > v))
            break;
    }
    clv_str_add(s, text);
}

void clv_str_finish(struct clv_str *s)
{
    free(s->text);
    *s = (struct clv_str){0};
}

char *clv_str_take(struct clv_str *s)
{
    clv_str_add_bytes(s, "", 0); /* an empty string is a string, too */
    char *text = s->failed ? NULL : s->text;
    if (s->failed)
        free(s->text);
    *s = (struct clv_str){0};
    return text;
}

char *clv_str_bytes(char buf[32], unsigned long long n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t u = 0;
    unsigned long long whole = n, rest = 0;
    while (whole >= 1024 && u + 1 < CLV_COUNT(units)) {
        rest = whole % 1024;
        whole /= 1024;
        u++;
    }
    /* Integers only: the same text in every locale. One decimal, cut, never "1024.0 KiB". */
    if (u)
        snprintf(buf, 32, "%llu.%llu %s", whole, rest * 10 / 1024, units[u]);
    else
        snprintf(buf, 32, "%llu B", n);
    return buf;
}

char *clv_strdupf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = clv_vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    clv_vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

/* Only decimal numbers: no blanks, hexadecimal, "inf" or "nan" that strtod would take as well. */
static bool all_of(const char *text, const char *allowed)
{
    return text[0] && text[strspn(text, allowed)] == '\0';
}

bool clv_parse_double(const char *text, double *ret)
{
    if (!all_of(text, "0123456789+-.eE"))
        return false;
    const struct c_locale l = c_locale_enter();
    char *end;
    const double v = strtod(text, &end);
    c_locale_leave(l);
    if (end == text || *end || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

bool clv_parse_int(const char *text, long long *ret)
{
    if (!all_of(text, "0123456789+-"))
        return false;
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return false;
    *ret = v;
    return true;
}

bool clv_parse_u64(const char *text, uint64_t *ret)
{
    if (!all_of(text, "0123456789"))
        return false;
    errno = 0;
    const unsigned long long v = strtoull(text, NULL, 10);
    if (errno || v > UINT64_MAX)
        return false;
    *ret = v;
    return true;
}
