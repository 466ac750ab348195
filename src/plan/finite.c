/* Checks between the steps of a training plan, one behind each step that wrote a node's output, a gradient or a
 * weight. Each has a flag of its own; they are read back with the loss, and the first one that is set
 * says where the first number arose that is not finite. */
#include "plan/internal.h"

#include "base/util.h"
#include <stdlib.h>

CLV_SOURCE(finite);

enum {
    MAX_VECTOR = 16,
    CPU_CHUNK = 16384, /* elements of a CPU item */
    GPU_GROUP = 256,
};

static enum clv_err append(struct clv_plan *p, const char *what, const struct clv_tensor *t, bool gradient)
{
    if (p->n_checks == p->cap_checks) {
        const int cap = p->cap_checks ? 2 * p->cap_checks : 64;
        struct clv_finite_check *bigger = realloc(p->checks, (size_t)cap * sizeof *bigger);
        if (!bigger)
            return clv_fail_nomem(clv_device_error(p->dev), "the plan's checks");
        p->checks = bigger;
        p->cap_checks = cap;
    }
    p->checks[p->n_checks++] = (struct clv_finite_check){what, t, gradient};
    p->flags->c = p->flags->pitch = p->n_checks;
    return CLV_OK;
}

enum clv_err clv_emit_finite(struct clv_emit *e, const struct clv_emit_info *info, struct clv_tensor *t,
                             const struct clv_finite_flag *flag)
{
    const bool gpu = e->caps->gpu_path, dense = t->pitch == t->c, samples = t->memory != CLV_MEMORY_STORE;
    const int64_t per_sample = t->h * t->w * t->c, c = dense ? per_sample : t->c;
    const int64_t chunk = gpu ? 1 : CPU_CHUNK;
    int vector = gpu ? 1 : MAX_VECTOR;
    while (c % vector)
        vector /= 2;
    const char *options = clv_emit_options(e, "%s%s-DV=%d", dense ? "-DDENSE " : "",
                                           gpu ? "" : "-DGROUP=1 ", vector);
    if (!options)
        return clv_fail_nomem(e->err, "the plan's checks");
    return clv_emit_kernel(
        e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_finite,
            .name = "check_finite",
            .options = options,
            .dims = 1,
            .global = {(size_t)clv_div_up((samples ? e->batch : 1) * per_sample, chunk)},
            .local = {gpu ? CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group) : 1},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(e->state), CLV_IN(t), CLV_U32(t->pitch), CLV_INOUT(flag->words), CLV_U32(flag->word),
                     CLV_U32(flag->most), CLV_I32(samples ? 0 : 1), CLV_U32(per_sample), CLV_U32(c),
                     CLV_U32(chunk))});
}

static enum clv_err emit_check(struct clv_plan *p, struct clv_emit *e, const struct clv_emit_info *info,
                               struct clv_tensor *t, const char *what, bool gradient)
{
    enum { LARGEST = 0x7f7fffff }; /* finite number's bits */
    if (!what)
        return clv_fail_nomem(e->err, "the plan's checks");
    CLV_TRY(append(p, what, t, gradient));
    return clv_emit_finite(e, info, t, &(struct clv_finite_flag){p->flags, p->n_checks - 1, LARGEST});
}

static bool same_memory(struct clv_tensor *a, struct clv_tensor *b)
{
    return a && clv_tensor_root(a) == clv_tensor_root(b) && clv_tensor_at(a) == clv_tensor_at(b) &&
           a->h * a->w * a->c == b->h * b->w * b->c; /* parts of a concatenation share memory with others */
}

/* What t is to somebody who knows the model; NULL for scratch and what else is nobody's business. */
static const char *describe(struct clv_plan *p, struct clv_emit *e, const struct clv_step *s,
                            struct clv_tensor *t, bool *gradient)
{
    *gradient = true;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct clv_node *node = p->graph->nodes[i];
        struct clv_node_tensors *n = &p->node[i];
        for (int k = 0; k < node->n_weights; k++)
            if (n->weight_grad[k] == t)
                return clv_emit_options(e, "the gradient of %s", t->name);
        if (same_memory(n->grad, t))
            return clv_emit_options(e, "the gradient of %s's output, in %s's backward pass,", node->name,
                                    s->node->name);
        if (same_memory(n->out, t)) {
            *gradient = false;
            return clv_emit_options(e, "the output of %s, in the forward pass,", node->name);
        }
    }
    return NULL;
}

struct behind {
    struct clv_plan *p;
    struct clv_emit *e;
    const struct clv_step *step;
    int first; /* check of those that belong to the node */
    enum clv_err err;
};

static void check_written(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct behind *b = priv;
    if (b->err || kind == CLV_ARG_IN || (t->dtype != CLV_F32 && !clv_dtype_is_16(t->dtype)))
        return;
    for (int i = b->first; i < b->p->n_checks; i++)
        if (b->p->checks[i].tensor == t)
            return;
    bool gradient;
    const char *what = describe(b->p, b->e, b->step, t, &gradient);
    const struct clv_emit_info info = {.node = b->step->node,
                                       .pass = b->step->pass,
                                       .what = "finite?",
                                       .bytes = (double)clv_tensor_bytes(t)};
    if (what)
        b->err = emit_check(b->p, b->e, &info, t, what, gradient);
}

enum clv_err clv_finite_after(struct clv_plan *p, struct clv_emit *e, int first)
{
    struct behind b = {.p = p, .e = e, .first = p->n_checks};
    const int last = e->steps->n;
    for (int i = first; p->flags && i < last; i++) {
        const struct clv_step step = e->steps->step[i]; /* the array moves when checks are appended */
        b.step = &step;
        clv_step_visit(&step, check_written, &b);
    }
    return b.err;
}

enum clv_err clv_finite_input(struct clv_plan *p, struct clv_emit *e)
{
    const struct clv_node *node = p->graph->input;
    struct clv_tensor *t = p->node[node->id].out;
    const struct clv_emit_info info = {
        .node = node, .what = "finite?", .bytes = (double)clv_tensor_bytes(t)};
    return p->flags ? emit_check(p, e, &info, t, "the network's input", false) : CLV_OK;
}

enum clv_err clv_finite_weights(struct clv_plan *p, struct clv_emit *e, const char *when)
{
    for (int i = 0; p->flags && i < p->store->n_params; i++) {
        struct clv_param *param = &p->store->param[i];
        const struct clv_emit_info info = {
            .node = param->node, .what = "finite?", .bytes = (double)clv_tensor_bytes(&param->value)};
        CLV_TRY(emit_check(p, e, &info, &param->value,
                           clv_emit_options(e, "the weight %s, %s,", param->name, when), false));
    }
    return CLV_OK;
}

/* A gradient that is none because of the loss scale: the step changed nothing, and the scale can still fall. */
static bool will_be_mended(const struct clv_scaler *s)
{
    return s && s->growth && s->in_a_row && s->scale >= CLV_SCALER_FLOOR;
}

enum clv_err clv_plan_check(struct clv_plan *p, int slot, uint64_t step)
{
    const uint32_t *flags = p->ring[slot].flags;
    const bool mended = will_be_mended(clv_plan_scaler(p, slot));
    for (int i = 0; flags && i < p->n_checks; i++)
        if (flags[i] && !(p->checks[i].gradient && mended))
            return clv_fail(clv_device_error(p->dev), CLV_ERR_NONFINITE,
                            "step %llu: %s is the first that holds a number that is not finite",
                            (unsigned long long)step, p->checks[i].what);
    return CLV_OK;
}
