/* The root object: who receives log lines, where caches live, and the text of the last error.
 *
 * There is no global state. Programs may create any number of contexts.
 * Thread-safety: a context and everything made from it belong to one thread at a time; different
 * contexts may be used from different threads at once. */
#ifndef CLAVICLE_CONTEXT_H
#define CLAVICLE_CONTEXT_H

#include <clavicle/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_context;

enum clv_log_level { CLV_LOG_ERROR, CLV_LOG_WARN, CLV_LOG_INFO, CLV_LOG_DEBUG };

struct clv_context_params {
    /* Receives one line at a time, without newline; NULL = silence. Called from the thread that
     * is inside a Clavicle call. The library never prints by itself. */
    void (*log)(void *priv, enum clv_log_level level, const char *line);
    void *log_priv;
    enum clv_log_level log_level; /* lines above it are not made; default 0 = errors only */
    /* Folder of compiled programs; NULL = $CLAVICLE_CACHE_DIR, else $XDG_CACHE_HOME/clavicle, else
     * ~/.cache/clavicle; "" = no disk cache. Copied. */
    const char *cache_dir;
    /* Upper bound of that folder in bytes, oldest entries go first; 0 = 256 MiB. */
    unsigned long long cache_bytes;
};

/* Creates a context. params may be NULL (silence, default cache).
 * Returns NULL only when out of memory. Destroy with clv_context_destroy(). */
CLV_API struct clv_context *clv_context_create(const struct clv_context_params *params);

/* Frees the context and sets *ctx to NULL; accepts NULL and &NULL. Destroy what was made from it
 * (devices, graphs, trainers, data sets) before. */
CLV_API void clv_context_destroy(struct clv_context **ctx);

/* The one-line text of the last failed call made with this context, "" if none: what happened,
 * to which file, node or device, and what to do. Borrowed; valid until the next failing call. */
CLV_API const char *clv_error_text(const struct clv_context *ctx);

/* "0.1.0" */
CLV_API const char *clv_version(void);

#ifdef __cplusplus
}
#endif
#endif
