/* From graph to bound steps: lower, place, allocate, bind; and back. */
#include "plan/internal.h"

#include "base/util.h"
#include <stdlib.h>

static enum clv_err allocate_arena(struct clv_plan *p)
{
    const struct clv_caps *caps = clv_device_caps(p->dev);
    const struct clv_tensor *keep[] = {p->output, p->loss};
    for (int i = 0; i < (int)CLV_COUNT(keep); i++)
        keep[i] = keep[i] ? clv_tensor_root((struct clv_tensor *)(uintptr_t)keep[i]) : NULL;
    CLV_TRY(clv_plan_place(&p->steps, keep, (int)CLV_COUNT(keep), caps->max_alloc, caps->align, &p->map,
                           clv_device_error(p->dev)));
    for (int i = 0; i < p->map.n_places; i++)
        p->memory.separate += p->map.place[i].bytes;
    for (int i = 0; i < p->map.n_segments; i++)
        p->memory.activations += p->map.segment[i].bytes;
    if (p->params.separate)
        p->memory.activations = p->memory.separate;
    if (p->params.dry)
        return CLV_OK;
    if (p->params.separate) {
        return clv_separate_bind(p->dev, &p->steps, &p->separate);
    }
    for (int i = 0; i < p->map.n_segments; i++)
        CLV_TRY(clv_buffer_create(p->dev, (size_t)p->map.segment[i].bytes,
                                  &p->map.segment[i].buffer));
    for (int i = 0; i < p->map.n_places; i++) {
        const struct clv_plan_place *place = &p->map.place[i];
        place->tensor->buffer = p->map.segment[place->segment].buffer;
        place->tensor->offset = place->offset / (uint64_t)clv_dtype_bytes(place->tensor->dtype);
    }
    return CLV_OK;
}

static enum clv_err make_io_buffer(struct clv_plan *p, struct clv_tensor *t)
{
    const size_t bytes = (size_t)clv_tensor_bytes(t);
    p->memory.io += bytes * (1 + CLV_PLAN_RING);
    if (p->params.dry)
        return CLV_OK;
    return clv_buffer_create(p->dev, bytes, &t->buffer);
}

/* Where the samples of one step land while those of the step before are still read. */
static enum clv_err make_landing(struct clv_plan *p)
{
    const size_t bytes = (size_t)clv_tensor_bytes(p->staging);
    if (!clv_upload_is_apart(p->dev))
        return CLV_OK;
    p->memory.io += bytes;
    return p->params.dry ? CLV_OK : clv_buffer_create(p->dev, bytes, &p->landing);
}

static void *host_copy(struct clv_plan *p, const struct clv_tensor *t)
{
    return clv_host_alloc(p->dev, (size_t)clv_tensor_bytes(t));
}

static enum clv_err make_ring(struct clv_plan *p)
{
    for (int i = 0; i < CLV_PLAN_RING; i++) {
        struct clv_ring_entry *r = &p->ring[i];
        r->slot = host_copy(p, p->staging);
        r->state = host_copy(p, p->state);
        r->targets = host_copy(p, p->targets);
        r->output = host_copy(p, p->output);
        r->loss = p->loss ? host_copy(p, p->loss) : NULL;
        r->flags = p->flags ? host_copy(p, p->flags) : NULL;
        r->scaler = p->scaler ? host_copy(p, p->scaler) : NULL;
        if (!r->slot || !r->state || !r->targets || !r->output || (p->loss && !r->loss) ||
            (p->flags && !r->flags) || (p->scaler && !r->scaler))
            return clv_fail_nomem(clv_device_error(p->dev), "the plan's staging memory");
    }
    return CLV_OK;
}

static enum clv_err build(struct clv_plan *p)
{
    const size_t n = (size_t)p->graph->n_nodes;
    p->fusion = calloc(n, sizeof *p->fusion);
    p->node = calloc(n, sizeof *p->node);
    if (!p->fusion || !p->node)
        return clv_fail_nomem(clv_device_error(p->dev), "the plan");
    CLV_TRY(clv_plan_lower(p));
    CLV_TRY(allocate_arena(p));
    CLV_TRY(make_io_buffer(p, p->staging));
    CLV_TRY(make_io_buffer(p, p->state));
    CLV_TRY(make_io_buffer(p, p->targets));
    if (p->flags)
        CLV_TRY(make_io_buffer(p, p->flags));
    CLV_TRY(make_landing(p));
    p->memory.store = p->store->bytes + p->store->dry_bytes;
    p->memory.peak = p->memory.activations + p->memory.store + p->memory.io;
    if (p->params.dry)
        return CLV_OK;
    CLV_TRY(make_ring(p));
    clv_steps_prebuild(p->dev, &p->steps, 1);
    return clv_steps_bind(p->dev, &p->steps);
}

enum clv_err clv_plan_create(struct clv_device *dev, const struct clv_graph *g, struct clv_store *store,
                             const struct clv_plan_params *params, struct clv_plan **ret)
{
    struct clv_plan *p = calloc(1, sizeof *p);
    if (!p)
        return clv_fail_nomem(clv_device_error(dev), "the plan");
    p->dev = dev;
    p->graph = g;
    p->store = store;
    p->params = *params;
    const enum clv_err err = build(p);
    if (err)
        clv_plan_destroy(&p);
    else
        *ret = p;
    return err;
}

void clv_plan_destroy(struct clv_plan **plan)
{
    struct clv_plan *p = *plan;
    if (!p)
        return;
    clv_plan_drain(p); /* commands in flight use the ring's memory */
    for (int i = 0; i < CLV_PLAN_RING; i++) {
        struct clv_ring_entry *r = &p->ring[i];
        clv_host_free(p->dev, r->slot);
        clv_host_free(p->dev, r->state);
        clv_host_free(p->dev, r->targets);
        clv_host_free(p->dev, r->output);
        clv_host_free(p->dev, r->loss);
        clv_host_free(p->dev, r->flags);
        clv_host_free(p->dev, r->scaler);
    }
    struct clv_tensor *const io[] = {p->staging, p->state, p->targets, p->flags};
    for (size_t i = 0; i < CLV_COUNT(io); i++)
        if (io[i])
            clv_buffer_destroy(&io[i]->buffer);
    clv_buffer_destroy(&p->landing);
    clv_separate_finish(&p->separate);
    clv_plan_map_finish(&p->map);
    clv_steps_finish(&p->steps);
    clv_choices_finish(&p->choices);
    free(p->checks);
    free(p->fusion);
    free(p->node);
    free(p);
    *plan = NULL;
}

const struct clv_steps *clv_plan_steps(const struct clv_plan *p) { return &p->steps; }

int clv_plan_upload_id(const struct clv_plan *p) { return p->steps.n; }

const struct clv_choices *clv_plan_choices(const struct clv_plan *p) { return &p->choices; }

struct clv_plan_memory clv_plan_get_memory(const struct clv_plan *p) { return p->memory; }

bool clv_plan_takes_floats(const struct clv_plan *p) { return p->takes_floats; }

