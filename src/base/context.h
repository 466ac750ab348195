/* Inside of struct clv_context. */
#ifndef CLV_BASE_CONTEXT_H
#define CLV_BASE_CONTEXT_H

#include "base/error.h"
#include <clavicle/context.h>

struct clv_context {
    struct clv_error err; /* the sticky text that clv_error_text() shows */
    void (*log)(void *priv, enum clv_log_level level, const char *line);
    void *log_priv;
    enum clv_log_level log_level;
    char *cache_dir; /* resolved; NULL = no disk cache */
    unsigned long long cache_bytes;
};

/* One line to the log callback if the level is wanted; ctx may be NULL. */
CLV_PRINTF(3, 4)
void clv_log(const struct clv_context *ctx, enum clv_log_level level, const char *fmt, ...);

#endif
