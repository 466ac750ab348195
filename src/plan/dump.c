/* The plan as text: one line per step, then the memory map. */
#include "plan/internal.h"

#include "base/str.h"
#include <limits.h>
#include <stdio.h>

static void dump_global(const struct clv_kernel_step *k, struct clv_str *out)
{
    for (int i = 0; i < k->dims; i++)
        clv_str_addf(out, "%s%zu", i ? "x" : "", k->global[i]);
    if (k->local[0])
        for (int i = 0; i < k->dims; i++)
            clv_str_addf(out, "%s%zu", i ? "x" : " / ", k->local[i]);
}

static void dump_step(const struct clv_step *s, int index, struct clv_str *out)
{
    clv_str_addf(out, "%4d  %-6s  %-36s  %-8s  ", index, clv_step_kind_name[s->kind], s->label,
                 s->variant);
    if (s->flops > 0)
        clv_str_addf(out, "%9.3f Mflop  ", s->flops * 1e-6);
    else
        clv_str_addf(out, "%15s  ", "");
    if (s->kind == CLV_STEP_KERNEL) {
        clv_str_addf(out, "%s %s ", s->u.kernel.name, s->u.kernel.options);
        dump_global(&s->u.kernel, out);
    } else if (s->kind == CLV_STEP_GEMM) {
        clv_str_addf(out, "%lld x %lld x %lld", (long long)s->u.gemm.m, (long long)s->u.gemm.n,
                     (long long)s->u.gemm.k);
    }
    clv_str_add(out, "\n");
}

static void dump_place(const struct clv_plan_place *p, struct clv_str *out)
{
    char size[32], last[16] = "end";
    if (p->last != INT_MAX)
        snprintf(last, sizeof last, "%d", p->last);
    clv_str_addf(out, "%4d + %12llu  %10s  steps %4d..%-4s  %s\n", p->segment,
                 (unsigned long long)p->offset, clv_str_bytes(size, p->bytes), p->first, last,
                 p->tensor->name);
}

static void dump_totals(const struct clv_plan_memory *m, struct clv_str *out)
{
    const struct { const char *what; uint64_t bytes; } row[] = {
        {"activations and scratch", m->activations}, {"  without reuse", m->separate},
        {"weights, gradients, slots", m->store}, {"staging and read-back", m->io}, {"peak", m->peak}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char size[32];
        clv_str_addf(out, "%-26s %12s\n", row[i].what, clv_str_bytes(size, row[i].bytes));
    }
}

char *clv_plan_dump(const struct clv_plan *p)
{
    struct clv_str out = {0};
    clv_str_add(&out, "step  kind    what                                  variant\n");
    for (int i = 0; i < p->steps.n; i++)
        dump_step(&p->steps.step[i], i, &out);
    clv_str_add(&out, "\nsegment + offset        size  life               tensor\n");
    for (int i = 0; i < p->map.n_places; i++)
        dump_place(&p->map.place[i], &out);
    clv_str_add(&out, "\n");
    dump_totals(&p->memory, &out);
    return clv_str_take(&out);
}
