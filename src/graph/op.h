/* Everything the library knows about an op. An op is src/ops/NAME.c (this struct, at its end),
 * src/ops/NAME_check.c (reference and cases), cl/NAME.cl, and its word in meson.build. */
#ifndef CLV_GRAPH_OP_H
#define CLV_GRAPH_OP_H

#include "base/opt.h"
#include "graph/graph.h"
#include <stddef.h>
#include <stdint.h>

struct clv_emit; /* step/emit.h */
struct clv_caps; /* device/device.h */

enum clv_pass { CLV_PASS_FORWARD, CLV_PASS_BACKWARD };

enum {
    CLV_OP_INPUT = 1u << 0,     /* has no inputs; filled from outside */
    CLV_OP_VIEW = 1u << 1,      /* output is its input's memory under another shape; emits nothing */
    CLV_OP_LOSS = 1u << 2,      /* output is one number per sample; reads the targets */
    CLV_OP_TRAIN_ONLY = 1u << 3,/* identity outside training (dropout): a view there */
    CLV_OP_ACT = 1u << 4,       /* an activation that conv2d and dense may fuse: op->act */
    CLV_OP_FUSES_ACT = 1u << 5, /* takes an activation node behind it into its epilogue */
    CLV_OP_SUM = 1u << 6,       /* adds its two inputs: batchnorm may do it (CLV_OP_FUSES_SUM) */
    CLV_OP_FUSES_SUM = 1u << 8, /* takes a CLV_OP_SUM node behind it, whose other input was computed before */
    CLV_OP_FOLDS = 1u << 9,     /* outside training, a factor and a constant for each channel: CLV_OP_TAKES_NORM */
    CLV_OP_TAKES_NORM = 1u << 10, /* folds such a node behind it into its weights outside training */
    CLV_OP_REPEATS = 1u << 11,  /* its backward pass finds the fused activation's input once more */
    CLV_OP_PARTS = 1u << 12,    /* output is the inputs' channels one behind the other: they may be stored there */
    CLV_OP_PACKED = 1u << 13,   /* takes an image for one row of numbers: its input's pixels lie without gaps */
    CLV_OP_ACTIVATION = 1u << 7, /* may stand in activation= though no epilogue fuses it (softmax); CLV_OP_ACT implies it */
};

struct clv_cost { double flops, bytes; }; /* of one sample; a multiply-add is 2 flops; activations in fp32 */

struct clv_variant {
    const char *name; /* "vector", "tiled", "simple" */
    bool (*supports)(const struct clv_caps *caps, const struct clv_node *node, enum clv_pass pass);
    enum clv_err (*emit)(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass);
};

struct clv_op {
    const char *name, *help;    /* help: one sentence */
    size_t params_size;
    const struct clv_opt *opts; /* may be NULL: no options */
    int n_in_min, n_in_max;
    uint32_t flags;
    enum clv_act act;           /* CLV_OP_ACT */
    const char *takes_over;     /* losses: the output activation whose logits they can take; NULL */
    const char *default_loss;   /* output activations: the loss that goes with them; NULL */
    const char *mask_loss;      /* likewise where the output has more than one pixel; NULL: default_loss */
    /* Sets node->shape and declares weights from node->params and the inputs' shapes. Fails with
     * CLV_ERR_SHAPE, text beginning with the node's name and naming the shapes. */
    enum clv_err (*infer)(struct clv_graph *g, struct clv_node *node);
    /* May be NULL: no arithmetic worth counting. */
    void (*cost)(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);
    /* Whether the node is the 2 x 2 maximum (stride 2, no padding) that a contraction may take over;
     * NULL = never. */
    bool (*halves)(const struct clv_node *node);
    /* Ops whose epilogue can take such a pool behind it (and behind its activation): whether it will on
     * this device. NULL = never. */
    bool (*takes_pool)(const struct clv_emit *e, const struct clv_node *node);
    /* Best first; the last supports everything and is named "simple"; {0} ends. NULL for views and inputs. */
    const struct clv_variant *variants;
};

/* Generated from meson.build's list, NULL-terminated (src/ops/registry.c). */
/* (The one link upward: the table is data of src/ops that graph and model look names up in.) */
extern const struct clv_op *const clv_ops[];
const struct clv_op *clv_op_find(const char *name); /* NULL if there is none */

#endif
