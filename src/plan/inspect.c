/* Looking into a plan that has run: where a node's value lies, and which step wrote it last. */
#include "plan/internal.h"

#include "base/util.h"

/* What a step has to write to count. */
struct search {
    const struct clv_tensor *wanted;
    bool found;
};

static bool overlap(const struct clv_tensor *a, const struct clv_tensor *b)
{
    const uint64_t begin_a = a->offset * (uint64_t)clv_dtype_bytes(a->dtype),
                   begin_b = b->offset * (uint64_t)clv_dtype_bytes(b->dtype);
    return a->buffer == b->buffer && begin_a < begin_b + (uint64_t)clv_tensor_bytes(b) &&
           begin_b < begin_a + (uint64_t)clv_tensor_bytes(a);
}

static void look(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct search *s = priv;
    s->found |= kind != CLV_ARG_IN && overlap(clv_tensor_root(t), s->wanted);
}

const struct clv_step *clv_plan_writer(const struct clv_plan *p, const struct clv_tensor *t)
{
    for (int i = p->steps.n - 1; i >= 0 && t->buffer; i--) {
        struct search s = {.wanted = t};
        clv_step_visit(&p->steps.step[i], look, &s);
        if (s.found)
            return &p->steps.step[i];
    }
    return NULL;
}

/* Of what is fused, only the last node's value is in memory: the first one's tensor holds it. */
static const struct clv_node *find_holder(const struct clv_plan *p, const struct clv_node *node)
{
    const struct clv_fusion *f = p->fusion;
    const uint32_t flags = node->op->flags;
    if (f[node->id].dead || flags & CLV_OP_VIEW || (flags & CLV_OP_TRAIN_ONLY && !p->params.training))
        return NULL;
    const struct clv_node *holder = clv_node_worker(node, f);
    return clv_node_last(holder, f) == node ? holder : NULL;
}

bool clv_plan_find(const struct clv_plan *p, const struct clv_node *node, bool grad,
                   struct clv_plan_value *ret)
{
    const struct clv_node *holder = find_holder(p, node);
    if (!holder)
        return false;
    const struct clv_tensor *t = grad ? p->node[holder->id].grad : p->node[holder->id].out;
    if (!t || !t->buffer || t->pitch != t->c) /* a part of a concatenation is seen there */
        return false;
    *ret = (struct clv_plan_value){.holder = holder, .count = (size_t)clv_tensor_count(t),
                                   .writer = clv_plan_writer(p, t)};
    if (grad && ret->writer && ret->writer->node == holder && ret->writer->pass == CLV_PASS_BACKWARD)
        ret->act = p->fusion[holder->id].act;
    return true;
}
