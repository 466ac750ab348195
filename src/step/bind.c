/* From tensors to kernel arguments: every kernel step gets a kernel object of its own, whose arguments
 * are set once. */
#include "base/util.h"
#include "step/step.h"

#include <string.h>

static enum clv_err set_tensor(struct clv_device *dev, struct clv_step *s, unsigned *index,
                               struct clv_tensor *t)
{
    const struct clv_tensor *root = clv_tensor_root(t);
    if (!root->buffer)
        return clv_fail(clv_device_error(dev), CLV_ERR_ARG, "%s: tensor %s has no memory", s->label,
                        t->name);
    t->buffer = root->buffer;
    t->offset = root->offset + (uint64_t)clv_tensor_at(t);
    CLV_TRY(clv_kernel_set_buffer(s->bound, (*index)++, t->buffer));
    return clv_kernel_set_value(s->bound, (*index)++, sizeof t->offset, &t->offset);
}

static size_t group_items(const struct clv_kernel_step *k)
{
    size_t items = 1;
    for (int i = 0; i < k->dims && k->local[0]; i++)
        items *= k->local[i];
    return items;
}

/* Registers may leave a built kernel fewer items in a group than the device runs at most. */
static enum clv_err fit_group(struct clv_device *dev, const char *label, struct clv_kernel_step *k,
                              size_t most)
{
    const size_t items = group_items(k), groups = k->global[0] / items;
    if (items <= most)
        return CLV_OK;
    if (k->shrink == CLV_SHRINK_NEVER || (k->shrink == CLV_SHRINK_GROUPS && k->dims != 1) || most < 1)
        return clv_fail(clv_device_error(dev), CLV_ERR_UNSUPPORTED,
                        "%s: kernel %s runs work-groups of at most %zu items here, %zu were planned; "
                        "limit the plan with --caps wg=%zu",
                        label, k->name, most, items, most);
    while (group_items(k) > most) {
        int longest = 0;
        for (int i = 1; i < k->dims; i++)
            if (k->local[i] > k->local[longest])
                longest = i;
        k->local[longest] /= 2;
    }
    if (k->shrink == CLV_SHRINK_GROUPS)
        k->global[0] = groups * k->local[0];
    else
        for (int i = 0; i < k->dims; i++)
            k->global[i] = (size_t)clv_round_up((int64_t)k->global[i], (int64_t)k->local[i]);
    return CLV_OK;
}

static enum clv_err bind_kernel(struct clv_device *dev, struct clv_step *s)
{
    struct clv_kernel_step *k = &s->u.kernel;
    CLV_TRY(clv_kernel_create(dev, k->source, k->name, k->options, s->label, &s->bound));
    for (int i = 0; i < k->n_smaller && group_items(k) > clv_kernel_max_work_group(s->bound); i++) {
        clv_kernel_destroy(&s->bound);
        k->options = k->smaller[i].options;
        memcpy(k->global, k->smaller[i].global, sizeof k->global);
        memcpy(k->local, k->smaller[i].local, sizeof k->local);
        CLV_TRY(clv_kernel_create(dev, k->source, k->name, k->options, s->label, &s->bound));
    }
    CLV_TRY(fit_group(dev, s->label, k, clv_kernel_max_work_group(s->bound)));
    unsigned index = 0;
    for (int i = 0; i < k->n_args; i++) {
        const struct clv_arg *a = &k->args[i];
        switch (a->kind) {
        case CLV_ARG_IN:
        case CLV_ARG_OUT:
        case CLV_ARG_INOUT:
            CLV_TRY(set_tensor(dev, s, &index, a->v.t));
            break;
        case CLV_ARG_I32:
        case CLV_ARG_U32:
        case CLV_ARG_F32: /* all three are the same four bytes */
            CLV_TRY(clv_kernel_set_value(s->bound, index++, sizeof a->v.u32, &a->v));
            break;
        case CLV_ARG_LOCAL:
            CLV_TRY(clv_kernel_set_local(s->bound, index++, a->v.bytes));
            break;
        }
    }
    return CLV_OK;
}

static enum clv_err bind_gemm(struct clv_gemm_step *g)
{
    if (!g->scratch)
        return CLV_OK;
    return clv_buffer_part(g->scratch->buffer, (size_t)g->scratch->offset * 4,
                           (size_t)clv_tensor_bytes(g->scratch), &g->bound_scratch);
}

enum clv_err clv_steps_bind(struct clv_device *dev, struct clv_steps *s)
{
    for (int i = 0; i < s->n_tensors; i++) {
        struct clv_tensor *t = s->tensors[i], *root = clv_tensor_root(t);
        t->buffer = root->buffer;
        t->offset = root->offset + (uint64_t)clv_tensor_at(t);
    }
    for (int i = 0; i < s->n; i++) {
        if (s->step[i].kind == CLV_STEP_KERNEL)
            CLV_TRY(bind_kernel(dev, &s->step[i]));
        if (s->step[i].kind == CLV_STEP_GEMM)
            CLV_TRY(bind_gemm(&s->step[i].u.gemm));
    }
    return CLV_OK;
}
