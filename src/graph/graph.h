/* Inside of the graph. Nodes lie in creation order, which is topological. Nothing here sees OpenCL. */
#ifndef CLV_GRAPH_GRAPH_H
#define CLV_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/context.h"
#include "base/error.h"
#include "base/str.h"
#include <clavicle/graph.h>
#include <stdbool.h>
#include <stdint.h>

struct clv_op;

struct clv_shape { int h, w, c; };
static inline int64_t clv_shape_count(struct clv_shape s) { return (int64_t)s.h * s.w * s.c; }

/* Activations that the contraction's epilogue can apply (act.c, cl/include/act.cl). */
enum clv_act {
    CLV_ACT_LINEAR, CLV_ACT_RELU, CLV_ACT_SIGMOID, CLV_ACT_TANH, CLV_ACT_RELU6, CLV_ACT_LEAKY_RELU,
    CLV_ACT_ELU, CLV_ACT_HARD_SIGMOID, CLV_ACT_HARD_SWISH, CLV_ACT_SILU, CLV_ACT_GELU,
    CLV_ACTS,
};
extern const char *const clv_act_names[CLV_ACTS];
/* Whether the gradient must be taken at the input. The others rise everywhere, and their slope is known from
 * the output. */
static inline bool clv_act_needs_input(enum clv_act act) { return act >= CLV_ACT_HARD_SWISH; }
/* With the options' defaults: act(x), and act' from act(x) for those that need no more. */
double clv_act_value(enum clv_act act, double x);
double clv_act_slope(enum clv_act act, double y);

/* Initialisers with Keras' definitions; fan counts are in the weight. */
enum clv_init {
    CLV_INIT_ZEROS, CLV_INIT_ONES,
    CLV_INIT_GLOROT_UNIFORM, CLV_INIT_GLOROT_NORMAL, CLV_INIT_HE_UNIFORM, CLV_INIT_HE_NORMAL,
};

/* An array that an op asked for in infer(): trained, or state that it writes itself. */
struct clv_weight {
    const char *name;    /* "kernel", "bias" */
    bool state;          /* saved like the others, but not trained: forward writes it in training (running
                          * statistics). Behind the node's trained ones */
    int n_dims;
    int dims[4];         /* conv2d kernel: height, width, in / groups, filters; dense: in, units */
    int64_t count;
    enum clv_init init;
    int64_t fan_in, fan_out;
    double l1, l2;       /* penalties added to its gradient: l1 * sign(w) + 2 * l2 * w, as Keras */
};

enum { CLV_MAX_IN = 4, CLV_MAX_WEIGHTS = 4 };

struct clv_node {
    const struct clv_op *op;
    const void *params;          /* op->params_size bytes, defaults applied, in range */
    struct clv_node *in[CLV_MAX_IN];
    int n_in;
    struct clv_weight weights[CLV_MAX_WEIGHTS];
    int n_weights;
    struct clv_shape shape;      /* of one sample's output */
    const char *name;            /* unique; "conv2d_1" unless given */
    uint64_t name_hash;          /* keys the node's random numbers */
    int id;                      /* index in graph->nodes */
    int n_users;                 /* how often it is an input */
    bool by_option;              /* an activation that stood in its producer's activation= */
    bool live;                   /* the graph's output depends on it; known once that is declared */
};

/* Nodes of a graph; bytes of a layer's text, of a part of a given name, of a given name with its scopes. */
enum { CLV_MAX_NODES = 10000, CLV_LINE_MAX = 4096, CLV_NAME_MAX = 64, CLV_FULL_NAME_MAX = 128 };

struct clv_graph {
    struct clv_context *ctx;
    struct clv_arena arena;
    struct clv_node **nodes;
    int n_nodes, cap_nodes;
    const char *scope;           /* begins the names of the nodes that are added: "stage1/"; NULL: none */
    struct clv_node *input, *output;
    struct clv_node dead;        /* what builders return after a fault; not in nodes */
    struct clv_error err;        /* sticky: the first fault of building; err.at counts in `options` */
};

/* Appends a node; text is the options part. name may be NULL: then it is OP_N, N counting the
 * layers of that op in the graph's scope, which stands before either. On a failed graph, or on a fault (which becomes the graph's error), returns the
 * graph's dead node; NULL only when g is NULL. activation=X, taken out of the options, appends a
 * second node NAME_X and returns that. */
struct clv_node *clv_graph_add(struct clv_graph *g, const char *op, const char *name,
                               struct clv_node *const *in, int n_in, const char *options);

/* One layer in text form, "[NAME =] OP option=value ...", taken apart: spans of the text. */
struct clv_line {
    const char *name, *op, *options; /* name is NULL when none is given; options ends with the text */
    size_t name_len, op_len;
};
/* Error CLV_ERR_MODEL, with err->at. */
CLV_CHECK enum clv_err clv_line_split(const char *text, struct clv_line *ret, struct clv_error *err);

/* Whether the name is a legal node name: [A-Za-z_][A-Za-z0-9_-]*, at most 64 bytes, not "_"; behind scopes, as
 * "stage1/repeat_1/2/conv2d_1", whose later parts may begin with a digit. */
bool clv_name_valid(const char *name);
/* Whether the name stands in the scope itself ("" or "stage1/"), not in one within it. */
bool clv_name_in_scope(const char *name, const char *scope);

/* For infer(): declares a weight (CLV_ERR_MODEL when a dimension is not positive or too large). */
CLV_CHECK enum clv_err clv_node_add_weight(struct clv_graph *g, struct clv_node *node,
                                           const struct clv_weight *w);

/* Values of the node's trained weights. */
uint64_t clv_node_parameters(const struct clv_node *node);
/* Of one sample's forward pass. */
double clv_node_flops(const struct clv_node *node);
/* Appends "option=value ..." as the model language has it; defaults are left out. */
void clv_node_print_options(const struct clv_node *node, struct clv_str *out);
/* The activation node behind `node` that its own line can name in activation=, NULL if there is none or
 * something else (another layer, the graph's output) needs the value before it. */
const struct clv_node *clv_node_folded_activation(const struct clv_graph *g,
                                                  const struct clv_node *node);
/* Writers of clv_graph_print(). */
void clv_graph_print_table(const struct clv_graph *g, struct clv_str *out);
void clv_graph_print_dot(const struct clv_graph *g, struct clv_str *out);
void clv_graph_print_model(const struct clv_graph *g, struct clv_str *out);
void clv_graph_print_json(const struct clv_graph *g, struct clv_str *out);

/* ---- passes: annotations beside the graph, which stays as it was built ---- */

struct clv_fusion {
    enum clv_act act;            /* conv2d, dense: activation applied by their own epilogue */
    const struct clv_node *act_node;  /* the node that act came from: its output is this node's output */
    const struct clv_node *pool; /* conv2d: the 2 x 2 max-pool behind it and its activation, whose output
                                  * is this node's output; a candidate until clv_emit_settle() */
    const struct clv_node *add;  /* batchnorm: the sum behind it that it computes with the activation of that
                                  * sum, whose output is this node's output; a candidate until clv_emit_settle() */
    const struct clv_node *norm; /* conv2d, dense: outside training, the batchnorm behind it that is folded
                                  * into its weights, whose output is this node's output */
    const struct clv_node *fused_into;/* this node's work is done by that node; emit nothing */
    const struct clv_node *softmax;   /* loss: takes the logits of this softmax (or sigmoid) node and writes its output too */
    const struct clv_node *part_of;   /* its output is stored among that node's channels, from `part_at` on; see
                                  * clv_graph_place_parts() */
    int part_at;
    bool dead;                   /* does not reach the roots */
    bool needs_grad;             /* its output's gradient is wanted: a trainable weight lies before it */
    bool fp32;                   /* stays in fp32 where other outputs are stored in 16 bits */
};

/* Fills fusion[graph->n_nodes] for the nodes that reach `root` (the output, or a loss, which may take over its
 * softmax). training: running statistics are not what batchnorm computes with, so that it cannot be folded.
 * fuse=false annotates only dead, needs_grad and fp32 (losses, softmax, what they are computed from). */
void clv_graph_passes(const struct clv_graph *g, const struct clv_node *root, bool training,
                      bool fuse, struct clv_fusion *fusion);
/* Afterwards: node's output stays in fp32, too (the network's, which the host reads). */
void clv_graph_keep_fp32(const struct clv_graph *g, const struct clv_node *node,
                         struct clv_fusion *fusion);

/* Once the other fusions are settled: outputs that are concatenated are stored in the concatenation's memory from the
 * beginning, where all that read or write them can step over the other channels. The first concatenation of a value
 * has it, and chains of them share one memory. */
void clv_graph_place_parts(const struct clv_graph *g, struct clv_fusion *fusion);

/* The node whose memory holds node's output: its input for a view (and, outside training, for what is
 * only there in training), its producer for a fused activation, else the node itself. One step of the
 * way: the answer may be a view in turn. */
const struct clv_node *clv_node_owner(const struct clv_node *node, const struct clv_fusion *fusion,
                                      bool training);

/* The node that does node's work: itself where no other took it over. */
const struct clv_node *clv_node_worker(const struct clv_node *node, const struct clv_fusion *fusion);
/* Of what such a node computes, the last: whose value its output tensor holds. */
const struct clv_node *clv_node_last(const struct clv_node *worker, const struct clv_fusion *fusion);

/* What is stored for node's output: its shape, or the pooled one where a pool was fused behind it. */
struct clv_shape clv_node_stored_shape(const struct clv_node *node, const struct clv_fusion *fusion);

#endif
