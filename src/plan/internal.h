/* Inside of a plan: for src/plan, and for tests of the memory map. */
#ifndef CLV_PLAN_INTERNAL_H
#define CLV_PLAN_INTERNAL_H

#include "contract/selection.h"
#include "plan/plan.h"

struct clv_plan_segment { uint64_t bytes; struct clv_buffer *buffer; };

/* Where a root tensor of activation or scratch memory lies. */
struct clv_plan_place { struct clv_tensor *tensor; int first, last; /* steps */ int segment; uint64_t offset, bytes; };

struct clv_plan_map {
    struct clv_plan_place *place;
    int n_places;
    struct clv_plan_segment *segment;
    int n_segments;
};

struct clv_ring_entry {
    void *slot;                      /* as many bytes as the staging tensor */
    uint32_t *state;                 /* step state and sample indices */
    float *targets, *output, *loss;
    uint32_t *flags;                 /* of the checks; NULL without */
    struct clv_scaler *scaler;       /* as the step left it; NULL without */
    struct clv_mark *uploaded;       /* its samples have landed; NULL = they came by the compute queue */
    struct clv_mark *mark;           /* NULL = nothing in flight */
    bool valid;                      /* results of the last submission are there to be waited for */
};

/* One check of a tensor: what to say when its flag is set. */
struct clv_finite_check { const char *what; const struct clv_tensor *tensor; bool gradient; };

struct clv_plan {
    struct clv_device *dev;
    const struct clv_graph *graph;
    struct clv_store *store;
    struct clv_plan_params params;
    struct clv_steps steps;
    struct clv_choices choices;
    struct clv_fusion *fusion;       /* by node id */
    struct clv_node_tensors *node;   /* by node id */
    struct clv_tensor *staging;      /* the input node's own output where the plan takes floats */
    struct clv_tensor *state, *targets, *output, *loss;
    bool takes_floats;
    struct clv_tensor *scaler;       /* the store's; NULL: losses are not scaled, no step is skipped */
    struct clv_tensor *flags;        /* U32, one per check; NULL without check_finite */
    struct clv_finite_check *checks; /* in order of execution */
    int n_checks, cap_checks;
    struct clv_buffer *landing;      /* as many bytes as staging; NULL = samples are uploaded to staging */
    struct clv_mark *taken;          /* what last landed was copied to staging; NULL = `landing` is free */
    struct clv_plan_map map;
    struct clv_separate separate;
    struct clv_plan_memory memory;
    uint64_t prepared;               /* the store's version that prepared tensors were derived from */
    struct clv_ring_entry ring[CLV_PLAN_RING];
};

/* lower.c: fills steps and tensors; launches nothing, and allocates only the store's gradients. */
CLV_CHECK enum clv_err clv_plan_lower(struct clv_plan *p);
/* finite.c: checks of what the steps from `first` on wrote, of the network's input, and of all weights. Nothing
 * without p->flags. */
CLV_CHECK enum clv_err clv_finite_after(struct clv_plan *p, struct clv_emit *e, int first);
CLV_CHECK enum clv_err clv_finite_input(struct clv_plan *p, struct clv_emit *e);
CLV_CHECK enum clv_err clv_finite_weights(struct clv_plan *p, struct clv_emit *e, const char *when);
/* Sets a word to 1 where t holds a number beyond a bound, whose bits without the sign are `most`: of a tensor of
 * samples what the batch fills, else all of it. Never clears it. */
struct clv_finite_flag { struct clv_tensor *words; int word; uint32_t most; };
CLV_CHECK enum clv_err clv_emit_finite(struct clv_emit *e, const struct clv_emit_info *info, struct clv_tensor *t,
                                       const struct clv_finite_flag *flag);
/* scaler.c: before the forward steps; behind the backward ones, once the gradients have their memory, and
 * before the update. Nothing without e->scaler. */
CLV_CHECK enum clv_err clv_scaler_begin(struct clv_emit *e);
CLV_CHECK enum clv_err clv_scaler_decide(struct clv_plan *p, struct clv_emit *e);
/* memory.c: liveness over the steps, places by decreasing size. `keep` tensors live to the end. */
CLV_CHECK enum clv_err clv_plan_place(const struct clv_steps *steps, const struct clv_tensor *const *keep,
                                      int n_keep, uint64_t max_alloc, size_t align,
                                      struct clv_plan_map *map, struct clv_error *err);
void clv_plan_map_finish(struct clv_plan_map *map);

#endif
