#include "base/parallel.h"

#include <criterion/criterion.h>
#include <stdatomic.h>

enum { N = 1000 };

struct counts {
    atomic_int calls[N];
};

static void count(void *priv, size_t i)
{
    struct counts *c = priv;
    c->calls[i]++;
}

Test(parallel, each_once)
{
    static const unsigned threads[] = {0, 1, 2, 7, 1000};
    static const size_t items[] = {0, 1, 2, N};
    for (size_t t = 0; t < 5; t++)
        for (size_t k = 0; k < 4; k++) {
            struct counts c = {0};
            clv_parallel(items[k], threads[t], count, &c);
            for (size_t i = 0; i < N; i++)
                cr_assert_eq(c.calls[i], i < items[k], "item %zu of %zu", i, items[k]);
        }
    cr_expect_geq(clv_processors(), 1);
}
