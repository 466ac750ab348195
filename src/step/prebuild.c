/* What clv_steps_bind() will ask for, told to the device beforehand: it compiles that side by side. */
#include "base/util.h"
#include "step/step.h"
#include <stdlib.h>

static struct clv_build_arg plain_arg(const struct clv_arg *a)
{
    const bool local = a->kind == CLV_ARG_LOCAL;
    return (struct clv_build_arg){.kind = local ? CLV_BUILD_LOCAL : CLV_BUILD_VALUE,
                                  .bytes = local ? a->v.bytes : sizeof a->v.u32,
                                  .value = a->v.u32};
}

/* A tensor that has no memory yet stands for its own. */
static struct clv_build_arg memory_arg(const struct clv_tensor *root)
{
    const int64_t own = clv_round_up(clv_tensor_bytes(root), 4) + 2 * CLV_GUARD_BYTES;
    return (struct clv_build_arg){.kind = CLV_BUILD_BUFFER,
                                  .memory = root->buffer ? (const void *)root->buffer : root,
                                  .bytes = root->buffer ? clv_buffer_bytes(root->buffer) : (size_t)own};
}

/* The arguments as bind.c sets them; returns how many there are. */
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
        out[n++] = memory_arg(root);
        out[n++] = (struct clv_build_arg){
            .kind = CLV_BUILD_VALUE, .bytes = sizeof root->offset, .value = root->buffer ? root->offset : 0};
    }
    return n;
}

/* Returns how many kernels there are; args: room for all of their arguments. */
static size_t list_kernels(const struct clv_steps *s, struct clv_build *want, struct clv_build_arg **args)
{
    size_t n = 0;
    for (int i = 0; i < s->n; i++) {
        const struct clv_kernel_step *k = &s->step[i].u.kernel;
        if (s->step[i].kind != CLV_STEP_KERNEL)
            continue;
        struct clv_build *b = &want[n++];
        *b = (struct clv_build){.source = k->source, .name = k->name, .options = k->options,
                                .dims = (unsigned)k->dims, .args = *args};
        for (int d = 0; d < k->dims; d++) {
            b->global[d] = k->global[d];
            b->local[d] = k->local[d];
        }
        b->n_args = list_args(k, *args);
        *args += b->n_args;
    }
    return n;
}

void clv_steps_prebuild(struct clv_device *dev, const struct clv_steps *s, size_t n)
{
    size_t n_args = 0, n_steps = 0, listed = 0;
    for (size_t k = 0; k < n; k++) {
        n_steps += (size_t)s[k].n;
        for (int i = 0; i < s[k].n; i++)
            if (s[k].step[i].kind == CLV_STEP_KERNEL)
                n_args += 2 * (size_t)s[k].step[i].u.kernel.n_args;
    }
    struct clv_build *want = calloc(n_steps + 1, sizeof *want);
    struct clv_build_arg *args = calloc(n_args + 1, sizeof *args), *next = args;
    for (size_t k = 0; want && args && k < n; k++)
        listed += list_kernels(&s[k], want + listed, &next);
    if (listed)
        clv_device_build(dev, want, listed);
    free(want);
    free(args);
}
