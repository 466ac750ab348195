/* What every schedule needs around its products: the activation gradient, the second stage of sums
 * that were cut into slices, labels and costs. */
#include "contract/schedule.h"
#include "contract/selection.h"

CLV_SOURCE(contract_gradient);
CLV_SOURCE(contract_reduce);

enum {
    MAX_SLICES = 32,
    MAX_TILE = 4096, /* no schedule's tile is longer */
    MAX_PART_BYTES = 16 << 20, /* of all slices together: the second stage must stay cheap */
    GROUP_COLUMNS = 16,
    GROUP_ROWS = 4,
};

double clv_contract_flops(const struct clv_conv *c)
{
    return 2.0 * c->oh * c->ow * c->co * (double)clv_conv_k(c);
}

int clv_contract_act_code(enum clv_act act)
{
    return act > CLV_ACT_RELU ? (int)act : 0;
}

int clv_contract_flags(enum clv_act act, bool accumulate)
{
    return (accumulate ? CLV_EPILOGUE_ACCUMULATE : 0) |
           (act == CLV_ACT_RELU ? CLV_EPILOGUE_RELU : 0);
}

struct clv_emit_info clv_contract_info(const struct clv_emit *e, const struct clv_contract *p,
                                       enum clv_pass pass, const char *what)
{
    const struct clv_conv *c = &p->conv;
    const double in = (double)c->ih * c->iw * c->ci, out = (double)c->oh * c->ow * c->co;
    return (struct clv_emit_info){
        .node = p->node,
        .pass = pass,
        .what = what,
        .flops = clv_contract_flops(c) * e->batch,
        .bytes = (double)clv_dtype_bytes(p->dtype) * e->batch * (in + out) +
                 sizeof(float) * (double)clv_conv_k(c) * c->co,
    };
}

bool clv_contract_takes_all(const struct clv_conv *c, enum clv_product product)
{
    (void)c;
    (void)product;
    return true;
}

/* A step beside the product: its arithmetic is not counted. */
static struct clv_emit_info aside(const struct clv_contract *p, enum clv_pass pass,
                                  const char *what)
{
    return (struct clv_emit_info){.node = p->node, .pass = pass, .what = what};
}

int clv_contract_slices(int64_t units, int64_t min_units, int64_t part_elements)
{
    const int64_t by_size = MAX_PART_BYTES / (int64_t)sizeof(float) / part_elements;
    const int64_t by_work = units / CLV_MAX(min_units, 1);
    /* Large filters: at least a few slices, so that there is something to share out. */
    const int64_t n = CLV_MIN(CLV_MIN(by_work, CLV_MAX(by_size, 4)), MAX_SLICES);
    return (int)CLV_MAX(n, 1);
}

struct clv_group clv_contract_group(const struct clv_caps *caps)
{
    const size_t columns = CLV_MIN((size_t)GROUP_COLUMNS, caps->max_work_group);
    return (struct clv_group){columns, CLV_MIN((size_t)GROUP_ROWS, caps->max_work_group / columns)};
}

enum clv_err clv_contract_act_gradient(struct clv_emit *e, const struct clv_contract *p)
{
    if (p->act == CLV_ACT_LINEAR)
        return CLV_OK;
    const struct clv_emit_info info = aside(p, CLV_PASS_BACKWARD, "activation gradient");
    const int pixels = clv_y_height(p) * clv_y_width(p);
    const struct clv_group group = clv_contract_group(e->caps);
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){.source = &clv_cl_contract_gradient,
                                  .name = "contract_act_gradient",
                                  .options = "",
                                  .dims = 2,
                                  .global = {(size_t)p->conv.co, (size_t)e->batch * (size_t)pixels},
                                  .local = {group.columns, group.rows},
                                  .shrink = CLV_SHRINK_ITEMS,
                                  clv_args(CLV_IN(e->state), CLV_INOUT(p->dy), CLV_IN(p->y),
                                           CLV_I32(pixels), CLV_I32(p->conv.co),
                                           CLV_I32(clv_y_pitch(p, p->dy)),
                                           CLV_I32(clv_y_pitch(p, p->y)), CLV_I32(p->act))});
}

/* target = act(sum [+ bias] [+ target]) */
static enum clv_err reduce_rows(struct clv_emit *e, const struct clv_emit_info *info,
                                const struct clv_part *part, struct clv_tensor *target,
                                struct clv_tensor *bias, int cols, int pixels, int pitch,
                                enum clv_act act, bool accumulate)
{
    const int code = clv_contract_act_code(act);
    const struct clv_group group = clv_contract_group(e->caps);
    const char *options = code ? clv_emit_options(e, "-DACT=%d", code) : "";
    if (!options)
        return CLV_ERR_NOMEM;
    return clv_emit_kernel(
        e, info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_reduce,
            .name = "contract_reduce_output",
            .options = options,
            .dims = 2,
            .global = {(size_t)cols, (size_t)part->rows},
            .local = {group.columns, group.rows},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(e->state), CLV_IN(part->t), CLV_IN(bias ? bias : part->t),
                     CLV_OUT_OR_ADD(target, accumulate), CLV_I32(part->rows), CLV_I32(cols),
                     CLV_I32(part->lanes), CLV_I32(part->slices), CLV_I32(pixels), CLV_I32(pitch),
                     CLV_I32(bias != NULL), CLV_I32(clv_contract_flags(act, accumulate)))});
}

enum clv_err clv_contract_reduce_output(struct clv_emit *e, const struct clv_contract *p,
                                        const struct clv_part *part)
{
    const struct clv_emit_info info = aside(p, CLV_PASS_FORWARD, "forward sum");
    return reduce_rows(e, &info, part, p->y, p->bias, p->conv.co, p->conv.oh * p->conv.ow,
                       clv_y_pitch(p, p->y), p->act, false);
}

enum clv_err clv_contract_reduce_data(struct clv_emit *e, const struct clv_contract *p,
                                      const struct clv_part *part)
{
    const struct clv_emit_info info = aside(p, CLV_PASS_BACKWARD, "backward data sum");
    return reduce_rows(e, &info, part, p->dx, NULL, p->conv.ci, p->conv.ih * p->conv.iw,
                       clv_x_pitch(p, p->dx), CLV_ACT_LINEAR, p->accumulate);
}

enum clv_err clv_contract_reduce_weights(struct clv_emit *e, const struct clv_contract *p,
                                         const struct clv_part *part)
{
    const struct clv_emit_info info = aside(p, CLV_PASS_BACKWARD, "backward weights sum");
    const struct clv_group group = clv_contract_group(e->caps);
    /* Without a bias its place in the argument list is taken by dw, which the kernel leaves alone.
     */
    return clv_emit_kernel(
        e, &info,
        &(struct clv_kernel_step){
            .source = &clv_cl_contract_reduce,
            .name = "contract_reduce_weights",
            .options = "",
            .dims = 2,
            .global = {(size_t)p->conv.co, (size_t)part->rows},
            .local = {group.columns, group.rows},
            .shrink = CLV_SHRINK_ITEMS,
            clv_args(CLV_IN(part->t), CLV_OUT(p->dw), CLV_OUT(p->dbias ? p->dbias : p->dw),
                     CLV_I32(part->rows), CLV_I32(p->conv.co), CLV_I32(part->lanes),
                     CLV_I32(part->slices), CLV_I32(p->dbias != NULL))});
}

/* The kernels count pixels of the batch and filter elements in int, up to the end of the last tile. */
static enum clv_err check_counts(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_conv *c = &p->conv;
    const int64_t limit = INT32_MAX - MAX_TILE, taps = (int64_t)c->kh * c->kw;
    const int64_t pixels = CLV_MAX((int64_t)c->ih * c->iw, (int64_t)c->oh * c->ow);
    if (pixels > limit / e->batch)
        return clv_fail(e->err, CLV_ERR_SHAPE,
                        "%s: a batch of %d images of %dx%d pixels in and %dx%d out has more than "
                        "%lld pixels; take a smaller batch",
                        p->node->name, e->batch, c->ih, c->iw, c->oh, c->ow, (long long)limit);
    if (taps > limit / CLV_MAX(c->ci, c->co))
        return clv_fail(e->err, CLV_ERR_SHAPE,
                        "%s: filters of %dx%d pixels with %d channels in and %d out have more than "
                        "%lld elements; take smaller filters",
                        p->node->name, c->kh, c->kw, c->ci, c->co, (long long)limit);
    return CLV_OK;
}

/* Best first; the last takes everything. */
static const struct clv_schedule *const schedules[] = {
    &clv_schedule_matrix,
    &clv_schedule_winograd,
    &clv_schedule_vector,
    &clv_schedule_tiled,
    &clv_schedule_depthwise,
    &clv_schedule_simple,
};

const struct clv_schedule *clv_contract_schedule(size_t i)
{
    return i < CLV_COUNT(schedules) ? schedules[i] : NULL;
}

/* ---- emitting ---- */

static enum clv_err emit_choice(struct clv_emit *e, const struct clv_contract *p,
                                enum clv_product product, const struct clv_choice *choice)
{
    e->variant = choice->schedule->name;
    return choice->schedule->emit[product](e, p, choice->param);
}

/* A selection is a file that people edit: what does not fit is said, and passed over. */
enum clv_err clv_contract_emit_product(struct clv_emit *e, const struct clv_contract *p,
                                       enum clv_product product)
{
    CLV_TRY(check_counts(e, p));
    const struct clv_problem problem = clv_problem_of(e, p, product);
    const char *ignored, *why;
    const struct clv_choice choice = clv_contract_choose(e, &problem, &ignored, &why);
    if (ignored && e->dev)
        clv_log(clv_device_context(e->dev), CLV_LOG_WARN, "%s: the selected \"%s\" is ignored: %s",
                p->node->name, ignored, why);
    if (e->choices)
        CLV_TRY(clv_choices_add(e->choices, &problem, &choice, e->err));
    return emit_choice(e, p, product, &choice);
}

static bool folds_act(const struct clv_contract *p, const struct clv_schedule *weights)
{
    return !p->pool && weights->folds_act && weights->folds_act(&p->conv);
}

static enum clv_err emit_backward(struct clv_emit *e, const struct clv_contract *p)
{
    const struct clv_problem problem = clv_problem_of(e, p, CLV_PRODUCT_WEIGHTS);
    if (folds_act(p, clv_contract_choose(e, &problem, NULL, NULL).schedule)) {
        CLV_TRY(clv_contract_emit_product(e, p, CLV_PRODUCT_WEIGHTS));
        return p->dx ? clv_contract_emit_product(e, p, CLV_PRODUCT_DATA) : CLV_OK;
    }
    if (!p->pool || p->act != CLV_ACT_RELU)
        CLV_TRY(clv_contract_act_gradient(e, p));
    if (p->dx)
        CLV_TRY(clv_contract_emit_product(e, p, CLV_PRODUCT_DATA));
    return clv_contract_emit_product(e, p, CLV_PRODUCT_WEIGHTS);
}

enum clv_err clv_contract_emit_choice(struct clv_emit *e, const struct clv_contract *p,
                                      enum clv_product product, const struct clv_choice *choice)
{
    CLV_TRY(check_counts(e, p));
    if (product == CLV_PRODUCT_WEIGHTS && !p->pool && !folds_act(p, choice->schedule))
        CLV_TRY(clv_contract_act_gradient(e, p));
    return emit_choice(e, p, product, choice);
}

enum clv_err clv_contract_emit(struct clv_emit *e, const struct clv_contract *p, enum clv_pass pass)
{
    return pass == CLV_PASS_FORWARD ? clv_contract_emit_product(e, p, CLV_PRODUCT_FORWARD) : emit_backward(e, p);
}
