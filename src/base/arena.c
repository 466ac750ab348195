#include "base/arena.h"
#include "base/str.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A block's bytes follow its header, which is padded so that they are aligned for any type. */
struct clv_arena_block {
    alignas(max_align_t) struct clv_arena_block *next;
    size_t size, used;
};

enum { BLOCK_SIZE = 16384, ALIGN = alignof(max_align_t) };

static struct clv_arena_block *new_block(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct clv_arena_block))
        return NULL;
    struct clv_arena_block *b = calloc(1, sizeof(*b) + size);
    if (b)
        b->size = size;
    return b;
}

void *clv_arena_alloc(struct clv_arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN)
        return NULL;
    size = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    struct clv_arena_block *b = a->head;
    if (!b || b->size - b->used < size) {
        const bool own = size > BLOCK_SIZE / 4;
        b = new_block(own ? size : BLOCK_SIZE);
        if (!b)
            return NULL;
        /* A large piece gets a block of its own behind the head, whose rest stays in use. */
        if (own && a->head) {
            b->next = a->head->next;
            a->head->next = b;
        } else {
            b->next = a->head;
            a->head = b;
        }
    }
    void *p = (unsigned char *)(b + 1) + b->used;
    b->used += size;
    return p;
}

char *clv_arena_strdup(struct clv_arena *a, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = clv_arena_alloc(a, n);
    return copy ? memcpy(copy, s, n) : NULL;
}

char *clv_arena_vprintf(struct clv_arena *a, const char *fmt, va_list ap)
{
    va_list measure;
    va_copy(measure, ap);
    const int n = clv_vsnprintf(NULL, 0, fmt, measure);
    va_end(measure);
    char *text = n < 0 ? NULL : clv_arena_alloc(a, (size_t)n + 1);
    if (text)
        clv_vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

char *clv_arena_printf(struct clv_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = clv_arena_vprintf(a, fmt, args);
    va_end(args);
    return text;
}

void clv_arena_finish(struct clv_arena *a)
{
    while (a->head) {
        struct clv_arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
}
