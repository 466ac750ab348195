/* One submission: uploads, steps, read-back, mark. Host memory of a ring entry belongs to the queues
 * from submit to wait. */
#include "plan/internal.h"

#include "base/util.h"
#include "step/stored.h"
#include <stdlib.h>
#include <string.h>

static void fill_entry(struct clv_plan *p, struct clv_ring_entry *r, const struct clv_step_state *st,
                       const uint32_t *sample_index, const float *targets)
{
    struct clv_step_state *state = (struct clv_step_state *)r->state;
    uint32_t *index = r->state + sizeof *state / sizeof *index;
    *state = *st;
    state->inv_n = 1.f / (float)st->n;
    for (int i = 0; i < p->params.batch; i++)
        index[i] = i >= st->n ? 0 : sample_index ? sample_index[i] : (uint32_t)i;
    const size_t row = (size_t)clv_shape_count(p->graph->output->shape) * sizeof *targets;
    if (targets)
        memcpy(r->targets, targets, row * (size_t)st->n);
}

static enum clv_err upload_samples(struct clv_plan *p, const struct clv_ring_entry *r,
                                   const struct clv_upload *up)
{
    struct clv_buffer *to = p->landing ? p->landing : p->staging->buffer;
    const int id = clv_plan_upload_id(p);
    if (up->bytes)
        CLV_TRY(clv_upload_write(p->dev, to, 0, r->slot, up->bytes, p->taken, id));
    if (up->behind)
        CLV_TRY(clv_upload_write(p->dev, to, up->bytes, up->behind, up->behind_bytes, p->taken, id));
    return CLV_OK;
}

/* From `landing` to where the steps read them: then the next ones may land, while these steps run. */
static enum clv_err take_samples(struct clv_plan *p, struct clv_ring_entry *r,
                                 const struct clv_upload *up)
{
    const size_t bytes = up->bytes + (up->behind ? up->behind_bytes : 0);
    if (!p->landing || !bytes)
        return CLV_OK;
    CLV_TRY(clv_upload_mark(p->dev, &r->uploaded));
    CLV_TRY(clv_queue_copy(p->dev, p->landing, p->staging->buffer, bytes, r->uploaded));
    clv_mark_destroy(&p->taken);
    return clv_queue_mark(p->dev, &p->taken);
}

static enum clv_err upload(struct clv_plan *p, struct clv_ring_entry *r, const struct clv_upload *up)
{
    CLV_TRY(upload_samples(p, r, up));
    CLV_TRY(take_samples(p, r, up));
    CLV_TRY(clv_queue_write(p->dev, p->state->buffer, 0, r->state, (size_t)clv_tensor_bytes(p->state)));
    return clv_queue_write(p->dev, p->targets->buffer, 0, r->targets,
                           (size_t)clv_tensor_bytes(p->targets));
}

static enum clv_err read_back(struct clv_plan *p, struct clv_tensor *t, void *host)
{
    return clv_queue_read(p->dev, t->buffer, t->offset * (size_t)clv_dtype_bytes(t->dtype), host,
                          (size_t)clv_tensor_bytes(t));
}

static enum clv_err enqueue(struct clv_plan *p, struct clv_ring_entry *r,
                            const struct clv_upload *up)
{
    CLV_TRY(upload(p, r, up));
    const bool prepared = !p->params.training && p->prepared == p->store->version;
    if (p->params.training) /* a step that fails halfway may have changed weights, too */
        p->store->version++;
    CLV_TRY(clv_steps_enqueue(p->dev, &p->steps, 0, p->steps.n, prepared));
    p->prepared = p->store->version;
    CLV_TRY(read_back(p, p->output, r->output));
    if (p->loss)
        CLV_TRY(read_back(p, p->loss, r->loss));
    if (p->flags)
        CLV_TRY(read_back(p, p->flags, r->flags));
    if (p->scaler)
        CLV_TRY(read_back(p, p->scaler, r->scaler));
    return clv_queue_mark(p->dev, &r->mark);
}

/* After a failure: waits for what is in flight in either queue, keeping the text. Marks that failed would
 * make every later command fail that waits for them. */
static void settle(struct clv_plan *p)
{
    struct clv_error *err = clv_device_error(p->dev);
    const struct clv_error saved = *err;
    if (clv_queue_finish(p->dev))
        *err = saved;
    clv_mark_destroy(&p->taken);
}

static void forget(struct clv_ring_entry *r)
{
    clv_mark_destroy(&r->uploaded);
    clv_mark_destroy(&r->mark);
    r->valid = false;
}

/* The steps wait for the upload, but of its failure they only know that there was one. */
static enum clv_err wait_entry(struct clv_plan *p, struct clv_ring_entry *r)
{
    if (!r->mark)
        return CLV_OK;
    enum clv_err err = r->uploaded ? clv_mark_wait(p->dev, r->uploaded) : CLV_OK;
    if (!err)
        err = clv_mark_wait(p->dev, r->mark);
    if (err)
        settle(p);
    forget(r);
    r->valid = !err;
    return err;
}

enum clv_err clv_plan_slot(struct clv_plan *p, int slot, void **ret)
{
    CLV_TRY(wait_entry(p, &p->ring[slot]));
    *ret = p->ring[slot].slot;
    return CLV_OK;
}

enum clv_err clv_plan_submit(struct clv_plan *p, int slot, const struct clv_upload *up,
                             const struct clv_step_state *st, const uint32_t *sample_index,
                             const float *targets)
{
    struct clv_ring_entry *r = &p->ring[slot];
    if (st->n < 1 || st->n > p->params.batch)
        return clv_fail(clv_device_error(p->dev), CLV_ERR_ARG,
                        "a batch of %d samples does not fit a plan for 1 to %d", st->n, p->params.batch);
    CLV_TRY(wait_entry(p, r));
    r->valid = false;
    fill_entry(p, r, st, sample_index, targets);
    const enum clv_err err = enqueue(p, r, up);
    if (err) { /* what was enqueued before the fault still reads the entry */
        settle(p);
        forget(r);
    }
    r->valid = !err;
    return err;
}

enum clv_err clv_plan_wait(struct clv_plan *p, int slot, const float **output, const float **loss)
{
    struct clv_ring_entry *r = &p->ring[slot];
    CLV_TRY(wait_entry(p, r));
    if (!r->valid)
        return clv_fail(clv_device_error(p->dev), CLV_ERR_ARG, "ring entry %d was not submitted", slot);
    *output = r->output;
    *loss = r->loss;
    return CLV_OK;
}

const struct clv_scaler *clv_plan_scaler(const struct clv_plan *p, int slot) { return p->ring[slot].scaler; }

void clv_plan_drain(struct clv_plan *p)
{
    settle(p);
    for (int i = 0; i < CLV_PLAN_RING; i++)
        forget(&p->ring[i]);
}

enum clv_err clv_plan_read_node(struct clv_plan *p, const struct clv_node *node, bool grad, float *host)
{
    const struct clv_node_tensors *n = &p->node[node->id];
    struct clv_tensor *t = grad ? n->grad : n->out;
    t = t ? clv_tensor_root(t) : NULL; /* of a fused activation or a view: its producer's */
    if (!t || !t->buffer || !p->params.separate)
        return clv_fail(clv_device_error(p->dev), CLV_ERR_ARG, "%s has no %s to read in this plan",
                        node->name, grad ? "gradient" : "value");
    const size_t bytes = (size_t)clv_tensor_bytes(t);
    void *memory = malloc(bytes + 1);
    if (!memory)
        return clv_fail_nomem(clv_device_error(p->dev), "a node's values");
    const enum clv_err e = clv_queue_read_wait(
        p->dev, t->buffer, (size_t)t->offset * (size_t)clv_dtype_bytes(t->dtype), memory, bytes);
    for (int64_t i = 0; i < clv_tensor_count(t) && !e; i++)
        host[i] = clv_stored_get(t->dtype, memory, i);
    free(memory);
    return e;
}
