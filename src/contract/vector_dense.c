/* Dense layers on CPU devices: the weights are streamed once in each pass, see
 * cl/contract_vector_dense.cl. */
#include "contract/schedule.h"

CLV_SOURCE(contract_vector_dense);

enum {
    ROW_STEP = 64, /* samples that pass over a slab together */
    K_STEP = 512,  /* inputs in a slice of the forward sum */
    IN_STEP = 96,  /* inputs of a work-item of the backward passes */
    ITEMS_WANTED = 64,
};

struct dense_plan {
    struct clv_tile tile;
    int lanes, blocks;
    int row_step, k_step;         /* forward */
    int data_rows, data_in;       /* backward data */
    int weights_rows, weights_in; /* backward weights */
};

static int64_t forward_bytes(const struct dense_plan *f)
{
    return (int64_t)sizeof(float) * f->k_step * (f->lanes + f->row_step);
}

static int64_t data_bytes(const struct dense_plan *f, const struct clv_conv *c)
{
    return (int64_t)sizeof(float) * f->data_rows * clv_round_up(c->co, f->tile.vw);
}

static int64_t weights_bytes(const struct dense_plan *f)
{
    return (int64_t)sizeof(float) *
           ((int64_t)f->weights_rows * (f->weights_in + f->lanes) + (f->weights_in + 1) * f->lanes);
}

/* Steps as large as local memory allows; false when even the smallest do not fit. */
static bool make_plan(const struct clv_caps *caps, const struct clv_conv *c, struct dense_plan *f)
{
    const int64_t budget = (int64_t)caps->local_bytes;
    *f = (struct dense_plan){.tile = clv_vector_tile(caps, c->co)};
    const int mr = f->tile.mr, nv = f->tile.nv;
    f->lanes = nv * f->tile.vw;
    f->blocks = (int)clv_div_up(c->co, f->lanes);
    f->row_step = f->data_rows = f->weights_rows = (int)clv_round_up(ROW_STEP, mr);
    f->k_step = CLV_MIN(K_STEP, c->ci);
    const int share = (int)clv_div_up(c->ci, ITEMS_WANTED);
    f->data_in = (int)clv_round_up(CLV_MIN(CLV_MAX(share, nv), IN_STEP), nv);
    f->weights_in = (int)clv_round_up(CLV_MIN(CLV_MAX(share, mr), IN_STEP), mr);
    while (f->k_step > 16 && forward_bytes(f) > budget)
        f->k_step /= 2;
    while (f->row_step > mr && forward_bytes(f) > budget)
        f->row_step -= mr;
    while (f->data_rows > mr && data_bytes(f, c) > budget)
        f->data_rows -= mr;
    while (f->weights_in > mr && weights_bytes(f) > budget)
        f->weights_in -= mr;
    while (f->weights_rows > mr && weights_bytes(f) > budget)
        f->weights_rows -= mr;
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
    const int slices = (int)clv_div_up(c->ci, f.k_step);
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
            .global = {(size_t)f.blocks, (size_t)slices},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->w), CLV_OUT(part), CLV_I32(c->ci),
                     CLV_I32(c->co), CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(e->batch),
                     CLV_I32(f.k_step), CLV_I32(f.row_step), CLV_LOCAL(forward_bytes(&f)))}));
    return clv_contract_reduce_output(
        e, p, &(struct clv_part){.t = part, .rows = e->batch, .lanes = f.lanes, .slices = slices});
}

static enum clv_err emit_data(struct clv_emit *e, const struct clv_contract *p,
                              const struct dense_plan *f, const char *options)
{
    const struct clv_conv *c = &p->conv;
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward data");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_vector_dense,
                                  .name = "contract_vector_dense_data",
                                  .options = options,
                                  .dims = 1,
                                  .global = {(size_t)clv_div_up(c->ci, f->data_in)},
                                  .local = {1},
                                  clv_args(CLV_IN(e->state), CLV_IN(p->dy), CLV_IN(p->w),
                                           CLV_OUT_OR_ADD(p->dx, p->accumulate), CLV_I32(c->ci),
                                           CLV_I32(c->co), CLV_I32(clv_y_pitch(p, p->dy)),
                                           CLV_I32(clv_x_pitch(p, p->dx)), CLV_I32(f->data_in),
                                           CLV_I32(f->data_rows), CLV_I32(p->accumulate),
                                           CLV_LOCAL(data_bytes(f, c)))});
}

static enum clv_err emit_weights(struct clv_emit *e, const struct clv_contract *p,
                                 const struct dense_plan *f, const char *options)
{
    const struct clv_conv *c = &p->conv;
    const struct clv_emit_info info =
        clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_vector_dense,
            .name = "contract_vector_dense_weights",
            .options = options,
            .dims = 2,
            .global = {(size_t)clv_div_up(c->ci, f->weights_in), (size_t)f->blocks},
            .local = {1, 1},
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(p->dw),
                     CLV_OUT(p->dbias ? p->dbias : p->dw), CLV_I32(c->ci), CLV_I32(c->co),
                     CLV_I32(clv_x_pitch(p, p->x)), CLV_I32(clv_y_pitch(p, p->dy)),
                     CLV_I32(f->weights_in), CLV_I32(f->weights_rows), CLV_I32(p->dbias != NULL),
                     CLV_LOCAL(weights_bytes(f)))});
}

enum clv_err clv_vector_dense_backward(struct clv_emit *e, const struct clv_contract *p)
{
    struct dense_plan f;
    (void)make_plan(e->caps, &p->conv, &f);
    const char *options = clv_vector_options(e, &f.tile, 0);
    if (!options)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_contract_act_gradient(e, p));
    CLV_TRY(emit_weights(e, p, &f, options));
    return p->dx ? emit_data(e, p, &f, options) : CLV_OK;
}
