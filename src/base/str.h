/* Growing string. Out of memory is sticky: append goes on as a no-op and `failed` stays set. */
#ifndef CLV_BASE_STR_H
#define CLV_BASE_STR_H

#include <clavicle/export.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clv_str {
    char *text; /* NUL-terminated once anything was appended; may be NULL when empty */
    size_t len, cap;
    bool failed;
};

void clv_str_add(struct clv_str *s, const char *text);
void clv_str_add_bytes(struct clv_str *s, const void *data, size_t n);
CLV_PRINTF(2, 3) void clv_str_addf(struct clv_str *s, const char *fmt, ...);
/* The shortest decimal text that reads back as exactly v. */
void clv_str_add_double(struct clv_str *s, double v);
void clv_str_finish(struct clv_str *s);
/* Hands the text over (caller frees); NULL if anything failed. The struct is empty afterwards. */
char *clv_str_take(struct clv_str *s);

/* Printable size: "18.4 MiB"; writes at most 32 bytes to buf and returns it. */
char *clv_str_bytes(char buf[32], unsigned long long n);
/* strdup of printf; NULL when out of memory. */
CLV_PRINTF(1, 2) char *clv_strdupf(const char *fmt, ...);
/* vsnprintf in the C locale: numbers have a point whatever the program's locale is. All formatting
 * of this folder goes through it; write numbers to files with clv_str_addf, not with fprintf. */
CLV_PRINTF(3, 0) int clv_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
/* Text of an errno value, in English; writes to buf and returns it. */
char *clv_errno_text(char buf[128], int code);
/* Locale-independent number: true only if the whole text is one finite number. */
bool clv_parse_double(const char *text, double *ret);
bool clv_parse_int(const char *text, long long *ret);
bool clv_parse_u64(const char *text, uint64_t *ret);

#endif
