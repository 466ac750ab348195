/* Batches of a split: decoder threads run ahead of the device and fill staging slots.
 *
 * A slot is one run of slot_bytes: `batch` sample records, then the pixels they point to. Order is a
 * permutation keyed by (seed, epoch) when shuffling, or draws; augmentation is keyed by (seed, epoch, sample), or the draw's place,
 * so batch b of epoch e is the same bytes however many threads run and wherever a run resumes. */
#ifndef CLV_DATA_LOADER_H
#define CLV_DATA_LOADER_H

#include "base/context.h"
#include "base/sample.h"
#include "data/views.h"
#include <clavicle/data.h>

struct clv_loader;

struct clv_loader_params {
    struct clv_data *data;
    enum clv_split split;
    int batch;
    int height, width, channels;      /* of the network's input */
    struct clv_pipeline_params pipeline; /* augment is ignored unless training is set */
    bool training;                    /* shuffle and augment */
    const char *sampler;              /* training: data/sampler.h; NULL = shuffle */
    const struct clv_views *views;    /* each batch comes once for each of them; NULL = once. Borrowed */
    uint64_t seed;
    int threads;                      /* 0 = number of CPUs, at most 8 */
    size_t cache_bytes;               /* decoded bytes kept between epochs */
    int ahead;                        /* batches prepared ahead; 0 = 2 */
};

CLV_CHECK enum clv_err clv_loader_create(struct clv_context *ctx,
                                         const struct clv_loader_params *params,
                                         struct clv_loader **ret);
void clv_loader_destroy(struct clv_loader **l);

/* Fixed size of a slot: records plus, per image, the smaller of the set's largest decoded image and
 * four times the network's input; a larger image is area-reduced by its decoder thread to fit. */
size_t clv_loader_slot_bytes(const struct clv_loader *l);
/* What one stored image may need of it. */
size_t clv_loader_image_bytes(const struct clv_loader *l);
size_t clv_loader_batches(const struct clv_loader *l); /* per epoch, the last may be short */
void clv_loader_normalise(const struct clv_loader *l, struct clv_normalise *ret);

/* Starts an epoch (counted from 0) at batch `first`. Cancels what was prepared before. */
CLV_CHECK enum clv_err clv_loader_start(struct clv_loader *l, uint64_t epoch, size_t first);

/* Copies the next batch into slot (slot_bytes long). *n = samples in it, 0 at the end of the epoch.
 * index[i] = sample index within the split, label[i] its class; both have room for `batch`. A file
 * that went bad since it was opened: CLV_ERR_DATA with its name. */
CLV_CHECK enum clv_err clv_loader_next(struct clv_loader *l, void *slot, int *n, uint32_t *index,
                                       int32_t *label);
/* Time the consumer waited in clv_loader_next since creation, seconds. */
double clv_loader_wait_seconds(const struct clv_loader *l);

/* The first n images of a slot as the view shows them. */
void clv_loader_view(const struct clv_loader *l, void *slot, int n, const struct clv_draw *view);

/* One image file outside any data set (predict): decodes into place `pos` of a slot. */
CLV_CHECK enum clv_err clv_loader_file(struct clv_loader *l, const char *path, void *slot, int pos,
                                       struct clv_error *err);

#endif
