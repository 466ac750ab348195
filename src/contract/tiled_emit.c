/* The tiled schedule's products. See cl/include/tiled.cl. */
#include "contract/forward_job.h"
#include "contract/tiled.h"

#include <string.h>

CLV_SOURCE(contract_tiled_forward);
CLV_SOURCE(contract_tiled_data);
CLV_SOURCE(contract_tiled_weights);
CLV_SOURCE(contract_tiled_reduce);

enum { REDUCE_LANES = 32, REDUCE_LINES = 8, MAX_SMALLER = 2 };

/* Widths of vectors in global memory: of A, of B, of C. */
struct widths {
    int a, b, c;
};

/* One launch: its matrix product, and the names it goes by. */
struct launch {
    int64_t m, n; /* rows and columns of C */
    int slices;
    struct widths widths;
    bool along_k; /* A lies along K in memory */
    const struct clv_source *source;
    const char *name, *extra; /* options besides the tile's */
    const struct clv_arg *args;
    int n_args;
};

static int width(int64_t channels, int64_t pitch)
{
    return channels % 4 == 0 && pitch % 4 == 0 ? 4 : 1;
}

/* A 1 x 1 layer with stride 1 sees its pixels, all images' together, as one row. */
static bool is_flat(const struct clv_conv *c)
{
    return c->kh == 1 && c->kw == 1 && c->sh == 1 && c->sw == 1 && c->pt == 0 && c->pl == 0 &&
           c->oh == c->ih && c->ow == c->iw;
}

static void flatten(struct clv_conv *c, int batch)
{
    c->iw = c->ow = batch * c->ih * c->iw;
    c->ih = c->oh = 1;
}

/* ---- launching ---- */

static const char *options_of(struct clv_emit *e, const struct launch *l, const int *param)
{
    const bool direct = clv_tiled_is_direct(param);
    const int lanes = clv_tiled_lanes(e->caps, param);
    const int step = direct && l->along_k ? l->widths.a : param[CLV_TILED_BK];
    const char *share = lanes > 1 ? clv_emit_options(e, " -DLANES=%d", lanes) : "";
    if (!share)
        return NULL;
    return clv_emit_options(e, "-DBK=%d -DBM=%d -DBN=%d -DTM=%d -DTN=%d -DVA=%d -DVB=%d -DVC=%d%s%s%s",
                            step, param[CLV_TILED_BM], param[CLV_TILED_BN], param[CLV_TILED_TM],
                            param[CLV_TILED_TN], l->widths.a, l->widths.b, l->widths.c,
                            direct ? " -DDIRECT" : "", share, l->extra);
}

/* The tile number along dimension 0, which no driver limits to 65535 groups. */
static size_t items_of(const struct launch *l, const int *param)
{
    return (size_t)(clv_div_up(l->m, param[CLV_TILED_BM]) * clv_div_up(l->n, param[CLV_TILED_BN])) *
           (size_t)clv_tiled_items(param);
}

static enum clv_err emit_launch(struct clv_emit *e, const struct clv_emit_info *info,
                                const struct launch *l, const int *param)
{
    struct clv_kernel_shape smaller[MAX_SMALLER] = {{0}};
    int tile[CLV_CHOICE_PARAMS], n = 0;
    memcpy(tile, param, sizeof tile);
    while (n < MAX_SMALLER && clv_tiled_smaller(e->caps, tile, tile)) {
        smaller[n] = (struct clv_kernel_shape){.options = options_of(e, l, tile),
                                               .global = {items_of(l, tile), (size_t)l->slices},
                                               .local = {(size_t)clv_tiled_items(tile), 1}};
        if (!smaller[n++].options)
            return CLV_ERR_NOMEM;
    }
    const char *options = options_of(e, l, param);
    if (!options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(e, info,
                           &(struct clv_kernel_step){
                               .source = l->source,
                               .name = l->name,
                               .options = options,
                               .dims = 2,
                               .global = {items_of(l, param), (size_t)l->slices},
                               .local = {(size_t)clv_tiled_items(param), 1},
                               .smaller = smaller,
                               .n_smaller = n,
                               .args = l->args,
                               .n_args = l->n_args,
                           });
}

/* ---- slices ---- */

struct cut {
    int slices, slice_k;
};

static struct cut cut_of(int64_t k, const int *param)
{
    const int64_t slice = clv_round_up(clv_div_up(k, param[CLV_TILED_SLICES]), CLV_TILED_STEP);
    const int64_t slice_k = CLV_MAX(slice, CLV_TILED_STEP);
    return (struct cut){(int)CLV_MAX(clv_div_up(k, slice_k), 1), (int)slice_k};
}

/* A tensor for the sums of more than one slice; *ret is NULL for one. */
static enum clv_err part_of(struct clv_emit *e, const struct cut *cut, int64_t rows, int64_t cols,
                            struct clv_tensor **ret)
{
    *ret = NULL;
    if (cut->slices == 1)
        return CLV_OK;
    *ret = clv_emit_scratch(e, CLV_F32, cut->slices * rows * cols, "partial sums");
    return *ret ? CLV_OK : CLV_ERR_NOMEM;
}

static int lines_of(const struct clv_emit *e, int slices)
{
    int lines = 1;
    while (lines < REDUCE_LINES && lines * 4 <= slices &&
           (size_t)(lines * 2 * REDUCE_LANES) <= e->caps->max_work_group)
        lines *= 2;
    return lines;
}

/* `elements` of what the slices are added up to. */
static enum clv_err emit_reduce(struct clv_emit *e, const struct clv_contract *p,
                                enum clv_pass pass, const char *what, const char *name,
                                const char *extra, int slices, int64_t elements,
                                const struct clv_arg *args, int n_args)
{
    const int lines = lines_of(e, slices);
    const char *options = clv_emit_options(e, "-DLINES=%d%s", lines, extra);
    const struct clv_kernel_shape one_line = {
        .options = clv_emit_options(e, "-DLINES=1%s", extra),
        .global = {(size_t)elements, 1},
        .local = {REDUCE_LANES, 1},
    };
    const struct clv_emit_info info = {.node = p->node, .pass = pass, .what = what};
    if (!options || !one_line.options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = &clv_cl_contract_tiled_reduce,
                                                     .name = name,
                                                     .options = options,
                                                     .dims = 2,
                                                     .global = {(size_t)elements, (size_t)lines},
                                                     .local = {REDUCE_LANES, (size_t)lines},
                                                     .smaller = &one_line,
                                                     .n_smaller = lines > 1,
                                                     .args = args,
                                                     .n_args = n_args});
}

/* ---- forward and data: what they gather ---- */

/* The arguments GATHER of cl/include/tiled_gather.cl, from a convolution with stride. */
#define GATHER(c, pitch, rows, cols)                                                               \
    CLV_I32((c)->ih), CLV_I32((c)->iw), CLV_I32((c)->ci), CLV_I32(pitch), CLV_I32(rows),           \
        CLV_I32(cols), CLV_I32((c)->sh), CLV_I32((c)->sw), CLV_I32((c)->dh), CLV_I32((c)->dw),     \
        CLV_I32((c)->pt), CLV_I32((c)->pl), CLV_I32((c)->kw)

/* What ends a forward product, in its own kernel or in the second stage's. */
struct ending {
    struct clv_arg bias, y, mask;
    bool has_bias;
    int y_pitch, flags;
    const char *options;
};

static enum clv_err forward_ending(struct clv_emit *e, const struct clv_contract *p,
                                   struct ending *ret)
{
    const bool save = p->pool && p->mask;
    const enum clv_act act = clv_contract_act(p, false);
    const int code = clv_contract_act_code(act);
    struct clv_tensor *bias = clv_contract_bias(p, false);
    *ret = (struct ending){
        .has_bias = bias != NULL,
        .bias = CLV_IN(bias ? bias : p->w),
        .y = CLV_OUT(p->y),
        .mask = {save ? CLV_ARG_OUT : CLV_ARG_IN, {.t = save ? p->mask : p->w}},
        .y_pitch = clv_y_pitch(p, p->y),
        .flags = clv_contract_flags(act, false) | (save ? CLV_EPILOGUE_SAVE : 0),
        .options = clv_emit_options(e, "%s -DACT=%d", p->pool ? " -DPOOL" : "", code),
    };
    return ret->options ? CLV_OK : CLV_ERR_NOMEM;
}

enum clv_err clv_tiled_forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    struct clv_conv c = p->conv;
    const int rows_per_pixel = p->pool ? 4 : 1, x_pitch = clv_x_pitch(p, p->x);
    const int per_sample = clv_y_height(p) * clv_y_width(p) * rows_per_pixel;
    const int64_t k = clv_conv_k(&c), m = (int64_t)e->batch * per_sample;
    const struct cut cut = cut_of(k, param);
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    struct clv_tensor *part;
    struct ending end;
    CLV_TRY(part_of(e, &cut, m, c.co, &part));
    CLV_TRY(forward_ending(e, p, &end));
    if (is_flat(&c) && !p->pool)
        flatten(&c, e->batch);
    const char *extra =
        part ? clv_emit_options(e, "%s -DPART", p->pool ? " -DPOOL" : "") : end.options;
    if (!extra)
        return CLV_ERR_NOMEM;
    const struct clv_arg args[] = {
        CLV_IN(e->state),
        CLV_IN(p->x),
        CLV_IN(p->w),
        end.bias,
        part ? (struct clv_arg)CLV_OUT(part) : end.y,
        part ? (struct clv_arg)CLV_IN(p->w) : end.mask,
        GATHER(&c, x_pitch, p->pool ? c.oh / 2 : c.oh, p->pool ? c.ow / 2 : c.ow),
        CLV_I32(c.co),
        CLV_I32(k),
        CLV_I32(cut.slice_k),
        CLV_I32(per_sample),
        CLV_I32(m),
        CLV_I32(end.y_pitch),
        CLV_I32(end.has_bias),
        CLV_I32(end.flags)};
    const struct launch l = {
        .m = m,
        .n = c.co,
        .slices = cut.slices,
        .widths = {width(c.ci, x_pitch), width(c.co, 0), width(c.co, part ? 0 : end.y_pitch)},
        .along_k = true,
        .source = &clv_cl_contract_tiled_forward,
        .name = "contract_tiled_forward",
        .extra = extra,
        .args = args,
        .n_args = (int)CLV_COUNT(args)};
    CLV_TRY(emit_launch(e, &info, &l, param));
    if (!part)
        return CLV_OK;
    const struct clv_arg sum[] = {CLV_IN(e->state),
                                  CLV_IN(part),
                                  end.bias,
                                  end.y,
                                  end.mask,
                                  CLV_I32(m),
                                  CLV_I32(c.co),
                                  CLV_I32(cut.slices),
                                  CLV_I32(per_sample),
                                  CLV_I32(end.y_pitch),
                                  CLV_I32(end.has_bias),
                                  CLV_I32(end.flags)};
    return emit_reduce(e, p, CLV_PASS_FORWARD, "forward sum", "contract_tiled_reduce_output",
                       end.options, cut.slices, m / rows_per_pixel * c.co, sum,
                       (int)CLV_COUNT(sum));
}

static enum clv_err data_ending(struct clv_emit *e, const struct clv_contract *p, struct ending *ret)
{
    const enum clv_act act = clv_contract_act(p, true);
    struct clv_tensor *bias = clv_contract_bias(p, true);
    *ret = (struct ending){
        .has_bias = bias != NULL,
        .bias = CLV_IN(bias ? bias : p->w),
        .y = CLV_OUT_OR_ADD(p->dx, p->accumulate),
        .mask = CLV_IN(p->pool ? p->mask : p->w),
        .y_pitch = clv_x_pitch(p, p->dx),
        .flags = clv_contract_flags(act, p->accumulate),
        .options = p->transposed ? clv_emit_options(e, " -DENDS -DACT=%d", clv_contract_act_code(act)) : "",
    };
    return ret->options ? CLV_OK : CLV_ERR_NOMEM;
}

/* ---- data: a convolution of dz for each phase of the stride ---- */

/* A job's filters in taps: the kernel multiplies by the channels, in 64 bits. */
static int in_taps(const struct clv_conv *c, int elements)
{
    return (int)(elements / ((int64_t)c->ci * c->co));
}

/* part is NULL where one slice holds K. */
static enum clv_err emit_phase(struct clv_emit *e, const struct clv_contract *p,
                               struct clv_forward_job *f, const struct cut *cut,
                               const struct ending *end, struct clv_tensor *part,
                               const struct clv_emit_info *info, const int *param)
{
    const struct clv_conv *c = &p->conv;
    const int dy_pitch = clv_y_pitch(p, p->dy);
    const int per_sample = f->conv.oh * f->conv.ow, pixels = c->ih * c->iw;
    const int64_t depth = clv_conv_k(&f->conv);
    if (p->pool) { /* what the pool dropped has no gradient */
        f->conv.ih = f->conv.ih / 2 * 2;
        f->conv.iw = f->conv.iw / 2 * 2;
    }
    if (is_flat(c) && !p->pool)
        flatten(&f->conv, e->batch);
    const struct clv_arg args[] = {CLV_IN(e->state),
                                   CLV_IN(p->dy),
                                   end->mask,
                                   CLV_IN(p->w),
                                   end->bias,
                                   part ? (struct clv_arg)CLV_OUT(part) : end->y,
                                   GATHER(&f->conv, dy_pitch, f->conv.oh, f->conv.ow),
                                   CLV_I32(c->ci),
                                   CLV_I32(depth),
                                   CLV_I32(cut->slice_k),
                                   CLV_I32(per_sample),
                                   CLV_I32(e->batch * pixels),
                                   CLV_I32(end->y_pitch),
                                   CLV_I32(in_taps(c, f->base)),
                                   CLV_I32(in_taps(c, f->step_h)),
                                   CLV_I32(in_taps(c, f->step_w)),
                                   CLV_I32(f->image),
                                   CLV_I32(f->first),
                                   CLV_I32(f->row),
                                   CLV_I32(f->col),
                                   CLV_I32(end->has_bias),
                                   CLV_I32(end->flags)};
    const char *extra =
        clv_emit_options(e, "%s%s", p->pool ? " -DUNPOOL" : "", part ? " -DPART" : end->options);
    const int along_k = width(c->co, dy_pitch);
    const struct launch l = {.m = (int64_t)e->batch * per_sample,
                             .n = c->ci,
                             .slices = cut->slices,
                             .widths = {along_k, along_k, width(c->ci, part ? 0 : end->y_pitch)},
                             .along_k = true,
                             .source = &clv_cl_contract_tiled_data,
                             .name = "contract_tiled_data",
                             .extra = extra,
                             .args = args,
                             .n_args = (int)CLV_COUNT(args)};
    return extra ? emit_launch(e, info, &l, param) : CLV_ERR_NOMEM;
}

enum clv_err clv_tiled_data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    const int down = CLV_MIN(c->sh, c->ih), right = CLV_MIN(c->sw, c->iw);
    const int64_t pixels = (int64_t)c->ih * c->iw, m = e->batch * pixels;
    const struct clv_emit_info info = clv_phase_info(e, p);
    int64_t depth = 0;
    for (int i = 0; i < down * right; i++) {
        const struct clv_forward_job f = clv_data_job_of(c, p->pool, i / right, i % right);
        depth = CLV_MAX(depth, clv_conv_k(&f.conv));
    }
    const struct cut cut = cut_of(depth, param);
    struct clv_tensor *part;
    struct ending end;
    CLV_TRY(data_ending(e, p, &end));
    CLV_TRY(part_of(e, &cut, m, c->ci, &part));
    for (int i = 0; i < down * right; i++) {
        struct clv_forward_job f = clv_data_job_of(c, p->pool, i / right, i % right);
        CLV_TRY(emit_phase(e, p, &f, &cut, &end, part, &info, param));
    }
    if (!part)
        return CLV_OK;
    const struct clv_arg sum[] = {CLV_IN(e->state),       CLV_IN(part),     end.bias,
                                  end.y,                  CLV_IN(p->w),     CLV_I32(m),
                                  CLV_I32(c->ci),         CLV_I32(cut.slices), CLV_I32(pixels),
                                  CLV_I32(end.y_pitch),   CLV_I32(end.has_bias), CLV_I32(end.flags)};
    return emit_reduce(e, p, CLV_PASS_BACKWARD, "backward data sum", "contract_tiled_reduce_output",
                       end.options, cut.slices, m * c->ci, sum, (int)CLV_COUNT(sum));
}

/* ---- weights ---- */

enum clv_err clv_tiled_weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    struct clv_conv c = p->conv;
    if (p->pool) { /* as above */
        c.oh = c.oh / 2 * 2;
        c.ow = c.ow / 2 * 2;
    }
    const int per_sample = c.oh * c.ow, m = (int)clv_conv_k(&c);
    const int x_pitch = clv_x_pitch(p, p->x), dy_pitch = clv_y_pitch(p, p->dy);
    const struct cut cut = cut_of((int64_t)e->batch * per_sample, param);
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    struct clv_tensor *part, *db = p->dbias ? p->dbias : p->dw;
    CLV_TRY(part_of(e, &cut, m + 1, c.co, &part));
    const char *extra =
        clv_emit_options(e, "%s%s", p->pool ? " -DUNPOOL" : "", part ? " -DPART" : "");
    if (!extra)
        return CLV_ERR_NOMEM;
    if (is_flat(&c) && !p->pool)
        flatten(&c, e->batch);
    const struct clv_arg args[] = {CLV_IN(e->state),
                                   CLV_IN(p->x),
                                   CLV_IN(p->dy),
                                   CLV_IN(p->pool ? p->mask : p->w),
                                   CLV_OUT(part ? part : p->dw),
                                   CLV_OUT(part ? part : db),
                                   CLV_GEOMETRY(&c, x_pitch, dy_pitch),
                                   CLV_I32(m),
                                   CLV_I32(cut.slice_k),
                                   CLV_I32(per_sample),
                                   CLV_I32(p->dbias != NULL)};
    const struct launch l = {
        .m = m,
        .n = c.co,
        .slices = cut.slices,
        .widths = {width(c.ci, x_pitch), width(c.co, dy_pitch), width(c.co, 0)},
        .source = &clv_cl_contract_tiled_weights,
        .name = "contract_tiled_weights",
        .extra = extra,
        .args = args,
        .n_args = (int)CLV_COUNT(args)};
    CLV_TRY(emit_launch(e, &info, &l, param));
    if (!part)
        return CLV_OK;
    const struct clv_arg sum[] = {
        CLV_IN(part),        CLV_OUT(p->dw),           CLV_OUT(db), CLV_I32(m + 1), CLV_I32(c.co),
        CLV_I32(cut.slices), CLV_I32(p->dbias != NULL)};
    return emit_reduce(e, p, CLV_PASS_BACKWARD, "backward weights sum",
                       "contract_tiled_reduce_weights", "", cut.slices, (int64_t)(m + 1) * c.co,
                       sum, (int)CLV_COUNT(sum));
}
