/* Dense layers on CPU devices: the weights are streamed once in each pass, see
 * cl/contract_vector_dense.cl. */
#include "contract/schedule.h"

CLV_SOURCE(contract_vector_dense);

enum {
    STREAM_BATCH = 2,        /* forward: up to so many samples w is streamed as it lies */
    ROW_STEP = 64,           /* samples that pass over a panel together */
    PANEL_BYTES = 192 << 10, /* of w in the second-level cache, twice: the next one comes meanwhile */
    BLOCK_LANES = 2048,      /* outputs of a work-item, at most: rows long enough to be streamed */
    ITEMS_WANTED = 32,
    MIN_SLICE = 128, MAX_SLICE = 1024, /* inputs summed by one work-item of the forward pass */
    DATA_VECTORS = 3,        /* backward data: inputs in a tile, by 8 or 4 samples */
    WEIGHTS_IN = 96,         /* backward weights: inputs of a work-item */
    UPDATE_IN = 24,          /* where the update follows, inputs whose gradient waits for it, in cache */
    NARROW = 64,             /* outputs: fewer take the same tile, hence the same programs; each costs a
                              * second to build, wasted lanes of a small layer nothing */
};

/* How one product is cut: of outputs in blocks of `lanes`, inputs, and samples. */
struct cut {
    struct clv_tile tile;
    int lanes, all_blocks, blocks; /* blocks: of a work-item */
    int in_step, panel, rows;      /* inputs of a work-item and of a panel, samples */
    int strip;                     /* inputs whose gradient waits for its use */
    int64_t bytes;                 /* of local memory */
};

static int half(int value)
{
    return (value + 1) / 2;
}

static struct cut start(const struct clv_conv *c, struct clv_tile tile, int batch)
{
    struct cut f = {.tile = tile, .lanes = tile.nv * tile.vw};
    f.all_blocks = (int)clv_div_up(c->co, f.lanes);
    f.blocks = CLV_MIN(f.all_blocks, CLV_MAX(BLOCK_LANES / f.lanes, 1));
    f.rows = CLV_MIN(ROW_STEP, batch);
    return f;
}

/* ---- forward ---- */

/* The tile height that wastes least of the batch, counting what a tile costs beside its rows. */
static int rows_of_tile(int batch, int most)
{
    int best = most;
    for (int mr = most - 1; mr > 0; mr--)
        if (clv_div_up(batch, mr) * (mr + 1) < clv_div_up(batch, best) * (best + 1))
            best = mr;
    return best;
}

static int64_t forward_bytes(const struct cut *f)
{
    return (int64_t)sizeof(float) *
           ((int64_t)f->lanes * (f->panel + (int64_t)f->blocks * f->rows) +
            (int64_t)f->rows * (f->in_step + f->tile.vw));
}

static void fit_panel(struct cut *f)
{
    const int64_t bytes = (int64_t)sizeof(float) * f->blocks * f->lanes;
    f->panel = (int)CLV_MIN(CLV_MAX(PANEL_BYTES / bytes, 16), f->in_step);
}

static struct cut cut_forward(const struct clv_caps *caps, const struct clv_conv *c, int batch)
{
    struct clv_tile tile = {.vw = clv_vector_tile(caps, c->co).vw, .nv = 2};
    tile.mr = rows_of_tile(batch, tile.vw == 16 ? 8 : 6);
    struct cut f = start(c, tile, batch);
    f.rows = (int)clv_round_up(f.rows, tile.mr);
    const int64_t share = clv_round_up(clv_div_up(c->ci, ITEMS_WANTED), 16);
    f.in_step = (int)CLV_MIN(CLV_MIN(CLV_MAX(share, MIN_SLICE), MAX_SLICE), c->ci);
    const int64_t slices = clv_div_up(c->ci, f.in_step);
    while (f.blocks > 1 && slices * clv_div_up(f.all_blocks, f.blocks) < ITEMS_WANTED)
        f.blocks = half(f.blocks);
    fit_panel(&f);
    while (f.blocks > 1 && forward_bytes(&f) > (int64_t)caps->local_bytes) {
        f.blocks = half(f.blocks);
        fit_panel(&f);
    }
    while (f.rows > tile.mr && forward_bytes(&f) > (int64_t)caps->local_bytes)
        f.rows -= tile.mr;
    while (f.in_step > 16 && forward_bytes(&f) > (int64_t)caps->local_bytes) {
        f.in_step = half(f.in_step);
        fit_panel(&f);
    }
    f.bytes = forward_bytes(&f);
    return f;
}

/* y from the slices: a sum in fixed order, bias, activation. */
static enum clv_err emit_sum(struct clv_emit *e, const struct clv_contract *p, const struct cut *f,
                             struct clv_tensor *part)
{
    const struct clv_conv *c = &p->conv;
    const char *options = clv_vector_options(e, &f->tile, clv_contract_act_code(p->act));
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = {
        .node = p->node, .pass = CLV_PASS_FORWARD, .what = "forward sum"};
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_dense,
            .name = "contract_vector_dense_sum",
            .options = options,
            .dims = 2,
            .global = {(size_t)f->all_blocks, (size_t)clv_div_up(e->batch, f->tile.mr)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(part), CLV_IN(p->bias ? p->bias : part),
                     CLV_OUT(p->y), CLV_I32(c->co), CLV_I32(clv_y_pitch(p, p->y)),
                     CLV_I32(e->batch), CLV_I32(clv_div_up(c->ci, f->in_step)),
                     CLV_I32(p->bias != NULL), CLV_I32(clv_contract_flags(p->act, false)))});
}

enum clv_err clv_vector_dense_forward(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    const struct cut f = cut_forward(e->caps, c, e->batch);
    const int slices = (int)clv_div_up(c->ci, f.in_step);
    const int64_t elements = (int64_t)slices * f.all_blocks * e->batch * f.lanes;
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, elements, "partial sums");
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    struct clv_kernel_step step = {
        .source = &clv_cl_contract_vector_dense,
        .name = "contract_vector_dense_forward",
        .options = options,
        .dims = 2,
        .global = {(size_t)clv_div_up(f.all_blocks, f.blocks), (size_t)slices},
        .local = {1, 1},
        clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->w), CLV_OUT(part), CLV_I32(c->ci),
                 CLV_I32(c->co), CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(e->batch),
                 CLV_I32(f.blocks), CLV_I32(f.in_step), CLV_I32(f.panel), CLV_I32(f.rows),
                 CLV_LOCAL(f.bytes)),
    };
    const struct clv_arg stream[] = {
        CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->w), CLV_OUT(part), CLV_I32(c->ci),
        CLV_I32(c->co), CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(e->batch),
        CLV_I32(f.blocks), CLV_I32(f.in_step),
        CLV_LOCAL(sizeof(float) * (size_t)(f.blocks * f.lanes + f.in_step))};
    if (e->batch <= STREAM_BATCH) {
        step.name = "contract_vector_dense_stream";
        step.args = stream;
        step.n_args = (int)CLV_COUNT(stream);
    }
    CLV_TRY(clv_emit_kernel(e, &info, &step));
    return emit_sum(e, p, &f, part);
}

/* ---- backward data ---- */

static struct cut cut_data(const struct clv_caps *caps, const struct clv_conv *c, int batch)
{
    struct clv_tile tile = {.vw = clv_vector_tile(caps, c->co).vw, .nv = DATA_VECTORS};
    tile.mr = tile.vw == 16 && batch > 4 ? 8 : 4;
    struct cut f = start(c, tile, batch);
    const int64_t row = (int64_t)sizeof(float) * (clv_round_up(c->co, tile.vw) + tile.vw);
    f.rows = (int)clv_round_up(f.rows, tile.mr);
    while (f.rows > tile.mr && f.rows * row > (int64_t)caps->local_bytes)
        f.rows -= tile.mr;
    f.in_step = (int)clv_round_up(clv_div_up(c->ci, ITEMS_WANTED), tile.nv);
    f.panel = (int)CLV_MAX(PANEL_BYTES / ((int64_t)sizeof(float) * c->co) / tile.nv, 1) * tile.nv;
    f.bytes = f.rows * row;
    return f;
}

enum clv_err clv_vector_dense_data(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    const struct cut f = cut_data(e->caps, c, e->batch);
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward data");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_vector_dense,
                                  .name = "contract_vector_dense_data",
                                  .options = options,
                                  .dims = 1,
                                  .global = {(size_t)clv_div_up(c->ci, f.in_step)},
                                  .local = {1},
                                  clv_args(CLV_IN(e->state), CLV_IN(p->dy), CLV_IN(p->w),
                                           CLV_OUT_OR_ADD(p->dx, p->accumulate), CLV_I32(c->ci),
                                           CLV_I32(c->co), CLV_I32(clv_y_pitch(p, p->dy)),
                                           CLV_I32(clv_x_pitch(p, p->dx)), CLV_I32(f.in_step),
                                           CLV_I32(f.panel), CLV_I32(f.rows),
                                           CLV_I32(p->accumulate), CLV_LOCAL(f.bytes))});
}

/* ---- backward weights, with or without the update ---- */

static int64_t weights_bytes(const struct cut *f)
{
    return (int64_t)sizeof(float) * f->rows * ((int64_t)f->blocks * f->lanes + f->in_step);
}

static int64_t gradient_bytes(const struct cut *f)
{
    return (int64_t)sizeof(float) * f->strip * f->blocks * f->lanes;
}

static struct cut cut_weights(const struct clv_caps *caps, const struct clv_conv *c, int batch)
{
    const int64_t budget = (int64_t)caps->local_bytes, share = clv_div_up(c->ci, ITEMS_WANTED);
    struct cut f = start(c, clv_vector_tile(caps, CLV_MAX(c->co, NARROW)), batch);
    const int mr = f.tile.mr;
    f.in_step = (int)clv_round_up(CLV_MIN(CLV_MAX(share, mr), WEIGHTS_IN), mr);
    while (f.blocks > 1 && weights_bytes(&f) > budget)
        f.blocks = half(f.blocks);
    while (f.rows > 1 && weights_bytes(&f) > budget)
        f.rows = half(f.rows);
    while (f.in_step > mr && weights_bytes(&f) > budget)
        f.in_step -= mr;
    f.bytes = weights_bytes(&f);
    return f;
}

/* The same cut of the samples, whose sums must not differ, and a strip of the gradient that fits beside them. */
static bool cut_update(const struct clv_caps *caps, const struct clv_conv *c, int batch, struct cut *f)
{
    const int64_t budget = (int64_t)caps->local_bytes;
    const int mr = f->tile.mr;
    f->strip = (int)clv_round_up(CLV_MIN(UPDATE_IN, c->ci), mr);
    /* x and dz are read once, unless the samples come in parts. */
    f->in_step = batch > f->rows
                     ? f->strip
                     : (int)clv_round_up(clv_div_up(c->ci, ITEMS_WANTED), f->strip);
    while (f->in_step > f->strip && weights_bytes(f) + gradient_bytes(f) > budget)
        f->in_step -= f->strip;
    while (f->blocks > 1 && weights_bytes(f) + gradient_bytes(f) > budget)
        f->blocks = half(f->blocks);
    while (f->strip > mr && weights_bytes(f) + gradient_bytes(f) > budget)
        f->in_step = f->strip -= mr;
    f->bytes = weights_bytes(f) + gradient_bytes(f);
    return f->bytes <= budget;
}

static enum clv_err emit_update(struct clv_emit *e, const struct clv_contract *p,
                                const struct cut *f, const struct clv_update *u)
{
    const struct clv_conv *c = &p->conv;
    const char *tile = clv_vector_options(e, &f->tile, 0);
    const char *options =
        tile ? clv_emit_options(e, "%s -DDENSE_WEIGHTS -DSLOTS=%d%s", tile, u->n_slots, u->options) : NULL;
    if (!options)
        return CLV_ERR_NOMEM;
    struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights, update");
    info.bytes += (1.0 + 2 * u->n_slots) * sizeof(float) * c->ci * c->co;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = u->source,
            .name = "contract_vector_dense_update",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(c->ci, f->in_step),
                       (size_t)clv_div_up(f->all_blocks, f->blocks)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_INOUT(u->value),
                     CLV_INOUT(u->slot[0]), CLV_INOUT(u->slot[1]), CLV_IN(u->chunks),
                     CLV_OUT(p->dbias ? p->dbias : u->value), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(clv_y_pitch(p, p->dy)),
                     CLV_I32(f->in_step), CLV_I32(f->strip), CLV_I32(f->blocks), CLV_I32(f->rows),
                     CLV_I32(p->dbias != NULL), CLV_I32(u->chunk), CLV_LOCAL(f->bytes))});
}

static enum clv_err emit_gradient(struct clv_emit *e, const struct clv_contract *p,
                                  const struct cut *f)
{
    const struct clv_conv *c = &p->conv;
    const char *options = clv_vector_options(e, &f->tile, 0);
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_dense,
            .name = "contract_vector_dense_weights",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(c->ci, f->in_step),
                       (size_t)clv_div_up(f->all_blocks, f->blocks)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(p->dw),
                     CLV_OUT(p->dbias ? p->dbias : p->dw), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(clv_y_pitch(p, p->dy)),
                     CLV_I32(f->in_step), CLV_I32(f->blocks), CLV_I32(f->rows),
                     CLV_I32(p->dbias != NULL), CLV_LOCAL(f->bytes))});
}

enum clv_err clv_vector_dense_weights(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    const struct cut f = cut_weights(e->caps, c, e->batch);
    struct cut with_update = f;
    struct clv_update u;
    if (cut_update(e->caps, c, e->batch, &with_update) && clv_emit_take_update(e, p->node, 0, &u))
        return emit_update(e, p, &with_update, &u);
    return emit_gradient(e, p, &f);
}

/* ---- both ---- */

/* Whether the smallest steps fit local memory; a larger batch takes no more of it. */
bool clv_vector_dense_supports(const struct clv_caps *caps, const struct clv_conv *c)
{
    const int64_t budget = (int64_t)caps->local_bytes;
    return cut_forward(caps, c, ROW_STEP).bytes <= budget &&
           cut_data(caps, c, ROW_STEP).bytes <= budget &&
           cut_weights(caps, c, ROW_STEP).bytes <= budget;
}
