/* The schedule for CPU devices: what its products share. */
#include "contract/vector.h"

/* Register tiles, measured on AVX-512 (32 registers); narrower vectors have 16. */
static const struct {
    int min_vw; /* of the device */
    int nv, mr;
    double rate; /* share of the peak that the hot loop reaches, to weigh against padding */
} tiles[] = {
    {16, 4, 6, 1.0},  {16, 3, 8, 0.97}, {16, 2, 12, 0.93},
    {16, 1, 14, 0.7}, {0, 2, 6, 1.0},   {0, 1, 12, 0.8},
};

enum { LOCAL_BYTES = 768 << 10 };

int clv_vector_floats(const struct clv_caps *caps)
{
    return caps->vector_width >= 16 ? 16 : caps->vector_width >= 8 ? 8 : 4;
}

bool clv_vector_tile_fits(const struct clv_caps *caps, const struct clv_tile *tile)
{
    return (tile->mr + 1) * tile->nv + 1 <= (clv_vector_floats(caps) == 16 ? 32 : 16);
}

int64_t clv_vector_local_bytes(const struct clv_caps *caps)
{
    return CLV_MIN((int64_t)caps->local_bytes, (int64_t)LOCAL_BYTES);
}

struct clv_tile clv_vector_tile(const struct clv_caps *caps, int columns)
{
    const int vw = clv_vector_floats(caps), wanted = vw == 16 ? 16 : 0;
    size_t best = 0;
    double best_cost = 0;
    for (size_t i = 0; i < CLV_COUNT(tiles); i++) {
        const double cost = (double)clv_round_up(columns, tiles[i].nv * vw) / tiles[i].rate;
        if (tiles[i].min_vw == wanted && (best_cost == 0 || cost < best_cost)) {
            best = i;
            best_cost = cost;
        }
    }
    return (struct clv_tile){.vw = vw, .nv = tiles[best].nv, .mr = tiles[best].mr};
}

const char *clv_vector_options(struct clv_emit *e, const struct clv_tile *t, int act_code)
{
    const char *act = act_code ? clv_emit_options(e, "-DACT=%d ", act_code) : "";
    if (!act)
        return NULL;
    return clv_emit_options(e, "%s%s-DMR=%d -DNV=%d -DVW=%d", act,
                            clv_caps_wide_option(e->caps, t->vw), t->mr, t->nv, t->vw);
}

static bool supports(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product)
{
    if (caps->gpu_path)
        return false;
    if (clv_conv_is_dense(c))
        return clv_vector_dense_supports(caps, c);
    return product == CLV_PRODUCT_WEIGHTS ? clv_vector_weights_supports(caps, c)
                                          : clv_vector_forward_supports(caps, c, product);
}

static bool pools(const struct clv_conv *c, enum clv_product product)
{
    (void)product;
    return !clv_conv_is_dense(c);
}

/* The dense passes read dz several times: there it is computed once, beforehand. */
static bool folds_act(const struct clv_conv *c)
{
    return !clv_conv_is_dense(c);
}

static void defaults(const struct clv_caps *caps, const struct clv_conv *c,
                     enum clv_product product, int batch, int param[CLV_CHOICE_PARAMS])
{
    if (clv_conv_is_dense(c)) {
        clv_vector_gemm_defaults(caps, c, product, batch, param);
        return;
    }
    if (product == CLV_PRODUCT_WEIGHTS)
        clv_vector_weights_defaults(caps, c, batch, param);
    else
        clv_vector_forward_defaults(caps, c, product, batch, param);
}

static int candidates(const struct clv_caps *caps, const struct clv_conv *c,
                      enum clv_product product, int batch, int (*param)[CLV_CHOICE_PARAMS], int max)
{
    if (clv_conv_is_dense(c))
        return clv_vector_gemm_candidates(caps, c, product, batch, param, max);
    return product == CLV_PRODUCT_WEIGHTS
               ? clv_vector_weights_candidates(caps, c, batch, param, max)
               : clv_vector_forward_candidates(caps, c, product, batch, param, max);
}

/* Whether a dense layer goes to the blocked product, which takes activations in fp32 only. */
static bool is_blocked(const struct clv_contract *p, const int *param)
{
    return param[CLV_VECTOR_ROWS] && !clv_dtype_is_16(p->dtype);
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    if (!clv_conv_is_dense(&p->conv))
        return clv_vector_forward(e, p, param);
    return is_blocked(p, param) ? clv_vector_gemm_forward(e, p, param) : clv_vector_dense_forward(e, p);
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    if (!clv_conv_is_dense(&p->conv))
        return clv_vector_data(e, p, param);
    return is_blocked(p, param) ? clv_vector_gemm_data(e, p, param) : clv_vector_dense_data(e, p);
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    if (!clv_conv_is_dense(&p->conv))
        return clv_vector_weights(e, p, param);
    return is_blocked(p, param) ? clv_vector_gemm_weights(e, p, param) : clv_vector_dense_weights(e, p);
}

const struct clv_schedule clv_schedule_vector = {
    .name = "vector",
    .params = {"nv", "mr", "strip", "rows", "piece", "blocks"},
    .supports = supports,
    .stores16 = clv_contract_takes_all,
    .pools = pools,
    .folds_act = folds_act,
    .defaults = defaults,
    .candidates = candidates,
    .emit = {forward, data, weights},
};
