/* Passes annotate; the graph stays as it was built. Nodes lie in topological order, so every pass
 * is one walk over them. */
#include "graph/graph.h"
#include "graph/op.h"

#include <string.h>

/* How many inputs of living nodes this node feeds; `self + self` counts twice. *user is the last.
 */
static int count_users(const struct clv_graph *g, const struct clv_fusion *fusion,
                       const struct clv_node *node, const struct clv_node **user)
{
    int n = 0;
    for (int i = node->id + 1; i < g->n_nodes; i++) {
        const struct clv_node *other = g->nodes[i];
        for (int k = 0; !fusion[i].dead && k < other->n_in; k++) {
            if (other->in[k] != node)
                continue;
            n++;
            *user = other;
        }
    }
    return n;
}

static void mark_dead(const struct clv_graph *g, const struct clv_node *root,
                      struct clv_fusion *fusion)
{
    for (int i = 0; i < g->n_nodes; i++)
        fusion[i].dead = g->nodes[i] != root;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        for (int k = 0; !fusion[i].dead && k < g->nodes[i]->n_in; k++)
            fusion[g->nodes[i]->in[k]->id].dead = false;
    }
}

static void mark_gradients(const struct clv_graph *g, struct clv_fusion *fusion)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct clv_node *node = g->nodes[i];
        if (fusion[i].dead || node->op->flags & CLV_OP_INPUT)
            continue;
        for (int k = 0; k < node->n_weights; k++)
            fusion[i].needs_grad |= !node->weights[k].state;
        for (int k = 0; k < node->n_in; k++)
            fusion[i].needs_grad |= fusion[node->in[k]->id].needs_grad;
    }
}

/* The output activation whose gradient through this loss is simply p - y: computed from the logits,
 * the pair neither overflows nor loses digits. */
static bool takes_over(const struct clv_op *loss, const struct clv_op *before)
{
    return loss->takes_over && !strcmp(loss->takes_over, before->name);
}

static void fuse_loss(const struct clv_graph *g, const struct clv_node *loss,
                      struct clv_fusion *fusion)
{
    const struct clv_node *before = loss->n_in ? loss->in[0] : NULL, *user = NULL;
    if (!before || !takes_over(loss->op, before->op) || count_users(g, fusion, before, &user) != 1)
        return;
    fusion[loss->id].softmax = before;
    fusion[before->id].fused_into = loss;
}

/* The epilogue knows no options. */
static bool has_defaults(const struct clv_node *node)
{
    struct clv_str text = {0};
    clv_node_print_options(node, &text);
    const bool none = !text.failed && !text.len;
    clv_str_finish(&text);
    return none;
}

/* Whose work node is the last of so far. */
static const struct clv_node *producer_of(const struct clv_node *node, const struct clv_fusion *fusion)
{
    const struct clv_node *into = fusion[node->id].fused_into;
    return into && clv_node_last(into, fusion) == node ? into : node;
}

/* The root's own output is wanted as it is, so nothing may be fused behind it; that needs no test,
 * since whatever lies behind the root is dead. */
static void fuse_activation(const struct clv_graph *g, const struct clv_node *act,
                            struct clv_fusion *fusion)
{
    const struct clv_node *before = act->in[0], *user = NULL;
    const struct clv_node *producer = producer_of(before, fusion);
    /* What batchnorm adds has its activation behind the sum. */
    if (before->op->flags & CLV_OP_SUM)
        producer = before;
    if (!(producer->op->flags & CLV_OP_FUSES_ACT) || fusion[act->id].fused_into || fusion[producer->id].act_node ||
        fusion[producer->id].pool || count_users(g, fusion, before, &user) != 1 || !has_defaults(act))
        return;
    fusion[producer->id].act = act->op->act;
    fusion[producer->id].act_node = act;
    fusion[act->id].fused_into = producer;
}

/* Only the pool may need the values before it. */
static void fuse_pool(const struct clv_graph *g, const struct clv_node *pool,
                      struct clv_fusion *fusion)
{
    const struct clv_node *before = pool->in[0], *user = NULL;
    const struct clv_node *producer = producer_of(before, fusion);
    /* The maximum is taken before the activation, which is the same for those that rise everywhere. */
    if (clv_act_needs_input(fusion[producer->id].act) || !producer->op->takes_pool || fusion[producer->id].pool ||
        count_users(g, fusion, before, &user) != 1)
        return;
    fusion[producer->id].pool = pool;
    fusion[pool->id].fused_into = producer;
}

/* Of the two inputs the later one adds the other, which is there by then. */
static void fuse_sum(const struct clv_graph *g, const struct clv_node *sum, struct clv_fusion *fusion)
{
    const struct clv_node *a = sum->in[0], *b = sum->in[1], *user = NULL;
    const struct clv_node *later = a->id > b->id ? a : b;
    if (a == b || !(later->op->flags & CLV_OP_FUSES_SUM) || fusion[later->id].fused_into ||
        fusion[later->id].act_node || count_users(g, fusion, later, &user) != 1)
        return;
    fusion[later->id].add = sum;
    fusion[sum->id].fused_into = later;
}

/* Before activations find their producers. */
static void fold_norm(const struct clv_graph *g, const struct clv_node *norm, struct clv_fusion *fusion)
{
    const struct clv_node *before = norm->in[0], *user = NULL;
    if (!(before->op->flags & CLV_OP_TAKES_NORM) || count_users(g, fusion, before, &user) != 1)
        return;
    fusion[before->id].norm = norm;
    fusion[norm->id].fused_into = before;
}

/* Nodes that may share their input's memory, or only reshape what it computed. */
static bool hands_on(const struct clv_node *node)
{
    const uint32_t flags = CLV_OP_VIEW | CLV_OP_TRAIN_ONLY | CLV_OP_ACT | CLV_OP_ACTIVATION | CLV_OP_FOLDS;
    return node->op->flags & flags || node->op->halves;
}

/* Whoever may share memory with a node that keeps fp32 does so, too. */
static void spread_fp32(const struct clv_graph *g, struct clv_fusion *fusion)
{
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct clv_node *node = g->nodes[i];
        if (fusion[i].fp32 && node->n_in && (node->op->flags & CLV_OP_LOSS || hands_on(node)))
            fusion[node->in[0]->id].fp32 = true;
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (hands_on(g->nodes[i]))
            fusion[i].fp32 |= fusion[g->nodes[i]->in[0]->id].fp32;
}

/* Losses, probabilities and the logits they come from are where digits are lost first, and small. */
static void mark_fp32(const struct clv_graph *g, struct clv_fusion *fusion)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const uint32_t flags = g->nodes[i]->op->flags;
        const bool softmax = flags & CLV_OP_ACTIVATION && !(flags & CLV_OP_ACT);
        fusion[i].fp32 = flags & CLV_OP_LOSS || softmax;
    }
    spread_fp32(g, fusion);
}

void clv_graph_keep_fp32(const struct clv_graph *g, const struct clv_node *node,
                         struct clv_fusion *fusion)
{
    fusion[node->id].fp32 = true;
    spread_fp32(g, fusion);
}

void clv_graph_passes(const struct clv_graph *g, const struct clv_node *root, bool training,
                      bool fuse, struct clv_fusion *fusion)
{
    memset(fusion, 0, (size_t)g->n_nodes * sizeof(*fusion));
    mark_dead(g, root, fusion);
    mark_gradients(g, fusion);
    mark_fp32(g, fusion);
    if (!fuse)
        return;
    if (root->op->flags & CLV_OP_LOSS)
        fuse_loss(g, root, fusion);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct clv_node *node = g->nodes[i];
        const uint32_t flags = fusion[i].dead ? 0 : node->op->flags;
        if (!training && flags & CLV_OP_FOLDS)
            fold_norm(g, node, fusion);
        if (flags & CLV_OP_SUM)
            fuse_sum(g, node, fusion);
        if (flags & CLV_OP_ACT)
            fuse_activation(g, node, fusion);
        if (!fusion[i].dead && node->op->halves && node->op->halves(node))
            fuse_pool(g, node, fusion);
    }
}

const struct clv_node *clv_node_worker(const struct clv_node *node, const struct clv_fusion *fusion)
{
    const struct clv_node *into;
    /* A loss takes over its softmax's work, not its output. */
    while ((into = fusion[node->id].fused_into) && !(into->op->flags & CLV_OP_LOSS))
        node = into;
    return node;
}

const struct clv_node *clv_node_last(const struct clv_node *worker, const struct clv_fusion *fusion)
{
    const struct clv_fusion *f = &fusion[worker->id];
    if (f->add)
        return clv_node_last(f->add, fusion);
    return f->pool ? f->pool : f->act_node ? f->act_node : f->norm ? f->norm : worker;
}

struct clv_shape clv_node_stored_shape(const struct clv_node *node, const struct clv_fusion *fusion)
{
    const struct clv_node *pool = fusion[clv_node_worker(node, fusion)->id].pool;
    return pool ? pool->shape : node->shape;
}

const struct clv_node *clv_node_owner(const struct clv_node *node, const struct clv_fusion *fusion,
                                      bool training)
{
    const uint32_t flags = node->op->flags;
    if (flags & CLV_OP_VIEW || (flags & CLV_OP_TRAIN_ONLY && !training))
        return node->in[0];
    return clv_node_worker(node, fusion);
}

/* ---- parts of concatenations ---- */

/* Parts begin at multiples of this many channels, so that kernels may take as many at a time where the pitch is one. */
enum { PART_STEP = 4 };

/* Whether all living readers of the node's own output step over channels of others in between. Fused readers are part
 * of the node; views share its memory under another shape, or none outside training. */
static bool readers_step(const struct clv_graph *g, const struct clv_fusion *fusion, const struct clv_node *node)
{
    const uint32_t refuse = CLV_OP_VIEW | CLV_OP_TRAIN_ONLY | CLV_OP_LOSS | CLV_OP_PACKED;
    for (int i = node->id + 1; i < g->n_nodes; i++) {
        const struct clv_node *user = g->nodes[i];
        for (int k = 0; !fusion[i].dead && k < user->n_in; k++)
            if (user->in[k] == node && user->op->flags & refuse)
                return false;
    }
    return true;
}

static bool may_be_part(const struct clv_graph *g, const struct clv_fusion *fusion, const struct clv_node *node,
                        const struct clv_node *whole)
{
    const struct clv_node *holder = clv_node_worker(node, fusion);
    const uint32_t refuse = CLV_OP_VIEW | CLV_OP_TRAIN_ONLY | CLV_OP_INPUT | CLV_OP_PACKED;
    return !((node->op->flags | holder->op->flags) & refuse) && node != g->output && !fusion[holder->id].part_of &&
           fusion[holder->id].fp32 == fusion[whole->id].fp32 && readers_step(g, fusion, node);
}

void clv_graph_place_parts(const struct clv_graph *g, struct clv_fusion *fusion)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct clv_node *whole = g->nodes[i];
        if (fusion[i].dead || !(whole->op->flags & CLV_OP_PARTS))
            continue;
        for (int k = 0, at = 0; k < whole->n_in; at += whole->in[k++]->shape.c) {
            struct clv_fusion *f = &fusion[clv_node_worker(whole->in[k], fusion)->id];
            if (at % PART_STEP || !may_be_part(g, fusion, whole->in[k], whole))
                continue;
            f->part_of = whole;
            f->part_at = at;
        }
    }
}
