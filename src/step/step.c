#include "step/step.h"

const char *const clv_step_kind_name[] = {"kernel", "gemm", "copy", "fill"};

void clv_steps_finish(struct clv_steps *s)
{
    for (int i = 0; i < s->n; i++)
        clv_kernel_destroy(&s->step[i].bound);
    clv_arena_finish(&s->arena);
    *s = (struct clv_steps){0};
}

void clv_step_visit(const struct clv_step *s,
                    void (*fn)(void *priv, struct clv_tensor *t, enum clv_arg_kind kind), void *priv)
{
    switch (s->kind) {
    case CLV_STEP_KERNEL:
        for (int i = 0; i < s->kernel.n_args; i++)
            if (s->kernel.args[i].kind <= CLV_ARG_INOUT)
                fn(priv, s->kernel.args[i].v.t, s->kernel.args[i].kind);
        break;
    case CLV_STEP_GEMM:
        fn(priv, s->gemm.a, CLV_ARG_IN);
        fn(priv, s->gemm.b, CLV_ARG_IN);
        fn(priv, s->gemm.c, s->gemm.beta == 0 ? CLV_ARG_OUT : CLV_ARG_INOUT);
        if (s->gemm.scratch)
            fn(priv, s->gemm.scratch, CLV_ARG_OUT);
        break;
    case CLV_STEP_COPY:
        fn(priv, s->copy.src, CLV_ARG_IN);
        fn(priv, s->copy.dst, CLV_ARG_OUT);
        break;
    case CLV_STEP_FILL:
        fn(priv, s->fill.dst, CLV_ARG_OUT);
        break;
    }
}
