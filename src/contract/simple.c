/* The schedule that runs anywhere: one work-item per output element, plain loops. */
#include "contract/schedule.h"

CLV_SOURCE(contract_simple);

static bool supports(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    (void)caps;
    (void)c;
    (void)product;
    return true;
}

static const char *options(struct clv_emit *e, enum clv_act act)
{
    const int code = clv_contract_act_code(act);
    return code ? clv_emit_options(e, "-DACT=%d", code) : "";
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    const struct clv_conv *c = &p->conv;
    const struct clv_group group = clv_contract_group(e->caps);
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    const enum clv_act act = clv_contract_act(p, false);
    struct clv_tensor *bias = clv_contract_bias(p, false);
    const char *opts = options(e, act);
    if (!opts)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_simple,
            .name = "contract_simple_forward",
            .options = opts,
            .dims = 3,
            .global = {(size_t)c->co, (size_t)c->oh * (size_t)c->ow, (size_t)e->batch},
            .local = {group.columns, group.rows, 1},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->w), CLV_IN(bias ? bias : p->w),
                     CLV_OUT(p->y), CLV_GEOMETRY(c, clv_x_pitch(p, p->x), clv_y_pitch(p, p->y)),
                     CLV_I32(c->groups), CLV_I32(bias != NULL),
                     CLV_I32(clv_contract_flags(act, false)))});
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    const struct clv_conv *c = &p->conv;
    const struct clv_group group = clv_contract_group(e->caps);
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward data");
    const enum clv_act act = clv_contract_act(p, true);
    struct clv_tensor *bias = clv_contract_bias(p, true);
    const char *opts = options(e, act);
    if (!opts)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_simple,
            .name = "contract_simple_data",
            .options = opts,
            .dims = 3,
            .global = {(size_t)c->ci, (size_t)c->ih * (size_t)c->iw, (size_t)e->batch},
            .local = {group.columns, group.rows, 1},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(
                CLV_IN(e->state), CLV_IN(p->dy), CLV_IN(p->w), CLV_IN(bias ? bias : p->w),
                CLV_OUT_OR_ADD(p->dx, p->accumulate),
                CLV_GEOMETRY(c, clv_x_pitch(p, p->dx), clv_y_pitch(p, p->dy)), CLV_I32(c->groups),
                CLV_I32(bias != NULL), CLV_I32(clv_contract_flags(act, p->accumulate)))});
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    const struct clv_conv *c = &p->conv;
    const struct clv_group group = clv_contract_group(e->caps);
    const int rows = (int)clv_conv_k(c) + 1;
    const int64_t elements = (int64_t)rows * c->co;
    const int64_t lines = (int64_t)e->batch * c->oh;
    const int slices = clv_contract_slices(lines, 8, elements);
    struct clv_tensor *part =
        clv_emit_scratch(e, CLV_F32, slices * elements, "weight gradient slices");
    if (!part)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(
        clv_emit_kernel(e, &info,
                        &(struct clv_kernel_step){
                            .source = &clv_cl_contract_simple,
                            .name = "contract_simple_weights",
                            .options = "",
                            .dims = 3,
                            .global = {(size_t)c->co, (size_t)rows, (size_t)slices},
                            .local = {group.columns, group.rows, 1},
                            .shrink = CLV_SHRINK_ITEMS,
                            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(part),
                                     CLV_GEOMETRY(c, clv_x_pitch(p, p->x), clv_y_pitch(p, p->dy)),
                                     CLV_I32(c->groups), CLV_I32(e->batch), CLV_I32(slices))}));
    return clv_contract_reduce_weights(
        e, p, &(struct clv_part){.t = part, .rows = rows, .lanes = c->co, .slices = slices});
}

const struct clv_schedule clv_schedule_simple = {
    .name = "simple",
    .supports = supports,
    .stores16 = clv_contract_takes_all,
    .emit = {forward, data, weights},
};
