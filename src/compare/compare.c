/* Two sides in step: after each, every array that both have. */
#include "compare/compare.h"

#include "base/util.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDES = 2, DEFAULT_STEPS = 3 };
static const double default_tolerance = 1e-4;
/* What gradients may have of it: seen are 1e-6 to 1e-4, and 1e-2 where a pooling window's maximum moved. */
static const double gradient_factor = 200;

struct comparison {
    const struct clv_compare_params *params;
    struct clv_compare_summary *summary;
    struct clv_compare_side side[SIDES];
    float *host[SIDES], *other[SIDES]; /* scratch: an array each, and the outputs that go with a gradient */
    size_t room;                       /* elements of each */
    int step;
};

const char *clv_compare_pass_name(enum clv_compare_pass pass)
{
    static const char *const name[] = {"forward", "backward", "update"};
    return name[pass];
}

static struct clv_error *error_of(const struct comparison *c) { return clv_device_error(c->side[0].dev); }

/* The error's text says which device it was. */
static enum clv_err on_side(const struct comparison *c, int i, enum clv_err err)
{
    if (err)
        clv_fail_prefix(error_of(c), "device %c", 'A' + i);
    return err;
}

static enum clv_err reserve(struct comparison *c, size_t count)
{
    if (count <= c->room)
        return CLV_OK;
    c->room = 0;
    for (int i = 0; i < SIDES; i++) {
        free(c->host[i]);
        free(c->other[i]);
        c->host[i] = malloc(count * sizeof(float));
        c->other[i] = malloc(count * sizeof(float));
        if (!c->host[i] || !c->other[i])
            return clv_fail_nomem(error_of(c), "an array of each device");
    }
    c->room = count;
    return CLV_OK;
}

static void describe(const struct clv_step *s, char *text, size_t size)
{
    if (!s)
        snprintf(text, size, "uploaded");
    else
        snprintf(text, size, "%s%s%s%s%s", s->label, *s->variant ? ", " : "", s->variant,
                 s->kind == CLV_STEP_KERNEL ? ", " : "", s->kind == CLV_STEP_KERNEL ? s->u.kernel.name : "");
}

/* Both arrays are in host[]; v: pass, node, array. */
static void judge(struct comparison *c, struct clv_compare_value *v, const struct clv_step *const writer[SIDES],
                  const float *start, size_t count)
{
    char text[SIDES][256];
    const double tolerance = c->params->tolerance > 0 ? c->params->tolerance : default_tolerance;
    for (int i = 0; i < SIDES; i++) {
        describe(writer[i], text[i], sizeof text[i]);
        v->made_by[i] = text[i];
    }
    v->step = c->step;
    v->allowed = tolerance * sqrt(c->step) * (v->pass == CLV_COMPARE_FORWARD ? 1 : gradient_factor);
    clv_compare_measure(c->host[0], c->host[1], start, count, v);
    v->differs = !(v->difference <= v->allowed);
    c->summary->values++;
    c->summary->largest = CLV_MAX(c->summary->largest, v->difference / v->allowed);
    c->summary->differs |= v->differs;
    if (c->params->on_value)
        c->params->on_value(c->params->priv, v);
}

static const struct clv_node *node_of(const struct comparison *c, int side, int id)
{
    return c->side[side].graph->nodes[id];
}

/* Where one device has multiplied the activation's derivative into a gradient in place and the other has not, the
 * other one's is made up for. */
static enum clv_err even_out(struct comparison *c, const struct clv_plan_value found[SIDES])
{
    const enum clv_act act = found[0].act != CLV_ACT_LINEAR ? found[0].act : found[1].act;
    for (int i = 0; i < SIDES; i++) {
        if (found[i].act == act)
            continue;
        CLV_TRY(on_side(c, i, clv_plan_read_node(c->side[i].plan, found[i].holder, false, c->other[i])));
        clv_compare_apply_act(act, c->other[i], c->host[i], found[i].count);
    }
    return CLV_OK;
}

static enum clv_err compare_node(struct comparison *c, int id, bool grad)
{
    struct clv_plan_value found[SIDES];
    const struct clv_step *writer[SIDES];
    for (int i = 0; i < SIDES; i++)
        if (!clv_plan_find(c->side[i].plan, node_of(c, i, id), grad, &found[i]))
            return CLV_OK;
    const size_t count = found[0].count;
    if (found[1].count != count)
        return CLV_OK;
    CLV_TRY(reserve(c, count));
    for (int i = 0; i < SIDES; i++) {
        CLV_TRY(on_side(c, i, clv_plan_read_node(c->side[i].plan, found[i].holder, grad, c->host[i])));
        writer[i] = found[i].writer;
    }
    if (grad)
        CLV_TRY(even_out(c, found));
    judge(c, &(struct clv_compare_value){.pass = grad ? CLV_COMPARE_BACKWARD : CLV_COMPARE_FORWARD,
                                         .node = node_of(c, 0, id)->name, .array = grad ? "gradient" : "output"},
          writer, NULL, count);
    return CLV_OK;
}

/* A weight's gradient, or the weight. */
static enum clv_err compare_weight(struct comparison *c, int index, bool grad)
{
    const struct clv_step *writer[SIDES];
    const struct clv_param *p = &c->side[0].trainer->store->param[index];
    const size_t count = (size_t)clv_param_weight(p)->count;
    CLV_TRY(reserve(c, count));
    for (int i = 0; i < SIDES; i++) {
        struct clv_trainer *t = c->side[i].trainer;
        const struct clv_param *mine = &t->store->param[index];
        if (grad && (mine->fused || clv_param_weight(mine)->state)) /* its update is compared */
            return CLV_OK;
        CLV_TRY(on_side(c, i, (grad ? clv_trainer_get_gradient : clv_trainer_get_weight)(t, (size_t)index,
                                                                                         c->host[i])));
        writer[i] = clv_plan_writer(c->side[i].plan, grad ? &mine->grad : &mine->value);
    }
    judge(c, &(struct clv_compare_value){.pass = grad ? CLV_COMPARE_BACKWARD : CLV_COMPARE_UPDATE,
                                         .node = p->node->name, .array = clv_param_weight(p)->name},
          writer, grad ? NULL : c->side[0].start[index], count);
    return CLV_OK;
}

static enum clv_err compare_gradients(struct comparison *c)
{
    const struct clv_store *store = c->side[0].trainer->store;
    for (int id = c->side[0].graph->n_nodes - 1; id >= 0; id--) {
        CLV_TRY(compare_node(c, id, true));
        for (int i = 0; i < store->n_params; i++)
            if (store->param[i].node->id == id)
                CLV_TRY(compare_weight(c, i, true));
    }
    return CLV_OK;
}

static enum clv_err compare_step(struct comparison *c)
{
    for (int id = 0; id < c->side[0].graph->n_nodes; id++)
        CLV_TRY(compare_node(c, id, false));
    if (c->params->forward)
        return CLV_OK;
    CLV_TRY(compare_gradients(c));
    for (int i = 0; i < c->side[0].trainer->store->n_params; i++)
        CLV_TRY(compare_weight(c, i, false));
    return CLV_OK;
}

static void tell(const struct comparison *c, const char *what)
{
    if (c->params->on_progress)
        c->params->on_progress(c->params->priv, what);
}

static enum clv_err run(struct comparison *c, struct clv_device *const dev[SIDES])
{
    const int steps = c->params->steps ? c->params->steps : DEFAULT_STEPS;
    char text[64];
    for (int i = 0; i < SIDES; i++) {
        snprintf(text, sizeof text, "building for device %c", 'A' + i);
        tell(c, text);
        CLV_TRY(on_side(c, i, clv_compare_side_open(&c->side[i], dev[i], c->params)));
    }
    for (c->step = 1; c->step <= steps && !c->summary->differs; c->step++) {
        snprintf(text, sizeof text, "step %d of %d", c->step, steps);
        tell(c, text);
        for (int i = 0; i < SIDES; i++)
            CLV_TRY(on_side(c, i, clv_compare_side_step(&c->side[i], !c->params->forward)));
        CLV_TRY(compare_step(c));
        c->summary->steps = c->step;
        if (c->side[0].nonfinite && c->side[1].nonfinite && !c->summary->differs)
            return clv_fail(error_of(c), CLV_ERR_NONFINITE,
                            "the loss of step %d is not finite on both devices: lower the learning rate", c->step);
    }
    return CLV_OK;
}

static enum clv_err check(struct clv_device *const dev[SIDES], const struct clv_compare_params *p)
{
    struct clv_error *err = clv_device_error(dev[0]);
    if (clv_device_context(dev[0]) != clv_device_context(dev[1]))
        return clv_fail(err, CLV_ERR_ARG, "the two devices belong to different contexts");
    if (!p->model || p->steps < 0 || p->batch < 0 || !(p->tolerance >= 0))
        return clv_fail(err, CLV_ERR_ARG, "a comparison needs a model, and steps, batch and tolerance from 0");
    return CLV_OK;
}

enum clv_err clv_compare(struct clv_device *const dev[2], const struct clv_compare_params *params,
                         struct clv_compare_summary *ret)
{
    struct comparison c = {.params = params, .summary = ret, .side = {{.dev = dev[0]}, {.dev = dev[1]}}};
    *ret = (struct clv_compare_summary){0};
    enum clv_err e = check(dev, params);
    if (!e)
        e = run(&c, dev);
    for (int i = 0; i < SIDES; i++) {
        clv_compare_side_close(&c.side[i]);
        free(c.host[i]);
        free(c.other[i]);
    }
    return e;
}
