#include "optim/optim.h"

#include "base/util.h"
#include <stdlib.h>
#include <string.h>

CLV_SOURCE(clip);

#define CLV_OPTIM(name) extern const struct clv_optim clv_optim_##name;
#include "optim/optim_list.h"
#undef CLV_OPTIM
#define CLV_OPTIM(name) &clv_optim_##name,
const struct clv_optim *const clv_optims[] = {
#include "optim/optim_list.h"
    NULL};
#undef CLV_OPTIM

enum clv_err clv_optim_parse(const char *text, const struct clv_optim **optim, void **params,
                             struct clv_error *err)
{
    const char *names[CLV_COUNT(clv_optims)], *options;
    size_t n = 0, i;
    for (; clv_optims[n]; n++)
        names[n] = clv_optims[n]->name;
    CLV_TRY(clv_opt_choose("optimizer", text, names, n, &i, &options, err));
    const struct clv_optim *o = clv_optims[i];
    void *p = calloc(1, o->params_size);
    if (!p)
        return clv_fail_nomem(err, "the optimizer");
    const enum clv_err e = clv_opt_parse(o->opts, p, o->name, options, err);
    if (e) {
        free(p);
        return e;
    }
    *optim = o;
    *params = p;
    return CLV_OK;
}

double clv_optim_learning_rate(const struct clv_optim *optim, const void *params)
{
    double rate = 0;
    for (const struct clv_opt *o = optim->opts; o->name; o++)
        if (!strcmp(o->name, "learning_rate"))
            memcpy(&rate, (const char *)params + o->offset, sizeof rate);
    return rate;
}

/* One work-item takes one chunk, so that its constants are read once. */
static enum clv_err emit_update(struct clv_emit *e, const struct clv_optim *o,
                                const struct clv_store_run *run, struct clv_tensor *control)
{
    const int64_t chunks = run->count / CLV_STORE_CHUNK;
    const size_t group = e->caps->gpu_path ? CLV_MIN((size_t)64, e->caps->max_work_group) : 1;
    const double bytes = (double)run->count * 4 * (3 + 2 * o->n_slots);
    struct clv_store_segment *seg = run->segment;
    /* Optimizers with fewer slots are handed the gradient where a slot would stand. */
    struct clv_tensor *slot0 = o->n_slots > 0 ? &seg->slot[0] : &seg->grad;
    struct clv_tensor *slot1 = o->n_slots > 1 ? &seg->slot[1] : &seg->grad;
    const char *options = clv_emit_options(e, "-DCHUNK=%d -DSLOTS=%d%s", CLV_STORE_CHUNK, o->n_slots, clv_emit_guard(e));
    if (!options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &(struct clv_emit_info){.what = "update", .bytes = bytes, .flops = (double)run->count * 10},
        &(struct clv_kernel_step){
            .source = o->source, .name = "update", .options = options, .dims = 1,
            .global = {(size_t)chunks * group}, .local = {group},
            .shrink = CLV_SHRINK_GROUPS,
            clv_args(CLV_IN(e->state), CLV_INOUT(&seg->value), CLV_IN(&seg->grad), CLV_INOUT(slot0),
                     CLV_INOUT(slot1), CLV_IN(&seg->chunks), CLV_IN(control),
                     CLV_I32(run->first / CLV_STORE_CHUNK),
                     CLV_I32(run->grad_first / CLV_STORE_CHUNK))});
}

/* Sum of squares of every chunk, then their sum in fixed order, then the factor. */
static enum clv_err emit_clip(struct clv_emit *e, struct clv_store *store, struct clv_tensor *control,
                              double clip_norm)
{
    int64_t chunks = 0, first = 0;
    for (int i = 0; i < store->n_segments; i++)
        chunks += store->segment[i].trained / CLV_STORE_CHUNK;
    struct clv_tensor *sums = clv_emit_scratch(e, CLV_F32, chunks, "squares");
    const char *options = clv_emit_options(e, "-DCHUNK=%d%s", CLV_STORE_CHUNK, clv_emit_guard(e));
    if (!sums || !options)
        return CLV_ERR_NOMEM;
    for (int i = 0; i < store->n_segments; i++) {
        struct clv_store_segment *seg = &store->segment[i];
        const int64_t n = seg->trained / CLV_STORE_CHUNK;
        if (!n)
            continue;
        CLV_TRY(clv_emit_kernel(
            e, &(struct clv_emit_info){.what = "gradient norm", .bytes = (double)seg->trained * 8},
            &(struct clv_kernel_step){
                .source = &clv_cl_clip, .name = "clip_squares", .options = options, .dims = 1,
                .global = {(size_t)n},
                clv_args(CLV_IN(e->state), CLV_IN(&seg->value), CLV_IN(&seg->grad), CLV_IN(&seg->chunks),
                         CLV_INOUT(sums), CLV_I32(first), CLV_I32(n))}));
        first += n;
    }
    return clv_emit_kernel(e, &(struct clv_emit_info){.what = "clip factor"},
                           &(struct clv_kernel_step){
                               .source = &clv_cl_clip, .name = "clip_factor", .options = options,
                               .dims = 1, .global = {1},
                               clv_args(CLV_IN(sums), CLV_OUT(control), CLV_I32(chunks),
                                        CLV_F32_ARG(clip_norm))});
}

enum clv_err clv_optim_emit(struct clv_emit *e, const struct clv_optim *optim, struct clv_store *store,
                            double clip_norm)
{
    struct clv_tensor *control = clv_emit_scratch(e, CLV_F32, 1, "gradient factor");
    if (!control)
        return CLV_ERR_NOMEM;
    const uint32_t one = 0x3f800000; /* 1.0f */
    if (clip_norm > 0)
        CLV_TRY(emit_clip(e, store, control, clip_norm));
    else
        CLV_TRY(clv_emit_fill(e, &(struct clv_emit_info){.what = "gradient factor"}, control, one));
    int next = 0;
    for (struct clv_store_run run; clv_store_next_run(store, &next, &run);)
        CLV_TRY(emit_update(e, optim, &run, control));
    return CLV_OK;
}
