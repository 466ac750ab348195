#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

Test(arena, memory_is_aligned_zeroed_and_apart)
{
    struct clv_arena a = {0};
    enum { N = 600 };
    unsigned char *p[N];
    for (size_t i = 0; i < N; i++) {
        const size_t size = i % 50 == 49 ? 20000 + i : i % 70; /* also larger than a block */
        p[i] = clv_arena_alloc(&a, size);
        cr_assert_not_null(p[i]);
        cr_assert_eq((uintptr_t)p[i] % alignof(max_align_t), 0, "piece %zu", i);
        for (size_t k = 0; k < size; k++)
            cr_assert_eq(p[i][k], 0, "piece %zu", i);
        memset(p[i], (int)(i % 255 + 1), size);
    }
    for (size_t i = 0; i < N; i++) {
        const size_t size = i % 50 == 49 ? 20000 + i : i % 70;
        for (size_t k = 0; k < size; k++)
            cr_assert_eq(p[i][k], i % 255 + 1, "piece %zu overlaps another", i);
    }
    clv_arena_finish(&a);
    cr_assert_null(a.head);
    clv_arena_finish(&a);
}

Test(arena, impossible_sizes_are_refused)
{
    struct clv_arena a = {0};
    cr_assert_null(clv_arena_alloc(&a, SIZE_MAX));
    cr_assert_null(clv_arena_alloc(&a, SIZE_MAX - 24));
    cr_assert_not_null(clv_arena_alloc(&a, 1));
    clv_arena_finish(&a);
}

Test(arena, strings)
{
    struct clv_arena a = {0};
    char word[] = "humerus";
    const char *copy = clv_arena_strdup(&a, word);
    word[0] = 'X';
    cr_assert_str_eq(copy, "humerus");
    cr_assert_str_eq(clv_arena_printf(&a, "%s.%d", copy, 3), "humerus.3");
    cr_assert_str_eq(clv_arena_strdup(&a, ""), "");
    clv_arena_finish(&a);
}
