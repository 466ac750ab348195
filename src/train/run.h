/* Inside of run folders: what config.json holds, the other files, one training in progress. */
#ifndef CLV_TRAIN_RUN_H
#define CLV_TRAIN_RUN_H

#include "base/context.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/str.h"
#include "data/views.h"
#include "train/trainer.h"
#include <clavicle/model.h>
#include <clavicle/run.h>

/* ---- RUN/config.json (run_config.c) ---- */

/* Strings are borrowed: from the caller's parameters in a new run, else from json. */
struct clv_run_config {
    json_t *json;        /* the file it came from; NULL in a new run */
    const char *version; /* of Clavicle */
    const char *model_name, *model_text;
    int height, width, channels;
    uint64_t parameters;
    const char **classes; /* malloc'ed */
    int n_classes;
    const char *data_path, *data_format, *fingerprint;
    size_t count[CLV_SPLIT_COUNT], ignored, bad, duplicates, leaked_images, leaked_groups;
    bool given_split;
    struct clv_data_params split;
    struct clv_trainer_params trainer;
    struct clv_fit_params fit;
    double checkpoint_seconds;
    int threads;
    size_t cache_bytes;
    struct clv_device_params device;
    const char *platform, *platform_version, *device_name, *vendor, *driver, *device_version;
    int folds, trials; /* of a folder of repeated runs, which share all of this; trials 0: a run by itself */
    json_t *choices;   /* object: problem and choice of each contraction, both plans; may be NULL */
    json_t *selection; /* array: a line per step of the training plan; may be NULL */
};

CLV_CHECK enum clv_err clv_run_config_write(const struct clv_run_config *c, const char *path,
                                            struct clv_error *err);
/* CLV_ERR_DATA names file and member. */
CLV_CHECK enum clv_err clv_run_config_read(const char *path, struct clv_run_config *ret,
                                           struct clv_error *err);
void clv_run_config_finish(struct clv_run_config *c);

/* ---- the files (run_files.c) ---- */

struct clv_run_paths {
    char *dir, *config, *history, *split, *best, *last, *metrics;
};
CLV_CHECK enum clv_err clv_run_paths_init(struct clv_run_paths *p, const char *dir,
                                          struct clv_error *err);
void clv_run_paths_finish(struct clv_run_paths *p);
/* Removes the runs of earlier folds and trials below dir, and what was written about them together; what else lies
 * there stays. */
void clv_run_remove_members(const char *dir);
/* Temporary files that a killed process left half written, by name; removing them is best effort. */
bool clv_run_is_leftover(const char *name);
void clv_run_remove_leftovers(const struct clv_run_paths *p);

/* history.csv: one row per epoch; NaN is an empty field. */
struct clv_run_row {
    double epoch, loss, accuracy, val_loss, val_accuracy, val_auc, val_f1, learning_rate,
        images_per_second, seconds, skipped_steps;
};
struct clv_run_history {
    struct clv_run_row *rows;
    size_t n, cap;
};
CLV_CHECK enum clv_err clv_run_history_add(struct clv_run_history *h, const struct clv_run_row *row,
                                           struct clv_error *err);
CLV_CHECK enum clv_err clv_run_history_write(const struct clv_run_history *h, const char *path,
                                             struct clv_error *err);
/* The rows of the first `epochs` epochs; those that are missing or damaged end it: never fails. */
void clv_run_history_read(struct clv_run_history *h, const char *path, int epochs);
void clv_run_history_finish(struct clv_run_history *h);

/* The position of a training as text for a checkpoint's metadata; malloc'ed. */
char *clv_run_state_text(const struct clv_fit_state *s);
CLV_CHECK enum clv_err clv_run_state_parse(const char *text, struct clv_fit_state *ret,
                                           struct clv_error *err);

/* The keys of `clavicle eval --json`; NULL when out of memory. */
json_t *clv_run_metrics_json(const struct clv_metrics *m, const char *const *classes);

/* ---- one training (run_train.c, run_check.c) ---- */

/* Where a new run that is one of several gets what they share. */
struct clv_run_origin {
    const char *model_name, *model_text; /* NULL = params->model */
    const char *split_list;              /* which images are test, and which there are at all */
};

struct clv_run_job {
    struct clv_context *ctx;
    const struct clv_run_origin *origin; /* NULL = a run by itself */
    const char *config_name; /* of the file that says what the folder is; NULL = config.json */
    bool set; /* RUN holds repeated runs: all is checked here, nothing is trained */
    const struct clv_run_params *params;
    struct clv_run_result *result; /* the caller's, may be NULL */
    struct clv_run_config config;
    struct clv_run_paths paths;
    char *model_text, *model_name, *data_path,
        *optimizer; /* owners of what config borrows in a new run */
    bool made_dir;
    struct clv_lock lock; /* of the folder, before anything in it is read or written */
    struct clv_safetensors *last; /* resuming: the checkpoint; NULL = none was written yet */
    struct clv_data *data;
    char *loss;          /* with the numbers of class_weight=balanced; NULL = as it was given */
    struct clv_opt_list class_weight; /* of the loss; n = 0: none */
    struct clv_graph *graph;
    size_t image_bytes; /* trainer.max_image_bytes */
    struct clv_device *dev;
    struct clv_trainer *trainer;
    struct clv_run_history history;
    double seconds_before; /* of earlier parts of a resumed run */
    struct clv_fit_state state;
    enum clv_err file_error; /* of a file that a callback without a result wrote */
    struct clv_event end;
    uint64_t skipped;    /* as the last event said */
    double loss_scale;
};

/* clv_run_train(), for one of several runs. origin may be NULL. */
CLV_CHECK enum clv_err clv_run_train_from(struct clv_context *ctx, const struct clv_run_params *params,
                                          const struct clv_run_origin *origin, struct clv_run_result *result);
/* A job before anything is known of it, and its end, wherever it stands. */
struct clv_run_job clv_run_job_init(struct clv_context *ctx, const struct clv_run_params *params);
void clv_run_job_finish(struct clv_run_job *j);
/* The files that come before training: the split list, config.json; nothing of an older run is left. */
CLV_CHECK enum clv_err clv_run_write_first(struct clv_run_job *j);
/* Arguments and model text of a new run alone; before data are read, which may take long. */
CLV_CHECK enum clv_err clv_run_check_request(struct clv_run_job *j);
/* Everything that can be said without a device: arguments, model text, data, RUN itself. */
CLV_CHECK enum clv_err clv_run_check(struct clv_run_job *j);
/* Compares device, driver and kernels with what a resumed run had: CLV_ERR_MISMATCH. */
CLV_CHECK enum clv_err clv_run_check_device(struct clv_run_job *j);
CLV_CHECK enum clv_err clv_run_check_selection(struct clv_run_job *j);
/* Records who computes each contraction, or compares it with what a resumed run recorded (run_choices.c). */
CLV_CHECK enum clv_err clv_run_check_choices(struct clv_run_job *j);
/* What the run recorded, as a selection. */
CLV_CHECK enum clv_err clv_run_recorded(const struct clv_run_config *c, struct clv_selection *ret,
                                        struct clv_error *err);

/* Graph of the run's model text for its classes. CLV_ERR_SHAPE when the output is another number.
 */
CLV_CHECK enum clv_err clv_run_graph(struct clv_context *ctx, const struct clv_run_config *c,
                                     struct clv_graph **ret);

/* ---- a run in use (run_open.c) ---- */

struct clv_loader;
struct clv_run {
    struct clv_context *ctx;
    struct clv_run_config config;
    struct clv_run_paths paths;
    struct clv_graph *graph;
    char *select, *caps; /* the caller's, kept until the device is opened */
    struct clv_run_open_params params;
    struct clv_safetensors *checkpoint; /* until the trainer has it */
    struct clv_device *dev;
    struct clv_trainer *trainer; /* inference only, staging large enough for any image */
    struct clv_loader *loader;   /* of files outside any data set */
    struct clv_views views;
    struct clv_run_info info;
};

/* Opens device and trainer at the first use: arguments and data are checked before. */
CLV_CHECK enum clv_err clv_run_start(struct clv_run *run);

/* Probabilities of all classes from the output of one sample: one output is that of class 1. */
void clv_run_probabilities(const struct clv_run *run, const float *output, float *prob);

#endif
