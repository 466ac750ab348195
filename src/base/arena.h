/* Bump allocator: everything in it is freed at once. */
#ifndef CLV_BASE_ARENA_H
#define CLV_BASE_ARENA_H

#include <clavicle/export.h>
#include <stdarg.h>
#include <stddef.h>

struct clv_arena_block;
struct clv_arena {
    struct clv_arena_block *head; /* {0} is an empty arena */
};

/* Zeroed memory aligned for any type, or NULL when out of memory. */
void *clv_arena_alloc(struct clv_arena *a, size_t size);
char *clv_arena_strdup(struct clv_arena *a, const char *s);
CLV_PRINTF(2, 3) char *clv_arena_printf(struct clv_arena *a, const char *fmt, ...);
CLV_PRINTF(2, 0) char *clv_arena_vprintf(struct clv_arena *a, const char *fmt, va_list ap);
void clv_arena_finish(struct clv_arena *a);

#endif
