/* Dense layers with many samples: products blocked in all three directions, see
 * cl/contract_vector_gemm.cl. */
#include "contract/vector.h"
#include <string.h>

CLV_SOURCE(contract_vector_gemm);

enum { NV, MR, UNUSED, ROWS = CLV_VECTOR_ROWS, PIECE, BLOCKS }; /* param[] */

enum {
    MIN_SIDE = 96,  /* of the result, and of what is summed: below, one operand is streamed */
    ITEMS_EACH = 2, /* of a compute unit; sums do not depend on it */
    /* Of an item, at most; where blocks of B are turned, more rows repay it. */
    MOST_ROWS = 256,
    MOST_LANES = 512,
    MOST_ROWS_TURNED = 512,
    MOST_LANES_TURNED = 256,
    LEAST_SIDE = 64,
    PIECE_BYTES = 32 << 10, /* of a block of B in the first-level cache */
};

/* A product as the kernel sees it: result rows x cols, summed over depth. */
struct shape {
    int rows, cols, depth;
};

static struct shape shape_of(const struct clv_conv *c, enum clv_product product, int batch)
{
    switch (product) {
    case CLV_PRODUCT_FORWARD:
        return (struct shape){batch, c->co, c->ci};
    case CLV_PRODUCT_DATA:
        return (struct shape){batch, c->ci, c->co};
    default:
        return (struct shape){c->ci, c->co, batch};
    }
}

static struct clv_tile tile_of(const struct clv_caps *caps, const int *param)
{
    return (struct clv_tile){clv_vector_floats(caps), param[NV], param[MR]};
}

static int64_t local_bytes(const struct clv_tile *t, const int *param)
{
    const int64_t lanes = (int64_t)t->nv * t->vw, rows = param[ROWS], k = param[PIECE];
    return (int64_t)sizeof(float) * (param[BLOCKS] * rows * lanes + k * lanes + rows * (k + t->vw));
}

static bool fits(const struct clv_caps *caps, const int *param)
{
    const struct clv_tile t = tile_of(caps, param);
    return local_bytes(&t, param) <= clv_vector_local_bytes(caps);
}

static size_t row_items(const struct shape *s, const int *param)
{
    return (size_t)clv_div_up(s->rows, param[ROWS]);
}

static size_t col_items(const struct shape *s, const struct clv_tile *t, const int *param)
{
    return (size_t)clv_div_up(s->cols, (int64_t)param[BLOCKS] * t->nv * t->vw);
}

static int64_t items_of(const struct clv_tile *t, const struct shape *s, const int *param)
{
    return (int64_t)row_items(s, param) * (int64_t)col_items(s, t, param);
}

/* `most` at most, in equal shares of `all` that are multiples of `step`. */
static int share(int all, int most, int step)
{
    const int64_t parts = clv_div_up(all, CLV_MAX(most, step));
    return (int)clv_round_up(clv_div_up(all, parts), step);
}

/* Items of rows x lanes at most, smaller while there are few of them. False where none fits. */
static bool cut(const struct clv_caps *caps, const struct shape *s, struct clv_tile t, int rows,
                int lanes, int piece, int *param)
{
    const int width = t.nv * t.vw, wanted = ITEMS_EACH * (int)CLV_MAX(caps->units, 1u);
    int p[CLV_CHOICE_PARAMS] = {[NV] = t.nv, [MR] = t.mr, [PIECE] = share(s->depth, piece, t.vw)};
    for (;;) {
        p[ROWS] = share(s->rows, rows, t.mr);
        p[BLOCKS] = share(s->cols, lanes, width) / width;
        if ((fits(caps, p) && items_of(&t, s, p) >= wanted) || CLV_MAX(rows, lanes) <= LEAST_SIDE)
            break;
        if (lanes >= rows)
            lanes /= 2;
        else
            rows /= 2;
    }
    if (!fits(caps, p))
        return false;
    memcpy(param, p, sizeof p);
    return true;
}

static bool is_square(const struct shape *s)
{
    return CLV_MIN(CLV_MIN(s->rows, s->cols), s->depth) >= MIN_SIDE;
}

static int piece_of(const struct clv_tile *t)
{
    return PIECE_BYTES / (int)sizeof(float) / (t->nv * t->vw);
}

bool clv_vector_gemm_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                              enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    const struct shape s = shape_of(c, product, batch);
    const struct clv_tile t = clv_vector_tile(caps, s.cols);
    if (!is_square(&s))
        return false;
    return product == CLV_PRODUCT_DATA
               ? cut(caps, &s, t, MOST_ROWS_TURNED, MOST_LANES_TURNED, piece_of(&t), param)
               : cut(caps, &s, t, MOST_ROWS, MOST_LANES, piece_of(&t), param);
}

int clv_vector_gemm_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                               enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS],
                               int max)
{
    static const int tiles[][2] = {{4, 6}, {2, 12}, {3, 8}, {2, 6}};
    static const int sides[][2] = {{256, 512}, {512, 256}, {256, 256}, {128, 128}};
    const struct shape s = shape_of(c, product, batch);
    int n = 0;
    if (!is_square(&s))
        return 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        for (size_t j = 0; j < CLV_COUNT(sides); j++)
            for (int pieces = 1; pieces <= 2 && n < max; pieces++) {
                const struct clv_tile t = {clv_vector_floats(caps), tiles[i][0], tiles[i][1]};
                if (clv_vector_tile_fits(caps, &t) &&
                    cut(caps, &s, t, sides[j][0], sides[j][1], piece_of(&t) * pieces, param[n]))
                    n++;
            }
    return n;
}

/* ---- emitting ---- */

enum { MOST_TENSORS = 4 };

/* The kernel `name` with the n_tensors tensors that it begins with. */
static enum clv_err emit(struct clv_emit *e, const struct clv_contract *p, const int *param,
                         enum clv_product product, const char *name, const struct clv_arg *tensors,
                         int n_tensors, bool has_bias, int flags)
{
    static const char *const what[] = {[CLV_PRODUCT_FORWARD] = "forward",
                                       [CLV_PRODUCT_DATA] = "backward data",
                                       [CLV_PRODUCT_WEIGHTS] = "backward weights"};
    const bool is_forward = product == CLV_PRODUCT_FORWARD;
    const struct clv_tile t = tile_of(e->caps, param);
    const struct shape s = shape_of(&p->conv, product, e->batch);
    const struct clv_emit_info info =
        clv_contract_info(e, p, is_forward ? CLV_PASS_FORWARD : CLV_PASS_BACKWARD, what[product]);
    const struct clv_arg rest[] = {
        CLV_I32(p->conv.ci),
        CLV_I32(p->conv.co),
        CLV_I32(clv_x_pitch(p, product == CLV_PRODUCT_DATA ? p->dx : p->x)),
        CLV_I32(clv_y_pitch(p, is_forward ? p->y : p->dy)),
        CLV_I32(param[ROWS]),
        CLV_I32(param[BLOCKS]),
        CLV_I32(param[PIECE]),
        CLV_I32(has_bias),
        CLV_I32(flags),
        CLV_LOCAL((size_t)local_bytes(&t, param))};
    struct clv_arg args[1 + MOST_TENSORS + CLV_COUNT(rest)] = {CLV_IN(e->state)};
    memcpy(args + 1, tensors, (size_t)n_tensors * sizeof *args);
    memcpy(args + 1 + n_tensors, rest, sizeof rest);
    const char *options = clv_vector_options(e, &t, is_forward ? clv_contract_act_code(p->act) : 0);
    if (!options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_vector_gemm,
                                  .name = name,
                                  .options = options,
                                  .dims = 2,
                                  .global = {row_items(&s, param), col_items(&s, &t, param)},
                                  .local = {1, 1},
                                  .args = args,
                                  .n_args = 1 + n_tensors + (int)CLV_COUNT(rest)});
}

enum clv_err clv_vector_gemm_forward(struct clv_emit *e, const struct clv_contract *p,
                                     const int *param)
{
    const struct clv_arg tensors[] = {CLV_IN(p->x), CLV_IN(p->w), CLV_IN(p->bias ? p->bias : p->w),
                                      CLV_OUT(p->y)};
    return emit(e, p, param, CLV_PRODUCT_FORWARD, "contract_vector_gemm_forward", tensors,
                CLV_COUNT(tensors), p->bias != NULL, clv_contract_flags(p->act, false));
}

enum clv_err clv_vector_gemm_data(struct clv_emit *e, const struct clv_contract *p,
                                  const int *param)
{
    const struct clv_arg tensors[] = {CLV_IN(p->dy), CLV_IN(p->w),
                                      CLV_OUT_OR_ADD(p->dx, p->accumulate)};
    return emit(e, p, param, CLV_PRODUCT_DATA, "contract_vector_gemm_data", tensors,
                CLV_COUNT(tensors), false, clv_contract_flags(CLV_ACT_LINEAR, p->accumulate));
}

enum clv_err clv_vector_gemm_weights(struct clv_emit *e, const struct clv_contract *p,
                                     const int *param)
{
    const struct clv_arg tensors[] = {CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(p->dw),
                                      CLV_OUT(p->dbias ? p->dbias : p->dw)};
    return emit(e, p, param, CLV_PRODUCT_WEIGHTS, "contract_vector_gemm_weights", tensors,
                CLV_COUNT(tensors), p->dbias != NULL, 0);
}
