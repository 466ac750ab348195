/* A plan: graph + device -> a flat array of steps, one memory map, and the ring that feeds it.
 *
 * One plan per use (training, evaluation); plans of one network share its parameter store. Nothing is
 * allocated and nothing waits inside a step: clv_plan_submit() enqueues a whole one, the results come
 * back when clv_plan_wait() is called, at most CLV_PLAN_RING submissions later. */
#ifndef CLV_PLAN_PLAN_H
#define CLV_PLAN_PLAN_H

#include "base/sample.h"
#include "optim/optim.h"
#include "step/emit.h"
#include "step/state.h"
#include "step/store.h"

enum { CLV_PLAN_RING = 2 };

struct clv_plan_params {
    int batch;                       /* >= 1 */
    bool training;                   /* backward and update too; root is the loss */
    const struct clv_node *root;     /* the loss node (its values come back too), or the output */
    enum clv_gemm_provider gemm;
    int winograd;                    /* as struct clv_emit has it */
    enum clv_dtype activation;       /* how outputs and their gradients are stored: CLV_F32, F16 or BF16 */
    int matrix_parts;                /* as struct clv_emit has it */
    const struct clv_selection *selection; /* what was measured; NULL = defaults. Read while creating */
    const char *force_variant;       /* only this variant of every layer ("simple"); NULL = the best */
    bool no_fusion;                  /* every layer by itself */
    bool separate;                   /* every tensor in a guarded buffer of its own */
    bool dry;                        /* to be dumped and measured only: allocates and builds nothing */
    bool floats;                     /* samples are staged as plain float[n][h][w][c] where the network takes
                                      * them as they are: clv_plan_takes_floats() says whether */
    size_t slot_bytes;               /* staging otherwise: sample records and pixels (data/loader.h) */
    struct clv_normalise normalise;
    bool mix;                        /* training: a step behind the samples mixes them as the state says */
    const struct clv_optim *optim;   /* training */
    double clip_norm;                /* 0 = no clipping */
    bool keep_gradients;             /* all, to be read: no update becomes part of a backward step */
    bool check_finite;               /* training: clv_plan_check() works; no update becomes part of a step either */
};

/* What the memory map adds up to, bytes. */
struct clv_plan_memory {
    uint64_t activations;            /* the arena: activations, gradients of activations, scratch */
    uint64_t separate;               /* the same without reuse: what liveness saves */
    uint64_t store;                  /* weights, gradients, slots */
    uint64_t io;                     /* staging, targets, state, read-back */
    uint64_t peak;                   /* all of them */
};

struct clv_plan;

/* Lowers the graph for the device, plans memory, allocates, builds kernels. The graph and the store
 * must outlive the plan. Errors name node and step. */
CLV_CHECK enum clv_err clv_plan_create(struct clv_device *dev, const struct clv_graph *g,
                                       struct clv_store *store, const struct clv_plan_params *params,
                                       struct clv_plan **ret);
void clv_plan_destroy(struct clv_plan **p);

const struct clv_steps *clv_plan_steps(const struct clv_plan *p);
/* Profiling, the device knows each step by its index and the upload of samples by this number. */
int clv_plan_upload_id(const struct clv_plan *p);
/* What was chosen for each contraction; owned by the plan (contract/selection.h). */
const struct clv_choices *clv_plan_choices(const struct clv_plan *p);
struct clv_plan_memory clv_plan_get_memory(const struct clv_plan *p);
/* A slot is float[batch][h][w][c] of the input, and the input's memory itself: there is no sampling pass.
 * Else it holds records and pixels. */
bool clv_plan_takes_floats(const struct clv_plan *p);

/* Host memory of ring entry `slot` (0..CLV_PLAN_RING-1), to be filled before it is submitted. Waits
 * for what is still in flight from it and drops its results. */
CLV_CHECK enum clv_err clv_plan_slot(struct clv_plan *p, int slot, void **ret);

/* What is uploaded of ring entry `slot`: the first bytes (0 = none) of its host memory, then the caller's
 * own memory right behind them, which must stay as it is until the entry was waited for. */
struct clv_upload {
    size_t bytes;
    const void *behind;              /* NULL = nothing */
    size_t behind_bytes;
};

/* Enqueues one step over ring entry `slot`: upload, steps, read-back; then flushes. st->n samples;
 * sample_index[n] keys dropout (NULL = 0..n-1); targets[n][c of the output] may be NULL without a
 * loss. All are copied. The entry must have been waited for. A failed submission has left the queue. */
CLV_CHECK enum clv_err clv_plan_submit(struct clv_plan *p, int slot,
                                       const struct clv_upload *upload,
                                       const struct clv_step_state *st,
                                       const uint32_t *sample_index, const float *targets);

/* Waits for ring entry `slot`; *output[n][h*w*c of the output] and *loss[n] (NULL without a loss)
 * point into the entry and stay valid until it is submitted again. */
CLV_CHECK enum clv_err clv_plan_wait(struct clv_plan *p, int slot, const float **output,
                                     const float **loss);

/* After clv_plan_wait() on a plan for training whose store has a scaler: how the step left it; NULL without one. */
const struct clv_scaler *clv_plan_scaler(const struct clv_plan *p, int slot);

/* After clv_plan_wait() on a plan with check_finite: CLV_ERR_NONFINITE names `step` and what first held a number
 * that is not finite, in the order of execution: input, weight, output or gradient, and of which node. Gradients of a
 * step that was skipped are passed over while a loss scale that adapts can still be halved. */
CLV_CHECK enum clv_err clv_plan_check(struct clv_plan *p, int slot, uint64_t step);

/* Waits for everything in flight and drops its results: the way out after an error. */
void clv_plan_drain(struct clv_plan *p);

/* Values of a node's output, or of its gradient, after the last submitted step: for tests and tools.
 * Needs params.separate, since an arena reuses memory. host holds as many as clv_plan_find() counts: the plan's
 * whole batch; waits. */
CLV_CHECK enum clv_err clv_plan_read_node(struct clv_plan *p, const struct clv_node *node, bool grad,
                                          float *host);

/* Where the value of a node (or its gradient) lies after a step. */
struct clv_plan_value {
    const struct clv_node *holder;   /* what clv_plan_read_node() is to be asked for: it need not be the node */
    size_t count;                    /* elements, of a whole batch */
    const struct clv_step *writer;   /* wrote it last; NULL: uploaded */
    enum clv_act act;                /* gradients: the activation whose derivative the holder's own backward step has
                                      * multiplied into it since; LINEAR: it is as the nodes behind wrote it */
};
/* False where no memory holds it: views, what is fused into the node behind or before it, gradients that nobody
 * wants. Needs params.separate. */
bool clv_plan_find(const struct clv_plan *p, const struct clv_node *node, bool grad,
                   struct clv_plan_value *ret);
/* The last step that writes a bound tensor or a part of it; NULL if there is none. */
const struct clv_step *clv_plan_writer(const struct clv_plan *p, const struct clv_tensor *t);

/* Text of the steps and the memory map; malloc'ed, NULL when out of memory. */
char *clv_plan_dump(const struct clv_plan *p);

#endif
