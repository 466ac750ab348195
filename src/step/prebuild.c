/* What clv_steps_bind() will ask for, told to the device beforehand: it compiles that side by side. */
#include "step/step.h"
#include <stdlib.h>

static struct clv_build_arg plain_arg(const struct clv_arg *a)
{
    const bool local = a->kind == CLV_ARG_LOCAL;
    return (struct clv_build_arg){.kind = local ? CLV_BUILD_LOCAL : CLV_BUILD_VALUE,
                                  .bytes = local ? a->v.bytes : sizeof a->v.u32,
                                  .value = a->v.u32};
}

/* The arguments as bind.c sets them; returns how many there are, 0 if a tensor has no memory. */
static int list_args(const struct clv_kernel_step *k, struct clv_build_arg *out)
{
    int n = 0;
    for (int i = 0; i < k->n_args; i++) {
        const struct clv_arg *a = &k->args[i];
        if (a->kind != CLV_ARG_IN && a->kind != CLV_ARG_OUT && a->kind != CLV_ARG_INOUT) {
            out[n++] = plain_arg(a);
            continue;
        }
        const struct clv_tensor *root = clv_tensor_root(a->v.t);
        if (!root->buffer)
            return 0;
        out[n++] = (struct clv_build_arg){.kind = CLV_BUILD_BUFFER, .buffer = root->buffer};
        out[n++] = (struct clv_build_arg){
            .kind = CLV_BUILD_VALUE, .bytes = sizeof root->offset, .value = root->offset};
    }
    return n;
}

void clv_steps_prebuild(struct clv_device *dev, const struct clv_steps *s)
{
    size_t n_args = 0, n = 0;
    for (int i = 0; i < s->n; i++)
        if (s->step[i].kind == CLV_STEP_KERNEL)
            n_args += 2 * (size_t)s->step[i].u.kernel.n_args;
    struct clv_build *want = calloc((size_t)s->n + 1, sizeof *want);
    struct clv_build_arg *arg = calloc(n_args + 1, sizeof *arg), *next = arg;
    for (int i = 0; want && arg && i < s->n; i++) {
        const struct clv_kernel_step *k = &s->step[i].u.kernel;
        if (s->step[i].kind != CLV_STEP_KERNEL)
            continue;
        struct clv_build *b = &want[n++];
        *b = (struct clv_build){.source = k->source, .name = k->name, .options = k->options,
                                .dims = (unsigned)k->dims, .args = next};
        for (int d = 0; d < k->dims; d++) {
            b->global[d] = k->global[d];
            b->local[d] = k->local[d];
        }
        b->n_args = list_args(k, next);
        next += b->n_args;
    }
    if (want && arg)
        clv_device_build(dev, want, n);
    free(want);
    free(arg);
}
