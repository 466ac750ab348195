/* One error object per context: the code travels up, the text is recorded once, where the fault is
 * first seen. */
#ifndef CLV_BASE_ERROR_H
#define CLV_BASE_ERROR_H

#include <clavicle/error.h>

struct clv_error {
    enum clv_err code;
    int cl;           /* OpenCL status, 0 when none was involved */
    const char *func; /* where it was recorded */
    const char *file;
    int line;
    int at;           /* parsers: 1 + the byte of the fault in the parsed text; 0 = not known */
    char text[2048];
};

/* Records code and text (replacing what was there) and returns the code. err may be NULL. A static
 * analyzer sees one file at a time: it is told that a failure is not CLV_OK. */
#ifdef __clang_analyzer__
#define clv_fail(err, code, ...)                                                                   \
    (clv_fail_at((err), (code), __func__, __FILE__, __LINE__, __VA_ARGS__), (code) ? (code) : CLV_ERR_ARG)
#else
#define clv_fail(err, code, ...) clv_fail_at((err), (code), __func__, __FILE__, __LINE__, __VA_ARGS__)
#endif
CLV_PRINTF(6, 7)
enum clv_err clv_fail_at(struct clv_error *err, enum clv_err code, const char *func,
                         const char *file, int line, const char *fmt, ...);

/* Puts "prefix: " before the recorded text; used where a caller knows the file or node name. */
CLV_PRINTF(2, 3)
void clv_fail_prefix(struct clv_error *err, const char *fmt, ...);

/* Out of memory, with what it was for. */
#define clv_fail_nomem(err, what) clv_fail((err), CLV_ERR_NOMEM, "out of host memory for %s", (what))

/* Forwards a failure; for functions that hold nothing yet. */
#define CLV_TRY(expr)                                                                              \
    do {                                                                                           \
        const enum clv_err clv_try_ = (expr);                                                      \
        if (clv_try_)                                                                              \
            return clv_try_;                                                                       \
    } while (0)

#endif
