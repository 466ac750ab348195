/* Conversion steps: where a node that keeps fp32 meets one that is stored in 16 bits. */
#include "base/util.h"
#include "step/emit.h"

CLV_SOURCE(convert);

enum {
    MAX_VECTOR = 16,
    CPU_CHUNK = 16384, /* elements of a CPU item */
    GPU_GROUP = 256,
};

enum clv_err clv_emit_convert(struct clv_emit *e, const struct clv_emit_info *info,
                              struct clv_tensor *src, struct clv_tensor *dst, bool accumulate)
{
    const bool gpu = e->caps->gpu_path, dense = src->pitch == src->c && dst->pitch == dst->c;
    const int64_t per_sample = src->h * src->w * src->c, c = dense ? per_sample : src->c;
    const int64_t chunk = gpu ? 1 : CPU_CHUNK;
    int vector = gpu ? 1 : MAX_VECTOR;
    while (c % vector)
        vector /= 2;
    const char *options = clv_emit_options(e, "%s%s-DV=%d", dense ? "-DDENSE " : "",
                                           gpu ? "" : "-DGROUP=1 ", vector);
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_arg to = {accumulate ? CLV_ARG_INOUT : CLV_ARG_OUT, {.t = dst}};
    return clv_emit_kernel(
        e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_convert,
            .name = clv_dtype_is_16(src->dtype) ? "convert_to_f32" : "convert_from_f32",
            .options = options,
            .dims = 1,
            .global = {(size_t)clv_div_up(e->batch * per_sample, chunk)},
            .local = {gpu ? CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group) : 1},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(e->state), CLV_IN(src), CLV_U32(src->pitch), to, CLV_U32(dst->pitch),
                     CLV_I32(accumulate), CLV_U32(per_sample), CLV_U32(c), CLV_U32(chunk))});
}
