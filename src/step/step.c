#include "step/step.h"

#include <string.h>

const char *const clv_step_kind_name[] = {"kernel", "gemm", "fill"};

void clv_steps_finish(struct clv_steps *s)
{
    for (int i = 0; i < s->n; i++) {
        clv_kernel_destroy(&s->step[i].bound);
        if (s->step[i].kind == CLV_STEP_GEMM)
            clv_buffer_destroy(&s->step[i].u.gemm.bound_scratch);
    }
    clv_arena_finish(&s->arena);
    *s = (struct clv_steps){0};
}

void clv_step_visit(const struct clv_step *s,
                    void (*fn)(void *priv, struct clv_tensor *t, enum clv_arg_kind kind), void *priv)
{
    switch (s->kind) {
    case CLV_STEP_KERNEL:
        for (int i = 0; i < s->u.kernel.n_args; i++)
            if (s->u.kernel.args[i].kind <= CLV_ARG_INOUT)
                fn(priv, s->u.kernel.args[i].v.t, s->u.kernel.args[i].kind);
        break;
    case CLV_STEP_GEMM:
        fn(priv, s->u.gemm.a, CLV_ARG_IN);
        fn(priv, s->u.gemm.b, CLV_ARG_IN);
        fn(priv, s->u.gemm.c, s->u.gemm.beta == 0 ? CLV_ARG_OUT : CLV_ARG_INOUT);
        if (s->u.gemm.scratch)
            fn(priv, s->u.gemm.scratch, CLV_ARG_OUT);
        break;
    case CLV_STEP_FILL:
        fn(priv, s->u.fill.dst, CLV_ARG_OUT);
        break;
    }
}

static void add_traffic(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct clv_traffic *sum = priv;
    const double bytes = (double)clv_tensor_bytes(t);
    sum->read += kind == CLV_ARG_OUT ? 0 : bytes;
    sum->written += kind == CLV_ARG_IN ? 0 : bytes;
    sum->in_place += kind == CLV_ARG_INOUT ? bytes : 0;
}

struct clv_traffic clv_step_traffic(const struct clv_step *s)
{
    struct clv_traffic sum = {0};
    clv_step_visit(s, add_traffic, &sum);
    const double all = sum.read + sum.written, scale = s->bytes > 0 && all > 0 ? s->bytes / all : 1;
    return (struct clv_traffic){sum.read * scale, sum.written * scale, sum.in_place * scale};
}

void clv_step_params(const struct clv_step *s, char *text, size_t size)
{
    const char *options = s->kind == CLV_STEP_KERNEL ? s->u.kernel.options : "";
    size_t n = 0;
    for (const char *from = options; *from && n + 1 < size;) {
        if ((from == options || from[-1] == ' ') && !strncmp(from, "-D", 2))
            from += 2;
        else
            text[n++] = *from++;
    }
    text[n] = 0;
}
