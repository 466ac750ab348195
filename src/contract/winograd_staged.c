/* The staged form of the winograd schedule (cl/contract_winograd_staged.cl): transforms and a batch
 * of (m + 2)^2 matrix products, with their results in memory. The images of a batch pass in turns,
 * so that the scratch stays below a fixed size. Rounding errors are those of the fused form; sums
 * over tiles have two levels here, the slices of a pass, in tile order within, and the slices
 * themselves. */
#include "contract/winograd.h"

CLV_SOURCE(contract_winograd_staged);

enum {
    SCRATCH_BYTES = 64 << 20, /* of a pass, unless one image needs more */
    IMAGE_BYTES = 512 << 20,  /* of an image, at most */
    SLICE_TILES = 512,        /* fewest in a slice of backward weights */
};

/* A register tile of the product: a work-group of side x side items has four by four each. */
static int side_of(const struct clv_caps *caps)
{
    static const int sides[] = {16, 8};
    for (size_t i = 0; i < CLV_COUNT(sides); i++) {
        const uint64_t n = (uint64_t)sides[i], bytes = 2 * n * (4 * n + 1) * sizeof(float);
        if (n * n <= caps->max_work_group && bytes <= caps->local_bytes)
            return sides[i];
    }
    return 0;
}

struct plan {
    struct clv_tile tile;
    int m, points, side; /* side: 0 on CPUs */
    int ci_pitch, co_pitch;
    int tile_rows, tile_columns;
    int images, passes, tiles; /* images and tiles of a pass */
    int64_t image_bytes;
};

/* c: of the forward problem; pool: of its output. */
static struct plan plan_of(const struct clv_caps *caps, const struct clv_conv *c, bool pool,
                           int batch, const int *param)
{
    struct plan f = {.tile = {.vw = 1, .nv = 1, .mr = 1}, .m = param[0]};
    f.points = (f.m + 2) * (f.m + 2);
    if (caps->gpu_path)
        f.side = side_of(caps);
    else
        f.tile = (struct clv_tile){.vw = clv_vector_floats(caps), .nv = param[2], .mr = param[1]};
    f.ci_pitch = (int)clv_round_up(clv_round_up(c->ci, f.tile.mr), f.tile.vw);
    f.co_pitch = (int)clv_round_up(c->co, f.tile.nv * f.tile.vw);
    f.tile_rows = (int)clv_div_up(pool ? c->oh / 2 * 2 : c->oh, f.m);
    f.tile_columns = (int)clv_div_up(pool ? c->ow / 2 * 2 : c->ow, f.m);
    const int64_t per_image = (int64_t)f.tile_rows * f.tile_columns;
    f.image_bytes = (int64_t)sizeof(float) * (f.points + 1) * per_image * (f.ci_pitch + f.co_pitch);
    f.images = (int)CLV_MAX(CLV_MIN(SCRATCH_BYTES / f.image_bytes, (int64_t)batch), 1);
    f.passes = (int)clv_div_up(batch, f.images);
    f.tiles = (int)clv_round_up(f.images * per_image, f.tile.mr);
    return f;
}

void clv_winograd_staged_defaults(const struct clv_caps *caps, const struct clv_conv *c, int m,
                                  int param[CLV_CHOICE_PARAMS])
{
    const struct clv_tile tile = clv_vector_tile(caps, c->co);
    const int p[CLV_CHOICE_PARAMS] = {m ? m : 4, caps->gpu_path ? 0 : tile.mr,
                                      caps->gpu_path ? 0 : tile.nv};
    for (int i = 0; i < CLV_CHOICE_PARAMS; i++)
        param[i] = p[i];
}

bool clv_winograd_staged_supports(const struct clv_caps *caps, const struct clv_conv *c)
{
    int param[CLV_CHOICE_PARAMS];
    if (!clv_winograd_takes(c) || (caps->gpu_path && !side_of(caps)) ||
        (int64_t)c->ci * c->co > INT32_MAX / 64)
        return false;
    clv_winograd_staged_defaults(caps, c, 2, param); /* needs the most */
    const struct plan f = plan_of(caps, c, false, 1, param);
    return f.image_bytes <= CLV_MIN((int64_t)IMAGE_BYTES, (int64_t)caps->max_alloc);
}

/* ---- emitting ---- */

/* One of the problem's launches. */
struct stage {
    struct clv_emit *e;
    const struct clv_contract *p;
    const struct plan *f;
    enum clv_pass pass;
    const char *plain, *pooled; /* options, without and with the fused pool's */
};

static enum clv_err stage_begin(struct stage *s, enum clv_act act, const char *pool_option)
{
    const struct plan *f = s->f;
    const char *tile = clv_vector_options(s->e, &f->tile, clv_contract_act_code(act));
    s->plain = !tile     ? NULL
               : f->side ? clv_emit_options(s->e, "%s -DWINO_M=%d -DSIDE=%d", tile, f->m, f->side)
                         : clv_emit_options(s->e, "%s -DWINO_M=%d", tile, f->m);
    s->pooled = s->plain;
    if (s->plain && s->p->pool)
        s->pooled = clv_emit_options(s->e, "%s %s", s->plain, pool_option);
    return s->plain && s->pooled ? CLV_OK : CLV_ERR_NOMEM;
}

/* Work-items over channels and tiles, or whatever else. */
static enum clv_err launch(const struct stage *s, const char *what, const char *name,
                           const char *options, int64_t columns, int64_t rows,
                           struct clv_kernel_step k)
{
    const struct clv_emit_info info = {.node = s->p->node, .pass = s->pass, .what = what};
    k.source = &clv_cl_contract_winograd_staged;
    k.name = name;
    k.options = options;
    k.dims = 2;
    k.global[0] = (size_t)columns;
    k.global[1] = (size_t)rows;
    k.local[0] = s->f->side ? CLV_WINOGRAD_GROUP_X : 1;
    k.local[1] = s->f->side ? CLV_WINOGRAD_GROUP_Y : 1;
    return clv_emit_kernel(s->e, &info, &k);
}

/* IMAGES_ARGS of the kernels. */
#define PASS_ARGS(f, pass)                                                                         \
    CLV_I32((f)->images), CLV_I32((pass) * (f)->images), CLV_I32((f)->tile_rows),                  \
        CLV_I32((f)->tile_columns), CLV_I32((f)->tiles)

/* x, or with `mask` the gradient behind a pool, to v. */
static enum clv_err emit_input(const struct stage *s, const struct clv_conv *c,
                               struct clv_tensor *x, int pitch, struct clv_tensor *mask,
                               struct clv_tensor *v, int pass)
{
    const struct plan *f = s->f;
    const int cell = mask ? 2 : 1;
    return launch(s, "transform input", "winograd_stage_input", mask ? s->pooled : s->plain,
                  f->ci_pitch / f->tile.vw, f->tiles,
                  (struct clv_kernel_step){clv_args(
                      CLV_IN(s->e->state), CLV_IN(x), CLV_IN(mask ? mask : x), CLV_OUT(v),
                      CLV_I32(c->ih / cell), CLV_I32(c->iw / cell), CLV_I32(c->ci), CLV_I32(pitch),
                      CLV_I32(f->ci_pitch), CLV_I32(c->pt), CLV_I32(c->pl), PASS_ARGS(f, pass))});
}

static enum clv_err emit_adjoint(const struct stage *s, struct clv_tensor *z, int pass)
{
    const struct plan *f = s->f;
    const struct clv_contract *p = s->p;
    return launch(
        s, "transform gradient", "winograd_stage_adjoint", s->pooled, f->co_pitch / f->tile.vw,
        f->tiles,
        (struct clv_kernel_step){clv_args(
            CLV_IN(s->e->state), CLV_IN(p->dy), CLV_IN(p->pool ? p->mask : p->dy), CLV_OUT(z),
            CLV_I32(clv_y_height(p)), CLV_I32(clv_y_width(p)), CLV_I32(p->conv.co),
            CLV_I32(clv_y_pitch(p, p->dy)), CLV_I32(f->co_pitch), PASS_ARGS(f, pass))});
}

/* a, b and c as the kernel has them. */
struct product {
    struct clv_tensor *a, *b, *c;
    int a_plane, a_row, a_k, b_step, rows, columns, depth, slices, slice_k, c_step, c_slice;
    bool add;
};

static enum clv_err emit_product(const struct stage *s, const struct clv_emit_info *info,
                                 const struct product *q)
{
    const struct plan *f = s->f;
    const int side = f->side ? f->side : 1;
    const int wide = f->side ? 4 : f->tile.nv * f->tile.vw, high = f->side ? 4 : f->tile.mr;
    return clv_emit_kernel(
        s->e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_winograd_staged,
            .name = "winograd_stage_product",
            .options = s->plain,
            .dims = 3,
            .global = {(size_t)clv_div_up(q->columns, wide), (size_t)clv_div_up(q->rows, high),
                       (size_t)q->slices * (size_t)f->points},
            .local = {(size_t)side, (size_t)side, 1},
            clv_args(CLV_IN(q->a), CLV_IN(q->b), CLV_OUT_OR_ADD(q->c, q->add), CLV_I32(q->a_plane),
                     CLV_I32(q->a_row), CLV_I32(q->a_k), CLV_I32(q->b_step), CLV_I32(q->rows),
                     CLV_I32(q->columns), CLV_I32(q->depth), CLV_I32(q->slice_k),
                     CLV_I32(q->c_step), CLV_I32(q->c_slice), CLV_I32(q->add))});
}

static enum clv_err emit_output(const struct stage *s, const struct clv_conv *c,
                                const struct clv_winograd_operands *o, struct clv_tensor *m,
                                int pass)
{
    const struct plan *f = s->f;
    const int cell = s->p->pool && s->pass == CLV_PASS_FORWARD ? 2 : 1;
    /* What is absent has its place in the argument list taken by m, which is only read. */
    return launch(s, "transform output", "winograd_stage_output", cell == 2 ? s->pooled : s->plain,
                  clv_div_up(c->co, f->tile.vw), f->tiles,
                  (struct clv_kernel_step){
                      clv_args(CLV_IN(s->e->state), CLV_IN(m), CLV_IN(o->bias ? o->bias : m),
                               CLV_OUT_OR_ADD(o->y, o->flags & CLV_EPILOGUE_ACCUMULATE || pass > 0),
                               {!o->mask ? CLV_ARG_IN
                                : pass   ? CLV_ARG_INOUT
                                         : CLV_ARG_OUT,
                                {.t = o->mask ? o->mask : m}},
                               CLV_I32(c->oh / cell), CLV_I32(c->ow / cell), CLV_I32(c->co),
                               CLV_I32(o->y_pitch), CLV_I32(f->co_pitch), CLV_I32(o->bias != NULL),
                               CLV_I32(o->flags), PASS_ARGS(f, pass))});
}

static struct clv_emit_info product_info(const struct stage *s, const char *what)
{
    struct clv_emit_info info = clv_contract_info(s->e, s->p, s->pass, what);
    info.flops /= s->f->passes;
    info.bytes /= s->f->passes;
    return info;
}

static enum clv_err emit_forward(struct clv_emit *e, const struct clv_contract *p, const int *param,
                                 bool back)
{
    const struct clv_conv c =
        clv_winograd_conv(&p->conv, back ? CLV_PRODUCT_DATA : CLV_PRODUCT_FORWARD);
    const struct plan f = plan_of(e->caps, &c, p->pool && !back, e->batch, param);
    const struct clv_winograd_operands o = clv_winograd_operands_of(p, back);
    struct stage s = {.e = e, .p = p, .f = &f, .pass = back ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD};
    const int lanes = f.side ? c.co : f.tile.nv * f.tile.vw;
    struct clv_tensor *filters;
    CLV_TRY(stage_begin(&s, o.act, back ? "-DUNPOOL=1" : "-DPOOL"));
    CLV_TRY(clv_winograd_filter(e, p, &c, f.m, f.tile.vw, lanes, back, &filters));
    struct clv_tensor *v =
        clv_emit_scratch(e, CLV_F32, (int64_t)f.points * f.tiles * f.ci_pitch, "transformed input");
    struct clv_tensor *m = clv_emit_scratch(e, CLV_F32, (int64_t)f.points * f.tiles * f.co_pitch,
                                            "transformed output");
    if (!v || !m)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = product_info(&s, back ? "backward data" : "forward");
    const struct product q = {.a = v,
                              .b = filters,
                              .c = m,
                              .a_plane = f.tiles * f.ci_pitch,
                              .a_row = f.ci_pitch,
                              .a_k = 1,
                              .b_step = lanes,
                              .rows = f.tiles,
                              .columns = f.side ? c.co : f.co_pitch,
                              .depth = c.ci,
                              .slices = 1,
                              .slice_k = c.ci,
                              .c_step = f.co_pitch};
    for (int i = 0; i < f.passes; i++) {
        CLV_TRY(emit_input(&s, &c, o.x, o.x_pitch, o.unpool, v, i));
        CLV_TRY(emit_product(&s, &info, &q));
        CLV_TRY(emit_output(&s, &c, &o, m, i));
    }
    return CLV_OK;
}

/* The bias gradient of a pass. */
static enum clv_err emit_bias(const struct stage *s, const struct product *q)
{
    const struct plan *f = s->f;
    return launch(
        s, "bias gradient", "winograd_stage_bias", s->plain, f->co_pitch / f->tile.vw, q->slices,
        (struct clv_kernel_step){clv_args(
            CLV_IN(q->b), {CLV_ARG_INOUT, {.t = q->c}}, CLV_I32(f->co_pitch), CLV_I32(f->tiles),
            CLV_I32(q->slice_k), CLV_I32(f->points * q->rows * f->co_pitch), CLV_I32(q->c_slice),
            CLV_I32(q->add))});
}

static enum clv_err emit_weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    const struct plan f = plan_of(e->caps, c, p->pool, e->batch, param);
    struct stage s = {.e = e, .p = p, .f = &f, .pass = CLV_PASS_BACKWARD};
    CLV_TRY(stage_begin(&s, CLV_ACT_LINEAR, "-DUNPOOL=1"));
    const int rows = (int)clv_round_up(c->ci, f.tile.mr);
    const int64_t part = (int64_t)(f.points * rows + 1) * f.co_pitch;
    const int slice_k = (int)clv_div_up(f.tiles, clv_contract_slices(f.tiles, SLICE_TILES, part));
    const int slices = (int)clv_div_up(f.tiles, slice_k); /* none is empty */
    const struct product q = {
        .a = clv_emit_scratch(e, CLV_F32, (int64_t)f.points * f.tiles * f.ci_pitch,
                              "transformed input"),
        .b = clv_emit_scratch(e, CLV_F32, (int64_t)(f.points + 1) * f.tiles * f.co_pitch,
                              "transformed gradient"),
        .c = clv_emit_scratch(e, CLV_F32, slices * part, "weight gradient slices"),
        .a_plane = f.tiles * f.ci_pitch,
        .a_row = 1,
        .a_k = f.ci_pitch,
        .b_step = f.co_pitch,
        .rows = rows,
        .columns = f.co_pitch,
        .depth = f.tiles,
        .slices = slices,
        .slice_k = slice_k,
        .c_step = f.co_pitch,
        .c_slice = (int)part};
    if (!q.a || !q.b || !q.c)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = product_info(&s, "backward weights");
    for (int i = 0; i < f.passes; i++) {
        struct product one = q;
        one.add = i > 0;
        CLV_TRY(emit_input(&s, c, p->x, clv_x_pitch(p, p->x), NULL, q.a, i));
        CLV_TRY(emit_adjoint(&s, q.b, i));
        CLV_TRY(emit_product(&s, &info, &one));
        CLV_TRY(emit_bias(&s, &one));
    }
    return clv_winograd_weights_sum(
        e, p,
        &(struct clv_winograd_part){
            .t = q.c,
            .ci_block = rows,
            .co_block = f.co_pitch,
            .rows = rows,
            .lanes = f.tile.nv * f.tile.vw,
            .slices = slices,
            .local = {f.side ? CLV_WINOGRAD_GROUP_X : 1, f.side ? CLV_WINOGRAD_GROUP_Y : 1}},
        clv_emit_options(e, "-DMR=1 -DNV=%d -DVW=%d -DWINO_M=%d", f.tile.nv, f.tile.vw, f.m));
}

enum clv_err clv_winograd_staged(struct clv_emit *e, const struct clv_contract *p,
                                 enum clv_product product, const int *param)
{
    return product == CLV_PRODUCT_WEIGHTS ? emit_weights(e, p, param)
                                          : emit_forward(e, p, param, product == CLV_PRODUCT_DATA);
}
