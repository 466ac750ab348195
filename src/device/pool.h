/* Worker processes: each does one job after the other, and whatever happens to it, this process goes on.
 * A driver may crash, hang or leak in there, and drivers that compile under one lock compile on every
 * processor. Knows nothing of what the jobs are. */
#ifndef CLV_DEVICE_POOL_H
#define CLV_DEVICE_POOL_H

#include "base/context.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

/* LOST: its worker crashed over it. LATE: it ran out of time, over the job or because the machine was busy. */
enum clv_pool_event { CLV_POOL_BEGUN, CLV_POOL_DONE, CLV_POOL_FAILED, CLV_POOL_LOST, CLV_POOL_LATE };

struct clv_pool {
    const struct clv_context *ctx; /* for its debug log */
    const char *program;           /* path of the executable */
    const struct clv_str *hello;   /* the first message to every worker; not answered */
    /* Each worker gets POCL_CACHE_DIR=<pocl_dir>.work-PID-INDEX, a new folder that is removed at the
     * end; NULL leaves the variable alone. */
    const char *pocl_dir;
    unsigned workers;              /* at most; 1.. */
    double seconds;                /* for a job before its worker is killed; the start counts */
    /* Every job is FAILED or BEGUN and then DONE, FAILED, LOST or LATE, once; called in the caller's thread. False
     * to BEGUN ends the run: its workers are killed, and what is not done has failed. */
    bool (*on)(void *priv, size_t job, enum clv_pool_event event);
    void *priv;
};

/* Path of the installed or built clavicle-worker, malloc'ed; NULL if there is none. $CLAVICLE_WORKER
 * names another one, "" none. */
char *clv_pool_find(void);
/* Hands the messages out in order and waits until each was answered or given up. A worker answers a
 * message with one of its own: a number, not 0 = done, and a text for the log. */
void clv_pool_run(const struct clv_pool *p, const struct clv_str *jobs, size_t n);

#endif
