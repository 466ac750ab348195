/* What a profiled clv_trainer_fit() spent its time on: the plan's steps, the host's doings, and a trace
 * of both. Everything but create takes NULL and then does nothing, so that fit calls it in any case. */
#ifndef CLV_TRAIN_RECORDER_H
#define CLV_TRAIN_RECORDER_H

#include "train/trainer.h"

/* Steps of the training that have rows in a trace, counted from the first one. */
enum { CLV_RECORDER_STEPS = 200 };

enum clv_span {
    CLV_SPAN_TRAINING, CLV_SPAN_VALIDATION,                            /* of an epoch */
    CLV_SPAN_BATCH, CLV_SPAN_SUBMIT, CLV_SPAN_WAIT, CLV_SPAN_CHECKPOINT, /* of the loop */
};

struct clv_recorder;

/* trace = file to be written, or NULL. The training plan must exist. From here to destroy all times of
 * the device come here. CLV_ERR_ARG when it does not profile. */
CLV_CHECK enum clv_err clv_recorder_create(struct clv_trainer *t, const char *trace,
                                           struct clv_recorder **ret);
void clv_recorder_destroy(struct clv_recorder **r);

/* The training loop begins or stops to run: between them the processor time of the thread counts. */
void clv_recorder_begin(struct clv_recorder *r);
void clv_recorder_stop(struct clv_recorder *r);
/* Something that began at `begin` (clv_now()) and ends now; number of the epoch or step, from 1. */
void clv_recorder_span(struct clv_recorder *r, enum clv_span what, uint64_t number, double begin);
/* Takes the times of the steps that are complete; `training`: of which plan they are, and those that
 * come next. To be called before and after steps of another plan, with none in flight. */
CLV_CHECK enum clv_err clv_recorder_poll(struct clv_recorder *r, bool training);

/* Ends the recording: what was seen. The lines are valid until the next call. */
struct clv_fit_profile clv_recorder_report(struct clv_recorder *r);
/* The trace's file, if one is wanted. */
CLV_CHECK enum clv_err clv_recorder_write(const struct clv_recorder *r);

#endif
