/* Choosing kernels for a trainer's plans. */
#ifndef CLV_TRAIN_TUNING_H
#define CLV_TRAIN_TUNING_H

#include "contract/selection.h"
#include "train/trainer.h"

/* Fills t->selection by t->params.tune; what a run recorded (may be NULL) goes before everything
 * else. */
CLV_CHECK enum clv_err clv_trainer_select(struct clv_trainer *t,
                                          const struct clv_selection *recorded);
/* Adds what the plan for training or evaluation chooses; lowers it, makes nothing on the device. */
CLV_CHECK enum clv_err clv_trainer_choices(struct clv_trainer *t, bool training,
                                           struct clv_choices *into);

#endif
