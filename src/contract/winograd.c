/* The Winograd schedule: 3 x 3 filters, stride 1, by F(4x4,3x3) or F(2x2,3x3) (cl/include/winograd.cl).
 * A tile of 4 x 4 outputs takes 36 products a pair of channels where the sum itself takes 144, a
 * tile of 2 x 2 takes 16 for 36; transforms of the tiles come on top.
 *
 * Rounding error, relative to the root mean square of the results (docs/winograd.md has the table): F(2x2) stays
 * below the direct sum from 16 channels on, the largest of F(4x4) is at most 1.7 times the direct sum's, and
 * below 1.5e-5 up to 512 channels. With fewer channels it is below 6e-6.
 *
 * Filters are transformed by a kernel of its own; backward data is the forward product of dz with flipped and
 * transposed filters. Here is the fused form of both, for CPUs, and the choice between the forms; the others
 * are in winograd_weights.c and winograd_staged.c. */
#include "contract/winograd.h"

CLV_SOURCE(contract_winograd);
CLV_SOURCE(contract_winograd_filter);

/* What a tuner may vary: outputs of a tile in either direction (4 or 2), rows (tiles) and vectors of the
 * register tile, tiles of a work-item, filter blocks of a work-item, vectors of input channels whose
 * filters stay in the first-level cache. */
enum { TILE, ROWS, VECTORS, GROUP, BLOCKS, PIECE };

enum {
    LOCAL_BYTES = 1 << 20,  /* of scratch: leaves the filters room in the second-level cache */
    PIECE_BYTES = 32 << 10, /* of filters in the first-level cache */
};

/* Estimated cycles, as measured on AVX-512 with two multiply-adds a cycle. */
#define FILTER_BYTES_A_CYCLE 16.0
#define PRODUCT_RATE 0.85 /* share of the peak */
#define DIRECT_RATE 0.8
static const struct {
    int m;
    double input, output; /* transforms of a vector of channels of a tile */
} transforms[] = {{4, 150, 140}, {2, 60, 50}};

struct clv_conv clv_winograd_conv(const struct clv_conv *c, enum clv_product product)
{
    struct clv_conv back = *c;
    if (product != CLV_PRODUCT_DATA)
        return *c;
    back.ih = c->oh;
    back.iw = c->ow;
    back.ci = c->co;
    back.oh = c->ih;
    back.ow = c->iw;
    back.co = c->ci;
    back.pt = 2 - c->pt;
    back.pl = 2 - c->pl;
    return back;
}

struct plan {
    struct clv_tile tile;
    int m, points, group, blocks, blocks_per_item, piece;
    int tile_rows, tile_columns;
    int64_t tiles, local_bytes;
};

/* c: of the forward problem; pool: of its output. */
static struct plan plan_of(const struct clv_caps *caps, const struct clv_conv *c, bool pool,
                           int batch, const int *param)
{
    struct plan f = {.tile = {.vw = clv_vector_tile(caps, 1).vw,
                              .nv = param[VECTORS],
                              .mr = param[ROWS]},
                     .m = param[TILE],
                     .points = (param[TILE] + 2) * (param[TILE] + 2),
                     .group = param[GROUP],
                     .blocks_per_item = param[BLOCKS],
                     .piece = param[PIECE]};
    f.blocks = (int)clv_div_up(c->co, f.tile.nv * f.tile.vw);
    f.tile_rows = (int)clv_div_up(pool ? c->oh / 2 * 2 : c->oh, f.m);
    f.tile_columns = (int)clv_div_up(pool ? c->ow / 2 * 2 : c->ow, f.m);
    f.tiles = (int64_t)batch * f.tile_rows * f.tile_columns;
    f.local_bytes = (int64_t)sizeof(float) * f.points * f.tile.vw * f.group *
                    (clv_div_up(c->ci, f.tile.vw) + f.tile.nv);
    return f;
}

/* ---- choosing ---- */

static bool fits(const struct clv_caps *caps, const struct plan *f)
{
    return f->local_bytes <= CLV_MIN((int64_t)caps->local_bytes, (int64_t)LOCAL_BYTES);
}

/* Estimated cycles of the whole product, with its items dealt out to all units. */
static double cycles_of(const struct clv_caps *caps, const struct clv_conv *c, const struct plan *f)
{
    const size_t t = f->m == transforms[0].m ? 0 : 1;
    const double in = transforms[t].input * (double)clv_div_up(c->ci, f->tile.vw);
    const double product = f->points * c->ci * f->tile.nv / 2.0 / PRODUCT_RATE;
    const double out = transforms[t].output * f->tile.nv;
    const double filters = (double)f->points * c->ci * f->tile.nv * f->tile.vw * sizeof(float);
    const double block = f->group * (product + out) + filters / FILTER_BYTES_A_CYCLE;
    const int64_t items =
        clv_div_up(f->tiles, f->group) * clv_div_up(f->blocks, f->blocks_per_item);
    const double rounds = (double)clv_div_up(items, CLV_MAX((int64_t)caps->units, 1));
    return rounds * (f->group * in + f->blocks_per_item * block);
}

/* The parameters with the least estimate; 0 when no group fits. */
static double best_of(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                      const int *tile_sizes, int n_sizes, int best[CLV_CHOICE_PARAMS])
{
    const struct clv_tile tile = clv_vector_tile(caps, c->co);
    const int blocks = (int)clv_div_up(c->co, tile.nv * tile.vw);
    const int piece = PIECE_BYTES / (int)sizeof(float) / (tile.nv * tile.vw * tile.vw);
    double least = 0;
    for (int i = 0; i < n_sizes; i++) {
        for (int per_item = blocks; per_item > 0; per_item /= 2) {
            for (int group = tile.mr;; group += tile.mr) {
                const int param[CLV_CHOICE_PARAMS] = {tile_sizes[i], tile.mr,  tile.nv,
                                                      group,         per_item, piece};
                const struct plan f = plan_of(caps, c, false, batch, param);
                if (!fits(caps, &f))
                    break;
                const double cycles = cycles_of(caps, c, &f);
                if (least == 0 || cycles < least) {
                    least = cycles;
                    for (int k = 0; k < CLV_CHOICE_PARAMS; k++)
                        best[k] = param[k];
                }
                if (group >= f.tiles)
                    break;
            }
        }
    }
    return least;
}

static const int tile_sizes[] = {4, 2};

bool clv_winograd_takes(const struct clv_conv *c)
{
    return c->kh == 3 && c->kw == 3 && c->sh == 1 && c->sw == 1 && c->dh == 1 &&
           c->dw == 1 && c->groups == 1;
}

/* The fused form. */
static bool fuses(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    if (caps->gpu_path || !clv_winograd_takes(c) || (int64_t)c->ci * c->co > INT32_MAX / 9)
        return false;
    if (product == CLV_PRODUCT_WEIGHTS)
        return clv_winograd_weights_supports(caps, c);
    const struct clv_conv q = clv_winograd_conv(c, product);
    int param[CLV_CHOICE_PARAMS];
    return best_of(caps, &q, 1, tile_sizes, 2, param) > 0;
}

static bool supports(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    return fuses(caps, c, product) || clv_winograd_staged_supports(caps, c);
}

/* Where the estimate is below that of the direct sum; in stages only where it is asked for or was measured. */
static bool suits(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product,
                  int batch)
{
    if (!fuses(caps, c, product))
        return false;
    if (product == CLV_PRODUCT_WEIGHTS)
        return clv_winograd_weights_suits(caps, c);
    const struct clv_conv q = clv_winograd_conv(c, product);
    const struct clv_tile tile = clv_vector_tile(caps, q.co);
    const double vectors = (double)clv_round_up(q.co, tile.nv * tile.vw) / tile.vw;
    const double direct = (double)batch * q.oh * q.ow * 9 * q.ci * vectors / 2 / DIRECT_RATE /
                          CLV_MAX(caps->units, 1u);
    int param[CLV_CHOICE_PARAMS];
    return best_of(caps, &q, batch, tile_sizes, 2, param) < direct;
}

/* m: the tile, 0 = any. False where it does not fit. */
static bool defaults_for(const struct clv_caps *caps, const struct clv_conv *c,
                         enum clv_product product, int batch, int m, int param[CLV_CHOICE_PARAMS])
{
    if (!fuses(caps, c, product)) {
        const struct clv_conv staged = clv_winograd_conv(c, product);
        clv_winograd_staged_defaults(caps, &staged, m, param);
        return true;
    }
    if (product == CLV_PRODUCT_WEIGHTS)
        return clv_winograd_weights_defaults(caps, c, m, param);
    const struct clv_conv q = clv_winograd_conv(c, product);
    return best_of(caps, &q, batch, m ? &m : tile_sizes, m ? 1 : (int)CLV_COUNT(tile_sizes), param) >
           0;
}

static void defaults(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product,
                     int batch, int param[CLV_CHOICE_PARAMS])
{
    (void)defaults_for(caps, c, product, batch, 0, param); /* supports() has seen that something fits */
}

void clv_winograd_defaults(const struct clv_caps *caps, const struct clv_conv *c,
                           enum clv_product product, int batch, int m, int param[CLV_CHOICE_PARAMS])
{
    if (!defaults_for(caps, c, product, batch, m, param))
        defaults(caps, c, product, batch, param);
}

int clv_winograd_tile(const struct clv_choice *choice)
{
    return choice->param[TILE];
}

static int add_candidate(const int p[CLV_CHOICE_PARAMS], int (*param)[CLV_CHOICE_PARAMS], int n,
                         int max)
{
    for (int k = 0; k < CLV_CHOICE_PARAMS && n < max; k++)
        param[n][k] = p[k];
    return n < max ? n + 1 : n;
}

/* Both tiles, with groups around the estimate. */
static int candidates(const struct clv_caps *caps, const struct clv_conv *c,
                      enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS], int max)
{
    const bool fused = fuses(caps, c, product);
    if (fused && product == CLV_PRODUCT_WEIGHTS)
        return clv_winograd_weights_candidates(caps, c, param, max);
    const struct clv_conv q = clv_winograd_conv(c, product);
    int n = 0;
    for (size_t i = 0; i < CLV_COUNT(tile_sizes); i++) {
        int p[CLV_CHOICE_PARAMS];
        if (!defaults_for(caps, c, product, batch, tile_sizes[i], p))
            continue;
        n = add_candidate(p, param, n, max);
        if (!fused)
            continue;
        const int half = (int)clv_round_up(p[GROUP] / 2, p[ROWS]), groups[] = {half, p[GROUP] + half};
        for (size_t g = 0; g < CLV_COUNT(groups); g++) {
            p[GROUP] = groups[g];
            const struct plan f = plan_of(caps, &q, false, batch, p);
            if (f.local_bytes <= (int64_t)caps->local_bytes)
                n = add_candidate(p, param, n, max);
        }
    }
    return n;
}

/* ---- emitting ---- */

/* For backward data from the filters [3][3][c->co][c->ci] of the forward convolution. */
enum clv_err clv_winograd_filter(struct clv_emit *e, const struct clv_contract *p,
                                 const struct clv_conv *c, int m, int vw, int lanes, bool back,
                                 struct clv_tensor **ret)
{
    const int64_t blocks = clv_div_up(c->co, lanes), points = (int64_t)(m + 2) * (m + 2);
    const int tap = c->ci * c->co, sign = back ? -1 : 1;
    const bool alone = vw > 1 || !e->caps->gpu_path; /* in its work-group */
    const char *options =
        clv_emit_options(e, "%s-DVW=%d -DWINO_M=%d", clv_caps_wide_option(e->caps, vw), vw, m);
    struct clv_tensor *filters =
        clv_emit_prepared(e, blocks * points * c->ci * lanes, "transformed filters");
    const struct clv_emit_info info = {
        .node = p->node,
        .pass = back ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
        .what = back ? "transform filters, flipped" : "transform filters",
        .prepare = true,
    };
    *ret = filters;
    if (!options || !filters)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_winograd_filter,
            .name = "contract_winograd_filter",
            .options = options,
            .dims = 2,
            .global = {(size_t)(blocks * lanes / vw), (size_t)c->ci},
            .local = {alone ? 1 : CLV_WINOGRAD_GROUP_X, alone ? 1 : CLV_WINOGRAD_GROUP_Y},
            clv_args(CLV_IN(p->w), CLV_OUT(filters), CLV_I32(lanes), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(back ? 8 * tap : 0), CLV_I32(sign * 3 * tap), CLV_I32(sign * tap),
                     CLV_I32(back ? 1 : c->co), CLV_I32(back ? c->ci : 1))});
}

struct clv_winograd_operands clv_winograd_operands_of(const struct clv_contract *p, bool back)
{
    if (back)
        return (struct clv_winograd_operands){
            .x = p->dy,
            .unpool = p->pool ? p->mask : NULL,
            .bias = clv_contract_bias(p, true),
            .y = p->dx,
            .x_pitch = clv_y_pitch(p, p->dy),
            .y_pitch = clv_x_pitch(p, p->dx),
            .flags = clv_contract_flags(clv_contract_act(p, true), p->accumulate),
            .act = clv_contract_act(p, true),
        };
    return (struct clv_winograd_operands){
        .x = p->x,
        .bias = clv_contract_bias(p, false),
        .y = p->y,
        .mask = p->pool ? p->mask : NULL,
        .x_pitch = clv_x_pitch(p, p->x),
        .y_pitch = clv_y_pitch(p, p->y),
        .flags = clv_contract_flags(clv_contract_act(p, false), false) |
                 (p->pool && p->mask ? CLV_EPILOGUE_SAVE : 0),
        .act = clv_contract_act(p, false),
    };
}

static const char *options_of(struct clv_emit *e, const struct clv_contract *p,
                              const struct clv_conv *c, const struct plan *f, enum clv_act act,
                              bool back)
{
    const char *tile = clv_vector_options(e, &f->tile, clv_contract_act_code(act));
    if (!tile)
        return NULL;
    return clv_emit_options(e, "%s -DWINO_M=%d%s", tile, f->m,
                            !p->pool      ? ""
                            : !back       ? " -DPOOL"
                            : c->pt & 1   ? " -DUNPOOL=2"
                                          : " -DUNPOOL=1");
}

static enum clv_err emit(struct clv_emit *e, const struct clv_contract *p, const int *param,
                         bool back)
{
    const struct clv_conv c =
        clv_winograd_conv(&p->conv, back ? CLV_PRODUCT_DATA : CLV_PRODUCT_FORWARD);
    const struct plan f = plan_of(e->caps, &c, p->pool && !back, e->batch, param);
    const struct clv_winograd_operands o = clv_winograd_operands_of(p, back);
    const bool accumulate = o.flags & CLV_EPILOGUE_ACCUMULATE;
    struct clv_tensor *filters;
    CLV_TRY(clv_winograd_filter(e, p, &c, f.m, f.tile.vw, f.tile.nv * f.tile.vw, back, &filters));
    const char *options = options_of(e, p, &c, &f, o.act, back);
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, back ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                          back ? "backward data" : "forward");
    /* What is absent has its place in the argument list taken by the filters, which are only read. */
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_winograd,
            .name = "contract_winograd",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(f.tiles, f.group),
                       (size_t)clv_div_up(f.blocks, f.blocks_per_item)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(o.x), CLV_IN(o.unpool ? o.unpool : filters),
                     CLV_IN(filters), CLV_IN(o.bias ? o.bias : filters),
                     CLV_OUT_OR_ADD(o.y, accumulate),
                     {o.mask ? CLV_ARG_OUT : CLV_ARG_IN, {.t = o.mask ? o.mask : filters}},
                     CLV_I32(c.ih), CLV_I32(c.iw), CLV_I32(c.ci), CLV_I32(o.x_pitch), CLV_I32(c.oh),
                     CLV_I32(c.ow), CLV_I32(c.co), CLV_I32(o.y_pitch), CLV_I32(c.pt), CLV_I32(c.pl),
                     CLV_I32(f.tile_rows), CLV_I32(f.tile_columns), CLV_I32(f.group),
                     CLV_I32(f.blocks_per_item), CLV_I32(f.piece), CLV_I32(o.bias != NULL), CLV_I32(o.flags),
                     CLV_LOCAL(f.local_bytes))});
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return clv_winograd_is_staged(param) ? clv_winograd_staged(e, p, CLV_PRODUCT_FORWARD, param)
                                         : emit(e, p, param, false);
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return clv_winograd_is_staged(param) ? clv_winograd_staged(e, p, CLV_PRODUCT_DATA, param)
                                         : emit(e, p, param, true);
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    return clv_winograd_is_staged(param) ? clv_winograd_staged(e, p, CLV_PRODUCT_WEIGHTS, param)
                                         : clv_winograd_weights(e, p, param);
}

const struct clv_schedule clv_schedule_winograd = {
    .name = "winograd",
    .params = {"tile", "rows", "vectors", "group", "blocks", "piece"},
    .supports = supports,
    .suits = suits,
    .stores16 = clv_contract_takes_all,
    .pools = clv_contract_takes_all,
    .defaults = defaults,
    .candidates = candidates,
    .emit = {forward, data, weights},
};
