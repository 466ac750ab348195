/* The matrix schedule's forward product, and data as forward convolutions of dz. See
 * cl/contract_matrix_forward.cl. */
#include "contract/forward_job.h"
#include "contract/matrix.h"

CLV_SOURCE(contract_matrix_forward);

enum { STRIP = CLV_MATRIX_STRIP, ROWS, PIECE, BLOCKS };

enum {
    MAX_ROWS = 8,      /* of cells in an item */
    ITEMS_WANTED = 64, /* below that, filter blocks become items of their own */
    MAX_PARTS = 2,     /* of an operand: what local memory must hold under any precision */
};

/* As the kernel counts. */
struct plan {
    struct clv_conv conv;
    int cells;                   /* pixels of one in each direction */
    int strip, row_group, piece; /* cells, cells, channels */
    int blocks, blocks_per_item;
    int segs, run_blocks, pieces;
};

static struct plan plan_of(const struct clv_forward_job *job, const int *param)
{
    const struct clv_conv *c = &job->conv;
    struct plan f = {.conv = *c, .cells = job->pool ? 2 : 1};
    const bool joined = c->sw == 1 && c->dw == 1;
    f.strip = CLV_MAX(CLV_MIN((int)clv_div_up(param[STRIP], f.cells), c->ow / f.cells), 1);
    f.row_group = CLV_MAX(CLV_MIN(param[ROWS] / f.cells, c->oh / f.cells), 1);
    f.piece = param[PIECE];
    f.blocks = (int)clv_div_up(c->co, CLV_MATRIX_COLUMNS);
    f.blocks_per_item = CLV_MIN(param[BLOCKS], f.blocks);
    f.segs = joined ? c->kh : c->kh * c->kw;
    f.run_blocks = (int)clv_div_up(joined ? c->kw * f.piece : f.piece, CLV_MATRIX_K);
    f.pieces = (int)clv_div_up(c->ci, f.piece);
    return f;
}

static int64_t columns_of(const struct plan *f)
{
    return (int64_t)f->strip * f->cells + (int64_t)(f->conv.kw - 1) * f->conv.dw / f->conv.sw;
}

static int64_t grid_bytes(const struct plan *f, const struct clv_caps *caps, int parts)
{
    const struct clv_conv *c = &f->conv;
    const int64_t lines =
        (int64_t)f->row_group * f->cells + (int64_t)CLV_MAX(c->kh - 1, 0) * c->dh / c->sh;
    const int64_t places = lines * columns_of(f) * c->sh * c->sw;
    return (int64_t)clv_matrix_operand_bytes(caps) * parts *
           ((places + clv_matrix_rows(caps)) * f->piece + CLV_MATRIX_K);
}

static int64_t sums_bytes(const struct plan *f, int unit_rows)
{
    const int64_t places = (int64_t)f->row_group * f->cells * columns_of(f);
    return (int64_t)sizeof(float) * clv_round_up(places, unit_rows) * CLV_MATRIX_COLUMNS *
           (f->pieces > 1 ? f->blocks_per_item : 1);
}

/* Whether an item fits that has a pool's cell at least: defaults are not told of a pool. */
static bool fits(const struct clv_caps *caps, const struct clv_forward_job *job, const int *param)
{
    struct plan f = plan_of(job, param);
    const int rows = clv_matrix_rows(caps);
    f.row_group = CLV_MAX(f.row_group, 2);
    f.strip = CLV_MAX(f.strip, 2);
    return grid_bytes(&f, caps, MAX_PARTS) + sums_bytes(&f, rows) <= clv_matrix_local_bytes(caps);
}

static int even(int64_t value)
{
    return (int)clv_round_up(value, 2);
}

/* Whole rows with all channels where they fit, then fewer channels at a time, then parts of rows.
 */
static bool choose(const struct clv_caps *caps, const struct clv_forward_job *job, int batch,
                   int *param)
{
    const struct clv_conv *c = &job->conv;
    const int blocks = (int)clv_div_up(c->co, CLV_MATRIX_COLUMNS);
    param[STRIP] = c->ow;
    param[ROWS] = 1;
    param[PIECE] = even(c->ci);
    param[BLOCKS] = blocks;
    param[BLOCKS + 1] = param[BLOCKS + 2] = 0;
    while (!fits(caps, job, param)) {
        if (param[PIECE] > 128)
            param[PIECE] = (int)clv_round_up(param[PIECE] / 2, CLV_MATRIX_K);
        else if (param[BLOCKS] > 4)
            param[BLOCKS] = (param[BLOCKS] + 1) / 2;
        else if (param[STRIP] > 32)
            param[STRIP] = even(param[STRIP] / 2);
        else if (param[PIECE] > CLV_MATRIX_K)
            param[PIECE] = (int)clv_round_up(param[PIECE] / 2, CLV_MATRIX_K);
        else if (param[BLOCKS] > 1)
            param[BLOCKS] = (param[BLOCKS] + 1) / 2;
        else if (param[STRIP] > 2)
            param[STRIP] = even(param[STRIP] / 2);
        else
            return false;
    }
    const int64_t strips = clv_div_up(c->ow, param[STRIP]) * batch;
    while (param[ROWS] < CLV_MIN(MAX_ROWS, c->oh)) {
        param[ROWS] *= 2;
        if (fits(caps, job, param) && strips * clv_div_up(c->oh, param[ROWS]) >= ITEMS_WANTED)
            continue;
        param[ROWS] /= 2;
        break;
    }
    const int64_t items = strips * clv_div_up(c->oh, param[ROWS]);
    while (param[BLOCKS] > 1 && items * clv_div_up(blocks, param[BLOCKS]) < ITEMS_WANTED)
        param[BLOCKS] = (param[BLOCKS] + 1) / 2;
    return true;
}

bool clv_matrix_forward_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                                 enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    const struct clv_conv flat = clv_matrix_conv(c, batch);
    if (product == CLV_PRODUCT_DATA && c->sh * c->sw > CLV_DATA_PHASES)
        return false;
    const struct clv_forward_job job = clv_first_job_of(&flat, product);
    return choose(caps, &job, clv_conv_is_dense(c) ? 1 : batch, param);
}

/* ---- emitting ---- */

static enum clv_err emit_pack(struct clv_emit *e, const struct clv_contract *p,
                              const struct clv_forward_job *job, const struct plan *f,
                              const char *options, struct clv_tensor **ret)
{
    const struct clv_conv *c = &job->conv;
    const bool data = job->step_r == 1;
    const int64_t steps = (int64_t)f->pieces * f->segs * f->run_blocks;
    const int64_t words =
        CLV_MAX(f->blocks * steps * clv_matrix_parts(e), 1) * clv_matrix_tile(e->caps);
    struct clv_tensor *panel = data ? clv_emit_scratch(e, CLV_F32, words, "packed filters")
                                    : clv_emit_prepared(e, words, "packed filters");
    const struct clv_emit_info info = {.node = p->node,
                                       .pass = data ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                                       .what = data ? "pack filters, flipped" : "pack filters",
                                       .prepare = !data};
    if (!panel)
        return CLV_ERR_NOMEM;
    *ret = panel;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_matrix_forward,
            .name = "contract_matrix_pack",
            .options = options,
            .dims = 3,
            .global = {CLV_MATRIX_COLUMNS, (size_t)steps * CLV_MATRIX_K / 2, (size_t)f->blocks},
            clv_args(CLV_IN(p->w), CLV_OUT(panel), CLV_I32(c->kh), CLV_I32(c->kw), CLV_I32(c->ci),
                     CLV_I32(c->co), CLV_I32(f->piece), CLV_I32(c->sw == 1 && c->dw == 1),
                     CLV_I32(job->base), CLV_I32(job->step_h), CLV_I32(job->step_w),
                     CLV_I32(job->step_r), CLV_I32(job->step_o))});
}

/* x and y are what they are for the job: dz and dx for data. */
static enum clv_err emit_job(struct clv_emit *e, const struct clv_contract *p,
                             const struct clv_forward_job *job, const int *param,
                             struct clv_tensor *x, int x_pitch, struct clv_tensor *y, int y_pitch,
                             const struct clv_emit_info *info)
{
    const struct clv_conv *c = &job->conv;
    const struct plan f = plan_of(job, param);
    const bool data = info->pass == CLV_PASS_BACKWARD, accumulate = data && p->accumulate;
    const bool flat = clv_conv_is_dense(&p->conv), save = job->pool && p->mask;
    const enum clv_act act = clv_contract_act(p, data);
    const int rows = clv_matrix_rows(e->caps), items = clv_matrix_items(e->caps);
    const char *options = clv_matrix_options(e, act, job->pool, job->unpool);
    struct clv_tensor *panel, *bias = clv_contract_bias(p, data);
    if (!options)
        return CLV_ERR_NOMEM;
    CLV_TRY(emit_pack(e, p, job, &f, options, &panel));
    const int flags = clv_contract_flags(act, accumulate) | (save ? CLV_EPILOGUE_SAVE : 0);
    struct clv_tensor *mask = save || job->unpool ? p->mask : p->w;
    const struct clv_arg mask_arg = {save ? CLV_ARG_OUT : CLV_ARG_IN, {.t = mask}};
    const size_t strips = (size_t)clv_div_up(c->ow / f.cells, f.strip);
    return clv_emit_kernel(
        e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_matrix_forward,
            .name = "contract_matrix_forward",
            .options = options,
            .dims = 3,
            .global = {strips * (size_t)clv_div_up(f.blocks, f.blocks_per_item) * (size_t)items,
                       (size_t)clv_div_up(c->oh / f.cells, f.row_group),
                       flat ? 1 : (size_t)e->batch},
            .local = {(size_t)items, 1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(x), CLV_IN(panel), CLV_IN(bias ? bias : p->w),
                     CLV_OUT_OR_ADD(y, accumulate), mask_arg, CLV_GEOMETRY(c, x_pitch, y_pitch),
                     CLV_I32(job->image), CLV_I32(job->first), CLV_I32(job->row), CLV_I32(job->col),
                     CLV_I32(f.strip), CLV_I32(f.row_group), CLV_I32(f.blocks_per_item),
                     CLV_I32(f.piece), CLV_I32(flat), CLV_I32(bias != NULL), CLV_I32(flags),
                     CLV_LOCAL(grid_bytes(&f, e->caps, clv_matrix_parts(e))),
                     CLV_LOCAL(sums_bytes(&f, rows)))});
}

enum clv_err clv_matrix_forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv flat = clv_matrix_conv(&p->conv, e->batch);
    const struct clv_forward_job job = clv_forward_job_of(&flat, p->pool);
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    return emit_job(e, p, &job, param, p->x, clv_x_pitch(p, p->x), p->y, clv_y_pitch(p, p->y),
                    &info);
}

enum clv_err clv_matrix_data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct clv_conv c = clv_matrix_conv(&p->conv, e->batch);
    const struct clv_emit_info info = clv_phase_info(e, p);
    for (int row = 0; row < CLV_MIN(c.sh, c.ih); row++)
        for (int col = 0; col < CLV_MIN(c.sw, c.iw); col++) {
            const struct clv_forward_job job = clv_data_job_of(&c, p->pool, row, col);
            CLV_TRY(emit_job(e, p, &job, param, p->dy, clv_y_pitch(p, p->dy), p->dx,
                             clv_x_pitch(p, p->dx), &info));
        }
    return CLV_OK;
}
