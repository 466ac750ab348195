/* The vector schedule's weights product. See cl/contract_vector_weights.cl. */
#include "contract/vector.h"

#include <string.h>

CLV_SOURCE(contract_vector_weights);

enum { NV, MR, STRIP, ROWS, UNUSED, BLOCKS }; /* param[] */

enum {
    CHUNK_PIXELS = 216, /* summed in registers at a time */
    STRIP_PIXELS = 128, /* longest piece of a row */
    SLICE_PIXELS = 512, /* fewest in a slice */
    ITEMS_WANTED = 48,  /* below that, filter blocks become items of their own */
    MAX_BLOCKS = 2,     /* of an item, by default */
    PICK_FLOATS = 8,    /* a row of inputs under a window's two pixels: cl/include/contract_pick.cl */
    PICK_SUMS = 9,      /* elements of K summed together there */
};

/* Rows of the register tile to choose from, by vectors in it; 0 ends. */
static const struct {
    int min_vw, nv, mr[8];
} tiles[] = {
    {16, 2, {12, 10, 9, 8, 6, 5}}, {16, 1, {12, 9, 8, 6, 5}}, {0, 1, {12, 10, 9, 8, 6, 5}}};

struct plan {
    struct clv_tile tile;
    int oh, ow;      /* output pixels that have a gradient: all, or those under a pool */
    int strip, rows; /* a chunk: output rows of a strip of pixels */
    int64_t chunks;
    int slices, lanes, blocks, blocks_per_item;
};

/* Floats from pixel to pixel of the input in local memory. Powers of two would leave a tile's
 * pixels a few sets of the first-level cache. */
static int x_step(const struct clv_conv *c)
{
    return c->ci % 128 == 0 ? c->ci + 16 : c->ci;
}

/* Elements of K that lie together there. */
static int run_of(const struct clv_conv *c)
{
    return c->dw == 1 && x_step(c) == c->ci ? c->kw * c->ci : c->ci;
}

/* Floats that are read past the end of a row. */
static int slack(const struct clv_tile *t)
{
    return CLV_MAX(t->mr, PICK_FLOATS);
}

static int64_t item_bytes(const struct clv_conv *c, const struct clv_tile *t, int64_t strip,
                          int64_t rows)
{
    const int64_t width = (strip - 1) * c->sw + (int64_t)(c->kw - 1) * c->dw + 1;
    const int64_t x_rows = (rows - 1) * c->sh + (int64_t)(c->kh - 1) * c->dh + 1;
    return (int64_t)sizeof(float) *
           (rows * strip * t->nv * t->vw + x_rows * width * x_step(c) + slack(t));
}

static bool fits(const struct clv_caps *caps, const struct clv_conv *c, const int *param)
{
    const struct clv_tile t = {.vw = clv_vector_floats(caps), .nv = param[NV], .mr = param[MR]};
    return item_bytes(c, &t, param[STRIP], param[ROWS]) <= clv_vector_local_bytes(caps);
}

/* Pixels of a pool's windows come in pairs. */
static int even(int value, int limit)
{
    return CLV_MIN((int)clv_round_up(value, 2), limit);
}

static struct plan plan_of(const struct clv_caps *caps, const struct clv_conv *c, bool pool,
                           int batch, const int *param)
{
    struct plan f = {
        .tile = {.vw = clv_vector_floats(caps), .nv = param[NV], .mr = param[MR]},
        .oh = pool ? c->oh / 2 * 2 : c->oh,
        .ow = pool ? c->ow / 2 * 2 : c->ow,
        .strip = param[STRIP],
        .rows = param[ROWS],
    };
    if (pool) {
        f.strip = even(f.strip, f.ow);
        f.rows = even(f.rows, f.oh);
    }
    f.chunks = batch * clv_div_up(f.oh, f.rows) * clv_div_up(f.ow, f.strip);
    f.lanes = f.tile.nv * f.tile.vw;
    f.blocks = (int)clv_div_up(c->co, f.lanes);
    f.blocks_per_item = CLV_MIN(param[BLOCKS], f.blocks);
    const int64_t per_slice = CLV_MAX(SLICE_PIXELS / ((int64_t)f.strip * f.rows), 1);
    f.slices = clv_contract_slices(f.chunks, per_slice, (clv_conv_k(c) + 1) * f.blocks * f.lanes);
    return f;
}

/* The tile whose padding of K's runs costs least. */
static void choose_tile(const struct clv_caps *caps, const struct clv_conv *c, int *param)
{
    const int vw = clv_vector_floats(caps), run = run_of(c);
    double best = 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        for (int j = 0; tiles[i].min_vw == (vw == 16 ? 16 : 0) && tiles[i].mr[j]; j++) {
            const int mr = tiles[i].mr[j], nv = tiles[i].nv;
            /* Products, and the loads that go beside them. */
            const double step = mr * nv + 0.1 * (mr + nv) + 1;
            const double cost =
                (double)clv_div_up(run, mr) * (double)clv_div_up(c->co, nv * vw) * step;
            if (best == 0 || cost < best) {
                best = cost;
                param[NV] = nv;
                param[MR] = mr;
            }
        }
}

static void choose(const struct clv_caps *caps, const struct clv_conv *c, int batch, int *param)
{
    choose_tile(caps, c, param);
    param[ROWS] = CLV_MIN(2, c->oh); /* a pool's least */
    for (int64_t cuts = clv_div_up(c->ow, STRIP_PIXELS);; cuts++) {
        param[STRIP] = CLV_MIN((int)clv_round_up(clv_div_up(c->ow, cuts), 2), c->ow);
        if (param[STRIP] <= 2 || fits(caps, c, param))
            break;
    }
    param[ROWS] = CLV_MIN(CLV_MAX(CHUNK_PIXELS / param[STRIP], 1), c->oh);
    while (param[ROWS] > 1 && !fits(caps, c, param))
        param[ROWS]--;
    param[ROWS] = (int)clv_div_up(c->oh, clv_div_up(c->oh, param[ROWS]));
    if (param[ROWS] > 2)
        param[ROWS] = (int)clv_round_up(param[ROWS], 2);
    while (param[ROWS] > 2 && !fits(caps, c, param))
        param[ROWS] -= 2;
    param[BLOCKS] = MAX_BLOCKS;
    const struct plan f = plan_of(caps, c, false, batch, param);
    while (param[BLOCKS] > 1 && f.slices * clv_div_up(f.blocks, param[BLOCKS]) < ITEMS_WANTED)
        param[BLOCKS]--;
}

bool clv_vector_weights_supports(const struct clv_caps *caps, const struct clv_conv *c)
{
    int param[CLV_CHOICE_PARAMS] = {0};
    choose_tile(caps, c, param);
    param[STRIP] = CLV_MIN(2, c->ow);
    param[ROWS] = CLV_MIN(2, c->oh);
    return c->groups == 1 && fits(caps, c, param);
}

void clv_vector_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                 int param[CLV_CHOICE_PARAMS])
{
    choose(caps, c, batch, param);
}

int clv_vector_weights_candidates(const struct clv_caps *caps, const struct clv_conv *c, int batch,
                                  int (*param)[CLV_CHOICE_PARAMS], int max)
{
    static const int rows[] = {2, 4, 8, 16}, blocks[] = {1, 2, 4};
    int base[CLV_CHOICE_PARAMS] = {0}, n = 0;
    choose(caps, c, batch, base);
    for (size_t i = 0; i < CLV_COUNT(tiles); i++)
        for (int j = 0; tiles[i].mr[j]; j++)
            for (size_t k = 0; k < CLV_COUNT(rows) * CLV_COUNT(blocks) && n < max; k++) {
                int *try = param[n];
                memcpy(try, base, sizeof base);
                const struct clv_tile t = {.vw = clv_vector_floats(caps),
                                           .nv = try[NV] = tiles[i].nv,
                                           .mr = try[MR] = tiles[i].mr[j]};
                try[ROWS] = CLV_MIN(rows[k / CLV_COUNT(blocks)], c->oh);
                try[BLOCKS] = blocks[k % CLV_COUNT(blocks)];
                if (clv_vector_tile_fits(caps, &t) && fits(caps, c, try))
                    n++;
            }
    return n;
}

/* Behind a pool few inputs under a window fit a register, out of which a compiler for AVX-512 lets pick. */
static const char *pick_options(struct clv_emit *e, const struct clv_conv *c, const char *options)
{
    if (!options || c->ci + c->sw * c->ci > PICK_FLOATS)
        return options;
    int rows = c->kh;
    while (c->kh % rows || rows * c->ci > PICK_SUMS)
        rows--;
    return clv_emit_options(e, "%s -DPICK=%d -DPICK_STEP=%d -DPICK_ROWS=%d", options, c->ci,
                            c->sw * c->ci, rows);
}

enum clv_err clv_vector_weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    const struct plan f = plan_of(e->caps, &p->conv, p->pool, e->batch, param);
    struct clv_conv c = p->conv;
    c.oh = f.oh;
    c.ow = f.ow;
    const int rows = (int)clv_conv_k(&c) + 1;
    struct clv_tensor *part = clv_emit_scratch(
        e, CLV_F32, (int64_t)f.slices * f.blocks * rows * f.lanes, "weight gradient slices");
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (options && p->pool)
        options = pick_options(e, &c, clv_emit_options(e, "%s -DPOOL", options));
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const bool store_dz = !p->pool && p->dx && p->act != CLV_ACT_LINEAR;
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
            .global = {(size_t)f.slices, (size_t)clv_div_up(f.blocks, f.blocks_per_item)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), dy, CLV_IN(p->pool ? p->mask : p->y),
                     CLV_OUT(part), CLV_GEOMETRY(&c, clv_x_pitch(p, p->x), clv_y_pitch(p, p->y)),
                     CLV_I32(clv_y_pitch(p, p->dy)), CLV_I32(f.strip), CLV_I32(f.rows),
                     CLV_I32(f.chunks), CLV_I32(f.blocks_per_item), CLV_I32(x_step(&c)),
                     CLV_I32(p->act), CLV_I32(store_dz),
                     CLV_LOCAL(item_bytes(&c, &f.tile, f.strip, f.rows)))}));
    return clv_contract_reduce_weights(
        e, p, &(struct clv_part){.t = part, .rows = rows, .lanes = f.lanes, .slices = f.slices});
}
