/* Backward weights of the Winograd schedule: dw = G^T [sum over tiles of (B^T x B) . (A dz A^T)] G.
 *
 * Rounding error, relative to the root mean square of dw, of 36 to 373,248 output pixels with
 * normal x (with and without ReLU) and dz: F(4x4) 3e-7 to 1.0e-6 rms, at most 4.1e-6; F(2x2) 1.2e-7
 * to 4.0e-7 rms, at most 1.3e-6; the direct sum 0.8e-7 to 3.0e-7 rms, at most 1.6e-6. It hardly
 * grows with their number, because a sum has three levels: the tiles of a chunk, the chunks of a
 * slice, the slices. */
#include "contract/winograd.h"
#include <string.h>

CLV_SOURCE(contract_winograd_weights);

enum {
    PANEL_BYTES = 1 << 20,  /* of transformed tiles, and */
    PART_BYTES = 768 << 10, /* of sums beside them: together they stay in the second-level cache */
    MAX_CHUNK = 48,         /* tiles summed in registers at a time */
    MIN_CHUNK = 8,
    SLICE_CHUNKS = 3, /* fewest in a slice */
    MAX_BLOCK = 128,  /* channels */
    STEP_PAD = 16,    /* floats between the panels of two points */
};

enum { TILE, ROWS, VECTORS, CHUNK, CI_BLOCK, CO_BLOCK };

/* Register tiles to choose from, and the share of the peak that the product reaches with them. */
static const struct {
    int min_vw, mr, nv;
    double rate;
} registers[] = {
    {16, 4, 4, 1.0}, {16, 8, 2, 0.97}, {16, 16, 1, 0.9}, {16, 8, 1, 0.7},
    {0, 6, 2, 1.0},  {0, 12, 1, 0.9},  {0, 6, 1, 0.7},   {0, 3, 4, 0.95},
};

struct plan {
    struct clv_tile tile;
    int m, points, chunk, ci_block, co_block;
    int rows, x_wide, x_step, z_step; /* see the kernel */
    int tiles_high, tiles_wide, ci_blocks, co_blocks;
    int64_t chunks, local_bytes, part; /* part: elements of all blocks of a slice */
};

static struct plan plan_of(const struct clv_caps *caps, const struct clv_conv *c, bool pool,
                           int batch, const int *param)
{
    struct plan f = {.tile = {.vw = clv_vector_floats(caps), .nv = param[VECTORS], .mr = param[ROWS]},
                     .m = param[TILE],
                     .points = (param[TILE] + 2) * (param[TILE] + 2),
                     .chunk = param[CHUNK],
                     .ci_block = param[CI_BLOCK],
                     .co_block = param[CO_BLOCK]};
    f.rows = (int)clv_round_up(f.ci_block, f.tile.mr);
    f.x_wide = (int)clv_round_up(f.rows, f.tile.vw);
    f.x_step = f.chunk * f.x_wide + STEP_PAD;
    f.z_step = f.chunk * f.co_block + STEP_PAD;
    f.local_bytes =
        (int64_t)sizeof(float) * (f.points * (f.x_step + f.z_step + f.tile.vw) + f.z_step);
    f.tiles_high = (int)clv_div_up(pool ? c->oh / 2 * 2 : c->oh, f.m);
    f.tiles_wide = (int)clv_div_up(pool ? c->ow / 2 * 2 : c->ow, f.m);
    f.chunks = clv_div_up((int64_t)batch * f.tiles_high * f.tiles_wide, f.chunk);
    f.ci_blocks = (int)clv_div_up(c->ci, f.ci_block);
    f.co_blocks = (int)clv_div_up(c->co, f.co_block);
    f.part = (int64_t)f.ci_blocks * f.co_blocks * (f.points * f.rows + 1) * f.co_block;
    return f;
}

/* Time of an image in cycles, roughly: multiply-adds, sums that come and go between chunks, and
 * transforms, which each block of channels does anew. Measured with vectors of 16. */
static double cost_of(const struct plan *f, double rate)
{
    const double x = (double)f->x_wide / f->tile.vw, z = (double)f->co_block / f->tile.vw;
    const double products = f->points * f->rows * z * (0.6 / rate + 3.0 / f->chunk);
    return (double)f->tiles_high * f->tiles_wide * f->ci_blocks * f->co_blocks *
           (products + f->points * (9.0 * x + 5.0 * z));
}

/* Channels a block when there are `blocks`, in whole units. */
static int block_of(int channels, int blocks, int unit)
{
    return (int)clv_round_up(clv_div_up(channels, blocks), unit);
}

/* The most tiles whose panels fit. */
static int chunk_of(const struct clv_caps *caps, int m, int x_wide, int co_block)
{
    const int64_t budget = CLV_MIN((int64_t)caps->local_bytes, (int64_t)PANEL_BYTES);
    const int64_t floats = budget / (int64_t)sizeof(float) / ((m + 2) * (m + 2) + 1);
    const int64_t tiles = (floats - 2 * STEP_PAD - clv_vector_floats(caps)) / (x_wide + co_block);
    return (int)CLV_MIN(tiles, MAX_CHUNK);
}

/* Takes the blocks of least cost for this tile into best. */
static void try_blocks(const struct clv_caps *caps, const struct clv_conv *c, int m, size_t reg,
                       double *best_cost, int *best)
{
    const int mr = registers[reg].mr, nv = registers[reg].nv, vw = clv_vector_floats(caps);
    int ci_blocks = (int)clv_div_up(c->ci, MAX_BLOCK), ci_block, co_block;
    do {
        ci_block = block_of(c->ci, ci_blocks++, mr);
        int co_blocks = (int)clv_div_up(c->co, MAX_BLOCK);
        do {
            co_block = block_of(c->co, co_blocks++, nv * vw);
            const int chunk = chunk_of(caps, m, (int)clv_round_up(ci_block, vw), co_block);
            if (chunk < MIN_CHUNK)
                continue;
            const int param[] = {m, mr, nv, chunk, ci_block, co_block};
            const struct plan f = plan_of(caps, c, false, 1, param);
            const int64_t part = (int64_t)sizeof(float) * f.points * f.rows * f.co_block;
            const double cost = cost_of(&f, registers[reg].rate);
            if (part <= PART_BYTES && (*best_cost == 0 || cost < *best_cost)) {
                *best_cost = cost;
                memcpy(best, param, sizeof param);
            }
        } while (co_block > nv * vw);
    } while (ci_block > mr);
}

/* only: the tile, 0 = any. False where nothing fits into local memory. */
static bool choose(const struct clv_caps *caps, const struct clv_conv *c, int only, int *param)
{
    const int wanted = clv_vector_floats(caps) == 16 ? 16 : 0;
    double cost = 0;
    for (int m = 4; m >= 2; m -= 2)
        for (size_t i = 0; i < CLV_COUNT(registers); i++)
            if (registers[i].min_vw == wanted && (only == 0 || only == m))
                try_blocks(caps, c, m, i, &cost, param);
    return cost > 0;
}

bool clv_winograd_weights_supports(const struct clv_caps *caps, const struct clv_conv *c)
{
    int param[CLV_CHOICE_PARAMS];
    return choose(caps, c, 0, param);
}

bool clv_winograd_weights_suits(const struct clv_caps *caps, const struct clv_conv *c)
{
    int param[CLV_CHOICE_PARAMS];
    if (!choose(caps, c, 0, param))
        return false;
    const struct plan f = plan_of(caps, c, false, 1, param);
    const double columns = (double)clv_round_up(c->co, f.tile.vw) / f.tile.vw;
    const double direct = 0.6 * c->oh * c->ow * (double)clv_conv_k(c) * columns;
    return cost_of(&f, 1) < 0.9 * direct;
}

bool clv_winograd_weights_defaults(const struct clv_caps *caps, const struct clv_conv *c, int m,
                                   int param[CLV_CHOICE_PARAMS])
{
    return choose(caps, c, m, param);
}

static int add_candidate(const struct clv_caps *caps, const struct clv_conv *c, const int *one,
                         int (*param)[CLV_CHOICE_PARAMS], int n, int max)
{
    if (n == max || plan_of(caps, c, false, 1, one).local_bytes > (int64_t)caps->local_bytes)
        return n;
    memcpy(param[n], one, sizeof param[n]);
    return n + 1;
}

int clv_winograd_weights_candidates(const struct clv_caps *caps, const struct clv_conv *c,
                                    int (*param)[CLV_CHOICE_PARAMS], int max)
{
    static const int chunks[] = {24, 32, 40, 64, 96};
    const int wanted = clv_vector_floats(caps) == 16 ? 16 : 0;
    int one[CLV_CHOICE_PARAMS], n = 0;
    for (int m = 4; m >= 2; m -= 2)
        for (size_t i = 0; i < CLV_COUNT(registers); i++) {
            double cost = 0;
            if (registers[i].min_vw == wanted)
                try_blocks(caps, c, m, i, &cost, one);
            if (cost > 0)
                n = add_candidate(caps, c, one, param, n, max);
        }
    if (!choose(caps, c, 0, one))
        return n;
    for (size_t i = 0; i < CLV_COUNT(chunks); i++) {
        int other[CLV_CHOICE_PARAMS];
        memcpy(other, one, sizeof other);
        other[CHUNK] = chunks[i];
        n = add_candidate(caps, c, other, param, n, max);
        /* The longer the blocks of ci, the fewer transforms of dz, and the fewer tiles fit. */
        other[CI_BLOCK] = one[CI_BLOCK] < c->ci ? 2 * one[CI_BLOCK] : block_of(c->ci, 2, one[ROWS]);
        n = add_candidate(caps, c, other, param, n, max);
    }
    return n;
}

enum clv_err clv_winograd_weights_sum(struct clv_emit *e, const struct clv_contract *p,
                                      const struct clv_winograd_part *part, const char *options)
{
    const struct clv_conv *c = &p->conv;
    const struct clv_emit_info info = {
        .node = p->node, .pass = CLV_PASS_BACKWARD, .what = "backward weights sum"};
    if (!options)
        return CLV_ERR_NOMEM;
    /* Without a bias dw takes its place in the argument list, which the kernel leaves alone. */
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_winograd_weights,
            .name = "contract_winograd_weights_sum",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(c->co, part->lanes), (size_t)c->ci + 1},
            .local = {part->local[0], part->local[1]},
            clv_args(CLV_IN(part->t), CLV_OUT(p->dw), CLV_OUT(p->dbias ? p->dbias : p->dw),
                     CLV_I32(c->ci), CLV_I32(c->co), CLV_I32(part->ci_block),
                     CLV_I32(part->co_block), CLV_I32(part->rows), CLV_I32(part->slices),
                     CLV_I32(p->dbias != NULL))});
}

static enum clv_err emit_product(struct clv_emit *e, const struct clv_contract *p,
                                 const struct plan *f, int slices, struct clv_tensor *part)
{
    const struct clv_conv *c = &p->conv;
    const char *tile = clv_vector_options(e, &f->tile, 0);
    const char *options =
        tile ? clv_emit_options(e, "%s -DWINO_M=%d%s", tile, f->m, p->pool ? " -DPOOL" : "") : NULL;
    if (!options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_winograd_weights,
            .name = "contract_winograd_weights",
            .options = options,
            .dims = 2,
            .global = {(size_t)f->ci_blocks * (size_t)f->co_blocks, (size_t)slices},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy),
                     CLV_IN(p->pool ? p->mask : p->dy), CLV_OUT(part), CLV_I32(c->ih),
                     CLV_I32(c->iw), CLV_I32(c->ci), CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(c->oh),
                     CLV_I32(c->ow), CLV_I32(c->co), CLV_I32(clv_y_pitch(p, p->dy)), CLV_I32(c->pt),
                     CLV_I32(c->pl), CLV_I32(f->tiles_high), CLV_I32(f->tiles_wide),
                     CLV_I32(f->chunk), CLV_I32(f->ci_block), CLV_I32(f->co_block),
                     CLV_I32(f->rows), CLV_I32(f->x_wide), CLV_I32(f->x_step), CLV_I32(f->z_step),
                     CLV_LOCAL(f->local_bytes))}));
    return clv_winograd_weights_sum(e, p,
                                    &(struct clv_winograd_part){.t = part,
                                                                .ci_block = f->ci_block,
                                                                .co_block = f->co_block,
                                                                .rows = f->rows,
                                                                .lanes = f->tile.nv * f->tile.vw,
                                                                .slices = slices,
                                                                .local = {1, 1}},
                                    options);
}

enum clv_err clv_winograd_weights(struct clv_emit *e, const struct clv_contract *p,
                                  const int *param)
{
    const struct plan f = plan_of(e->caps, &p->conv, p->pool, e->batch, param);
    const int slices = clv_contract_slices(f.chunks, SLICE_CHUNKS, f.part);
    struct clv_tensor *part =
        clv_emit_scratch(e, CLV_F32, slices * f.part, "weight gradient slices");
    return part ? emit_product(e, p, &f, slices, part) : CLV_ERR_NOMEM;
}
