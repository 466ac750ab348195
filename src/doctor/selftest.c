#include "doctor/selftest.h"

#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include "clv_config.h"
#include "device/cachefile.h"
#include "doctor/small.h"
#include "graph/op.h"
#include "step/stored.h"
#include <clavicle/doctor.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIRECTIONS = 1, TEXT = 400 };

/* Single precision and Winograd's transforms stay far below; a kernel that is wrong goes far above. The slope is that
 * of a sum in which each array of weights has a share of about 1: a value that rounding moves over ReLU's kink, or a
 * maximum to its neighbour, costs a small part of one. Outputs stored in 16 bits add some of their roundoff to each. */
static const double value_atol = 1e-4, value_rtol = 1e-3, slope_tolerance = 3e-2;
static const double value_roundoffs = 8, slope_roundoffs = 32;

static double roundoff(const struct clv_small *s) { return clv_stored_roundoff(s->test->params->activation); }

/* ---- which kernel ---- */

/* "kernel NAME (conv2d_1 forward, vector)" of the node's last step in that pass. */
static void name_kernel(const struct clv_small *s, const struct clv_node *node, enum clv_pass pass, char text[160])
{
    const struct clv_steps *steps = clv_plan_steps(s->plan);
    snprintf(text, 160, "%s", node->name);
    for (int i = 0; i < steps->n; i++) {
        const struct clv_step *k = &steps->step[i];
        if (k->node == node && k->pass == pass && k->kind == CLV_STEP_KERNEL && !k->prepare)
            snprintf(text, 160, "kernel %.40s (%.60s, %.24s)", k->u.kernel.name, k->label, k->variant ? k->variant : "-");
    }
}

/* Who writes the node's output: itself, or the layer that it was fused into. */
static const struct clv_node *writer_of(const struct clv_small *s, const struct clv_node *node)
{
    for (const struct clv_node *owner = NULL; owner != node;) {
        owner = node;
        node = clv_node_owner(node, s->plan->fusion, s->test->params->training);
    }
    return node;
}

/* ---- values ---- */

static bool is_close(const struct clv_small *s, double got, double want)
{
    const double u = value_roundoffs * roundoff(s);
    return fabs(got - want) <= value_atol + u + (value_rtol + u) * fabs(want);
}

/* Index of the first value that is wrong; -1 = none. */
static int64_t find_wrong(const struct clv_small *s, const float *got, const double *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!is_close(s, (double)got[i], want[i]))
            return i;
    return -1;
}

/* The first layer whose output is wrong, in a run that keeps them all. */
static enum clv_err find_layer(struct clv_small *s, char text[TEXT])
{
    CLV_TRY(clv_small_step(s, true));
    for (int i = 0; i < s->graph->n_nodes; i++) {
        const struct clv_node *node = s->graph->nodes[i];
        const int64_t n = CLV_SMALL_BATCH * clv_shape_count(node->shape);
        struct clv_plan_value value;
        if (node->op->flags & (CLV_OP_INPUT | CLV_OP_LOSS) || !clv_plan_find(s->plan, node, false, &value))
            continue;
        float *got = malloc(value.count * sizeof *got); /* the plan's batch may be larger */
        if (!got)
            return clv_fail_nomem(clv_device_error(s->dev), "the self-test");
        const enum clv_err e = clv_plan_read_node(s->plan, value.holder, false, got);
        const int64_t at = e ? -1 : find_wrong(s, got, s->reference.value[i], n);
        char kernel[160];
        if (at >= 0) {
            name_kernel(s, writer_of(s, node), CLV_PASS_FORWARD, kernel);
            snprintf(text, TEXT, "%s: value %lld of %s is %.6g instead of %.6g", kernel, (long long)at, node->name,
                     (double)got[at], s->reference.value[i][at]);
        }
        free(got);
        if (e || at >= 0)
            return e;
    }
    return CLV_OK;
}

static enum clv_err check_values(struct clv_small *s, char text[TEXT])
{
    const struct clv_reference *r = &s->reference;
    const int64_t n = CLV_SMALL_BATCH * clv_shape_count(s->graph->output->shape);
    (void)clv_reference_objective(&s->reference);
    const int64_t at = find_wrong(s, s->output, r->value[s->graph->output->id], n);
    const int64_t lost = s->loss ? find_wrong(s, s->loss, r->value[s->root->id], CLV_SMALL_BATCH) : -1;
    if (at < 0 && lost < 0)
        return CLV_OK;
    char kernel[160];
    name_kernel(s, at < 0 ? s->root : writer_of(s, s->graph->output), CLV_PASS_FORWARD, kernel);
    snprintf(text, TEXT, "%s: the %s is %.6g instead of %.6g", kernel, at < 0 ? "loss" : "output",
             (double)(at < 0 ? s->loss[lost] : s->output[at]),
             at < 0 ? r->value[s->root->id][lost] : r->value[s->graph->output->id][at]);
    return at < 0 ? CLV_OK : find_layer(s, text);
}

/* ---- gradients ---- */

/* The loss with its penalties, at weights + step * direction. */
static double objective(struct clv_small *s, const double *direction, double step)
{
    size_t at = 0;
    double penalties = 0;
    for (int i = 0; i < s->store->n_params; i++) {
        const struct clv_param *p = &s->store->param[i];
        const struct clv_weight *w = clv_param_weight(p);
        double *to = s->reference.weight[p->node->id][p->index];
        for (int64_t k = 0; k < w->count; k++, at++) {
            to[k] = (double)s->weights[at] + step * direction[at];
            penalties += w->l1 * fabs(to[k]) + w->l2 * to[k] * to[k];
        }
    }
    return clv_reference_objective(&s->reference) + penalties;
}

/* Signs at random, of a length that gives each array of weights the same share. only: one array; -1 = all. */
static double make_direction(const struct clv_small *s, int number, int only, double *direction, double *largest)
{
    size_t at = 0;
    double slope = 0;
    *largest = 0;
    for (int i = 0; i < s->store->n_params; i++) {
        const size_t n = (size_t)clv_param_weight(&s->store->param[i])->count;
        struct clv_rng rng = clv_rng_init((uint64_t)number, (uint64_t)i);
        double square = 0;
        for (size_t k = 0; k < n; k++)
            square += s->gradient[at + k] * s->gradient[at + k];
        const bool moves = i < s->store->n_trained && (only < 0 || only == i);
        const double length = moves ? 1 / fmax(sqrt(square), 1e-6 * sqrt((double)n)) : 0;
        for (size_t k = 0; k < n; k++, at++) {
            direction[at] = (clv_rng_u32(&rng) & 1 ? 1 : -1) * length;
            slope += s->gradient[at] * direction[at];
        }
        *largest = fmax(*largest, length);
    }
    return slope;
}

static bool slope_is_right(struct clv_small *s, int number, int only, double *direction)
{
    double largest;
    const double got = make_direction(s, number, only, direction, &largest);
    if (!isfinite(got))
        return false;
    const double h = 1e-5 / largest;
    const double want = (objective(s, direction, h) - objective(s, direction, -h)) / (2 * h);
    const double arrays = only < 0 ? s->store->n_trained : 1;
    return fabs(got - want) <= (slope_tolerance + slope_roundoffs * roundoff(s)) * sqrt(arrays);
}

/* The first in the order in which they were made: from the loss backwards. */
static void find_weight(struct clv_small *s, int number, double *direction, char text[TEXT])
{
    int i = s->store->n_trained - 1;
    while (i > 0 && slope_is_right(s, number, i, direction))
        i--;
    const struct clv_param *p = &s->store->param[i];
    char kernel[160];
    name_kernel(s, p->node, CLV_PASS_BACKWARD, kernel);
    snprintf(text, TEXT, "%s, a step between it and the loss, or the update: the gradient of %s is wrong", kernel, p->name);
}

static enum clv_err check_gradients(struct clv_small *s, char text[TEXT])
{
    double *direction = malloc((s->n_weights + 1) * sizeof *direction);
    if (!direction)
        return clv_fail_nomem(clv_device_error(s->dev), "the self-test");
    for (int k = 0; k < DIRECTIONS && !*text; k++)
        if (!slope_is_right(s, k, -1, direction))
            find_weight(s, k, direction, text);
    free(direction);
    return CLV_OK;
}

/* ---- verdicts ---- */

/* Sizes, activations and flags are arguments: the same kernel on another geometry is another test. */
static void add_step(struct clv_sha256 *sum, const struct clv_step *s)
{
    const struct clv_kernel_step *q = &s->u.kernel;
    if (s->kind == CLV_STEP_GEMM) {
        const struct clv_gemm_step *g = &s->u.gemm;
        const int64_t shape[] = {g->trans_a, g->trans_b, g->m, g->n, g->k, g->set};
        clv_sha256_add(sum, shape, sizeof shape);
    }
    if (s->kind != CLV_STEP_KERNEL)
        return;
    const char *const what[] = {q->name, q->options};
    const struct clv_digest d = clv_sha256_pieces(what, CLV_COUNT(what));
    const uint64_t source = clv_hash64_str(q->source->text);
    clv_sha256_add(sum, &source, sizeof source);
    clv_sha256_add(sum, &d, sizeof d);
    clv_sha256_add(sum, q->local, sizeof q->local);
    for (int i = 0; i < q->n_args; i++) {
        const struct clv_arg *a = &q->args[i];
        if (a->kind > CLV_ARG_INOUT)
            clv_sha256_add(sum, &a->v.u32, sizeof a->v.u32);
    }
}

/* Changes with whatever the answer may depend on. */
static struct clv_digest key_of(struct clv_device *dev, const struct clv_self_test *t)
{
    const struct clv_device_info *i = clv_device_get_info(dev);
    const struct clv_steps *steps = clv_plan_steps(t->plan);
    struct clv_host_info host;
    struct clv_sha256 sum;
    clv_host_describe(&host);
    const char *const who[] = {"self-test 2", CLV_VERSION, i->name, i->vendor, i->driver, i->version, i->platform_name,
                               i->platform_version, host.cpu};
    const struct clv_digest machine = clv_sha256_pieces(who, CLV_COUNT(who));
    clv_sha256_init(&sum);
    clv_sha256_add(&sum, &machine, sizeof machine);
    for (int k = 0; k < steps->n; k++)
        add_step(&sum, &steps->step[k]);
    return clv_sha256_finish(&sum);
}

/* What was found before: "" = all right. */
static bool recall(struct clv_device *dev, const char *folder, const struct clv_digest *key, char text[TEXT])
{
    unsigned char *data = NULL;
    size_t size = 0;
    if (!folder || !clv_cachefile_load(clv_device_context(dev), folder, key, &data, &size))
        return false;
    snprintf(text, TEXT, "%.*s", (int)CLV_MIN(size, TEXT - 1), (const char *)data);
    free(data);
    return true;
}

static void keep(struct clv_device *dev, const char *folder, const struct clv_digest *key, const char *text)
{
    struct clv_context *ctx = clv_device_context(dev);
    if (folder && clv_cachefile_can_store(folder))
        clv_cachefile_store(ctx, folder, ctx->cache_bytes, key, text, strlen(text) + 1);
}

/* Beside the plan itself there may be no room for a test, or the small network gets a kernel that the whole one does
 * not use and that does not build: nothing was found out, and nothing is wrong. */
static bool says_nothing(enum clv_err e)
{
    return e == CLV_ERR_DEVMEM || e == CLV_ERR_BUILD || e == CLV_ERR_UNSUPPORTED;
}

/* asked: somebody wants to know where no test is possible. *known: there is a verdict, text; else CLV_OK means that no test was possible this time. */
static enum clv_err examine(struct clv_device *dev, const struct clv_self_test *t, bool asked, char text[TEXT],
                            bool *known)
{
    struct clv_small s;
    bool too_large = false;
    const double begun = clv_now();
    enum clv_err e = clv_small_open(&s, dev, t, &too_large);
    if (!e && !too_large)
        e = clv_small_step(&s, false);
    if (!e && !too_large)
        e = check_values(&s, text);
    if (!e && !too_large && !*text && t->params->training)
        e = check_gradients(&s, text);
    clv_small_close(&s);
    *known = !e && !too_large;
    const char *what = says_nothing(e) ? clv_device_error(dev)->text
                       : too_large     ? "the network is too large for it"
                       : *text         ? text
                                       : "passed";
    if (!e || says_nothing(e))
        clv_log(clv_device_context(dev), asked && (e || too_large) ? CLV_LOG_WARN : CLV_LOG_DEBUG,
                "self-test: %s, %.2f s", what, clv_now() - begun);
    return says_nothing(e) ? CLV_OK : e;
}

static enum clv_err refuse(struct clv_device *dev, const char *text, bool remembered)
{
    const struct clv_device_info *i = clv_device_get_info(dev);
    return clv_fail(clv_device_error(dev), CLV_ERR_WRONG,
                    "%s (driver %s) computes wrong results: %s%s; see clavicle doctor, update the driver or take another "
                    "device", i->name, i->driver, text, remembered ? " (found at an earlier start)" : "");
}

enum clv_err clv_self_test_run(struct clv_device *dev, const struct clv_self_test *t, bool cached)
{
    const struct clv_context *ctx = clv_device_context(dev);
    const struct clv_digest key = key_of(dev, t);
    char *folder = ctx->cache_dir ? clv_path_join(ctx->cache_dir, "selftest") : NULL;
    char text[TEXT] = "";
    bool known = false;
    const bool remembered = cached && recall(dev, folder, &key, text);
    enum clv_err e = remembered ? CLV_OK : examine(dev, t, !cached, text, &known);
    if (known)
        keep(dev, folder, &key, text);
    if (!e && *text)
        e = refuse(dev, text, remembered);
    free(folder);
    return e;
}
