#include "step/sample.h"

#include "base/util.h"

CLV_SOURCE(mix);

enum { GPU_GROUP = 128 };

enum clv_err clv_emit_mix(struct clv_emit *e, struct clv_tensor *x)
{
    const int64_t pairs = e->batch / 2, rows = pairs * x->h;
    const bool pixels = e->caps->gpu_path;
    const struct clv_emit_info info = {.what = "mix", .bytes = 2 * sizeof(float) * (double)clv_tensor_count(x)};
    if (!pairs)
        return CLV_OK;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_mix,
            .name = "mix_pairs",
            .options = pixels ? "" : "-DGROUP=1 -DROWS",
            .dims = 1,
            .global = {(size_t)(pixels ? rows * x->w : rows)},
            .local = {pixels ? CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group) : 1},
            .shrink = pixels ? CLV_SHRINK_ITEMS : CLV_SHRINK_NEVER,
            clv_args(CLV_IN(e->state), CLV_INOUT(x), CLV_U32(x->pitch), CLV_I32(x->h), CLV_I32(x->w), CLV_I32(x->c),
                     CLV_U32(pixels ? 1 : x->w))});
}
