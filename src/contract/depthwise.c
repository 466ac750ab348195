/* The schedule of depthwise convolutions: as many groups as input channels, any kernel, stride and dilation, on any
 * device. See cl/contract_depthwise.cl. */
#include "contract/schedule.h"

CLV_SOURCE(contract_depthwise);
CLV_SOURCE(contract_depthwise_weights);

enum {
    GPU_VECTOR = 4,      /* 16 bytes of floats */
    GPU_COLUMNS = 64,    /* items of a group along a row */
    MAX_PIECE = 7,       /* taps that are summed together: twice as many sums stay in registers */
    MAX_TAPS = 7,        /* of a row, that are unrolled on CPUs */
    MAX_STEP = 2,
    ITEMS_WANTED = 64,   /* on CPUs */
    BLOCK_VECTORS = 4,   /* of channels that a CPU takes together */
    STRIP_BYTES = 20 << 10, /* of the rows that filters overlap in, in the first-level cache */
    SLICE_LINES = 4,     /* fewest in a slice */
    GPU_LINES = 8,
};

static bool supports(const struct clv_caps *caps, const struct clv_conv *c, enum clv_product product)
{
    (void)caps;
    (void)product;
    return c->groups > 1 && c->groups == c->ci;
}

static int multiplier(const struct clv_conv *c)
{
    return c->co / c->ci;
}

/* The widest vector of at most `most` floats that divides the channels. */
static int vector_for(int most, int channels)
{
    int v = most;
    while (channels % v)
        v /= 2;
    return v;
}

static bool is_aligned(const struct clv_tensor *t, int vector)
{
    return t->pitch % vector == 0 && clv_tensor_at(t) % vector == 0;
}

/* Vectors of a GPU at other places than multiples of their size are read element by element. */
static int vector_of(const struct clv_emit *e, const struct clv_contract *p, const struct clv_tensor *a,
                     const struct clv_tensor *b, int channels)
{
    if (!e->caps->gpu_path)
        return vector_for(clv_vector_floats(e->caps), channels);
    const bool whole = multiplier(&p->conv) == 1 && is_aligned(a, GPU_VECTOR) && is_aligned(b, GPU_VECTOR);
    return whole ? vector_for(GPU_VECTOR, channels) : 1;
}

/* For a row of `taps` neighbouring taps, of targets `step` pixels apart. */
static const char *window_options(struct clv_emit *e, const struct clv_conv *c, int taps, int step)
{
    if (e->caps->gpu_path || c->dw != 1 || taps > MAX_TAPS || step > MAX_STEP || multiplier(c) != 1)
        return "";
    return clv_emit_options(e, "-DSTEP=%d -DTAPS=%d ", step, taps);
}

static const char *options_of(struct clv_emit *e, const struct clv_contract *p, const struct clv_tensor *a,
                              const struct clv_tensor *b, int vector, const char *more)
{
    if (!more)
        return NULL;
    const bool aligned = vector > 1 && is_aligned(a, vector) && is_aligned(b, vector);
    const bool wide = !e->caps->gpu_path;
    return clv_emit_options(e, "%s%s%s%s-DMULT=%d -DV=%d", aligned ? "-DALIGNED " : "", more,
                            wide ? clv_caps_wide_option(e->caps, vector) : "", wide ? "-DWIDE " : "",
                            multiplier(&p->conv), vector);
}

/* Taps of a stride that reach the same input position lie so far apart: cl/contract_depthwise.cl. */
static int step_of(int stride, int dilation)
{
    int a = stride, b = dilation;
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return stride / a;
}

/* Output columns of a strip on CPUs. */
static int strip_of(const struct clv_conv *c, int block)
{
    const int columns = STRIP_BYTES / ((int)sizeof(float) * block * CLV_MIN(c->kh, MAX_TAPS));
    return CLV_MAX((int)clv_div_up(c->ow, clv_div_up(c->ow, CLV_MAX(columns / c->sw, 1))), 1);
}

struct target {
    int h, w, c;
};

/* Item and group sizes: strips of `rows` rows, or vectors of pixels. */
static void set_size(const struct clv_emit *e, const struct target *t, int vector, int *rows, struct clv_kernel_step *k)
{
    *rows = (int)CLV_MAX(CLV_MIN((int64_t)e->batch * t->h / ITEMS_WANTED, t->h), 1);
    k->dims = 3;
    for (int i = 0; i < 3; i++)
        k->local[i] = 1;
    if (!e->caps->gpu_path) {
        k->global[0] = (size_t)clv_div_up(t->h, *rows);
        k->global[1] = (size_t)e->batch;
        k->global[2] = 1;
        return;
    }
    k->global[0] = (size_t)t->w * (size_t)(t->c / vector);
    k->global[1] = (size_t)t->h;
    k->global[2] = (size_t)e->batch;
    k->local[0] = CLV_MIN((size_t)GPU_COLUMNS, e->caps->max_work_group);
    k->shrink = CLV_SHRINK_ITEMS;
}

/* Forward gathers x into y, data dy into dx. */
static enum clv_err gather(struct clv_emit *e, const struct clv_contract *p, bool data)
{
    const struct clv_conv *c = &p->conv;
    struct clv_tensor *from = data ? p->dy : p->x, *to = data ? p->dx : p->y, *bias = clv_contract_bias(p, data);
    const struct target t = data ? (struct target){c->ih, c->iw, c->ci} : (struct target){c->oh, c->ow, c->co};
    const enum clv_act act = clv_contract_act(p, data);
    const bool accumulate = data && p->accumulate;
    const int vector = vector_of(e, p, from, to, t.c), block = BLOCK_VECTORS * vector;
    const char *window = data && c->sw > 1 ? "" : window_options(e, c, c->kw, c->sw);
    const char *options = window ? clv_emit_options(e, "-DACT=%d %s%s", clv_contract_act_code(act),
                                                    data ? "-DDATA " : "", window)
                                 : NULL;
    options = options_of(e, p, from, to, vector, options);
    if (!options)
        return CLV_ERR_NOMEM;
    int rows;
    struct clv_kernel_step k = {.source = &clv_cl_contract_depthwise, .name = "contract_depthwise", .options = options};
    set_size(e, &t, vector, &rows, &k);
    const struct clv_arg args[] = {
        CLV_IN(e->state), CLV_IN(from), CLV_IN(p->w), CLV_IN(bias ? bias : p->w), CLV_OUT_OR_ADD(to, accumulate),
        CLV_GEOMETRY(c, clv_x_pitch(p, data ? to : from), clv_y_pitch(p, data ? from : to)),
        CLV_I32(step_of(c->sh, c->dh)), CLV_I32(step_of(c->sw, c->dw)), CLV_I32(rows), CLV_I32(strip_of(c, block)),
        CLV_I32(block), CLV_I32(bias != NULL), CLV_I32(clv_contract_flags(act, accumulate))};
    k.args = args;
    k.n_args = (int)CLV_COUNT(args);
    const struct clv_emit_info info = clv_contract_info(e, p, data ? CLV_PASS_BACKWARD : CLV_PASS_FORWARD,
                                                        data ? "backward data" : "forward");
    return clv_emit_kernel(e, &info, &k);
}

static enum clv_err forward(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    return gather(e, p, false);
}

static enum clv_err data(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    return gather(e, p, true);
}

static int piece_of(int kw)
{
    int piece = CLV_MIN(kw, MAX_PIECE);
    while (kw % piece)
        piece--;
    return piece;
}

static enum clv_err weights(struct clv_emit *e, const struct clv_contract *p, const int *param)
{
    (void)param;
    const struct clv_conv *c = &p->conv;
    const bool gpu = e->caps->gpu_path;
    const int rows = c->kh * c->kw + 1, piece = piece_of(c->kw), lines = e->batch * c->oh;
    const int64_t elements = (int64_t)rows * c->co;
    const int slices = clv_contract_slices(lines, gpu ? GPU_LINES : SLICE_LINES, elements);
    struct clv_tensor *part = clv_emit_scratch(e, CLV_F32, slices * elements, "weight gradient slices");
    const int vector = vector_of(e, p, p->x, p->dy, c->co);
    const int block = BLOCK_VECTORS * vector;
    const char *more = gpu ? clv_emit_options(e, "-DPIECE=%d ", piece) : window_options(e, c, c->kw, c->sw);
    const char *options = options_of(e, p, p->x, p->dy, vector, more);
    if (!part || !options)
        return CLV_ERR_NOMEM;
    const size_t items = (size_t)clv_div_up(c->co, gpu ? vector : block);
    const size_t pieces = (size_t)(c->kh * (c->kw / piece) + 1);
    const size_t local = gpu ? CLV_MIN((size_t)GPU_COLUMNS, e->caps->max_work_group) : 1;
    const struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward weights");
    CLV_TRY(clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_depthwise_weights,
            .name = "contract_depthwise_weights",
            .options = options,
            .dims = 3,
            .global = {items, gpu ? pieces : (size_t)slices, gpu ? (size_t)slices : 1},
            .local = {local, 1, 1},
            .shrink = gpu ? CLV_SHRINK_ITEMS : CLV_SHRINK_NEVER,
            clv_args(CLV_IN(e->state), CLV_IN(p->x), CLV_IN(p->dy), CLV_OUT(part),
                     CLV_GEOMETRY(c, clv_x_pitch(p, p->x), clv_y_pitch(p, p->dy)), CLV_I32(lines), CLV_I32(slices),
                     CLV_I32(block), CLV_I32(strip_of(c, block)), CLV_I32(p->dbias != NULL))}));
    return clv_contract_reduce_weights(
        e, p, &(struct clv_part){.t = part, .rows = rows, .lanes = c->co, .slices = slices});
}

const struct clv_schedule clv_schedule_depthwise = {
    .name = "depthwise",
    .supports = supports,
    .stores16 = clv_contract_takes_all,
    .emit = {forward, data, weights},
};
