/* Runs: a folder that holds everything about one training, and what is done with it afterwards.
 *
 *   RUN/config.json        every choice, data fingerprint, seed, device, driver, versions, selection
 *   RUN/history.csv        one line per epoch
 *   RUN/split.csv          which file was in which split, by content
 *   RUN/best.safetensors   weights of the best epoch
 *   RUN/last.safetensors   weights, optimizer slots and position: what --resume goes on from
 *   RUN/metrics.json       validation metrics of the best checkpoint, result of the training
 *
 * Files are written to a temporary name, synced and renamed: a run that is killed at any moment can
 * be resumed, and resumed or not gives the same weights bit for bit on the same device. */
#ifndef CLAVICLE_RUN_H
#define CLAVICLE_RUN_H

#include <clavicle/train.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_run_params {
    const char *model;      /* built-in name or model file */
    const char *data;       /* PATH of a data set */
    const char *out;        /* RUN; NULL only with resume */
    const char *resume;     /* RUN to go on with: everything else but epochs, patience,
                             * max_steps, profile and trace comes from it */
    bool force;             /* replace an existing RUN (only a folder that is one) */
    struct clv_device_params device;
    struct clv_data_params split;
    struct clv_trainer_params trainer;
    struct clv_fit_params fit; /* on_event sees every event after the run has written its files */
    int threads;
    size_t cache_bytes;
    double checkpoint_seconds; /* also write last.safetensors that often within an epoch; 0 = 60 */
};

/* What stands below the line is filled in before the START event, so that on_event can show it. */
struct clv_run_result {
    int epochs, best_epoch;
    const char *stop_reason; /* static */
    double best_value;       /* of the monitored metric */
    uint64_t steps;
    uint64_t skipped;        /* of them: precision mixed, gradients that are not finite */
    double loss_scale;       /* at the end; 1 but in mixed-fp16 */
    /* ---- */
    char monitor[32];        /* "val_loss": what best_value is */
    char sampler[64];        /* "shuffle", "balanced" */
    int n_class_weights;     /* numbers of the loss's class_weight, balanced or given; 0 = none */
    double class_weight[64];
    char device[128], driver[128], model[128];
    int n_classes;
    uint64_t parameters;
    size_t count[CLV_SPLIT_COUNT]; /* images; TEST are left alone */
    size_t ignored, bad;     /* files that are no images; damaged ones left out (skip_bad) */
    size_t leaked_images, leaked_groups;
};

/* Trains into a run folder. Checks arguments, model and data before any device is opened. result may
 * be NULL.
 * A resumed run keeps its split list: images added to the data since change nothing. It goes on only
 * with the same data, device, driver, kernels and version: CLV_ERR_MISMATCH says what differs.
 * Cancelled by on_event: writes last.safetensors and returns CLV_ERR_CANCELLED, resumable.
 * CLV_ERR_EXISTS: RUN exists and neither resume nor force was given. */
CLV_API CLV_CHECK enum clv_err clv_run_train(struct clv_context *ctx,
                                             const struct clv_run_params *params,
                                             struct clv_run_result *result);

/* A finished (or interrupted) run, opened for use. Its device is opened at the first evaluation or
 * prediction, after their data were checked. */
struct clv_run;
struct clv_run_open_params {
    struct clv_device_params device;
    const char *checkpoint;  /* "best" (NULL) or "last", or a file */
    int batch;               /* 0 = the run's */
    /* Test-time augmentation: the probabilities of an image are the mean over several views of it, the same for every image.
     * "flip=horizontal|vertical|both rotation=A,B,... zoom=A,B,...": every combination; or a number N: the image as it is
     * and N - 1 draws from the run's own augmentation, by its seed. NULL = the image as it is alone. At most 64. */
    const char *tta;
    /* On the run's device its record of choices goes before what these find. */
    enum clv_tune_mode tune;
    enum clv_self_test_mode self_test;
    const struct clv_tune_params *tuning; /* CLV_TUNE_ON; may be NULL. Borrowed until the run is closed */
};
CLV_API CLV_CHECK enum clv_err clv_run_open(struct clv_context *ctx, const char *run,
                                            const struct clv_run_open_params *params,
                                            struct clv_run **ret);
CLV_API void clv_run_close(struct clv_run **run);
struct clv_run_info {
    const char *path, *model;
    const char *device;      /* its name; NULL until the run is first used */
    int n_classes;
    const char *const *classes;
    int height, width, channels;
    int epoch;               /* of the checkpoint */
    int n_views;             /* whose probabilities are averaged; 1 without tta */
    const char *const *views; /* [n_views]: "as it is", "flip=horizontal" */
};
CLV_API const struct clv_run_info *clv_run_get_info(const struct clv_run *run);

/* Evaluates on a split of `data` (NULL = the run's own path): files are assigned by the run's split
 * list, by content; files it does not know are counted in *unknown and left out; a data set of which it
 * knows nothing at all is taken by its own split (another hospital's test set). positive: class name or
 * NULL = the last. predictions: a row per sample, may be NULL. Metrics are finished by the caller. */
struct clv_prediction { const char *path; enum clv_split split; int label, predicted; const float *prob; };
struct clv_eval_params {
    const char *data;
    enum clv_split split;    /* TEST is what `clavicle eval` takes by default */
    const char *positive;
    bool skip_bad;
    void (*on_prediction)(void *priv, const struct clv_prediction *p);
    void (*on_progress)(void *priv, size_t done, size_t total);
    void *priv;
};
CLV_API CLV_CHECK enum clv_err clv_run_eval(struct clv_run *run, const struct clv_eval_params *params,
                                            struct clv_metrics *metrics, size_t *unknown);

/* Class probabilities of image files: prob[n_classes] or, for a bad file, NULL and the reason.
 * Returns CLV_ERR_DATA after all were done if any was bad. */
CLV_API CLV_CHECK enum clv_err
clv_run_predict(struct clv_run *run, const char *const *files, size_t n,
                void (*on_result)(void *priv, const char *file, const float *prob, const char *error),
                void *priv);

#ifdef __cplusplus
}
#endif
#endif
