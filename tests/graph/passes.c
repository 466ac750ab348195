/* Passes read flags, names and edges only, so that graphs of made-up ops show every rule. */
#include "graph/graph.h"
#include "graph/op.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct clv_op op_input = {.name = "input", .flags = CLV_OP_INPUT};
static const struct clv_op op_dense = {.name = "dense", .flags = CLV_OP_FUSES_ACT};
static const struct clv_op op_pool = {.name = "pool"};
static bool yes(const struct clv_node *node)
{
    return node != NULL;
}
static bool takes(const struct clv_emit *e, const struct clv_node *node)
{
    (void)e;
    return node != NULL;
}
static const struct clv_op op_conv = {
    .name = "conv", .flags = CLV_OP_FUSES_ACT, .takes_pool = takes};
static const struct clv_op op_halve = {.name = "halve", .halves = yes};
static const struct clv_op op_add = {.name = "add"};
static const struct clv_op op_sum = {.name = "sum", .flags = CLV_OP_SUM | CLV_OP_FUSES_ACT};
static const struct clv_op op_norm = {
    .name = "norm", .flags = CLV_OP_FUSES_ACT | CLV_OP_FUSES_SUM | CLV_OP_FOLDS};
static const struct clv_op op_filter = {
    .name = "filter", .flags = CLV_OP_FUSES_ACT | CLV_OP_TAKES_NORM, .takes_pool = takes};
static const struct clv_op op_concat = {.name = "concat", .flags = CLV_OP_PARTS};
static const struct clv_op op_row = {.name = "row", .flags = CLV_OP_PACKED};
static const struct clv_op op_relu = {.name = "relu", .flags = CLV_OP_ACT, .act = CLV_ACT_RELU};
static const struct clv_op op_sigmoid = {
    .name = "sigmoid", .flags = CLV_OP_ACT, .act = CLV_ACT_SIGMOID};
static const struct clv_op op_silu = {.name = "silu", .flags = CLV_OP_ACT, .act = CLV_ACT_SILU};
static const struct clv_opt slopes[] = {
    {"slope", "slope below 0", CLV_OPT_DOUBLE, 0, "0.2", 0, 1}, {NULL}};
static const struct clv_op op_leaky = {
    .name = "leaky", .flags = CLV_OP_ACT, .act = CLV_ACT_LEAKY_RELU, .opts = slopes};
static const struct clv_op op_softmax = {.name = "softmax", .flags = CLV_OP_ACTIVATION};
static const struct clv_op op_cce = {
    .name = "categorical_crossentropy", .flags = CLV_OP_LOSS, .takes_over = "softmax"};
static const struct clv_op op_bce = {
    .name = "binary_crossentropy", .flags = CLV_OP_LOSS, .takes_over = "sigmoid"};
static const struct clv_op op_mse = {.name = "mean_squared_error", .flags = CLV_OP_LOSS};

enum { MAX_NODES = 16 };

static struct clv_node pool[MAX_NODES];
static struct clv_node *nodes[MAX_NODES];
static struct clv_graph graph;
static struct clv_fusion fusion[MAX_NODES];

static struct clv_node *add(const struct clv_op *op, struct clv_node *a, struct clv_node *b)
{
    struct clv_node *node = &pool[graph.n_nodes];
    *node = (struct clv_node){.op = op,
                              .name = op->name,
                              .id = graph.n_nodes,
                              .in = {a, b},
                              .n_in = !!a + !!b,
                              .n_weights = op == &op_dense};
    nodes[graph.n_nodes++] = node;
    graph.nodes = nodes;
    return node;
}

static void setup(void)
{
    graph = (struct clv_graph){0};
    /* What was there before must not show through. */
    memset(fusion, 0xa5, sizeof(fusion));
}

static void passes(const struct clv_node *root, bool training, bool fuse)
{
    clv_graph_passes(&graph, root, training, fuse, fusion);
}

#define F(node) fusion[(node)->id]

Test(passes, pool_goes_into_the_convolution_before_it, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *conv = add(&op_conv, x, NULL), *relu = add(&op_relu, conv, NULL);
    struct clv_node *halve = add(&op_halve, relu, NULL), *again = add(&op_halve, halve, NULL);
    conv->shape = relu->shape = (struct clv_shape){5, 7, 3};
    halve->shape = (struct clv_shape){2, 3, 3};
    passes(again, true, true);
    cr_expect_eq(F(conv).pool, halve);
    cr_expect_eq(F(halve).fused_into, conv);
    cr_expect_eq(clv_node_owner(halve, fusion, true), conv);
    cr_expect_null(F(again).fused_into, "a pool is no convolution");
    const struct clv_node *const same[] = {conv, relu, halve};
    for (int i = 0; i < 3; i++) {
        const struct clv_shape s = clv_node_stored_shape(same[i], fusion);
        cr_expect(s.h == 2 && s.w == 3 && s.c == 3, "%s", same[i]->name);
    }
    passes(again, true, false);
    cr_expect_null(F(conv).pool);
    cr_expect_eq(clv_node_stored_shape(conv, fusion).h, 5);
}

Test(passes, pool_stays_where_someone_else_reads_the_values_before_it, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *conv = add(&op_conv, x, NULL), *relu = add(&op_relu, conv, NULL);
    struct clv_node *halve = add(&op_halve, relu, NULL), *other = add(&op_pool, relu, NULL);
    struct clv_node *sum = add(&op_add, halve, other);
    passes(sum, true, true);
    cr_expect_null(F(conv).pool);
    cr_expect_null(F(halve).fused_into);
    struct clv_node *dense = add(&op_dense, x, NULL), *behind = add(&op_halve, dense, NULL);
    passes(behind, true, true);
    cr_expect_null(F(behind).fused_into, "dense takes no pool");
}

Test(passes, activation_goes_into_its_producer, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *r = add(&op_relu, d, NULL);
    passes(r, false, true);
    cr_expect_eq(F(d).act, CLV_ACT_RELU);
    cr_expect_eq(F(d).act_node, r);
    cr_expect_eq(F(r).fused_into, d);
    cr_expect_null(F(d).fused_into);
    cr_expect_null(F(x).fused_into);
    passes(r, false, false);
    cr_expect_eq(F(d).act, CLV_ACT_LINEAR);
    cr_expect_null(F(d).act_node);
    cr_expect_null(F(r).fused_into);
}

Test(passes, the_maximum_is_no_longer_taken_first_where_an_activation_falls, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *conv = add(&op_conv, x, NULL), *silu = add(&op_silu, conv, NULL);
    struct clv_node *halve = add(&op_halve, silu, NULL);
    passes(halve, false, true);
    cr_expect_eq(F(silu).fused_into, conv);
    cr_expect_null(F(conv).pool);
}

Test(passes, an_activation_with_options_has_a_kernel_of_its_own, .init = setup)
{
    static const double usual = 0.2, other = 0.01;
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL), *leaky = add(&op_leaky, d, NULL);
    leaky->params = &usual;
    passes(leaky, false, true);
    cr_expect_eq(F(leaky).fused_into, d);
    leaky->params = &other;
    passes(leaky, false, true);
    cr_expect_null(F(leaky).fused_into);
}

Test(passes, what_is_concatenated_is_stored_there, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *conv = add(&op_conv, x, NULL), *relu = add(&op_relu, conv, NULL);
    struct clv_node *other = add(&op_pool, x, NULL), *first = add(&op_concat, relu, other);
    struct clv_node *more = add(&op_pool, first, NULL), *second = add(&op_concat, first, more);
    struct clv_node *again = add(&op_concat, second, other), *row = add(&op_dense, again, NULL);
    relu->shape.c = 4;
    first->shape.c = 8;
    passes(row, true, true);
    clv_graph_place_parts(&graph, fusion);
    cr_expect_eq(F(conv).part_of, first, "whoever computes it stores it");
    cr_expect_null(F(relu).part_of);
    cr_expect_eq(F(other).part_of, first, "the first one has it");
    cr_expect_eq(F(other).part_at, 4);
    cr_expect_eq(F(first).part_of, second);
    cr_expect_eq(F(more).part_at, 8);
    cr_expect_eq(F(second).part_of, again);
    cr_expect_null(F(again).part_of);
    cr_expect_null(F(x).part_of);
}

Test(passes, what_is_read_as_a_row_is_no_part, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *a = add(&op_pool, x, NULL), *b = add(&op_pool, x, NULL);
    struct clv_node *both = add(&op_concat, a, b), *row = add(&op_row, a, NULL);
    struct clv_node *sum = add(&op_add, both, row);
    passes(sum, true, true);
    clv_graph_place_parts(&graph, fusion);
    cr_expect_null(F(a).part_of);
    cr_expect_eq(F(b).part_of, both);
    F(both).fp32 = true;
    F(b).part_of = NULL;
    clv_graph_place_parts(&graph, fusion);
    cr_expect_null(F(b).part_of, "another type");
}

Test(passes, activation_stays_when_its_producer_is_read_elsewhere, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *r = add(&op_relu, d, NULL);
    struct clv_node *sum = add(&op_add, d, r); /* a residual block around the activation */
    passes(sum, false, true);
    cr_expect_null(F(r).fused_into);
    cr_expect_null(F(d).act_node);
    /* A dead reader does not count. */
    passes(r, false, true);
    cr_expect(F(sum).dead);
    cr_expect_eq(F(r).fused_into, d);
}

Test(passes, two_activations_of_one_producer_stay, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *r = add(&op_relu, d, NULL);
    struct clv_node *s = add(&op_sigmoid, d, NULL);
    struct clv_node *sum = add(&op_add, r, s);
    passes(sum, true, true);
    cr_expect_null(F(d).act_node);
    cr_expect_null(F(r).fused_into);
    cr_expect_null(F(s).fused_into);
}

Test(passes, only_the_first_of_two_activations_is_fused, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *r = add(&op_relu, d, NULL);
    struct clv_node *s = add(&op_sigmoid, r, NULL);
    passes(s, false, true);
    cr_expect_eq(F(r).fused_into, d);
    cr_expect_null(F(s).fused_into);
    cr_expect_eq(F(d).act, CLV_ACT_RELU);
}

Test(passes, who_does_not_fuse_keeps_its_activation, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *p = add(&op_pool, d, NULL);
    struct clv_node *r = add(&op_relu, p, NULL);
    struct clv_node *s = add(&op_softmax, add(&op_dense, r, NULL), NULL);
    passes(s, false, true);
    cr_expect_null(F(r).fused_into);
    cr_expect_null(F(s).fused_into, "softmax is no epilogue");
}

Test(passes, root_keeps_its_own_output, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *r = add(&op_relu, d, NULL);
    passes(d, false, true);
    cr_expect(F(r).dead);
    cr_expect_null(F(d).act_node);
    cr_expect_null(F(r).fused_into);
}

Test(passes, residual_block_fuses_behind_the_sum_only_where_it_may, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *a = add(&op_dense, x, NULL);
    struct clv_node *ra = add(&op_relu, a, NULL);
    struct clv_node *b = add(&op_dense, ra, NULL);
    struct clv_node *sum = add(&op_add, ra, b);
    struct clv_node *rs = add(&op_relu, sum, NULL);
    passes(rs, true, true);
    cr_expect_eq(F(ra).fused_into, a, "the activation may have two readers, its producer one");
    cr_expect_null(F(rs).fused_into);
    cr_expect_null(F(b).act_node);
    cr_expect(F(sum).needs_grad);
}

Test(passes, dead_branches, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *a = add(&op_dense, x, NULL);
    struct clv_node *lost = add(&op_dense, a, NULL);
    struct clv_node *lost_too = add(&op_relu, lost, NULL);
    struct clv_node *b = add(&op_pool, a, NULL);
    passes(b, true, true);
    cr_expect_not(F(x).dead);
    cr_expect_not(F(a).dead);
    cr_expect_not(F(b).dead);
    cr_expect(F(lost).dead);
    cr_expect(F(lost_too).dead);
    cr_expect_not(F(lost).needs_grad);
    cr_expect_null(F(lost_too).fused_into);
}

Test(passes, gradients_are_wanted_behind_weights_only, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *early = add(&op_pool, x, NULL);
    struct clv_node *d = add(&op_dense, early, NULL);
    struct clv_node *late = add(&op_pool, d, NULL);
    struct clv_node *sum = add(&op_add, early, late); /* x is read by both branches */
    for (int fuse = 0; fuse < 2; fuse++) {
        passes(sum, true, fuse);
        cr_expect_not(F(x).needs_grad);
        cr_expect_not(F(early).needs_grad);
        cr_expect(F(d).needs_grad);
        cr_expect(F(late).needs_grad);
        cr_expect(F(sum).needs_grad);
    }
}

Test(passes, loss_takes_over_its_activation, .init = setup)
{
    static const struct {
        const struct clv_op *act, *loss;
        bool taken;
    } cases[] = {
        {&op_softmax, &op_cce, true},  {&op_sigmoid, &op_bce, true},  {&op_softmax, &op_bce, false},
        {&op_sigmoid, &op_cce, false}, {&op_softmax, &op_mse, false}, {&op_relu, &op_cce, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup();
        struct clv_node *x = add(&op_input, NULL, NULL);
        struct clv_node *d = add(&op_dense, x, NULL);
        struct clv_node *a = add(cases[i].act, d, NULL);
        struct clv_node *l = add(cases[i].loss, a, NULL);
        passes(l, true, true);
        cr_expect_eq(F(l).softmax, cases[i].taken ? a : NULL, "case %zu", i);
        const bool into_dense = !cases[i].taken && cases[i].act->flags & CLV_OP_ACT;
        cr_expect_eq(F(a).fused_into, cases[i].taken ? l : into_dense ? d : NULL, "case %zu", i);
        cr_expect_eq(F(d).act_node, into_dense ? a : NULL, "case %zu", i);

        /* Evaluation writes the probabilities, too, and its loss comes from the logits. */
        passes(l, false, true);
        cr_expect_eq(F(l).softmax, cases[i].taken ? a : NULL, "case %zu", i);
        passes(l, true, false);
        cr_expect_null(F(l).softmax, "case %zu", i);
        cr_expect_null(F(a).fused_into, "case %zu", i);

        /* Prediction: the loss is not there. */
        passes(a, false, true);
        cr_expect(F(l).dead, "case %zu", i);
        cr_expect_null(F(l).softmax, "case %zu", i);
    }
}

Test(passes, loss_leaves_an_activation_that_others_read, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL);
    struct clv_node *d = add(&op_dense, x, NULL);
    struct clv_node *s = add(&op_softmax, d, NULL);
    struct clv_node *more = add(&op_dense, s, NULL);
    struct clv_node *l = add(&op_cce, s, more);
    passes(l, true, true);
    cr_expect_null(F(l).softmax);
    cr_expect_null(F(s).fused_into);
    /* Read by nobody alive: taken over. */
    struct clv_node *l2 = add(&op_cce, s, NULL);
    passes(l2, true, true);
    cr_expect(F(more).dead);
    cr_expect_eq(F(l2).softmax, s);
    cr_expect_eq(F(s).fused_into, l2);
}

/* x - filter - norm - sum - relu, the sum's other input being x. */
struct block {
    struct clv_node *x, *filter, *norm, *sum, *relu;
};

static struct block residual(void)
{
    struct block b = {.x = add(&op_input, NULL, NULL)};
    b.filter = add(&op_filter, b.x, NULL);
    b.norm = add(&op_norm, b.filter, NULL);
    b.sum = add(&op_sum, b.norm, b.x);
    b.relu = add(&op_relu, b.sum, NULL);
    return b;
}

Test(passes, norm_computes_sum_and_activation_behind_it, .init = setup)
{
    const struct block b = residual();
    passes(b.relu, true, true);
    cr_expect_null(F(b.filter).norm, "in training the batch's own statistics count");
    cr_expect_eq(F(b.norm).add, b.sum);
    cr_expect_eq(F(b.sum).fused_into, b.norm);
    cr_expect_eq(F(b.sum).act, CLV_ACT_RELU);
    cr_expect_null(F(b.norm).act_node, "the activation is behind the sum");
    cr_expect_eq(clv_node_owner(b.relu, fusion, true), b.norm);
    cr_expect_eq(clv_node_last(b.norm, fusion), b.relu);
    passes(b.relu, true, false);
    cr_expect_null(F(b.norm).add);
}

Test(passes, norm_adds_what_was_computed_before_it, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL), *norm = add(&op_norm, x, NULL);
    struct clv_node *later = add(&op_dense, x, NULL), *sum = add(&op_sum, norm, later);
    passes(sum, true, true);
    cr_expect_null(F(norm).add);
    cr_expect_null(F(sum).fused_into);
    /* Twice the same, and read by another. */
    struct clv_node *twice = add(&op_sum, norm, norm);
    passes(twice, true, true);
    cr_expect_null(F(norm).add);
}

Test(passes, norm_with_an_activation_adds_nothing, .init = setup)
{
    struct clv_node *x = add(&op_input, NULL, NULL), *norm = add(&op_norm, x, NULL);
    struct clv_node *relu = add(&op_relu, norm, NULL), *sum = add(&op_sum, x, relu);
    passes(sum, true, true);
    cr_expect_eq(F(norm).act_node, relu);
    cr_expect_null(F(norm).add);
    cr_expect_null(F(sum).fused_into);
}

Test(passes, norm_is_folded_outside_training, .init = setup)
{
    const struct block b = residual();
    passes(b.relu, false, true);
    cr_expect_eq(F(b.filter).norm, b.norm);
    cr_expect_eq(F(b.norm).fused_into, b.filter);
    cr_expect_null(F(b.norm).add);
    cr_expect_eq(F(b.sum).act_node, b.relu);
    cr_expect_eq(clv_node_owner(b.norm, fusion, false), b.filter);
    cr_expect_eq(clv_node_last(b.filter, fusion), b.norm);
    /* Activation and pool behind it go to the convolution, too. */
    struct clv_node *relu = add(&op_relu, b.norm, NULL), *halve = add(&op_halve, relu, NULL);
    passes(halve, false, true);
    cr_expect_eq(F(b.filter).act_node, relu);
    cr_expect_eq(F(b.filter).pool, halve);
    cr_expect_eq(clv_node_last(b.filter, fusion), halve);
    /* Not where the convolution has another reader. */
    struct clv_node *both = add(&op_add, halve, b.filter);
    passes(both, false, true);
    cr_expect_null(F(b.filter).norm);
    cr_expect_eq(F(b.norm).act_node, relu);
}
