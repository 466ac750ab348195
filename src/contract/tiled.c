/* The schedule for GPUs: work-group tiles in local memory, see cl/contract_tiled.cl. */
#include "contract/schedule.h"

CLV_SOURCE(contract_tiled);

/* What a tuner may vary; the first row that the device allows is taken. */
static const struct group {
    int wm, wn, rm, rn, tk; /* items and elements per item along m and n, step along k */
} groups[] = {
    {16, 16, 4, 4, 16}, /* 64 x 64 */
    {8, 16, 4, 4, 16},  /* 32 x 64 */
    {8, 8, 4, 4, 16},   /* 32 x 32 */
};

enum {
    GROUPS_WANTED = 256, /* below that many tiles, k is cut into slices */
    SLICE_K = 512,       /* fewest elements of k in a slice */
};

static const char *const product_name[] = {"forward", "backward data", "backward weights"};

static bool fits(const struct clv_caps *caps, const struct group *g)
{
    const uint64_t bytes =
        sizeof(float) * (uint64_t)g->tk * (uint64_t)(g->wm * g->rm + 1 + g->wn * g->rn + 1);
    return (size_t)(g->wm * g->wn) <= caps->max_work_group && bytes <= caps->local_bytes;
}

static const struct group *group_for(const struct clv_caps *caps)
{
    for (size_t i = 0; i < CLV_COUNT(groups); i++)
        if (fits(caps, &groups[i]))
            return &groups[i];
    return NULL;
}

static bool supports(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    (void)product;
    return c->groups == 1 && group_for(caps);
}

struct product_plan {
    int64_t m, n, k;
    int slices, slice_k;
    bool to_part;
};

static struct product_plan plan_product(const struct clv_emit *e, const struct clv_conv *c,
                                        const struct group *g, enum clv_product what)
{
    const int64_t in = (int64_t)e->batch * c->ih * c->iw, out = (int64_t)e->batch * c->oh * c->ow;
    const int64_t taps = (int64_t)c->kh * c->kw;
    struct product_plan f = {.m = out, .n = c->co, .k = taps * c->ci};
    if (what == CLV_PRODUCT_DATA)
        f = (struct product_plan){.m = in, .n = c->ci, .k = taps * c->co};
    else if (what == CLV_PRODUCT_WEIGHTS)
        f = (struct product_plan){.m = taps * c->ci + 1, .n = c->co, .k = out};
    const int64_t tiles = clv_div_up(f.m, g->wm * g->rm) * clv_div_up(f.n, g->wn * g->rn);
    f.slices = clv_contract_slices(f.k, SLICE_K, f.m * f.n);
    f.slices = (int)CLV_MIN(f.slices, CLV_MAX(GROUPS_WANTED / tiles, 1));
    f.slice_k = (int)clv_round_up(clv_div_up(f.k, f.slices), g->tk);
    f.slices = (int)clv_div_up(f.k, f.slice_k);
    f.to_part = f.slices > 1 || what == CLV_PRODUCT_WEIGHTS;
    return f;
}

/* a, b, c as cl/contract_tiled.cl names them. */
static enum clv_err emit_product(struct clv_emit *e, const struct clv_contract *p,
                                 enum clv_product what, struct clv_tensor *a, struct clv_tensor *b,
                                 struct clv_arg out, int x_pitch, int y_pitch, const int *param)
{
    const struct group *g = &groups[param[0]];
    const struct product_plan f = plan_product(e, &p->conv, g, what);
    struct clv_part part = {.rows = (int)f.m, .lanes = (int)f.n, .slices = f.slices};
    if (f.to_part) {
        part.t = clv_emit_scratch(e, CLV_F32, f.slices * f.m * f.n, "partial sums");
        if (!part.t)
            return CLV_ERR_NOMEM;
        out = (struct clv_arg)CLV_OUT(part.t);
    }
    const enum clv_act act = what == CLV_PRODUCT_FORWARD && !f.to_part ? p->act : CLV_ACT_LINEAR;
    struct clv_tensor *bias = what == CLV_PRODUCT_FORWARD && !f.to_part ? p->bias : NULL;
    const enum clv_pass pass = what == CLV_PRODUCT_FORWARD ? CLV_PASS_FORWARD : CLV_PASS_BACKWARD;
    const struct clv_emit_info info = clv_contract_info(e, p, pass, product_name[what]);
    const char *options =
        clv_emit_options(e, "-DACT=%d -DPASS=%d -DRM=%d -DRN=%d -DTK=%d -DWM=%d -DWN=%d",
                         clv_contract_act_code(act), (int)what, g->rm, g->rn, g->tk, g->wm, g->wn);
    if (!options)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_tiled,
            .name = "contract_tiled",
            .options = options,
            .dims = 3,
            .global = {(size_t)(clv_div_up(f.n, g->wn * g->rn) * g->wn),
                       (size_t)(clv_div_up(f.m, g->wm * g->rm) * g->wm), (size_t)f.slices},
            .local = {(size_t)g->wn, (size_t)g->wm, 1},
            clv_args(CLV_IN(e->state), CLV_IN(a), CLV_IN(b), CLV_IN(bias ? bias : b), out,
                     CLV_GEOMETRY(&p->conv, x_pitch, y_pitch), CLV_I32(f.m), CLV_I32(f.slice_k),
                     CLV_I32(f.to_part), CLV_I32(bias != NULL),
                     CLV_I32(clv_contract_flags(act, what == CLV_PRODUCT_DATA && p->accumulate)))}));
    if (!f.to_part)
        return CLV_OK;
    return what == CLV_PRODUCT_FORWARD ? clv_contract_reduce_output(e, p, &part)
           : what == CLV_PRODUCT_DATA  ? clv_contract_reduce_data(e, p, &part)
                                   : clv_contract_reduce_weights(e, p, &part);
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return emit_product(e, p, CLV_PRODUCT_FORWARD, p->x, p->w, (struct clv_arg)CLV_OUT(p->y),
                        clv_x_pitch(p, p->x), clv_y_pitch(p, p->y), param);
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return emit_product(e, p, CLV_PRODUCT_DATA, p->dy, p->w,
                        (struct clv_arg)CLV_OUT_OR_ADD(p->dx, p->accumulate), clv_x_pitch(p, p->dx),
                        clv_y_pitch(p, p->dy), param);
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return emit_product(e, p, CLV_PRODUCT_WEIGHTS, p->x, p->dy, (struct clv_arg){0},
                        clv_x_pitch(p, p->x), clv_y_pitch(p, p->dy), param);
}

/* The index of a row of groups[]. */
static void defaults(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    (void)c;
    (void)product;
    (void)batch;
    param[0] = (int)(group_for(caps) - groups);
}

static int candidates(const struct clv_caps *caps, const struct clv_conv *c,
                      enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS], int max)
{
    (void)c;
    (void)product;
    (void)batch;
    int n = 0;
    for (size_t i = 0; i < CLV_COUNT(groups) && n < max; i++)
        if (fits(caps, &groups[i]))
            param[n++][0] = (int)i;
    return n;
}

const struct clv_schedule clv_schedule_tiled = {
    .name = "tiled",
    .params = {"group"},
    .supports = supports,
    .defaults = defaults,
    .candidates = candidates,
    .emit = {forward, data, weights},
};
