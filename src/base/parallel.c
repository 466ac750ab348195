#include "base/parallel.h"
#include "base/file.h"
#include "base/util.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_PROCESSORS = 256, MAX_THREADS = 64 };

unsigned clv_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned char *text = NULL;
    size_t size = 0;
    long quota = 0, period = 0;
    if (clv_file_exists("/sys/fs/cgroup/cpu.max") &&
        !clv_file_read("/sys/fs/cgroup/cpu.max", &text, &size, NULL) &&
        sscanf((const char *)text, "%ld %ld", &quota, &period) == 2 && quota > 0 && period > 0)
        n = CLV_MIN(n, (long)clv_div_up(quota, period));
    free(text);
    return (unsigned)CLV_MAX(1, CLV_MIN(n, MAX_PROCESSORS));
}

struct loop {
    atomic_size_t next;
    size_t n;
    void (*fn)(void *priv, size_t i);
    void *priv;
};

static void *run(void *priv)
{
    struct loop *loop = priv;
    size_t i;
    while ((i = atomic_fetch_add(&loop->next, 1)) < loop->n)
        loop->fn(loop->priv, i);
    return NULL;
}

void clv_parallel(size_t n, unsigned threads, void (*fn)(void *priv, size_t i), void *priv)
{
    struct loop loop = {.n = n, .fn = fn, .priv = priv};
    pthread_t thread[MAX_THREADS];
    size_t started = 0;
    const size_t wanted = CLV_MIN(CLV_MIN(n, (size_t)threads), (size_t)MAX_THREADS);
    while (started + 1 < wanted && !pthread_create(&thread[started], NULL, run, &loop))
        started++;
    (void)run(&loop);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(thread[i], NULL);
}
