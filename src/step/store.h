/* The parameter store: weights, gradients, optimizer slots, and state that layers keep (running statistics). It outlives plans; a training plan and
 * an evaluation plan of one network share it.
 *
 * A parameter whose update is part of its backward step (`fused`) has no gradient in memory, so the
 * gradients are made when the training plan has been lowered and lie closer together than the weights.
 *
 * Every class of memory is a list of segments no larger than the device's largest allocation. In a
 * segment the parameters lie one behind the other, in the order of the layers, each at a multiple of
 * CLV_STORE_CHUNK elements, so that one launch updates a whole segment and a chunk belongs to one
 * parameter. State lies behind all that is trained and has neither gradients nor slots. */
#ifndef CLV_STEP_STORE_H
#define CLV_STEP_STORE_H

#include "device/device.h"
#include "graph/graph.h"
#include "step/scaler.h"
#include "step/tensor.h"

enum { CLV_STORE_CHUNK = 1024, CLV_STORE_SLOTS = 2 };

struct clv_param {
    const char *name;              /* "conv2d_1/kernel" */
    const struct clv_node *node;
    int index;                     /* weight index within the node */
    int segment;
    bool fused;                    /* its backward step updates it: grad has no memory */
    struct clv_tensor value, grad, slot[CLV_STORE_SLOTS];
};

/* Per chunk, read by the update kernels. */
struct clv_chunk { float l1, l2, rate, decay; }; /* rate: multiplies the step, 0 = frozen; decay: 1 = weight decay applies */

struct clv_store_segment {
    int64_t count;                 /* elements, a multiple of CLV_STORE_CHUNK; grad may have fewer */
    int64_t trained;               /* of these: the first so many. Slots have as many */
    struct clv_tensor value, grad, slot[CLV_STORE_SLOTS];
    struct clv_tensor chunks;      /* struct clv_chunk [count / CLV_STORE_CHUNK] */
};

struct clv_store {
    struct clv_device *dev;
    struct clv_arena arena;
    struct clv_param *param;       /* trained ones in the order of the layers, then state likewise */
    int n_params, n_trained;
    struct clv_store_segment *segment;
    int n_segments;
    int n_slots;
    struct clv_tensor scaler;      /* struct clv_scaler; without a buffer: no loss scale, no step is skipped */
    struct clv_scaler first;       /* what it is after clv_store_init() */
    uint64_t bytes;                /* device memory held */
    uint64_t dry_bytes;            /* that gradients will need: they were placed but not allocated */
    uint64_t version;              /* counts what may have changed weights; starts at 1 */
};

/* Allocates for the weights of the nodes; training adds n_slots optimizer slots. Nothing is written: clv_store_init() does. The
 * graph must outlive it.
 * CLV_ERR_DEVMEM names the node, its size and the limit when one parameter exceeds max_alloc. */
CLV_CHECK enum clv_err clv_store_create(struct clv_device *dev, const struct clv_graph *g, bool training,
                                        int n_slots, struct clv_store **ret);
void clv_store_destroy(struct clv_store **s);
/* Training plans made from now on scale their loss and skip steps as *first says; growth 0: the scale stays. */
CLV_CHECK enum clv_err clv_store_add_scaler(struct clv_store *s, const struct clv_scaler *first);
/* Waits. Only where there is one. */
CLV_CHECK enum clv_err clv_store_get_scaler(struct clv_store *s, struct clv_scaler *ret);
CLV_CHECK enum clv_err clv_store_set_scaler(struct clv_store *s, const struct clv_scaler *scaler);

/* Allocates the gradients (zeroed) of all parameters that are not fused; once, by the training plan.
 * CLV_ERR_ARG when it was done before for other ones. dry: counts them only, in dry_bytes. */
CLV_CHECK enum clv_err clv_store_make_gradients(struct clv_store *s, bool dry);
/* Neighbours in a segment that are not fused: what one launch updates. Returns false behind the last;
 * *next is 0 at first. */
struct clv_store_run { struct clv_store_segment *segment; int64_t first, grad_first, count; /* elements */ };
bool clv_store_next_run(const struct clv_store *s, int *next, struct clv_store_run *ret);

/* Draws all weights from their initialisers, keyed by seed and the parameter's name; zeroes slots; the scaler
 * begins anew. */
CLV_CHECK enum clv_err clv_store_init(struct clv_store *s, uint64_t seed);

struct clv_param *clv_store_find(const struct clv_store *s, const struct clv_node *node, int index);
const struct clv_weight *clv_param_weight(const struct clv_param *p);

/* Whole tensors of the store (value, grad, slot) to and from host memory; waits. count elements. */
CLV_CHECK enum clv_err clv_store_read(struct clv_store *s, const struct clv_tensor *t, float *host);
CLV_CHECK enum clv_err clv_store_write(struct clv_store *s, const struct clv_tensor *t,
                                       const float *host);

#endif
