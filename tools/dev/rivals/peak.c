/* FMA peak in fp32 of N threads, GFLOP/s, the highest of several tries: what a figure of the same
 * minutes is to be compared with. Independent accumulators, so that latency does not count.
 *
 *     cc -O3 -march=native -pthread peak.c -o peak && ./peak N */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined __AVX512F__
enum { LANES = 16, SUMS = 16 };
#elif defined __AVX2__
enum { LANES = 8, SUMS = 12 };
#else
enum { LANES = 4, SUMS = 16 };
#endif
enum { TRIES = 4, STEPS = 25000000, THREADS_MAX = 1024 };

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static void *work(void *result)
{
    lanes a[SUMS], x, y;
    for (int i = 0; i < LANES; i++) {
        x[i] = .999f;
        y[i] = 1e-3f;
        for (int j = 0; j < SUMS; j++) /* all different, or a compiler keeps one of them */
            a[j][i] = *(volatile float *)result + (float)j;
    }
    for (long step = 0; step < STEPS; step++) {
#pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            a[i] = a[i] * x + y;
    }
    for (int i = 1; i < SUMS; i++)
        a[0] += a[i];
    *(volatile float *)result = a[0][0];
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static pthread_t thread[THREADS_MAX];
    static float result[THREADS_MAX];
    const int n = argc > 1 ? atoi(argv[1]) : 1;
    double best = 0;
    if (n < 1 || n > THREADS_MAX)
        return 1;
    for (int t = 0; t < TRIES; t++) {
        const double begin = now();
        for (int i = 0; i < n; i++)
            if (pthread_create(&thread[i], NULL, work, &result[i]))
                return 1;
        for (int i = 0; i < n; i++)
            pthread_join(thread[i], NULL);
        const double rate = 2. * LANES * SUMS * STEPS * n / (now() - begin) * 1e-9;
        best = rate > best ? rate : best;
    }
    printf("%.1f\n", best);
    return 0;
}
