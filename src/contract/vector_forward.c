/* The vector schedule's forward product, and data as forward convolutions of dz: one for each phase
 * of a stride. See cl/contract_vector_forward.cl. */
#include "contract/forward_job.h"
#include "contract/vector.h"

#include <string.h>

CLV_SOURCE(contract_pack);
CLV_SOURCE(contract_vector_forward);

enum { NV, MR, STRIP, ROWS, PIECE, BLOCKS }; /* param[] */

enum {
    PIECE_BYTES =
        24 << 10,      /* of filters that stay in the first-level cache under an item's tiles */
    ITEMS_WANTED = 64, /* below that, filter blocks become items of their own */
    MAX_ROWS = 6,      /* of cells in an item, by default */
    MAX_RUN = 16,      /* of K that is unrolled whole */
    STEPS = 4,         /* of K that the kernel takes at a time */
};

struct plan {
    struct clv_tile tile;
    int lanes, blocks, cells; /* cells: pixels of one in each direction */
    int rows, columns;        /* of cells */
    int strip, strips, row_group, blocks_per_item, piece_segs, piece_k, run;
    bool direct, pool;
};

/* ---- planning ---- */

/* Every tap of every output pixel lies in the input. */
static bool is_inside(const struct clv_conv *c)
{
    return c->pt == 0 && c->pl == 0 && (c->oh - 1) * c->sh + (c->kh - 1) * c->dh < c->ih &&
           (c->ow - 1) * c->sw + (c->kw - 1) * c->dw < c->iw;
}

static int64_t item_bytes(const struct plan *f, const struct clv_conv *c)
{
    const int p = f->cells;
    const int64_t width = ((int64_t)f->strip * p - 1) * c->sw + (int64_t)(c->kw - 1) * c->dw + 1;
    const int64_t rows = ((int64_t)f->row_group * p - 1) * c->sh + (int64_t)(c->kh - 1) * c->dh + 1;
    const int64_t sums = clv_round_up((int64_t)f->row_group * f->strip * p * p, f->tile.mr);
    const int64_t input = f->direct ? 0 : clv_round_up(rows * width * c->ci, f->tile.vw);
    return (int64_t)sizeof(float) * (input + sums * f->lanes);
}

static int64_t items_of(const struct plan *f, int batch)
{
    return clv_div_up(f->columns, f->strip) * clv_div_up(f->rows, f->row_group) *
           clv_div_up(f->blocks, f->blocks_per_item) * batch;
}

/* Pieces of the same size, a multiple of the kernel's steps. */
static void cut_pieces(struct plan *f, const struct clv_conv *c, int piece)
{
    const int segs = c->dw == 1 ? c->kh : c->kh * c->kw, run = f->run;
    f->piece_segs = CLV_MAX(segs, 1);
    f->piece_k = CLV_MAX(run, 1);
    if (piece >= segs * run || run <= MAX_RUN)
        return;
    if (piece >= run) {
        f->piece_segs = (int)clv_div_up(segs, clv_div_up(segs, piece / run));
    } else {
        f->piece_segs = 1;
        f->piece_k = (int)clv_round_up(clv_div_up(run, clv_div_up(run, piece)), STEPS);
    }
}

static struct plan plan_of(const struct clv_caps *caps, const struct clv_forward_job *job,
                           bool dense_pixels, const int *param)
{
    const struct clv_conv *c = &job->conv;
    struct plan f = {
        .tile = {.vw = clv_vector_floats(caps), .nv = param[NV], .mr = param[MR]},
        .cells = job->pool ? 2 : 1,
        .run = c->dw == 1 ? c->kw * c->ci : c->ci,
        .direct = dense_pixels && !job->unpool && is_inside(c),
        .pool = job->pool,
    };
    f.lanes = f.tile.nv * f.tile.vw;
    f.blocks = (int)clv_div_up(c->co, f.lanes);
    f.rows = c->oh / f.cells;
    f.columns = c->ow / f.cells;
    f.strip = CLV_MAX(CLV_MIN((int)clv_div_up(param[STRIP], f.cells), f.columns), 1);
    f.strips = (int)clv_div_up(f.columns, f.strip);
    f.row_group = CLV_MAX(CLV_MIN(param[ROWS] / f.cells, f.rows), 1);
    f.blocks_per_item = CLV_MIN(param[BLOCKS], f.blocks);
    cut_pieces(&f, c, param[PIECE]);
    return f;
}

/* Whether an item of two rows at least fits: what a cell of a pool has, of which defaults are not
 * told. */
static bool fits(const struct clv_caps *caps, const struct plan *f, const struct clv_conv *c)
{
    struct plan two = *f;
    two.row_group = CLV_MAX(f->row_group, 2);
    two.strip = CLV_MAX(f->strip, 2);
    return item_bytes(&two, c) <= clv_vector_local_bytes(caps);
}

/* Twelve pixels by two vectors: each filter that is loaded serves twelve times. */
static void choose_tile(const struct clv_caps *caps, int columns, int *param)
{
    const int vw = clv_vector_floats(caps);
    const bool two = vw == 16 && clv_round_up(columns, 2 * vw) * 0.8 <= clv_round_up(columns, vw);
    param[NV] = two ? 2 : 1;
    param[MR] = 12;
}

/* Work per useful pixel: the last tile's empty rows, and the input rows that neighbours load again.
 */
static double waste_of(const struct plan *f, const struct clv_conv *c)
{
    const double pixels = (double)f->row_group * f->strip, rows = (double)f->row_group * c->sh;
    return (double)clv_round_up((int64_t)pixels, f->tile.mr) / pixels +
           (f->direct ? 0 : 0.02 * (rows + (c->kh - 1) * c->dh) / rows);
}

static void choose(const struct clv_caps *caps, const struct clv_forward_job *job, int batch,
                   int *param)
{
    const struct clv_conv *c = &job->conv;
    choose_tile(caps, c->co, param);
    param[ROWS] = 1;
    param[STRIP] = c->ow;
    param[BLOCKS] = INT16_MAX;
    param[PIECE] = PIECE_BYTES / (int)sizeof(float) / (param[NV] * clv_vector_floats(caps));
    struct plan f = plan_of(caps, job, false, param);
    for (int cuts = 2; param[STRIP] > 2 && !fits(caps, &f, c); cuts++) {
        param[STRIP] = (int)clv_round_up(clv_div_up(f.columns, cuts), 2);
        f = plan_of(caps, job, false, param);
    }
    double best = waste_of(&f, c);
    for (int rows = 2; rows <= CLV_MIN(MAX_ROWS, f.rows); rows++) {
        f.row_group = rows;
        if (!fits(caps, &f, c) || items_of(&f, batch) < ITEMS_WANTED)
            break;
        const double waste = waste_of(&f, c);
        if (waste < best - 0.005) {
            best = waste;
            param[ROWS] = rows;
        }
    }
    f.row_group = param[ROWS];
    while (f.blocks_per_item > 1 && items_of(&f, batch) < ITEMS_WANTED)
        f.blocks_per_item = (int)clv_div_up(f.blocks_per_item, 2);
    param[BLOCKS] = f.blocks_per_item;
}

bool clv_vector_forward_supports(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product)
{
    if (c->groups != 1 || (product == CLV_PRODUCT_DATA && c->sh * c->sw > CLV_DATA_PHASES))
        return false;
    const struct clv_forward_job job = clv_first_job_of(c, product);
    int param[CLV_CHOICE_PARAMS] = {0};
    choose_tile(caps, job.conv.co, param);
    param[STRIP] = param[ROWS] = param[BLOCKS] = param[PIECE] = 1;
    const struct plan f = plan_of(caps, &job, false, param);
    return fits(caps, &f, &job.conv);
}

void clv_vector_forward_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    const struct clv_forward_job job = clv_first_job_of(c, product);
    choose(caps, &job, batch, param);
}

int clv_vector_forward_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                                  enum clv_product product, int batch,
                                  int (*param)[CLV_CHOICE_PARAMS], int max)
{
    static const int tiles[][2] = {{2, 12}, {1, 12}, {3, 8}, {2, 8}, {4, 4}};
    static const int rows[] = {1, 2, 4, 6}, pieces[] = {96, 192, 288};
    const struct clv_forward_job job = clv_first_job_of(c, product);
    int base[CLV_CHOICE_PARAMS] = {0}, n = 0;
    choose(caps, &job, batch, base);
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        for (size_t j = 0; j < CLV_COUNT(rows); j++)
            for (size_t k = 0; k < CLV_COUNT(pieces) && n < max; k++) {
                int *try = param[n];
                memcpy(try, base, sizeof base);
                try[NV] = tiles[i][0];
                try[MR] = tiles[i][1];
                try[ROWS] = rows[j];
                try[PIECE] = pieces[k];
                const struct plan f = plan_of(caps, &job, false, try);
                if (clv_vector_tile_fits(caps, &f.tile) && fits(caps, &f, &job.conv))
                    n++;
            }
    return n;
}

/* ---- emitting ---- */

static enum clv_err emit_pack(struct clv_emit *e, const struct clv_contract *p,
                              const struct clv_forward_job *job, const struct plan *f,
                              struct clv_tensor **ret)
{
    const struct clv_conv *c = &job->conv;
    const bool data = job->step_r == 1;
    const int rows = c->kh * c->kw * c->ci + 1;
    const int64_t elements = (int64_t)f->blocks * rows * f->lanes;
    struct clv_tensor *panel = data ? clv_emit_scratch(e, CLV_F32, elements, "packed filters")
                                    : clv_emit_prepared(e, elements, "packed filters");
    struct clv_tensor *bias = clv_contract_bias(p, data);
    const struct clv_emit_info info = {.node = p->node,
                                       .pass = data ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                                       .what = data ? "pack filters, flipped" : "pack filters",
                                       .prepare = !data};
    const struct clv_group group = clv_contract_group(e->caps);
    if (!panel)
        return CLV_ERR_NOMEM;
    *ret = panel;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_pack,
            .name = "contract_pack",
            .options = "",
            .dims = 3,
            .global = {(size_t)f->lanes, (size_t)rows, (size_t)f->blocks},
            .local = {group.columns, group.rows, 1},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(p->w), CLV_IN(bias ? bias : p->w), CLV_OUT(panel), CLV_I32(f->lanes),
                     CLV_I32(c->kh), CLV_I32(c->kw), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(job->base), CLV_I32(job->step_h), CLV_I32(job->step_w),
                     CLV_I32(job->step_r), CLV_I32(job->step_o), CLV_I32(bias != NULL))});
}

static const char *options_of(struct clv_emit *e, const struct clv_forward_job *job,
                              const struct plan *f, enum clv_act act)
{
    const char *tile = clv_vector_options(e, &f->tile, clv_contract_act_code(act));
    if (!tile)
        return NULL;
    tile = clv_emit_options(e, "%s%s%s%s", tile, job->pool ? " -DPOOL" : "",
                            job->unpool ? " -DUNPOOL" : "", f->direct ? " -DDIRECT" : "");
    if (!tile || f->run > MAX_RUN || f->run == 0 || job->conv.dw != 1)
        return tile;
    return clv_emit_options(e, "%s -DRUN=%d", tile, f->run);
}

/* x and y are what they are for the job: dz and dx for data. */
static enum clv_err emit_job(struct clv_emit *e, const struct clv_contract *p,
                             const struct clv_forward_job *job, const int *param,
                             struct clv_tensor *x, int x_pitch, struct clv_tensor *y, int y_pitch,
                             const struct clv_emit_info *info)
{
    const struct clv_conv *c = &job->conv;
    const struct plan f = plan_of(e->caps, job, x_pitch == c->ci, param);
    const bool data = info->pass == CLV_PASS_BACKWARD, accumulate = data && p->accumulate;
    const enum clv_act act = clv_contract_act(p, data);
    struct clv_tensor *panel;
    CLV_TRY(emit_pack(e, p, job, &f, &panel));
    const char *options = options_of(e, job, &f, act);
    if (!options)
        return CLV_ERR_NOMEM;
    const bool save = job->pool && p->mask;
    const int flags = clv_contract_flags(act, accumulate) | (save ? CLV_EPILOGUE_SAVE : 0);
    struct clv_tensor *mask = save || job->unpool ? p->mask : p->w;
    const struct clv_arg mask_arg = {save ? CLV_ARG_OUT : CLV_ARG_IN, {.t = mask}};
    return clv_emit_kernel(
        e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_forward,
            .name = "contract_vector_forward",
            .options = options,
            .dims = 3,
            .global = {(size_t)f.strips * (size_t)clv_div_up(f.blocks, f.blocks_per_item),
                       (size_t)clv_div_up(f.rows, f.row_group), (size_t)e->batch},
            .local = {1, 1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(x), CLV_IN(panel), CLV_OUT_OR_ADD(y, accumulate),
                     mask_arg, CLV_GEOMETRY(c, x_pitch, y_pitch), CLV_I32(job->image),
                     CLV_I32(job->first), CLV_I32(job->row), CLV_I32(job->col), CLV_I32(f.strip),
                     CLV_I32(f.row_group), CLV_I32(f.blocks_per_item), CLV_I32(f.piece_segs),
                     CLV_I32(f.piece_k), CLV_I32(flags), CLV_LOCAL(item_bytes(&f, c)))});
}

enum clv_err clv_vector_forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_forward_job job = clv_forward_job_of(&p->conv, p->pool);
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    return emit_job(e, p, &job, param, p->x, clv_x_pitch(p, p->x), p->y, clv_y_pitch(p, p->y),
                    &info);
}

enum clv_err clv_vector_data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv *c = &p->conv;
    const struct clv_emit_info info = clv_phase_info(e, p);
    for (int row = 0; row < CLV_MIN(c->sh, c->ih); row++)
        for (int col = 0; col < CLV_MIN(c->sw, c->iw); col++) {
            const struct clv_forward_job job = clv_data_job_of(c, p->pool, row, col);
            CLV_TRY(emit_job(e, p, &job, param, p->dy, clv_y_pitch(p, p->dy), p->dx,
                             clv_x_pitch(p, p->dx), &info));
        }
    return CLV_OK;
}
