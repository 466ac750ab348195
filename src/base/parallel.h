/* A loop over several threads, for work that is long enough to be worth starting them. */
#ifndef CLV_BASE_PARALLEL_H
#define CLV_BASE_PARALLEL_H

#include <stddef.h>

/* Processors that this process may use, 1 to 256: online, in its affinity mask (glibc), within its
 * cgroup's quota. */
unsigned clv_processors(void);
/* Calls fn(priv, i) for each i below n, in any order, from up to `threads` threads of which the caller is
 * one; fewer where the system gives no more. Returns when all calls have. */
void clv_parallel(size_t n, unsigned threads, void (*fn)(void *priv, size_t i), void *priv);

#endif
