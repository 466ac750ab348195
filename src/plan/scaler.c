/* Where a training's store has a scaler (step/scaler.h): the steps that set its scale, look at the gradients and
 * decide whether the updates take place. Updates that are part of a backward step move behind that decision. */
#include "plan/internal.h"

#include "base/util.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

CLV_SOURCE(scaler);

/* Greatest bits of a float without its sign: any finite number; 2^53. */
enum { FINITE = 0x7f7fffff, FACTOR = 0x5a000000 };

enum clv_err clv_scaler_begin(struct clv_emit *e)
{
    if (!e->scaler)
        return CLV_OK;
    return clv_emit_kernel(e, &(struct clv_emit_info){.what = "loss scale"},
                           &(struct clv_kernel_step){.source = &clv_cl_scaler, .name = "scaler_begin", .dims = 1,
                                                     .global = {1},
                                                     clv_args(CLV_INOUT(e->state), CLV_IN(e->scaler))});
}

/* ---- late steps ---- */

struct search {
    const struct clv_store *store;
    const struct clv_param *updated; /* by this step; NULL = none */
    bool *late;                      /* by parameter: its gradient is written by such a step */
};

static void find_update(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct search *s = priv;
    for (int i = 0; i < s->store->n_trained && kind != CLV_ARG_IN; i++)
        if (s->store->param[i].fused && t == &s->store->param[i].value)
            s->updated = &s->store->param[i];
}

static void find_written(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct search *s = priv;
    assert(kind == CLV_ARG_IN || t->memory == CLV_MEMORY_STORE);
    for (int i = 0; i < s->store->n_trained && kind != CLV_ARG_IN; i++)
        s->late[i] = s->late[i] || t == &s->store->param[i].grad;
}

/* Moves the steps that update weights to `late` and closes the gaps; returns how many there are. */
static int take_late(struct clv_plan *p, struct clv_emit *e, struct clv_step *late, bool *written)
{
    struct clv_steps *steps = e->steps;
    int n = 0, kept = 0;
    for (int i = 0; i < steps->n; i++) {
        struct search s = {.store = p->store, .late = written};
        clv_step_visit(&steps->step[i], find_update, &s);
        if (s.updated) {
            clv_step_visit(&steps->step[i], find_written, &s);
            late[n++] = steps->step[i];
        } else {
            steps->step[kept++] = steps->step[i];
        }
    }
    steps->n = kept;
    return n;
}

/* ---- looking at gradients ---- */

static enum clv_err look(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *t, uint32_t most)
{
    const struct clv_emit_info info = {
        .node = node, .pass = CLV_PASS_BACKWARD, .what = "gradients finite?", .bytes = (double)clv_tensor_bytes(t)};
    return clv_emit_finite(e, &info, t, &(struct clv_finite_flag){e->scaler, offsetof(struct clv_scaler, bad) / 4, most});
}

/* Gradients in memory that are written by now, neighbours together. */
static enum clv_err look_at_store(struct clv_plan *p, struct clv_emit *e, const bool *late)
{
    const struct clv_store *s = p->store;
    for (int i = 0; i < s->n_trained;) {
        const struct clv_param *first = &s->param[i];
        const struct clv_tensor *all = &s->segment[first->segment].grad;
        int64_t count = 0;
        for (; i < s->n_trained && !late[i] && !s->param[i].fused && s->param[i].segment == first->segment; i++)
            count += clv_round_up(clv_param_weight(&s->param[i])->count, CLV_STORE_CHUNK);
        if (!count) {
            i++;
            continue;
        }
        struct clv_tensor *t = clv_emit_tensor(e, CLV_MEMORY_STORE, CLV_F32, 1, 1, 1, count, "gradients");
        if (!t)
            return CLV_ERR_NOMEM;
        t->buffer = all->buffer;
        t->offset = first->grad.offset;
        CLV_TRY(look(e, NULL, t, FINITE));
    }
    return CLV_OK;
}

/* Of a gradient that will never be in memory, its factors. A sum of up to 2^20 products of numbers up to 2^53 is
 * finite; a larger factor, which no training survives, is taken for one that is not. */
static enum clv_err look_at_factors(struct clv_emit *e, const struct clv_step *late, int n)
{
    for (int i = 0; i < n; i++) {
        const struct clv_node *node = late[i].node;
        CLV_TRY(look(e, node, clv_emit_in(e, node, 0), FACTOR));
        CLV_TRY(look(e, node, clv_emit_grad_out(e, node), FACTOR));
    }
    return CLV_OK;
}

static enum clv_err judge(struct clv_emit *e)
{
    return clv_emit_kernel(e, &(struct clv_emit_info){.what = "skip?"},
                           &(struct clv_kernel_step){.source = &clv_cl_scaler, .name = "scaler_judge", .dims = 1,
                                                     .global = {1},
                                                     clv_args(CLV_INOUT(e->state), CLV_INOUT(e->scaler))});
}

static enum clv_err decide(struct clv_plan *p, struct clv_emit *e, struct clv_step *late, bool *written)
{
    const int n = take_late(p, e, late, written);
    CLV_TRY(look_at_store(p, e, written));
    CLV_TRY(look_at_factors(e, late, n));
    CLV_TRY(judge(e));
    for (int i = 0; i < n; i++)
        CLV_TRY(clv_emit_step(e, &late[i]));
    return CLV_OK;
}

enum clv_err clv_scaler_decide(struct clv_plan *p, struct clv_emit *e)
{
    if (!e->scaler)
        return CLV_OK;
    struct clv_step *late = calloc((size_t)e->steps->n + 1, sizeof *late);
    bool *written = calloc((size_t)p->store->n_trained + 1, sizeof *written);
    const enum clv_err err = late && written ? decide(p, e, late, written) : clv_fail_nomem(e->err, "the plan");
    free(late);
    free(written);
    return err;
}
