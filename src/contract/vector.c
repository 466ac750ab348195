/* The schedule for CPU devices: work-groups of one item, each with a register tile of MR rows by NV
 * vectors, fed from panels in local memory (which is that item's own, cache-resident scratch). */
#include "contract/schedule.h"

CLV_SOURCE(contract_pack);
CLV_SOURCE(contract_vector_forward);
CLV_SOURCE(contract_vector_weights);

/* What a tuner may vary. Measured on AVX-512 (32 registers); narrower vectors have 16. */
static const struct {
    int min_vw;        /* of the device */
    int nv, mr;        /* register tile */
    int weights_mr[5]; /* backward weights: the row counts to choose from; 0 ends */
    double rate;       /* share of the peak that the hot loop reaches, to weigh against padding */
} tiles[] = {
    {16, 4, 6, {6, 5, 4}, 1.0},          {16, 3, 8, {8, 6, 5}, 0.97},
    {16, 2, 12, {12, 9, 8, 6, 5}, 0.93}, {16, 1, 14, {14, 9, 6, 5}, 0.7},
    {0, 2, 6, {6, 5, 4}, 1.0},           {0, 1, 12, {12, 9, 8, 6, 5}, 0.8},
};

enum {
    MAX_KERNEL_ROWS = 32,    /* bits of the kernel's row mask */
    PIECE_BYTES = 24 << 10,  /* of filters that stay in the first-level cache under a strip */
    LOCAL_BYTES = 768 << 10, /* of scratch: leaves the filters room in the second-level cache */
    ITEMS_WANTED = 64,       /* below that, filter blocks become items of their own */
    CHUNK_PIXELS = 192,      /* backward weights: pixels summed in registers at a time */
    STRIP_PIXELS = 128,      /* backward weights: longest piece of a row */
    SLICE_PIXELS = 512,      /* backward weights: fewest in a slice */
};

static int vector_floats(const struct clv_caps *caps)
{
    return caps->vector_width >= 16 ? 16 : caps->vector_width >= 8 ? 8 : 4;
}

static size_t tile_row_of(const struct clv_caps *caps, int columns)
{
    const int vw = vector_floats(caps), wanted = vw == 16 ? 16 : 0;
    size_t best = 0;
    double best_cost = 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++) {
        const double cost = (double)clv_round_up(columns, tiles[i].nv * vw) / tiles[i].rate;
        if (tiles[i].min_vw == wanted && (best_cost == 0 || cost < best_cost)) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

struct clv_tile clv_vector_tile(const struct clv_caps *caps, int columns)
{
    const size_t i = tile_row_of(caps, columns);
    return (struct clv_tile){.vw = vector_floats(caps), .nv = tiles[i].nv, .mr = tiles[i].mr};
}

/* Backward weights: rows are a run of K; the count that wastes least of it. */
static struct clv_tile weights_tile(const struct clv_caps *caps, int columns, int run)
{
    const size_t i = tile_row_of(caps, columns);
    struct clv_tile t = {.vw = vector_floats(caps), .nv = tiles[i].nv};
    int64_t best = 0;
    for (size_t j = 0; j < CLV_COUNT(tiles[i].weights_mr) && tiles[i].weights_mr[j]; j++) {
        const int mr = tiles[i].weights_mr[j];
        const int64_t cost = clv_div_up(run, mr) * (mr + 1);
        if (!t.mr || cost < best) {
            t.mr = mr;
            best = cost;
        }
    }
    return t;
}

const char *clv_vector_options(struct clv_emit *e, const struct clv_tile *t, int act_code)
{
    const bool wide = t->vw == 16 && (e->caps->features & CLV_FEAT_MIN_VECTOR_WIDTH);
    return clv_emit_options(e, "%s%s-DMR=%d -DNV=%d -DVW=%d",
                            act_code == CLV_ACT_SIGMOID ? "-DACT=2 "
                            : act_code == CLV_ACT_TANH  ? "-DACT=3 "
                                                        : "",
                            wide ? "-DMIN_VECTOR_WIDTH " : "", t->mr, t->nv, t->vw);
}

/* ---- forward, and backward data as the forward convolution of dz ---- */

/* The convolution whose forward pass is this one's backward data: stride becomes zeros inserted in
 * dz. */
static struct clv_conv transposed(const struct clv_conv *c)
{
    return (struct clv_conv){
        .ih = c->oh,
        .iw = c->ow,
        .ci = c->co,
        .oh = c->ih,
        .ow = c->iw,
        .co = c->ci,
        .kh = c->kh,
        .kw = c->kw,
        .sh = 1,
        .sw = 1,
        .dh = c->dh,
        .dw = c->dw,
        .pt = c->dh * (c->kh - 1) - c->pt,
        .pl = c->dw * (c->kw - 1) - c->pl,
        .groups = 1,
    };
}

static int64_t forward_bytes(const struct clv_conv *c, const struct clv_tile *t, int64_t strip)
{
    const int64_t width = (strip - 1) * c->sw + (int64_t)(c->kw - 1) * c->dw + 1;
    return (int64_t)sizeof(float) * (c->kh * width * c->ci + strip * t->nv * t->vw);
}

static int64_t local_budget(const struct clv_caps *caps)
{
    return CLV_MIN((int64_t)caps->local_bytes, (int64_t)LOCAL_BYTES);
}

static bool forward_fits(const struct clv_caps *caps, const struct clv_conv *c)
{
    const struct clv_tile t = clv_vector_tile(caps, c->co);
    return c->groups == 1 && c->kh <= MAX_KERNEL_ROWS &&
           forward_bytes(c, &t, t.mr) <= local_budget(caps);
}

struct forward_plan {
    struct clv_tile tile;
    int strip, strips, blocks, blocks_per_item, piece_segs, piece_k;
};

static struct forward_plan plan_forward(const struct clv_emit *e, const struct clv_conv *c)
{
    struct forward_plan f = {.tile = clv_vector_tile(e->caps, c->co)};
    const int mr = f.tile.mr, lanes = f.tile.nv * f.tile.vw;
    for (int cuts = 1;; cuts++) {
        f.strip = (int)clv_round_up(clv_div_up(c->ow, cuts), mr);
        if (f.strip == mr || forward_bytes(c, &f.tile, f.strip) <= local_budget(e->caps))
            break;
    }
    f.strips = (int)clv_div_up(c->ow, f.strip);
    f.blocks = (int)clv_div_up(c->co, lanes);
    f.blocks_per_item = f.blocks;
    const int64_t rows = (int64_t)f.strips * c->oh * e->batch;
    while (f.blocks_per_item > 1 && rows * clv_div_up(f.blocks, f.blocks_per_item) < ITEMS_WANTED)
        f.blocks_per_item = (int)clv_div_up(f.blocks_per_item, 2);

    const int segs = c->dw == 1 ? c->kh : c->kh * c->kw, run = c->dw == 1 ? c->kw * c->ci : c->ci;
    const int piece = PIECE_BYTES / (int)sizeof(float) / lanes;
    f.piece_segs = segs;
    f.piece_k = run;
    if (f.strip > 2 * mr && (int64_t)segs * run > piece) { /* else nothing would reuse a piece */
        f.piece_segs = CLV_MAX(piece / run, 1);
        f.piece_k = run > piece ? (int)clv_div_up(run, clv_div_up(run, piece)) : run;
    }
    return f;
}

/* Filters of `c` in panels of the tile's lanes; flip: transposed and flipped, for backward data,
 * from the filters [kh][kw][c->co][c->ci]. */
static enum clv_err emit_pack(struct clv_emit *e, const struct clv_contract *p,
                              const struct clv_conv *c, const struct forward_plan *f, bool flip,
                              struct clv_tensor **ret)
{
    const int lanes = f->tile.nv * f->tile.vw, rows = c->kh * c->kw * c->ci + 1,
              tap = c->ci * c->co;
    const int sign = flip ? -1 : 1;
    struct clv_tensor *panel =
        clv_emit_scratch(e, CLV_F32, (int64_t)f->blocks * rows * lanes, "packed filters");
    const struct clv_emit_info info = {.node = p->node,
                                       .pass = flip ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                                       .what = flip ? "pack filters, flipped" : "pack filters"};
    if (!panel)
        return CLV_ERR_NOMEM;
    *ret = panel;
    struct clv_tensor *bias = flip ? NULL : p->bias;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_pack,
            .name = "contract_pack",
            .options = "",
            .dims = 3,
            .global = {(size_t)lanes, (size_t)rows, (size_t)f->blocks},
            clv_args(CLV_IN(p->w), CLV_IN(bias ? bias : p->w), CLV_OUT(panel), CLV_I32(lanes),
                     CLV_I32(c->kh), CLV_I32(c->kw), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(flip ? (c->kh * c->kw - 1) * tap : 0), CLV_I32(sign * c->kw * tap),
                     CLV_I32(sign * tap), CLV_I32(flip ? 1 : c->co), CLV_I32(flip ? c->ci : 1),
                     CLV_I32(bias != NULL))});
}

/* x and y are what they are for the convolution c: dz and dx for backward data. */
static enum clv_err emit_forward(struct clv_emit *e, const struct clv_contract *p,
                                 const struct clv_conv *c, struct clv_tensor *x,
                                 struct clv_tensor *y, bool backward)
{
    const struct forward_plan f = plan_forward(e, c);
    const enum clv_act act = backward ? CLV_ACT_LINEAR : p->act;
    const bool accumulate = backward && p->accumulate;
    const int up_h = backward ? p->conv.sh : 1, up_w = backward ? p->conv.sw : 1;
    struct clv_tensor *panel;
    CLV_TRY(emit_pack(e, p, c, &f, backward, &panel));
    const char *options = clv_vector_options(e, &f.tile, clv_contract_act_code(act));
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, backward ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                          backward ? "backward data" : "forward");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_forward,
            .name = "contract_vector_forward",
            .options = options,
            .dims = 3,
            .global = {(size_t)f.strips * (size_t)clv_div_up(f.blocks, f.blocks_per_item),
                       (size_t)c->oh, (size_t)e->batch},
            .local = {1, 1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(x), CLV_IN(panel), CLV_OUT_OR_ADD(y, accumulate),
                     CLV_GEOMETRY(c, backward ? clv_y_pitch(p, x) : clv_x_pitch(p, x),
                                  backward ? clv_x_pitch(p, y) : clv_y_pitch(p, y)),
                     CLV_I32(up_h), CLV_I32(up_w), CLV_I32(f.strip), CLV_I32(f.blocks_per_item),
                     CLV_I32(f.piece_segs), CLV_I32(f.piece_k),
                     CLV_I32(clv_contract_flags(act, accumulate)),
                     CLV_LOCAL(forward_bytes(c, &f.tile, f.strip)))});
}

/* ---- backward weights ---- */

struct weights_plan {
    struct clv_tile tile;
    int strip, rows; /* a chunk: output rows of a strip of pixels */
    int64_t chunks;
    int slices, blocks;
};

static int64_t weights_bytes(const struct clv_conv *c, const struct clv_tile *t, int64_t strip,
                             int64_t rows)
{
    const int64_t width = (strip - 1) * c->sw + (int64_t)(c->kw - 1) * c->dw + 1;
    const int64_t x_rows = (rows - 1) * c->sh + (int64_t)(c->kh - 1) * c->dh + 1;
    return (int64_t)sizeof(float) * (rows * strip * t->nv * t->vw + x_rows * width * c->ci + t->mr);
}

static struct clv_tile weights_tile_of(const struct clv_caps *caps, const struct clv_conv *c)
{
    return weights_tile(caps, c->co, c->dw == 1 ? c->kw * c->ci : c->ci);
}

static bool weights_fit(const struct clv_caps *caps, const struct clv_conv *c)
{
    const struct clv_tile t = weights_tile_of(caps, c);
    return c->groups == 1 && weights_bytes(c, &t, 1, 1) <= local_budget(caps);
}

static struct weights_plan plan_weights(const struct clv_emit *e, const struct clv_conv *c)
{
    struct weights_plan f = {.tile = weights_tile_of(e->caps, c)};
    const int64_t budget = local_budget(e->caps);
    for (int64_t cuts = clv_div_up(c->ow, STRIP_PIXELS);; cuts++) {
        f.strip = (int)clv_div_up(c->ow, cuts);
        if (f.strip == 1 || weights_bytes(c, &f.tile, f.strip, 1) <= budget)
            break;
    }
    f.rows = CLV_MIN(CLV_MAX(CHUNK_PIXELS / f.strip, 1), c->oh);
    while (f.rows > 1 && weights_bytes(c, &f.tile, f.strip, f.rows) > budget)
        f.rows--;
    f.rows = (int)clv_div_up(c->oh, clv_div_up(c->oh, f.rows));
    const int64_t strips = clv_div_up(c->ow, f.strip);
    f.chunks = e->batch * clv_div_up(c->oh, f.rows) * strips;
    const int lanes = f.tile.nv * f.tile.vw;
    f.blocks = (int)clv_div_up(c->co, lanes);
    const int64_t per_slice = CLV_MAX(SLICE_PIXELS / ((int64_t)f.strip * f.rows), 1);
    f.slices = clv_contract_slices(f.chunks, per_slice, (clv_conv_k(c) + 1) * f.blocks * lanes);
    return f;
}

static enum clv_err emit_weights(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    const struct weights_plan f = plan_weights(e, c);
    const int rows = (int)clv_conv_k(c) + 1, lanes = f.tile.nv * f.tile.vw;
    struct clv_tensor *part = clv_emit_scratch(
        e, CLV_F32, (int64_t)f.slices * f.blocks * rows * lanes, "weight gradient slices");
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const bool store_dz = p->dx && p->act != CLV_ACT_LINEAR;
    const struct clv_arg dy = {store_dz ? CLV_ARG_INOUT : CLV_ARG_IN, {.t = p->dy}};
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_weights,
            .name = "contract_vector_weights",
            .options = options,
            .dims = 2,
            .global = {(size_t)f.slices, (size_t)f.blocks},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), dy, CLV_IN(p->y), CLV_OUT(part),
                     CLV_GEOMETRY(c, clv_x_pitch(p, p->x), clv_y_pitch(p, p->y)),
                     CLV_I32(clv_y_pitch(p, p->dy)), CLV_I32(f.strip), CLV_I32(f.rows),
                     CLV_I32(f.chunks), CLV_I32(p->act), CLV_I32(store_dz),
                     CLV_LOCAL(weights_bytes(c, &f.tile, f.strip, f.rows)))}));
    return clv_contract_reduce_weights(
        e, p, &(struct clv_part){.t = part, .rows = rows, .lanes = lanes, .slices = f.slices});
}

/* ---- the schedule ---- */

static bool supports(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    if (caps->gpu_path)
        return false;
    if (clv_conv_is_dense(c))
        return clv_vector_dense_supports(caps, c);
    const struct clv_conv back = transposed(c);
    return product == CLV_PRODUCT_FORWARD ? forward_fits(caps, c)
           : product == CLV_PRODUCT_DATA  ? c->groups == 1 && forward_fits(caps, &back)
                                          : weights_fit(caps, c);
}

/* The dense passes read dz several times: there it is computed once, beforehand. */
static bool folds_act(const struct clv_conv *c)
{
    return !clv_conv_is_dense(c);
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    return clv_conv_is_dense(&p->conv) ? clv_vector_dense_forward(e, p)
                                       : emit_forward(e, p, &p->conv, p->x, p->y, false);
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    const struct clv_conv back = transposed(&p->conv);
    return clv_conv_is_dense(&p->conv) ? clv_vector_dense_data(e, p)
                                       : emit_forward(e, p, &back, p->dy, p->dx, true);
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    return clv_conv_is_dense(&p->conv) ? clv_vector_dense_weights(e, p) : emit_weights(e, p);
}

const struct clv_schedule clv_schedule_vector = {
    .name = "vector",
    .supports = supports,
    .folds_act = folds_act,
    .emit = {forward, data, weights},
};
