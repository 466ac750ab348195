#include "step/sample.h"

#include "base/util.h"

CLV_SOURCE(sample);

enum {
    GPU_GROUP = 128,
    LINE_FLOATS = 8192, /* longest row of stored values that takes the quick way on CPUs */
};

/* CPU: an item makes a row, with local memory as its scratch; GPU: a pixel. */
static struct clv_kernel_step rows_or_pixels(const struct clv_emit *e, const struct clv_tensor *out,
                                             bool pixels)
{
    const int64_t rows = out->n * out->h;
    if (pixels)
        return (struct clv_kernel_step){
            .options = "",
            .global = {(size_t)(rows * out->w)},
            .local = {CLV_MIN((size_t)GPU_GROUP, e->caps->max_work_group)},
            .shrink = CLV_SHRINK_ITEMS};
    return (struct clv_kernel_step){
        .options = "-DGROUP=1 -DROWS", .global = {(size_t)rows}, .local = {1}};
}

enum clv_err clv_emit_sample(struct clv_emit *e, struct clv_tensor *staging, struct clv_tensor *out,
                             const struct clv_normalise *normalise)
{
    const struct clv_normalise *q = normalise;
    const struct clv_emit_info info = {.what = "sample",
                                       .bytes = sizeof(float) * (double)clv_tensor_count(out)};
    const int64_t across = clv_round_up(out->w, 16); /* written in whole vectors */
    const int64_t local_floats = (int64_t)(e->caps->local_bytes / sizeof(float)) - across;
    const int64_t line = CLV_MIN((int64_t)LINE_FLOATS, local_floats);
    const bool pixels = e->caps->gpu_path || line < 0;
    const struct clv_arg args[] = {
        CLV_IN(e->state), CLV_IN(staging), CLV_OUT(out), CLV_U32(out->pitch), CLV_I32(out->h), CLV_I32(out->w), CLV_I32(out->c),
        CLV_U32(pixels ? 1 : out->w), CLV_F32_ARG(q->mean[0]), CLV_F32_ARG(q->mean[1]),
        CLV_F32_ARG(q->mean[2]), CLV_F32_ARG(q->mean[3]), CLV_F32_ARG(q->std[0]),
        CLV_F32_ARG(q->std[1]), CLV_F32_ARG(q->std[2]), CLV_F32_ARG(q->std[3]),
        /* With -DROWS only. */
        CLV_LOCAL(sizeof(float) * (size_t)(line + across)), CLV_U32(line)};
    struct clv_kernel_step k = rows_or_pixels(e, out, pixels);
    k.source = &clv_cl_sample;
    k.name = "sample";
    k.dims = 1;
    k.args = args;
    k.n_args = (int)CLV_COUNT(args) - (pixels ? 2 : 0);
    return clv_emit_kernel(e, &info, &k);
}
