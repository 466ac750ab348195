/* The emitter: what ops call while they are lowered. It owns no memory of its own: tensors, labels and
 * arguments live in the arena of the steps it appends to. */
#include "step/emit.h"

#include "base/util.h"
#include <stdarg.h>
#include <string.h>

/* ---- appending ---- */

static enum clv_err no_memory(struct clv_emit *e)
{
    return clv_fail_nomem(e->err, "the plan's steps");
}

/* Doubles a pointer-sized array that lives in the arena; the old copy stays there until the end. */
static void *grow(struct clv_arena *arena, void *old, int n, int *cap, size_t item)
{
    if (n < *cap)
        return old;
    const int bigger = *cap ? 2 * *cap : 64;
    void *p = clv_arena_alloc(arena, (size_t)bigger * item);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, old, (size_t)n * item);
    *cap = bigger;
    return p;
}

enum clv_err clv_emit_step(struct clv_emit *e, const struct clv_step *step)
{
    struct clv_steps *s = e->steps;
    void *p = grow(&s->arena, s->step, s->n, &s->cap, sizeof *s->step);
    if (!p)
        return no_memory(e);
    s->step = p;
    s->step[s->n++] = *step;
    return CLV_OK;
}

static enum clv_err append(struct clv_emit *e, const struct clv_emit_info *info,
                           const struct clv_step *step)
{
    struct clv_arena *a = &e->steps->arena;
    struct clv_step s = *step;
    s.node = info->node;
    s.pass = info->pass;
    s.prepare = info->prepare;
    s.flops = info->flops;
    s.bytes = info->bytes;
    s.variant = e->variant ? e->variant : "";
    s.label = info->node ? clv_arena_printf(a, "%s %s", info->node->name, info->what)
                         : clv_arena_strdup(a, info->what);
    return s.label ? clv_emit_step(e, &s) : no_memory(e);
}

struct clv_tensor *clv_emit_tensor(struct clv_emit *e, enum clv_memory memory, enum clv_dtype dtype,
                                   int64_t n, int64_t h, int64_t w, int64_t c, const char *name)
{
    struct clv_steps *s = e->steps;
    struct clv_tensor *t = clv_arena_alloc(&s->arena, sizeof *t);
    void *p = grow(&s->arena, s->tensors, s->n_tensors, &s->cap_tensors, sizeof *s->tensors);
    char *copy = clv_arena_strdup(&s->arena, name);
    if (!t || !p || !copy) {
        (void)no_memory(e);
        return NULL;
    }
    *t = (struct clv_tensor){.dtype = dtype, .memory = memory, .n = n, .h = h, .w = w, .c = c,
                             .pitch = c, .name = copy, .id = s->n_tensors};
    s->tensors = p;
    s->tensors[s->n_tensors++] = t;
    return t;
}

struct clv_tensor *clv_emit_scratch(struct clv_emit *e, enum clv_dtype dtype, int64_t count,
                                    const char *name)
{
    return clv_emit_tensor(e, CLV_MEMORY_SCRATCH, dtype, 1, 1, 1, count, name);
}

struct clv_tensor *clv_emit_prepared(struct clv_emit *e, int64_t count, const char *name)
{
    struct clv_tensor *t = clv_emit_scratch(e, CLV_F32, count, name);
    if (t)
        t->keeps = !e->training;
    return t;
}

struct clv_tensor *clv_emit_saved(struct clv_emit *e, const struct clv_node *node, int slot,
                                  enum clv_dtype dtype, int64_t count, const char *name)
{
    struct clv_tensor **saved = &e->node[node->id].saved[slot];
    if (!*saved) {
        char *full = clv_arena_printf(&e->steps->arena, "%s/%s", node->name, name);
        if (!full) {
            (void)no_memory(e);
            return NULL;
        }
        *saved = clv_emit_tensor(e, CLV_MEMORY_ACTIVATION, dtype, 1, 1, 1, count, full);
    }
    return *saved;
}

/* ---- tensors of a node ---- */

enum clv_dtype clv_emit_dtype(const struct clv_emit *e, const struct clv_node *node)
{
    return e->fusion[node->id].fp32 ? CLV_F32 : e->activation;
}

/* A copy of t in node's type; in training the one that forward made. */
static struct clv_tensor *converted(struct clv_emit *e, const struct clv_node *node, int i,
                                    struct clv_tensor *t)
{
    struct clv_tensor **copy = &e->node[node->id].converted[i];
    char *name = *copy ? NULL : clv_arena_printf(&e->steps->arena, "%s/%s", node->name, t->name);
    if (*copy || !name)
        return *copy;
    struct clv_tensor *c = clv_emit_tensor(e, CLV_MEMORY_ACTIVATION, clv_emit_dtype(e, node), t->n, t->h,
                                           t->w, t->c, name);
    const struct clv_emit_info info = {
        .node = node, .what = "input converted", .bytes = 6.0 * (double)clv_tensor_count(t)};
    if (!c || clv_emit_convert(e, &info, t, c, false))
        return NULL;
    return *copy = c;
}

struct clv_tensor *clv_emit_in(struct clv_emit *e, const struct clv_node *node, int i)
{
    const struct clv_fusion *f = &e->fusion[node->id];
    /* A loss that took over its softmax reads the softmax's input. */
    const struct clv_node *in = i == 0 && f->softmax ? f->softmax->in[0] : node->in[i];
    struct clv_tensor *t = e->node[in->id].out;
    return t->dtype == clv_emit_dtype(e, node) ? t : converted(e, node, i, t);
}

struct clv_tensor *clv_emit_out(struct clv_emit *e, const struct clv_node *node)
{
    return e->node[node->id].out;
}

struct clv_tensor *clv_emit_grad_out(struct clv_emit *e, const struct clv_node *node)
{
    return e->node[node->id].grad;
}

/* Whose value input i really is: a loss that took over its softmax writes the logits' gradient. */
static const struct clv_node *grad_target(struct clv_emit *e, const struct clv_node *node, int i)
{
    const struct clv_fusion *f = &e->fusion[node->id];
    return i == 0 && f->softmax ? f->softmax->in[0] : node->in[i];
}

bool clv_emit_wants_grad_in(struct clv_emit *e, const struct clv_node *node, int i)
{
    return e->training && e->fusion[grad_target(e, node, i)->id].needs_grad;
}

/* Nodes that share one output share one gradient: a view has its input's, an activation that was
 * fused has its producer's. */
static const struct clv_node *grad_root(struct clv_emit *e, const struct clv_node *node)
{
    const struct clv_node *owner = clv_node_owner(node, e->fusion, e->training);
    while (owner != node) {
        node = owner;
        owner = clv_node_owner(node, e->fusion, e->training);
    }
    return node;
}

static struct clv_tensor *new_grad(struct clv_emit *e, const struct clv_node *node)
{
    char *name = clv_arena_printf(&e->steps->arena, "d:%s", node->name);
    if (!name) {
        (void)no_memory(e);
        return NULL;
    }
    const struct clv_tensor *out = e->node[node->id].out;
    return clv_emit_tensor(e, CLV_MEMORY_ACTIVATION, out->dtype, out->n, out->h, out->w, out->c, name);
}

/* What the node writes in its own type, to be converted behind it. */
static struct clv_tensor *own_grad(struct clv_emit *e, const struct clv_node *node, struct clv_tensor *to,
                                   bool accumulate)
{
    struct clv_tensor *t = clv_emit_tensor(e, CLV_MEMORY_SCRATCH, clv_emit_dtype(e, node), to->n, to->h,
                                           to->w, to->c, to->name);
    if (t) {
        e->pending[e->n_pending].from = t;
        e->pending[e->n_pending].to = to;
        e->pending[e->n_pending++].accumulate = accumulate;
    }
    return t;
}

static enum clv_err convert_pending(struct clv_emit *e, const struct clv_node *node)
{
    const int n = e->n_pending;
    e->n_pending = 0;
    for (int i = 0; i < n; i++) {
        const struct clv_emit_info info = {.node = node,
                                           .pass = CLV_PASS_BACKWARD,
                                           .what = "gradient converted",
                                           .bytes = 6.0 * (double)clv_tensor_count(e->pending[i].to)};
        CLV_TRY(clv_emit_convert(e, &info, e->pending[i].from, e->pending[i].to, e->pending[i].accumulate));
    }
    return CLV_OK;
}

enum clv_err clv_emit_grad_in(struct clv_emit *e, const struct clv_node *node, int i,
                              struct clv_tensor **ret, bool *accumulate)
{
    *ret = NULL;
    *accumulate = false;
    if (!clv_emit_wants_grad_in(e, node, i))
        return CLV_OK;
    const struct clv_node *in = grad_target(e, node, i), *owner = grad_root(e, in);
    struct clv_node_tensors *root = &e->node[owner->id], *mine = &e->node[in->id];
    *accumulate = root->grad != NULL;
    if (!root->grad)
        root->grad = new_grad(e, owner);
    if (!root->grad)
        return CLV_ERR_NOMEM;
    if (!mine->grad) {
        mine->grad = new_grad(e, in);
        if (!mine->grad)
            return CLV_ERR_NOMEM;
        mine->grad->alias = root->grad;
        if (mine->grad->c == root->grad->c)
            mine->grad->pitch = root->grad->pitch;
    }
    *ret = mine->grad;
    if (mine->grad->dtype == clv_emit_dtype(e, node))
        return CLV_OK;
    *ret = own_grad(e, node, mine->grad, *accumulate);
    *accumulate = false;
    return *ret ? CLV_OK : CLV_ERR_NOMEM;
}

/* ---- parts ---- */

struct clv_tensor *clv_emit_channels(struct clv_emit *e, struct clv_tensor *t, int64_t at, int64_t count)
{
    struct clv_tensor *part = clv_emit_tensor(e, t->memory, t->dtype, t->n, t->h, t->w, count, t->name);
    if (!part)
        return NULL;
    part->pitch = t->pitch;
    part->alias = t;
    part->alias_at = at;
    return part;
}

bool clv_emit_is_part(struct clv_emit *e, const struct clv_node *node, int i)
{
    const struct clv_node *holder = grad_root(e, node->in[i]);
    int64_t at = 0;
    for (int k = 0; k < i; k++)
        at += node->in[k]->shape.c;
    /* The same input twice is stored once. */
    return e->fusion[holder->id].part_of == node && e->fusion[holder->id].part_at == at;
}

bool clv_emit_grad_part(struct clv_emit *e, const struct clv_node *node, int i, int64_t at)
{
    const struct clv_node *holder = grad_root(e, node->in[i]);
    struct clv_node_tensors *root = &e->node[holder->id];
    if (!clv_emit_wants_grad_in(e, node, i) || !clv_emit_is_part(e, node, i) || root->grad)
        return false;
    root->grad = clv_emit_channels(e, e->node[node->id].grad, at, node->in[i]->shape.c);
    if (root->grad && holder != node->in[i])
        e->node[node->in[i]->id].grad = root->grad;
    return root->grad != NULL;
}

struct clv_tensor *clv_emit_weight(struct clv_emit *e, const struct clv_node *node, int i)
{
    return e->node[node->id].weight[i];
}

struct clv_tensor *clv_emit_weight_grad(struct clv_emit *e, const struct clv_node *node, int i)
{
    return e->node[node->id].weight_grad[i];
}

bool clv_emit_take_update(struct clv_emit *e, const struct clv_node *node, int i,
                          struct clv_update *ret)
{
    if (!e->update_source)
        return false;
    struct clv_param *p = clv_store_find(e->store, node, i);
    p->fused = true;
    *ret = (struct clv_update){.source = e->update_source,
                               .n_slots = e->store->n_slots,
                               .value = &p->value,
                               .chunks = &e->store->segment[p->segment].chunks,
                               .options = clv_emit_guard(e),
                               .chunk = (int)(p->value.offset / CLV_STORE_CHUNK)};
    for (int k = 0; k < CLV_STORE_SLOTS; k++)
        ret->slot[k] = k < ret->n_slots ? &p->slot[k] : &p->value;
    return true;
}

enum clv_act clv_emit_act(struct clv_emit *e, const struct clv_node *node)
{
    return e->fusion[node->id].act;
}

/* ---- steps ---- */

const char *clv_emit_options(struct clv_emit *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = clv_arena_vprintf(&e->steps->arena, fmt, ap);
    va_end(ap);
    if (!s)
        (void)no_memory(e);
    return s;
}

static void round_up_global(size_t *global, const size_t *local, int dims)
{
    for (int i = 0; i < dims; i++) {
        global[i] = CLV_MAX(global[i], (size_t)1);
        if (local[0])
            global[i] = (size_t)clv_round_up((int64_t)global[i], (int64_t)local[i]);
    }
}

/* Kernels are built for the type that their activations are stored in. */
static const char *with_type(struct clv_emit *e, const char *options, enum clv_dtype stored)
{
    options = options ? options : "";
    if (stored == CLV_F32)
        return clv_arena_strdup(&e->steps->arena, options);
    return clv_emit_options(e, "%s%s-DSTORE_%s", options, *options ? " " : "",
                            stored == CLV_F16 ? "F16" : "BF16");
}

static enum clv_err copy_smaller(struct clv_emit *e, struct clv_kernel_step *k, enum clv_dtype stored)
{
    struct clv_arena *a = &e->steps->arena;
    if (!k->n_smaller)
        return CLV_OK;
    struct clv_kernel_shape *s = clv_arena_alloc(a, (size_t)k->n_smaller * sizeof *s);
    for (int i = 0; s && i < k->n_smaller; i++) {
        s[i] = k->smaller[i];
        s[i].options = with_type(e, s[i].options, stored);
        if (!s[i].options)
            return no_memory(e);
        round_up_global(s[i].global, s[i].local, k->dims);
    }
    k->smaller = s;
    return s ? CLV_OK : no_memory(e);
}

enum clv_err clv_emit_kernel(struct clv_emit *e, const struct clv_emit_info *info,
                             const struct clv_kernel_step *k)
{
    struct clv_arena *a = &e->steps->arena;
    struct clv_step step = {.kind = CLV_STEP_KERNEL, .u.kernel = *k};
    struct clv_kernel_step *d = &step.u.kernel;
    struct clv_arg *args = clv_arena_alloc(a, (size_t)k->n_args * sizeof *args);
    d->name = clv_arena_strdup(a, k->name);
    enum clv_dtype stored = CLV_F32;
    if (!args || !d->name)
        return no_memory(e);
    memcpy(args, k->args, (size_t)k->n_args * sizeof *args);
    for (int i = 0; i < k->n_args; i++) {
        if (args[i].kind > CLV_ARG_INOUT)
            continue;
        if (!args[i].v.t)
            return clv_fail(e->err, CLV_ERR_NOMEM, "%s: no tensor for argument %d",
                            info->node ? info->node->name : info->what, i);
        if (clv_dtype_is_16(args[i].v.t->dtype))
            stored = args[i].v.t->dtype;
    }
    d->options = with_type(e, k->options, stored);
    if (!d->options)
        return no_memory(e);
    d->args = args;
    round_up_global(d->global, d->local, d->dims);
    CLV_TRY(copy_smaller(e, d, stored));
    return append(e, info, &step);
}

enum clv_err clv_emit_gemm(struct clv_emit *e, const struct clv_emit_info *info,
                           const struct clv_gemm_step *g)
{
    struct clv_step step = {.kind = CLV_STEP_GEMM, .u.gemm = *g};
    size_t elements = 0;
    if (e->dev) {
        const struct clv_gemm probe = {.trans_a = g->trans_a, .trans_b = g->trans_b, .m = g->m, .n = g->n,
                                       .k = g->k, .alpha = g->alpha, .beta = g->beta, .lda = g->lda,
                                       .ldb = g->ldb, .ldc = g->ldc, .set = g->set};
        CLV_TRY(clv_gemm_scratch(e->dev, &probe, &elements));
    }
    if (elements) {
        step.u.gemm.scratch = clv_emit_scratch(e, CLV_F32, (int64_t)elements, "gemm scratch");
        if (!step.u.gemm.scratch)
            return CLV_ERR_NOMEM;
    }
    return append(e, info, &step);
}

enum clv_err clv_emit_fill(struct clv_emit *e, const struct clv_emit_info *info,
                           struct clv_tensor *dst, uint32_t pattern)
{
    return append(e, info, &(struct clv_step){.kind = CLV_STEP_FILL, .u.fill = {dst, pattern}});
}

void clv_emit_settle(const struct clv_emit *e, struct clv_fusion *fusion)
{
    for (int i = 0; i < e->graph->n_nodes; i++) {
        const struct clv_node *node = e->graph->nodes[i], *pool = fusion[i].pool, *act = fusion[i].act_node;
        const struct clv_node *sum = fusion[i].add;
        if (sum && clv_emit_dtype(e, sum) != clv_emit_dtype(e, node)) {
            fusion[sum->id].fused_into = NULL;
            fusion[i].add = NULL;
        }
        if (act && e->training && fusion[i].needs_grad && clv_act_needs_input(fusion[i].act) &&
            !(node->op->flags & CLV_OP_REPEATS)) {
            fusion[act->id].fused_into = NULL;
            fusion[i].act_node = NULL;
            fusion[i].act = CLV_ACT_LINEAR;
        }
        if (!pool || node->op->takes_pool(e, node))
            continue;
        fusion[pool->id].fused_into = NULL;
        fusion[i].pool = NULL;
    }
}

enum clv_err clv_emit_node(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass)
{
    if (e->fusion[node->id].fused_into || !node->op->variants)
        return CLV_OK;
    for (const struct clv_variant *v = node->op->variants; v->name; v++) {
        if (e->force_variant && strcmp(e->force_variant, v->name))
            continue;
        if (!v->supports(e->caps, node, pass))
            continue;
        e->variant = v->name;
        e->n_pending = 0;
        enum clv_err err = v->emit(e, node, pass);
        e->variant = NULL;
        if (!err)
            err = convert_pending(e, node);
        return err;
    }
    return clv_fail(e->err, CLV_ERR_UNSUPPORTED, "%s: no %s variant runs on this device", node->name,
                    e->force_variant ? e->force_variant : node->op->name);
}
