/* Enqueues steps; waits for nothing. */
#include "step/step.h"

static enum clv_err enqueue(struct clv_device *dev, const struct clv_step *s, int id)
{
    switch (s->kind) {
    case CLV_STEP_KERNEL:
        return clv_queue_kernel(dev, s->bound, (unsigned)s->u.kernel.dims, s->u.kernel.global,
                                s->u.kernel.local[0] ? s->u.kernel.local : NULL, id);
    case CLV_STEP_GEMM: {
        const struct clv_gemm_step *g = &s->u.gemm;
        const struct clv_gemm gemm = {
            .trans_a = g->trans_a, .trans_b = g->trans_b, .m = g->m, .n = g->n, .k = g->k,
            .alpha = g->alpha, .beta = g->beta, .a = g->a->buffer, .b = g->b->buffer,
            .c = g->c->buffer, .scratch = g->bound_scratch, .a_off = g->a->offset, .b_off = g->b->offset, .c_off = g->c->offset,
            .lda = g->lda, .ldb = g->ldb, .ldc = g->ldc, .set = g->set};
        return clv_queue_gemm(dev, &gemm, id);
    }
    case CLV_STEP_FILL: {
        const struct clv_tensor *t = s->u.fill.dst;
        return clv_queue_fill(dev, t->buffer, t->offset * (size_t)clv_dtype_bytes(t->dtype),
                              (size_t)clv_tensor_bytes(t), s->u.fill.pattern, id);
    }
    }
    return CLV_OK;
}

enum clv_err clv_steps_enqueue(struct clv_device *dev, const struct clv_steps *s, int first, int last,
                               bool prepared)
{
    for (int i = first; i < last; i++)
        if (!prepared || !s->step[i].prepare)
            CLV_TRY(enqueue(dev, &s->step[i], i));
    return CLV_OK;
}
