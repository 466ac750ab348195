/* Dense layers through CLBlast's GEMM: plain products, with the epilogue and the activation
 * gradient as passes of their own. The GEMM runs over the full batch, so what it reads of samples
 * past a short batch is made zero first, and what it writes goes through scratch. */
#include "contract/schedule.h"

CLV_SOURCE(contract_gradient);

static bool supports(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product)
{
    (void)product;
    return clv_gemm_available() && clv_conv_is_dense(c) && caps->max_work_group >= 64;
}

/* Scratch [batch][cols] with src's samples, zeros past the short batch. */
static enum clv_err emit_mask(struct clv_emit *e, const struct clv_contract *p, enum clv_pass pass,
                              struct clv_tensor *src, int pitch, int cols, struct clv_tensor **ret)
{
    *ret = clv_emit_scratch(e, CLV_F32, (int64_t)e->batch * cols, "masked samples");
    if (!*ret)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = {.node = p->node, .pass = pass, .what = "mask samples"};
    const struct clv_group group = clv_contract_group(e->caps);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_gradient,
                                  .name = "contract_mask_rows",
                                  .options = "",
                                  .dims = 2,
                                  .global = {(size_t)cols, (size_t)e->batch},
                                  .local = {group.columns, group.rows},
                                  .shrink = CLV_SHRINK_ITEMS,
                                  clv_args(CLV_IN(e->state), CLV_IN(src), CLV_OUT(*ret),
                                           CLV_I32(e->batch), CLV_I32(cols), CLV_I32(pitch))});
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, (int64_t)e->batch * c->co, "product");
    struct clv_tensor *x;
    if (!part)
        return CLV_ERR_NOMEM;
    CLV_TRY(emit_mask(e, p, CLV_PASS_FORWARD, p->x, clv_x_pitch(p, p->x), c->ci, &x));
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    CLV_TRY(clv_emit_gemm(e, &info,
                          &(struct clv_gemm_step){.m = e->batch,
                                                  .n = c->co,
                                                  .k = c->ci,
                                                  .lda = c->ci,
                                                  .ldb = c->co,
                                                  .ldc = c->co,
                                                  .alpha = 1,
                                                  .set = param[0],
                                                  .a = x,
                                                  .b = p->w,
                                                  .c = part}));
    return clv_contract_reduce_output(
        e, p, &(struct clv_part){.t = part, .rows = e->batch, .lanes = c->co, .slices = 1});
}

static enum clv_err emit_bias(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_emit_info info = {
        .node = p->node, .pass = CLV_PASS_BACKWARD, .what = "backward bias"};
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_gradient,
                                  .name = "contract_column_sums",
                                  .options = "",
                                  .dims = 1,
                                  .global = {(size_t)p->conv.co},
                                  clv_args(CLV_IN(e->state), CLV_IN(p->dy), CLV_OUT(p->dbias),
                                           CLV_I32(p->conv.co), CLV_I32(clv_y_pitch(p, p->dy)))});
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, (int64_t)e->batch * c->ci, "product");
    struct clv_tensor *dz;
    if (!part)
        return CLV_ERR_NOMEM;
    CLV_TRY(emit_mask(e, p, CLV_PASS_BACKWARD, p->dy, clv_y_pitch(p, p->dy), c->co, &dz));
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward data");
    CLV_TRY(clv_emit_gemm(e, &info,
                          &(struct clv_gemm_step){.trans_b = true,
                                                  .m = e->batch,
                                                  .n = c->ci,
                                                  .k = c->co,
                                                  .lda = c->co,
                                                  .ldb = c->co,
                                                  .ldc = c->ci,
                                                  .alpha = 1,
                                                  .set = param[0],
                                                  .a = dz,
                                                  .b = p->w,
                                                  .c = part}));
    return clv_contract_reduce_data(
        e, p, &(struct clv_part){.t = part, .rows = e->batch, .lanes = c->ci, .slices = 1});
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    struct clv_tensor *x, *dz;
    CLV_TRY(emit_mask(e, p, CLV_PASS_BACKWARD, p->x, clv_x_pitch(p, p->x), c->ci, &x));
    CLV_TRY(emit_mask(e, p, CLV_PASS_BACKWARD, p->dy, clv_y_pitch(p, p->dy), c->co, &dz));
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(clv_emit_gemm(e, &info,
                          &(struct clv_gemm_step){.trans_a = true,
                                                  .m = c->ci,
                                                  .n = c->co,
                                                  .k = e->batch,
                                                  .lda = c->ci,
                                                  .ldb = c->co,
                                                  .ldc = c->co,
                                                  .alpha = 1,
                                                  .set = param[0],
                                                  .a = x,
                                                  .b = dz,
                                                  .c = p->dw}));
    return p->dbias ? emit_bias(e, p) : CLV_OK;
}

/* One number for all products would do, since each set is built by itself; what a set gains depends
 * on the problem, though, and the tuner weighs the builds. */
static void defaults(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    (void)c;
    (void)product;
    (void)batch;
    param[0] = clv_gemm_default_set(caps);
}

/* CLBlast's own first: once another was used they are gone. */
static int candidates(const struct clv_caps *caps, const struct clv_conv *c,
                      enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS], int max)
{
    (void)c;
    (void)product;
    (void)batch;
    int n = 0;
    for (int set = 0; set < CLV_GEMM_SETS && n < max; set++)
        if (clv_gemm_set_suits(caps, set))
            param[n++][0] = set;
    return n;
}

const struct clv_schedule clv_schedule_clblast = {
    .name = "clblast",
    .params = {"set"},
    .supports = supports,
    .defaults = defaults,
    .candidates = candidates,
    .emit = {forward, data, weights},
};
