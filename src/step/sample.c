#include "step/sample.h"

#include "base/util.h"

CLV_SOURCE(sample);

enum { GPU_GROUP = 128 };

enum clv_err clv_emit_sample(struct clv_emit *e, struct clv_tensor *staging, struct clv_tensor *out,
                             const struct clv_normalise *normalise)
{
    const struct clv_normalise *q = normalise;
    const bool gpu = e->caps->gpu_path;
    const uint64_t slot_bytes = (uint64_t)clv_tensor_bytes(staging);
    const struct clv_emit_info info = {.what = "sample",
                                       .bytes = sizeof(float) * (double)clv_tensor_count(out)};
    const int64_t rows = out->n * out->h;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_sample,
            .name = "sample",
            .options = gpu ? "" : "-DGROUP=1",
            .dims = 1,
            .global = {(size_t)(gpu ? rows * out->w : rows)},
            .local = {gpu ? CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group) : 1},
            clv_args(CLV_IN(e->state), CLV_IN(staging), CLV_U32(slot_bytes),
                     CLV_U32(slot_bytes >> 32), CLV_OUT(out), CLV_U32(out->pitch), CLV_I32(out->h),
                     CLV_I32(out->w), CLV_I32(out->c), CLV_U32(gpu ? 1 : out->w),
                     CLV_F32_ARG(q->mean[0]), CLV_F32_ARG(q->mean[1]), CLV_F32_ARG(q->mean[2]),
                     CLV_F32_ARG(q->mean[3]), CLV_F32_ARG(q->std[0]), CLV_F32_ARG(q->std[1]),
                     CLV_F32_ARG(q->std[2]), CLV_F32_ARG(q->std[3]))});
}
