/* The schedule for matrix units: what its products share. */
#include "contract/matrix.h"

#include "contract/selection.h"
#include "contract/winograd.h"

enum {
    LOCAL_BYTES = 512 << 10, /* of a group: leaves the filters room in a CPU's second-level cache */
    MIN_CHANNELS = 16,       /* fewer fill too little of a tile */
    VECTOR = 16,             /* floats of the kernels' vectors */
};

int clv_matrix_rows(const struct clv_caps *caps)
{
    return clv_unit_rows(caps->unit);
}

int clv_matrix_items(const struct clv_caps *caps)
{
    return clv_unit_items(caps->unit, caps->gpu_path);
}

int clv_matrix_operand_bytes(const struct clv_caps *caps)
{
    return clv_unit_operand_bytes(caps->unit);
}

int clv_matrix_tile(const struct clv_caps *caps)
{
    return CLV_MATRIX_K * CLV_MATRIX_COLUMNS * clv_matrix_operand_bytes(caps) / (int)sizeof(uint32_t);
}

int64_t clv_matrix_local_bytes(const struct clv_caps *caps)
{
    return CLV_MIN((int64_t)caps->local_bytes, (int64_t)LOCAL_BYTES);
}

int clv_matrix_parts(const struct clv_emit *e)
{
    return e->matrix_parts == 2 ? 2 : 1;
}

const char *clv_matrix_options(struct clv_emit *e, enum clv_act act, bool pool, bool unpool)
{
    const int code = clv_contract_act_code(act);
    const char *first = code ? clv_emit_options(e, "-DACT=%d ", code) : "";
    if (!first)
        return NULL;
    return clv_emit_options(e, "%s%s-DUNIT=%d -DITEMS=%d -DPARTS=%d%s%s", first,
                            clv_caps_wide_option(e->caps, VECTOR), (int)e->caps->unit,
                            clv_matrix_items(e->caps), clv_matrix_parts(e), pool ? " -DPOOL" : "",
                            unpool ? " -DUNPOOL" : "");
}

struct clv_conv clv_matrix_conv(const struct clv_conv *c, int batch)
{
    struct clv_conv flat = *c;
    if (clv_conv_is_dense(c))
        flat.iw = flat.ow = batch;
    return flat;
}

static bool supports(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product)
{
    int param[CLV_CHOICE_PARAMS];
    if (caps->unit == CLV_UNIT_NONE || c->groups != 1 ||
        (size_t)clv_matrix_items(caps) > caps->max_work_group)
        return false;
    return product == CLV_PRODUCT_WEIGHTS ? clv_matrix_weights_defaults(caps, c, 1, param)
                                          : clv_matrix_forward_defaults(caps, c, product, 1, param);
}

static bool pools(const struct clv_conv *c, enum clv_product product)
{
    (void)product;
    return !clv_conv_is_dense(c);
}

static void defaults(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    if (product == CLV_PRODUCT_WEIGHTS)
        (void)clv_matrix_weights_defaults(caps, c, batch, param);
    else
        (void)clv_matrix_forward_defaults(caps, c, product, batch, param);
}

/* How much of a unit's work is of use, in percent. */
static int64_t useful(const struct clv_conv *c, enum clv_product product)
{
    const int64_t k = c->sw == 1 && c->dw == 1 ? (int64_t)c->kw * c->ci : c->ci;
    const int64_t columns = product == CLV_PRODUCT_DATA ? c->ci : c->co;
    const int64_t filled = 100 * columns / clv_round_up(columns, CLV_MATRIX_COLUMNS);
    return product == CLV_PRODUCT_WEIGHTS ? filled * c->ci / clv_round_up(c->ci, 16)
                                          : filled * k / clv_round_up(k, CLV_MATRIX_K);
}

/* Whether operands have the range of what is stored, and in 16 bits its precision, too. */
static bool keeps(enum clv_unit unit, enum clv_dtype stored)
{
    const enum clv_operand operand = clv_unit_operand(unit);
    return stored == CLV_F16 ? operand != CLV_OPERAND_BF16 : operand != CLV_OPERAND_F16;
}

bool clv_matrix_suits(const struct clv_emit *e, const struct clv_problem *p)
{
    const struct clv_conv *c = &p->conv;
    const int products = clv_matrix_parts(e) == 2 ? 3 : 1;
    /* A product of few samples reads its filters once: packing them first costs more than it saves.
     */
    if (clv_conv_is_dense(c) && p->batch < 8 * CLV_MATRIX_COLUMNS)
        return false;
    if (c->ci < MIN_CHANNELS || c->co < MIN_CHANNELS || !keeps(e->caps->unit, p->dtype))
        return false;
    /* What packs, loads and stores beside the unit takes as long as a third of the products in fp32
     * of such a layer; Winograd needs half as many. */
    const int64_t gain = (int64_t)e->caps->unit_gain * useful(c, p->product) / 100 / products;
    return gain >= (!e->caps->gpu_path && clv_winograd_takes(c) ? 300 : 150);
}

const struct clv_schedule clv_schedule_matrix = {
    .name = "matrix",
    .params = {"strip", "rows", "piece", "blocks"},
    .supports = supports,
    .stores16 = clv_contract_takes_all,
    .pools = pools,
    .defaults = defaults,
    .emit = {clv_matrix_forward, clv_matrix_data, clv_matrix_weights},
};
