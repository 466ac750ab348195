/* Dense layers on CPU devices: the weights are streamed once in each pass, see
 * cl/contract_vector_dense.cl. */
#include "contract/schedule.h"

CLV_SOURCE(contract_vector_dense);

enum {
    ROW_STEP = 64,      /* samples that pass over a panel together */
    SLICE_K = 512,      /* inputs in a slice of the forward sum */
    K_STEP = 48,        /* of them, those whose weights are in cache at a time */
    IN_STEP = 96,       /* inputs of a work-item of the backward passes */
    BLOCK_LANES = 1152, /* outputs of a work-item, at most: rows long enough to be streamed */
    ITEMS_WANTED = 32,
};

struct dense_plan {
    struct clv_tile tile;
    int lanes, blocks;                             /* of all outputs */
    int slice_k, k_step, row_step, forward_blocks; /* forward */
    int data_in, data_rows;                        /* backward data */
    int weights_in, weights_rows, weights_blocks;  /* backward weights */
};

static int64_t forward_bytes(const struct dense_plan *f)
{
    return (int64_t)sizeof(float) *
           ((int64_t)f->forward_blocks * f->lanes * (f->k_step + f->row_step) +
            (int64_t)f->row_step * f->slice_k);
}

static int64_t data_bytes(const struct dense_plan *f, const struct clv_conv *c)
{
    return (int64_t)sizeof(float) * f->data_rows * clv_round_up(c->co, f->tile.vw);
}

static int64_t weights_bytes(const struct dense_plan *f)
{
    return (int64_t)sizeof(float) * f->weights_rows *
           ((int64_t)f->weights_blocks * f->lanes + f->weights_in);
}

static int half(int value)
{
    return (value + 1) / 2;
}

static void fit_forward(struct dense_plan *f, const struct clv_conv *c, int64_t budget)
{
    const int mr = f->tile.mr;
    f->slice_k = CLV_MIN(SLICE_K, c->ci);
    f->k_step = CLV_MIN(K_STEP, f->slice_k);
    f->row_step = (int)clv_round_up(ROW_STEP, mr);
    f->forward_blocks = CLV_MIN(f->blocks, CLV_MAX(BLOCK_LANES / f->lanes, 1));
    const int64_t slices = clv_div_up(c->ci, f->slice_k);
    while (f->forward_blocks > 1 &&
           (slices * clv_div_up(f->blocks, f->forward_blocks) < ITEMS_WANTED ||
            forward_bytes(f) > budget))
        f->forward_blocks = half(f->forward_blocks);
    while (f->row_step > mr && forward_bytes(f) > budget)
        f->row_step -= mr;
    while (f->slice_k > 16 && forward_bytes(f) > budget) {
        f->slice_k = half(f->slice_k);
        f->k_step = CLV_MIN(f->k_step, f->slice_k);
    }
}

static void fit_backward(struct dense_plan *f, const struct clv_conv *c, int64_t budget)
{
    const int mr = f->tile.mr, nv = f->tile.nv, share = (int)clv_div_up(c->ci, ITEMS_WANTED);
    f->data_rows = f->weights_rows = (int)clv_round_up(ROW_STEP, mr);
    f->data_in = (int)clv_round_up(CLV_MIN(CLV_MAX(share, nv), IN_STEP), nv);
    f->weights_in = (int)clv_round_up(CLV_MIN(CLV_MAX(share, mr), IN_STEP), mr);
    f->weights_blocks = CLV_MIN(f->blocks, CLV_MAX(BLOCK_LANES / f->lanes, 1));
    while (f->data_rows > mr && data_bytes(f, c) > budget)
        f->data_rows -= mr;
    while (f->weights_blocks > 1 && weights_bytes(f) > budget)
        f->weights_blocks = half(f->weights_blocks);
    while (f->weights_rows > mr && weights_bytes(f) > budget)
        f->weights_rows -= mr;
    while (f->weights_in > mr && weights_bytes(f) > budget)
        f->weights_in -= mr;
}

/* Steps as large as local memory allows; false when even the smallest do not fit. */
static bool make_plan(const struct clv_caps *caps, const struct clv_conv *c, struct dense_plan *f)
{
    const int64_t budget = (int64_t)caps->local_bytes;
    *f = (struct dense_plan){.tile = clv_vector_tile(caps, c->co)};
    f->lanes = f->tile.nv * f->tile.vw;
    f->blocks = (int)clv_div_up(c->co, f->lanes);
    fit_forward(f, c, budget);
    fit_backward(f, c, budget);
    return forward_bytes(f) <= budget && data_bytes(f, c) <= budget && weights_bytes(f) <= budget;
}

bool clv_vector_dense_supports(const struct clv_caps *caps, const struct clv_conv *c)
{
    struct dense_plan f;
    return make_plan(caps, c, &f);
}

enum clv_err clv_vector_dense_forward(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    struct dense_plan f;
    (void)make_plan(e->caps, c, &f);
    const int slices = (int)clv_div_up(c->ci, f.slice_k);
    const int64_t elements = (int64_t)slices * f.blocks * e->batch * f.lanes;
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, elements, "partial sums");
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_FORWARD, "forward");
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_dense,
            .name = "contract_vector_dense_forward",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(f.blocks, f.forward_blocks), (size_t)slices},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->w), CLV_OUT(part), CLV_I32(c->ci),
                     CLV_I32(c->co), CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(e->batch),
                     CLV_I32(f.forward_blocks), CLV_I32(f.slice_k), CLV_I32(f.k_step),
                     CLV_I32(f.row_step), CLV_LOCAL(forward_bytes(&f)))}));
    return clv_contract_reduce_output(
        e, p, &(struct clv_part){.t = part, .rows = e->batch, .lanes = f.lanes, .slices = slices});
}

enum clv_err clv_vector_dense_data(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    struct dense_plan f;
    (void)make_plan(e->caps, c, &f);
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
                                  .global = {(size_t)clv_div_up(c->ci, f.data_in)},
                                  .local = {1},
                                  clv_args(CLV_IN(e->state), CLV_IN(p->dy), CLV_IN(p->w),
                                           CLV_OUT_OR_ADD(p->dx, p->accumulate), CLV_I32(c->ci),
                                           CLV_I32(c->co), CLV_I32(clv_y_pitch(p, p->dy)),
                                           CLV_I32(clv_x_pitch(p, p->dx)), CLV_I32(f.data_in),
                                           CLV_I32(f.data_rows), CLV_I32(p->accumulate),
                                           CLV_LOCAL(data_bytes(&f, c)))});
}

enum clv_err clv_vector_dense_weights(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    struct dense_plan f;
    (void)make_plan(e->caps, c, &f);
    const char *options = clv_vector_options(e, &f.tile, 0);
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
            .global = {(size_t)clv_div_up(c->ci, f.weights_in),
                       (size_t)clv_div_up(f.blocks, f.weights_blocks)},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(p->dw),
                     CLV_OUT(p->dbias ? p->dbias : p->dw), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(clv_y_pitch(p, p->dy)),
                     CLV_I32(f.weights_in), CLV_I32(f.weights_blocks), CLV_I32(f.weights_rows),
                     CLV_I32(p->dbias != NULL), CLV_LOCAL(weights_bytes(&f)))});
}
