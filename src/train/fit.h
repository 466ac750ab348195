/* Inside of clv_trainer_fit(). */
#ifndef CLV_TRAIN_FIT_H
#define CLV_TRAIN_FIT_H

#include "train/lr_schedule.h"
#include "train/recorder.h"
#include "train/trainer.h"
#include <stdlib.h>

/* What "best", plateau and early stopping look at. */
enum clv_monitor {
    CLV_MONITOR_VAL_LOSS, CLV_MONITOR_VAL_ACCURACY, CLV_MONITOR_VAL_AUC, CLV_MONITOR_VAL_F1,
    CLV_MONITOR_LOSS, CLV_MONITOR_ACCURACY,
};

struct clv_flight { /* a batch that was submitted and has not landed */
    int slot, n;    /* n = 0: none */
    double rate;
    int32_t *labels;
};

struct clv_fit {
    struct clv_trainer *t;
    const struct clv_batch_source *val;
    struct clv_fit_params params;
    int epochs;
    double base_rate;
    struct clv_fit_state state;
    struct clv_lr_schedule schedule;
    enum clv_monitor monitor;
    struct clv_batches *source;
    struct clv_plan *plan;
    struct clv_recorder *recorder; /* NULL = nobody asked for times */
    size_t batches;
    struct clv_flight flight[CLV_PLAN_RING];
    int slot;                 /* the next to be filled; the oldest in flight */
    bool cancelled;
    double begin, epoch_begin, last_checkpoint, share_at_begin;
    uint64_t landed;          /* samples since epoch_begin */
    struct clv_event last_event;
};

/* NULL = val_loss, or loss without validation. Error CLV_ERR_ARG: unknown, or needs validation. */
CLV_CHECK enum clv_err clv_monitor_parse(const char *name, bool has_validation, enum clv_monitor *ret,
                                         struct clv_error *err);
/* Whether more of it is better; whether it is measured on validation images. */
bool clv_monitor_rises(enum clv_monitor m);
bool clv_monitor_validates(enum clv_monitor m);
double clv_monitor_value(enum clv_monitor m, const struct clv_event *e);
/* Updates best, early stopping and plateau of f->state; true = the best so far. NaN never is. */
bool clv_monitor_judge(struct clv_fit *f, double value);

#endif
