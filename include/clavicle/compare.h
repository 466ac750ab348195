/* Two devices beside each other: the same model with the same weights on the same batches, step by step, and
 * where they begin to differ.
 *
 *     struct clv_device *dev[2];      (opened, of one context; they may be the same device with other caps)
 *     struct clv_compare_summary s;
 *     clv_compare(dev, &(struct clv_compare_params){.model = "lenet", .on_value = print_what_differs}, &s);
 *     if (s.differs)
 *         ... one of them computes something else
 *
 * What is compared are the kernels that training (or inference) takes on each of them, fusions included; only the
 * memory is different, since every array is kept until it was looked at. */
#ifndef CLAVICLE_COMPARE_H
#define CLAVICLE_COMPARE_H

#include <clavicle/data.h>
#include <clavicle/device.h>
#include <clavicle/model.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clv_compare_pass {
    CLV_COMPARE_FORWARD,  /* outputs of layers */
    CLV_COMPARE_BACKWARD, /* gradients: of layers' outputs, then of their weights */
    CLV_COMPARE_UPDATE,   /* weights after the optimizer's step */
};
/* "forward", "backward", "update" */
CLV_API const char *clv_compare_pass_name(enum clv_compare_pass pass);

/* One array on both devices. In the order of computing: forward the layers as they follow each other, backward from
 * the last to the first, the update again from the first. An array that one device does not have, being fused
 * away there, is left out: what is computed from it is compared. Strings are valid during the call. */
struct clv_compare_value {
    int step;                /* from 1 */
    enum clv_compare_pass pass;
    const char *node;        /* "conv2d_1"; of a fused group the last */
    const char *array;       /* "output", "gradient" (of the output), or a weight: "kernel", "bias" */
    const char *made_by[2];  /* the step of each plan that wrote it last: "conv2d_1 forward, tiled, contract_tiled" */
    size_t count;            /* elements */
    double difference;       /* outputs: the largest difference as a part of the largest value. Gradients: the
                              * root of the summed squares of the differences, as a part of that of the values.
                              * Weights: likewise, as a part of how far they have moved since the first step.
                              * Infinite where something is no number on one side only */
    double allowed;          /* for that: see tolerance */
    size_t at;               /* the element that differs most, and what it is on both */
    float value[2];
    bool differs;            /* difference is more than allowed */
};

struct clv_compare_params {
    const char *model;       /* built-in name or model file, as clv_model_load() takes it */
    const struct clv_variable *variables; /* of the model file */
    size_t n_variables;
    bool forward;            /* inference only; otherwise training steps */
    int batch;               /* 0 = 8 */
    int steps;               /* 0 = 3 */
    uint64_t seed;           /* weights, random batches, order, augmentation, dropout */
    const char *optimizer;   /* NULL = CLV_COMPARE_OPTIMIZER */
    /* What the largest difference of outputs may be after one step; gradients and weights may have 200 times that, and
     * all of them grow with the root of the number of steps, as rounding adds up that has nothing to do with each
     * other. 0 = 1e-4. */
    double tolerance;
    struct clv_data *data;   /* batches of its training images; NULL = random ones */
    struct clv_pipeline_params pipeline; /* for these */
    void (*on_progress)(void *priv, const char *what); /* may be NULL */
    void (*on_value)(void *priv, const struct clv_compare_value *value); /* may be NULL */
    void *priv;
};
/* Adam, which where a gradient is nearly zero moves a weight by a step whose sign is rounding's, with an epsilon that
 * stops it from that. */
#define CLV_COMPARE_OPTIMIZER "adam epsilon=1e-4"

struct clv_compare_summary {
    int steps;               /* that were compared; the first that differs is the last one */
    size_t values;           /* comparisons */
    double largest;          /* difference, as a part of what is allowed: above 1 it differs */
    bool differs;
};

/* What can be wrong without a device: the model, the optimizer's text, preprocessing, the number of classes. */
CLV_API CLV_CHECK enum clv_err clv_compare_check(struct clv_context *ctx, const struct clv_compare_params *params);
/* Runs both. A difference is no error. Errors: those of the model and of clv_trainer_create(), with "device A" or
 * "device B" before the text; CLV_ERR_NONFINITE when the loss is no number on both. */
CLV_API CLV_CHECK enum clv_err clv_compare(struct clv_device *const dev[2],
                                           const struct clv_compare_params *params,
                                           struct clv_compare_summary *ret);

#ifdef __cplusplus
}
#endif
#endif
