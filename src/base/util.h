/* Small helpers that every room may use. */
#ifndef CLV_BASE_UTIL_H
#define CLV_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define CLV_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CLV_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CLV_MAX(a, b) ((a) > (b) ? (a) : (b))

static inline int64_t clv_div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t clv_round_up(int64_t a, int64_t b) { return clv_div_up(a, b) * b; }

/* Monotonic seconds. */
double clv_now(void);
/* Processor time that the calling thread has used, in seconds. */
double clv_thread_seconds(void);
/* Bytes of memory that this process has in use now; 0 where the system does not say. */
uint64_t clv_resident_bytes(void);

#endif
