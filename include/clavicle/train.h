/* Training from C: a trainer owns the weights of a graph on a device and steps them.
 *
 *     struct clv_trainer *t;
 *     clv_trainer_create(dev, graph, &(struct clv_trainer_params){.batch = 32, .seed = 1}, &t);
 *     for (int i = 0; i < 100; i++)
 *         clv_trainer_step(t, images, labels, 32, &loss);
 *     clv_trainer_predict(t, images, 32, probabilities);
 *     clv_trainer_save(t, "net.safetensors");
 *
 * Upper level: clv_trainer_fit() runs epochs over a source with validation, schedule, early stopping
 * and events, keeping the device busy.
 *
 * Several trainers may live in one process, on one device or several. Thread-safety: a trainer, its
 * device and its context belong to one thread at a time. No signal handlers, no global state. */
#ifndef CLAVICLE_TRAIN_H
#define CLAVICLE_TRAIN_H

#include <clavicle/data.h>
#include <clavicle/device.h>
#include <clavicle/graph.h>
#include <clavicle/metrics.h>
#include <clavicle/profile.h>
#include <clavicle/tune.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_trainer;

enum clv_gemm_mode { CLV_GEMM_MODE_AUTO, CLV_GEMM_MODE_NATIVE, CLV_GEMM_MODE_CLBLAST };

/* Winograd's transforms for 3 x 3 convolutions (docs/winograd.md): where they are estimated to be fastest,
 * nowhere, or there with tiles of 2 x 2 or 4 x 4 outputs. */
enum clv_winograd_mode { CLV_WINOGRAD_AUTO, CLV_WINOGRAD_OFF, CLV_WINOGRAD_2, CLV_WINOGRAD_4 };

/* Whether the plan's kernels are compared with plain C in double precision, on a small image, before they are used:
 * never; unless that was done before on such a device, driver and host (CLV_CACHE_DIR holds the verdicts); always. A
 * device that computes wrong results is refused: CLV_ERR_WRONG names the kernel. */
enum clv_self_test_mode { CLV_SELF_TEST_OFF, CLV_SELF_TEST_CACHED, CLV_SELF_TEST_ON };

struct clv_trainer_params {
    int batch;              /* largest batch, >= 1; 0 = 32. Short batches run the same programs */
    uint64_t seed;          /* weights, dropout, order, augmentation */
    const char *optimizer;  /* "adam learning_rate=0.001"; NULL = "adam" */
    const char *loss;       /* "categorical_crossentropy label_smoothing=0.1"; NULL = by the output:
                             * softmax: categorical_crossentropy, sigmoid: binary_crossentropy (of
                             * more than one pixel: dice_crossentropy, dice_binary_crossentropy),
                             * else mean_squared_error */
    double clip_norm;       /* clip the gradients' global norm; 0 = off */
    bool keep_gradients;    /* for clv_trainer_get_gradient(): else dense layers update their weights as
                             * part of their backward step, to the same bits, and keep no gradient */
    bool check_finite;      /* debugging: look for numbers that are not finite behind every layer, forward and backward, and
                             * in all weights; a step that made one ends with CLV_ERR_NONFINITE, which names the
                             * step, the layer and the pass. The same bits, slower; nothing else changes */
    enum clv_gemm_mode gemm; /* AUTO: CLBlast where it was measured (clv_tune_params.clblast) and what it
                             * saves over planned_steps is more than building it costs */
    double planned_steps;   /* how many steps there will be; 0 = not known */
    enum clv_tune_mode tune;
    const struct clv_tune_params *tuning; /* CLV_TUNE_ON: callbacks, clblast; NULL = silence */
    enum clv_winograd_mode winograd;
    enum clv_precision precision;
    /* MIXED_FP16: the loss's gradient is multiplied by loss_scale, a power of two, 0 = 65536. It is halved whenever a step has gradients
     * that are not finite, and doubled after loss_scale_steps (0 = 2000) steps in a row that have none. */
    double loss_scale;
    int loss_scale_steps;
    const char *variant;    /* debugging: only this variant of every layer, "simple" being the reference; NULL =
                             * the best for the device. CLV_ERR_UNSUPPORTED: a layer has none of that name */
    bool separate;          /* debugging: every tensor in a guarded buffer of its own */
    bool inference_only;    /* no gradients, no optimizer: less memory; step and fit are refused */
    enum clv_self_test_mode self_test;
    bool plan_only;         /* for clv_trainer_plan_text() and _get_memory(): no weights are drawn, no
                             * kernel is built, whatever would run is refused */
    /* How staged images become the network's input. For float batches only mean and std matter, and in clv_trainer_fit()
     * mixup, cutmix and mix_p. */
    struct clv_pipeline_params pipeline;
    size_t max_image_bytes; /* largest stored image of a staged sample; 0 = height x width x channels floats, which
                             * are the input themselves where mean and std leave them as they are */
};

/* Builds plans for the graph, draws the weights. The graph and the device must outlive the trainer;
 * the trainer adds a loss node to the graph. Errors: CLV_ERR_MODEL, CLV_ERR_SHAPE (the graph's own
 * sticky fault too), CLV_ERR_ARG, CLV_ERR_DEVMEM, CLV_ERR_BUILD, CLV_ERR_CL,
 * CLV_ERR_WRONG (self_test). */
CLV_API CLV_CHECK enum clv_err clv_trainer_create(struct clv_device *dev, struct clv_graph *graph,
                                                  const struct clv_trainer_params *params,
                                                  struct clv_trainer **ret);
CLV_API void clv_trainer_destroy(struct clv_trainer **t);

/* One optimizer step on a batch in ordinary host memory: x[n][h][w][c], labels[n] in 0..classes-1,
 * 1 <= n <= batch. Waits for *loss (mean over the batch, without penalties; may be NULL).
 * CLV_ERR_NONFINITE when the loss is not finite (the weights have been stepped). With precision MIXED or MIXED_FP16 a
 * step whose gradients are not finite changes neither weights nor optimizer and is no error (*loss may then be anything):
 * clv_trainer_skipped() counts it. CLV_ERR_NONFINITE when that does not end: docs/precision.md. */
CLV_API CLV_CHECK enum clv_err clv_trainer_step(struct clv_trainer *t, const float *x,
                                                const int32_t *labels, int n, double *loss);
/* The same with targets[n][outputs] instead of labels: soft labels, regression, several labels; masks where the output
 * is an image, [n][height][width][classes]. */
CLV_API CLV_CHECK enum clv_err clv_trainer_step_targets(struct clv_trainer *t, const float *x,
                                                        const float *targets, int n, double *loss);
/* Forward in evaluation mode: output[n][outputs], any n (done in batches). Waits. */
CLV_API CLV_CHECK enum clv_err clv_trainer_predict(struct clv_trainer *t, const float *x, size_t n,
                                                   float *output);

/* Learning rate of the next steps; starts as the optimizer's. */
CLV_API void clv_trainer_set_learning_rate(struct clv_trainer *t, double rate);
CLV_API double clv_trainer_get_learning_rate(const struct clv_trainer *t);
/* Steps done so far, skipped ones included. */
CLV_API uint64_t clv_trainer_steps(const struct clv_trainer *t);
/* Those that were skipped, as far as their results have come back; 0 but in MIXED and MIXED_FP16. */
CLV_API uint64_t clv_trainer_skipped(const struct clv_trainer *t);
/* The loss scale of the next step, likewise; 1 but in MIXED_FP16. */
CLV_API double clv_trainer_loss_scale(const struct clv_trainer *t);

/* Weights by index: name ("conv2d_1/kernel"), dims (HWIO; in, out; filters), number of elements. state: saved like
 * the others but not trained (running statistics): it has no gradient. Those come last. */
struct clv_weight_info { const char *name; int n_dims; int dims[4]; uint64_t count; bool state; };
CLV_API size_t clv_trainer_weights(const struct clv_trainer *t);
CLV_API CLV_CHECK enum clv_err clv_trainer_weight_info(const struct clv_trainer *t, size_t i,
                                                       struct clv_weight_info *ret);
CLV_API CLV_CHECK enum clv_err clv_trainer_get_weight(struct clv_trainer *t, size_t i, float *host);
CLV_API CLV_CHECK enum clv_err clv_trainer_set_weight(struct clv_trainer *t, size_t i,
                                                      const float *host);
/* The gradient that the last step used (before penalties and clipping). CLV_ERR_ARG where it is not
 * kept: see keep_gradients. */
CLV_API CLV_CHECK enum clv_err clv_trainer_get_gradient(struct clv_trainer *t, size_t i, float *host);

/* Weights, optimizer slots, step count and loss scale as one safetensors file, written atomically; load checks
 * names and shapes (CLV_ERR_MISMATCH names the first that differs). What holds a number that is not finite is not
 * saved (CLV_ERR_NONFINITE): a file of that name stays as it is. metadata: NULL-terminated
 * key, value, key, value... strings kept in the file; may be NULL. */
CLV_API CLV_CHECK enum clv_err clv_trainer_save(struct clv_trainer *t, const char *path,
                                                const char *const *metadata);
CLV_API CLV_CHECK enum clv_err clv_trainer_load(struct clv_trainer *t, const char *path);

/* Optimizers, schedules, losses, preprocessing and augmentation with their options, as text.
 * malloc'ed; NULL when out of memory. */
CLV_API char *clv_trainer_help(void);

/* Steps, memory map and totals as text. malloc'ed. training chooses the plan. */
CLV_API char *clv_trainer_plan_text(struct clv_trainer *t, bool training);
struct clv_trainer_memory { uint64_t activations, store, io, peak; }; /* bytes, both plans */
CLV_API struct clv_trainer_memory clv_trainer_get_memory(const struct clv_trainer *t);

/* ---- sources of batches ---- */

/* Where fit and evaluate get their samples: exactly one of the three. */
struct clv_batch_source {
    /* 1: samples in memory. Shuffled by (seed, epoch) when training. */
    const float *x;          /* [n][h][w][c] */
    const int32_t *labels;   /* [n] */
    size_t n;
    /* 2: a callback. Writes up to `batch` samples and returns how many, 0 at the end of the epoch, or
     * a clv_err. rewind (may be NULL) is called before each epoch with its number. */
    int (*next)(void *priv, int batch, float *x, int32_t *labels);
    int (*rewind)(void *priv, uint64_t epoch);
    void *priv;
    size_t batches;          /* per epoch, for progress; 0 = unknown */
    /* 3: a split of an opened data set, decoded by threads ahead of the device. */
    struct clv_data *data;
    enum clv_split split;
    int threads;             /* 0 = number of CPUs, at most 8 */
    size_t cache_bytes;      /* decoded images kept between epochs; 0 = 1 GiB */
};

/* ---- epochs ---- */

struct clv_fit_state;

/* PROFILE comes once before END, when a profile or a trace was asked for.
 * BUILD: kernels are being compiled; from clv_run_train() only, before START and whenever a plan is made.
 * Of its fields only `what` means something, and what the callback returns does not count. */
enum clv_event_kind {
    CLV_EVENT_START, CLV_EVENT_BATCH, CLV_EVENT_EPOCH, CLV_EVENT_END, CLV_EVENT_PROFILE, CLV_EVENT_BUILD
};

/* Where the time went while batches were trained on; validation and checkpoints are not in it. */
struct clv_fit_profile {
    const struct clv_timing *steps; /* a line per step of the training plan, in their order */
    size_t n_steps;
    uint64_t runs;                  /* optimizer steps */
    /* After the first of them, at whose launch drivers may still compile: */
    double seconds;                 /* wall clock */
    double device_seconds;          /* sum of the steps on the device */
    double upload_seconds;          /* sum of the uploads of samples, which may run beside the steps */
    double host_cpu_seconds;        /* processor time of the thread that called fit; decoders are others */
    struct clv_device *device;      /* that ran them; idle, so that its ceilings can be measured now */
};

struct clv_event {
    enum clv_event_kind kind;
    int epoch, epochs;                 /* counted from 1 */
    size_t batch, batches;             /* within the epoch, counted from 1 */
    double loss, accuracy;             /* BATCH: of that batch; EPOCH: means over the epoch */
    bool has_validation;
    double val_loss, val_accuracy, val_auc, val_f1; /* EPOCH */
    double learning_rate;
    double images_per_second;          /* BATCH: since the epoch began; EPOCH: of the training part */
    double seconds, seconds_left;      /* since fit began; estimate, < 0 unknown */
    double wait_seconds;               /* time spent waiting for data since fit began */
    uint64_t skipped;                  /* steps so far that were skipped: clv_trainer_skipped() */
    double loss_scale;                 /* of the next step */
    bool best;                         /* EPOCH: the monitored value is the best so far */
    const char *stop_reason;           /* END: "epochs", "early stopping", "cancelled", "max_steps", "paused" */
    const struct clv_fit_profile *profile; /* PROFILE; valid during the call */
    const char *what;                  /* BUILD: "building 5 of 19 kernels"; valid during the call */
};

struct clv_fit_params {
    int epochs;                /* 0 = 10 */
    /* Learning-rate schedule; NULL = "constant". "constant", "step every=30 factor=0.1",
     * "cosine final=0", "plateau patience=5 factor=0.1 min_rate=1e-6"; each takes warmup=STEPS. */
    const char *schedule;
    /* Which samples make an epoch, of a data set or in memory: NULL = "shuffle", all of them; "balanced power=1": as many
     * draws with replacement as there are samples, from classes in equal shares. Keyed by the trainer's seed and the epoch. */
    const char *sampler;
    /* What "best", plateau and early stopping look at: "val_loss" (default with validation), "val_accuracy", "val_auc",
     * "val_f1", "loss", "accuracy". */
    const char *monitor;
    int patience;              /* early stopping: epochs without improvement; 0 = off */
    double min_delta;          /* smallest change that counts as one */
    int pause;                 /* stop after so many epochs, for later: the schedule is made for all `epochs`; 0 = off */
    uint64_t max_steps;        /* stop after so many optimizer steps in all; 0 = no limit */
    /* Called for each event from inside fit; nonzero cancels after the step in flight. May save. */
    int (*on_event)(void *priv, const struct clv_event *event);
    /* The EPOCH event before its checkpoint: for who keeps a history beside the weights. */
    void (*on_epoch)(void *priv, const struct clv_event *event);
    void *priv; /* of all callbacks here */
    /* Called when weights and state agree and should be saved: after every epoch (after validation,
     * before its EPOCH event), every checkpoint_seconds within one, and when fit is cancelled.
     * A nonzero clv_err ends fit with it. */
    int (*on_checkpoint)(void *priv, const struct clv_fit_state *state, bool epoch_end, bool best);
    double checkpoint_seconds; /* 0 = only after epochs */
    const struct clv_fit_state *resume; /* what on_checkpoint saw; NULL = from the beginning */
    /* Both need a device that was opened with profile. The results are the same, bit for bit. */
    bool profile;              /* time every step and send a PROFILE event */
    const char *trace;         /* file for a Chrome trace: all epochs, the first 200 steps; NULL = none */
};

/* Everything beyond weights and slots that a resumed run needs. Plain data, saved by the caller. */
struct clv_fit_state {
    uint64_t step;             /* steps done */
    int epoch;                 /* epochs completed */
    uint64_t batch;            /* batches done of the epoch after them */
    double loss_sum, correct;  /* of that part epoch */
    uint64_t samples;
    double best;               /* monitored value, NaN = none yet */
    int best_epoch, bad_epochs;
    double plateau_factor;     /* product of the reductions so far */
    int plateau_bad;
    double plateau_best;
};

/* Trains. val may be NULL. Errors: those of the source, CLV_ERR_NONFINITE (names the step),
 * CLV_ERR_ARG (schedule, monitor), device errors. Cancelling is no error. */
CLV_API CLV_CHECK enum clv_err clv_trainer_fit(struct clv_trainer *t, const struct clv_batch_source *train,
                                               const struct clv_batch_source *val,
                                               const struct clv_fit_params *params);

/* Runs the network over a source in evaluation mode: metrics (finish them), and the probabilities
 * [count][outputs] and labels [count] in the source's order when the pointers are not NULL (malloc'ed). */
CLV_API CLV_CHECK enum clv_err clv_trainer_evaluate(struct clv_trainer *t,
                                                    const struct clv_batch_source *source, int positive,
                                                    struct clv_metrics *metrics, float **prob,
                                                    int32_t **labels);

#ifdef __cplusplus
}
#endif
#endif
