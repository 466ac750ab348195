/* A rig with a cache folder of its own, whose log lines are counted. */
#ifndef TESTS_TUNE_TUNED_H
#define TESTS_TUNE_TUNED_H

#include "base/tmp.h"
#include "rig.h"

struct tune_rig {
    struct rig r;
    char dir[96], path[128];
    int warnings;
    char last[512];
};

static inline void tune_log(void *priv, enum clv_log_level level, const char *line)
{
    struct tune_rig *t = priv;
    t->warnings += level == CLV_LOG_WARN;
    snprintf(t->last, sizeof t->last, "%s", line);
}

/* dir NULL = a new one; "" = no cache folder. */
static inline void tune_open(struct tune_rig *t, const char *dir, const char *caps)
{
    char name[64];
    if (!dir)
        snprintf(t->dir, sizeof t->dir, "%s", tmp_dir(name));
    else
        snprintf(t->dir, sizeof t->dir, "%s", dir);
    snprintf(t->path, sizeof t->path, "%s/tuning.txt", t->dir);
    t->warnings = 0;
    t->r.ctx = clv_context_create(&(struct clv_context_params){
        .cache_dir = t->dir, .log = tune_log, .log_priv = t, .log_level = CLV_LOG_WARN});
    cr_assert(t->r.ctx);
    const struct clv_device_params p = {.select = getenv("CLAVICLE_TEST_DEVICE"),
                                        .caps = caps ? caps : getenv("CLAVICLE_TEST_CAPS")};
    const enum clv_err e = clv_device_open(t->r.ctx, &p, &t->r.dev);
    if (e == CLV_ERR_NODEV)
        cr_skip_test("%s", clv_error_text(t->r.ctx));
    cr_assert_eq(e, CLV_OK, "%s", clv_error_text(t->r.ctx));
}

#endif
