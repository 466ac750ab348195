/* The matrix schedule's weights product. See cl/contract_matrix_weights.cl. */
#include "contract/matrix.h"

CLV_SOURCE(contract_matrix_weights);

enum { STRIP = CLV_MATRIX_STRIP, ROWS, PIECE, BLOCKS };

enum {
    CHUNK_PIXELS = 1024, /* summed by the unit at a time */
    SLICE_PIXELS = 512,  /* fewest in a slice */
    ITEMS_WANTED = 48,   /* below that, filter blocks become items of their own */
    MAX_PARTS = 2,
};

struct plan {
    struct clv_conv conv; /* of the output pixels that have a gradient */
    int strip, rows, piece, blocks, blocks_per_item, slices;
    int64_t chunks;
};

static int even(int64_t value, int limit)
{
    return (int)CLV_MIN(clv_round_up(value, 2), limit);
}

static struct plan plan_of(const struct clv_conv *c, bool pool, int images, const int *param)
{
    struct plan f = {.conv = *c, .strip = param[STRIP], .rows = param[ROWS], .piece = param[PIECE]};
    if (pool) {
        f.conv.oh = c->oh / 2 * 2;
        f.conv.ow = c->ow / 2 * 2;
        f.strip = even(f.strip, f.conv.ow);
        f.rows = even(f.rows, f.conv.oh);
    }
    f.strip = CLV_MIN(f.strip, f.conv.ow);
    f.rows = CLV_MIN(f.rows, f.conv.oh);
    f.blocks = (int)clv_div_up(c->co, CLV_MATRIX_COLUMNS);
    f.blocks_per_item = CLV_MIN(param[BLOCKS], f.blocks);
    f.chunks = images * clv_div_up(f.conv.oh, f.rows) * clv_div_up(f.conv.ow, f.strip);
    const int64_t per_slice = CLV_MAX(SLICE_PIXELS / ((int64_t)f.strip * f.rows), 1);
    f.slices = clv_contract_slices(f.chunks, per_slice,
                                   (clv_conv_k(c) + 1) * f.blocks * CLV_MATRIX_COLUMNS);
    return f;
}

static int64_t columns_of(const struct plan *f)
{
    return f->strip + (int64_t)(f->conv.kw - 1) * f->conv.dw / f->conv.sw;
}

static int64_t grid_bytes(const struct plan *f, const struct clv_caps *caps, int parts)
{
    const struct clv_conv *c = &f->conv;
    const int64_t lines = f->rows + (int64_t)(c->kh - 1) * c->dh / c->sh;
    const int64_t places = lines * columns_of(f) * c->sh * c->sw;
    return (int64_t)clv_matrix_operand_bytes(caps) * parts *
           clv_round_up(f->piece, clv_matrix_rows(caps)) * ((places + CLV_MATRIX_K + 1) / 2 * 2);
}

static int64_t filter_bytes(const struct plan *f, const struct clv_caps *caps, int parts)
{
    const int64_t pixels = (f->rows - 1) * columns_of(f) + f->strip;
    return clv_div_up(pixels, CLV_MATRIX_K) * clv_matrix_tile(caps) * 4 * parts;
}

static int64_t sums_bytes(int unit_rows, int items)
{
    return (int64_t)sizeof(float) * (unit_rows + items) * CLV_MATRIX_COLUMNS;
}

static bool fits(const struct clv_caps *caps, const struct clv_conv *c, const int *param)
{
    const struct plan f = plan_of(c, false, 1, param);
    const int rows = clv_matrix_rows(caps);
    return grid_bytes(&f, caps, MAX_PARTS) + filter_bytes(&f, caps, MAX_PARTS) +
               sums_bytes(rows, clv_matrix_items(caps)) <=
           clv_matrix_local_bytes(caps);
}

static bool choose(const struct clv_caps *caps, const struct clv_conv *c, int images, int *param)
{
    const int unit_rows = clv_matrix_rows(caps);
    param[STRIP] = CLV_MIN(c->ow, CHUNK_PIXELS);
    param[ROWS] = CLV_MIN(2, c->oh); /* a pool's least */
    param[PIECE] = c->ci;
    param[BLOCKS] = 4;
    param[BLOCKS + 1] = param[BLOCKS + 2] = 0;
    while (!fits(caps, c, param)) {
        if (param[PIECE] > 4 * unit_rows)
            param[PIECE] = (int)clv_round_up(param[PIECE] / 2, unit_rows);
        else if (param[STRIP] > 64)
            param[STRIP] = even(param[STRIP] / 2, c->ow);
        else if (param[PIECE] > unit_rows)
            param[PIECE] = (int)clv_round_up(param[PIECE] / 2, unit_rows);
        else if (param[STRIP] > 2)
            param[STRIP] = even(param[STRIP] / 2, c->ow);
        else
            return false;
    }
    while (param[ROWS] < c->oh && 2 * param[ROWS] * param[STRIP] <= CHUNK_PIXELS) {
        param[ROWS] *= 2;
        if (fits(caps, c, param))
            continue;
        param[ROWS] /= 2;
        break;
    }
    const struct plan f = plan_of(c, false, images, param);
    const int64_t items = f.slices * clv_div_up(c->ci, f.piece);
    while (param[BLOCKS] > 1 && items * clv_div_up(f.blocks, param[BLOCKS]) < ITEMS_WANTED)
        param[BLOCKS]--;
    return true;
}

bool clv_matrix_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                 int param[CLV_CHOICE_PARAMS])
{
    const struct clv_conv flat = clv_matrix_conv(c, batch);
    return choose(caps, &flat, clv_conv_is_dense(c) ? 1 : batch, param);
}

enum clv_err clv_matrix_weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const bool flat = clv_conv_is_dense(&p->conv);
    const struct clv_conv c = clv_matrix_conv(&p->conv, e->batch);
    const struct plan f = plan_of(&c, p->pool, flat ? 1 : e->batch, param);
    const int rows = (int)clv_conv_k(&c) + 1, parts = clv_matrix_parts(e);
    const int unit_rows = clv_matrix_rows(e->caps), items = clv_matrix_items(e->caps);
    struct clv_tensor *part =
        clv_emit_scratch(e, CLV_F32, (int64_t)f.slices * f.blocks * rows * CLV_MATRIX_COLUMNS,
                         "weight gradient slices");
    const char *options = clv_matrix_options(e, CLV_ACT_LINEAR, false, p->pool);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_matrix_weights,
            .name = "contract_matrix_weights",
            .options = options,
            .dims = 3,
            .global = {(size_t)f.slices * (size_t)items,
                       (size_t)clv_div_up(f.blocks, f.blocks_per_item),
                       (size_t)clv_div_up(c.ci, f.piece)},
            .local = {(size_t)items, 1, 1},
            clv_args(
                CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_IN(p->pool ? p->mask : p->x),
                CLV_OUT(part), CLV_GEOMETRY(&f.conv, clv_x_pitch(p, p->x), clv_y_pitch(p, p->dy)),
                CLV_I32(f.strip), CLV_I32(f.rows), CLV_I32(f.chunks), CLV_I32(f.blocks_per_item),
                CLV_I32(f.piece), CLV_I32(flat), CLV_LOCAL(grid_bytes(&f, e->caps, parts)),
                CLV_LOCAL(filter_bytes(&f, e->caps, parts)), CLV_LOCAL(sums_bytes(unit_rows, items)))}));
    return clv_contract_reduce_weights(
        e, p,
        &(struct clv_part){
            .t = part, .rows = rows, .lanes = CLV_MATRIX_COLUMNS, .slices = f.slices});
}
