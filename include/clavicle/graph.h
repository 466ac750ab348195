/* A network as a graph of layer nodes.
 *
 * A layer is one line of the model language, the same in C, in model files and on the command line:
 *
 *     struct clv_graph *g = clv_graph_create(ctx);
 *     struct clv_node *x = clv_input(g, 224, 224, 3);
 *     x = clv_layer(g, x, "conv2d filters=32 kernel_size=3 activation=relu");
 *     x = clv_layer(g, x, "maxpool2d pool_size=2");
 *     x = clv_layer(g, x, "flatten");
 *     x = clv_layer(g, x, "dense units=%d activation=softmax", n_classes);
 *     clv_graph_output(g, x);
 *     if (clv_graph_check(g)) puts(clv_error_text(ctx));
 *
 * Errors are sticky: after the first fault every builder is a no-op that returns a harmless node,
 * and clv_graph_check(), or whoever compiles the graph, reports that first fault. `clavicle graph
 * --help-ops` and docs/model-language.md list the layers with their options.
 *
 * Activations are NHWC: height x width x channels per sample; filters are HWIO. */
#ifndef CLAVICLE_GRAPH_H
#define CLAVICLE_GRAPH_H

#include <clavicle/context.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_graph;
struct clv_node; /* owned by its graph; borrowed everywhere else */

/* Returns NULL only when out of memory. */
CLV_API struct clv_graph *clv_graph_create(struct clv_context *ctx);
CLV_API void clv_graph_destroy(struct clv_graph **g);

/* The network's input: samples of height x width x channels, each >= 1. One per graph. */
CLV_API struct clv_node *clv_input(struct clv_graph *g, int height, int width, int channels);

/* One layer on x. fmt is printf-like and gives "[NAME =] OP option=value ...". An activation= option
 * other than linear makes a node of its own behind the layer; the last node is returned. */
CLV_API CLV_PRINTF(3, 4) struct clv_node *clv_layer(struct clv_graph *g, struct clv_node *x,
                                                    const char *fmt, ...);
/* One layer on two inputs ("add"). */
CLV_API CLV_PRINTF(4, 5) struct clv_node *clv_layer2(struct clv_graph *g, struct clv_node *a,
                                                     struct clv_node *b, const char *fmt, ...);

/* Declares the network's output: whose values are predictions and go into the loss. */
CLV_API void clv_graph_output(struct clv_graph *g, struct clv_node *x);

/* The first fault of building, CLV_OK if none; a graph without input or output is one. */
CLV_API CLV_CHECK enum clv_err clv_graph_check(struct clv_graph *g);

CLV_API const char *clv_node_name(const struct clv_node *x);
/* height, width, channels of one sample. */
CLV_API void clv_node_shape(const struct clv_node *x, int shape[3]);
/* height, width, channels of one sample at the network's input and output; zeros where there is none. */
CLV_API void clv_graph_shapes(const struct clv_graph *g, int input[3], int output[3]);
CLV_API struct clv_node *clv_graph_find(const struct clv_graph *g, const char *name);

/* Trainable numbers, and multiply-adds x 2 of one sample's forward pass. */
CLV_API uint64_t clv_graph_parameters(const struct clv_graph *g);
CLV_API double clv_graph_flops(const struct clv_graph *g);

/* Table of layers, shapes, parameters and flops, in text; or Graphviz; or model language. malloc'ed,
 * caller frees; NULL when out of memory. */
enum clv_graph_format { CLV_GRAPH_TABLE, CLV_GRAPH_DOT, CLV_GRAPH_MODEL, CLV_GRAPH_JSON };
CLV_API char *clv_graph_print(const struct clv_graph *g, enum clv_graph_format format);

/* The ops with their options, as text. malloc'ed. */
CLV_API char *clv_graph_help(void);

#ifdef __cplusplus
}
#endif
#endif
