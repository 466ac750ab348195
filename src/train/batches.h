/* Batches of any source in one form: staging slots, sample indices, labels. */
#ifndef CLV_TRAIN_BATCHES_H
#define CLV_TRAIN_BATCHES_H

#include "base/context.h"
#include "base/sample.h"
#include "data/views.h"
#include "plan/plan.h"
#include <clavicle/train.h>

struct clv_batches;

struct clv_batches_params {
    const struct clv_batch_source *source;
    int batch;
    int height, width, channels;
    bool training;           /* shuffle, augment */
    const char *sampler;     /* training: data/sampler.h; NULL = shuffle */
    const struct clv_views *views; /* data sets: as the loader has it */
    uint64_t seed;
    struct clv_pipeline_params pipeline;
    size_t slot_bytes;       /* of the plan that they go to */
    bool floats;             /* that plan takes plain floats */
};

CLV_CHECK enum clv_err clv_batches_create(struct clv_context *ctx,
                                          const struct clv_batches_params *params,
                                          struct clv_batches **ret);
void clv_batches_destroy(struct clv_batches **b);

/* Batches per epoch; 0 = unknown. */
size_t clv_batches_count(const struct clv_batches *b);
double clv_batches_wait_seconds(const struct clv_batches *b);

/* Epoch from 0, first batch to be delivered from 0. */
CLV_CHECK enum clv_err clv_batches_start(struct clv_batches *b, uint64_t epoch, size_t first);
/* *n = 0 at the end of the epoch. index: of the samples, or, of drawn ones, their places in the epoch. index and labels have room for a batch; *used = bytes of the slot. */
CLV_CHECK enum clv_err clv_batches_next(struct clv_batches *b, void *slot, size_t *used, int *n,
                                        uint32_t *index, int32_t *labels);

/* Bytes of a slot of `batch` float samples of `count` elements, and writing one, with records or plain:
 * x[n][count]. Where samples need no gaps between them, x is left where it is and *upload names it. */
size_t clv_float_slot_bytes(int batch, int64_t count);
void clv_float_slot_fill(void *slot, bool plain, int batch, int n, int height, int width, int channels,
                         const float *x, struct clv_upload *upload);

#endif
